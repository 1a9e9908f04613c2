#include "eval/compiler.h"
#include "eval/state.h"

namespace portwright::eval {

namespace ast = syntax;

namespace {

class With : public StmtCode {
 public:
  With(base::Span span, ExprPtr manager, TargetPtr target, Block body)
      : StmtCode(span),
        manager_(std::move(manager)),
        target_(std::move(target)),
        body_(std::move(body)) {}

  Flow exec(Frame& frame) const override {
    Interpreter& interp = frame.interp;
    const Value manager = manager_->eval(frame);
    frame.at = &manager_->span;
    if (manager.is_object() &&
        manager.object()->cls == interp.state().generator_manager) {
      return around_generator(frame, manager);
    }
    const Value exit = interp.getattr(manager, names().exit);
    const Value entered = interp.call(interp.getattr(manager, names().enter));
    Flow flow = Flow::Next;
    try {
      if (target_) {
        target_->store(frame, entered);
      }
      flow = run_block(body_, frame);
    } catch (const PythonError& error) {
      const Value type(static_cast<Object*>(interp.class_of(error.value)));
      if (interp.truthy(
              interp.call(exit, {type, error.value, Value::none()}))) {
        return Flow::Next;
      }
      throw;
    }
    const Value result = frame.result;
    interp.call(exit, {Value::none(), Value::none(), Value::none()});
    frame.result = result;
    return flow;
  }

 private:
  /// The generator runs, and at its yield this body: what the body raises is
  /// raised there, as Python has it.
  Flow around_generator(Frame& frame, const Value& manager) const {
    Interpreter& interp = frame.interp;
    Flow flow = Flow::Next;
    bool entered = false;
    interp.state().pending_yield = [&](const Value& value) {
      if (std::exchange(entered, true)) {
        interp.raise("RuntimeError", "generator didn't stop");
      }
      auto& current = interp.state().frame;
      Frame* generator = std::exchange(current, &frame);
      struct Back {
        Frame*& current;
        Frame* generator;
        ~Back() {
          current = generator;
        }
      } back{current, generator};
      if (target_) {
        target_->store(frame, value);
      }
      flow = run_block(body_, frame);
    };
    CallArgs args;
    args.positional = interp.to_vector(interp.getattr(manager, "args"));
    const Value keywords = interp.getattr(manager, "kwargs");
    for (const auto& e : keywords.get<Dict>()->entries()) {
      args.keywords.emplace_back(e.key.get<Str>()->symbol(), e.value);
    }
    interp.call(interp.getattr(manager, "func"), std::move(args));
    if (!entered) {
      interp.raise("RuntimeError", "generator didn't yield");
    }
    return flow;
  }

  ExprPtr manager_;
  TargetPtr target_;
  Block body_;
};

struct Handler {
  ExprPtr type;      // null: any
  TargetPtr target;  // null: unnamed
  Block body;
};

class Try : public StmtCode {
 public:
  Try(base::Span span,
      Block body,
      std::vector<Handler> handlers,
      Block orelse,
      Block finalbody)
      : StmtCode(span),
        body_(std::move(body)),
        handlers_(std::move(handlers)),
        orelse_(std::move(orelse)),
        finalbody_(std::move(finalbody)) {}

  Flow exec(Frame& frame) const override {
    if (finalbody_.empty()) {
      return guarded(frame);
    }
    Flow flow;
    try {
      flow = guarded(frame);
    } catch (const PythonError&) {
      const Flow last = run_block(finalbody_, frame);
      if (last != Flow::Next) {
        return last;
      }
      throw;
    }
    const Value result = frame.result;
    const Flow last = run_block(finalbody_, frame);
    if (last != Flow::Next) {
      return last;
    }
    frame.result = result;
    return flow;
  }

 private:
  Flow guarded(Frame& frame) const {
    Value exception;
    try {
      const Flow flow = run_block(body_, frame);
      if (flow != Flow::Next) {
        return flow;
      }
    } catch (const PythonError& error) {
      exception = error.value;
    }
    if (!exception.defined()) {
      return run_block(orelse_, frame);
    }
    return handle(frame, exception);
  }

  Flow handle(Frame& frame, const Value& exception) const {
    for (const Handler& handler : handlers_) {
      if (handler.type &&
          !frame.interp.isinstance(exception, handler.type->eval(frame))) {
        continue;
      }
      auto& handled = frame.interp.state().handled;
      handled.push_back(exception);
      struct Pop {
        std::vector<Value>& handled;
        ~Pop() {
          handled.pop_back();
        }
      } pop{handled};
      if (handler.target) {
        handler.target->store(frame, exception);
      }
      return run_block(handler.body, frame);
    }
    throw PythonError{exception};
  }

  Block body_;
  std::vector<Handler> handlers_;
  Block orelse_, finalbody_;
};

class RaiseCode : public StmtCode {
 public:
  RaiseCode(base::Span span, ExprPtr exception, ExprPtr cause)
      : StmtCode(span),
        exception_(std::move(exception)),
        cause_(std::move(cause)) {}

  Flow exec(Frame& frame) const override {
    Interpreter& interp = frame.interp;
    if (!exception_) {
      frame.at = &span;
      if (interp.state().handled.empty()) {
        interp.raise("RuntimeError", "No active exception to reraise");
      }
      throw PythonError{interp.state().handled.back()};
    }
    Value v = exception_->eval(frame);
    if (cause_) {
      cause_->eval(frame);
    }
    frame.at = &span;
    if (v.is(Kind::Class)) {
      v = interp.call(v);
    }
    if (!interp.isinstance(v, interp.types.base_exception)) {
      interp.raise("TypeError", "exceptions must derive from BaseException");
    }
    throw_python(interp, v);
  }

 private:
  ExprPtr exception_, cause_;
};

class Assertion : public StmtCode {
 public:
  Assertion(base::Span span, ExprPtr condition, ExprPtr message)
      : StmtCode(span),
        condition_(std::move(condition)),
        message_(std::move(message)) {}
  Flow exec(Frame& frame) const override {
    if (!test(*condition_, frame)) {
      const std::string message =
          message_ ? frame.interp.to_str(message_->eval(frame)) : "";
      frame.at = &span;
      frame.interp.raise("AssertionError", message);
    }
    return Flow::Next;
  }

 private:
  ExprPtr condition_, message_;
};

}  // namespace

StmtPtr Compiler::with(const ast::With& s) {
  // with a, b: body  =  with a: with b: body
  std::vector<std::pair<ExprPtr, TargetPtr>> items;
  for (const ast::WithItem& item : s.items) {
    auto manager = expr(*item.context_expr);
    items.emplace_back(
        std::move(manager),
        item.optional_vars ? target(*item.optional_vars) : nullptr);
  }
  ++scope_->with_depth;
  Block body = block(s.body);
  --scope_->with_depth;
  for (size_t i = items.size(); i-- > 0;) {
    Block outer;
    outer.push_back(std::make_unique<With>(
        s.span,
        std::move(items[i].first),
        std::move(items[i].second),
        std::move(body)));
    body = std::move(outer);
  }
  return std::move(body.front());
}

StmtPtr Compiler::try_stmt(const ast::Try& s) {
  ++scope_->try_depth;
  Block body = block(s.body);
  --scope_->try_depth;
  std::vector<Handler> handlers;
  for (const ast::ExceptHandler& h : s.handlers) {
    Handler handler;
    handler.type = optional(h.type);
    if (h.name) {
      handler.target = store(h.name);
    }
    handler.body = block(h.body);
    handlers.push_back(std::move(handler));
  }
  Block orelse = block(s.orelse);
  return std::make_unique<Try>(
      s.span,
      std::move(body),
      std::move(handlers),
      std::move(orelse),
      block(s.finalbody));
}

StmtPtr Compiler::raise(const ast::Raise& s) {
  auto exception = optional(s.exc);
  return std::make_unique<RaiseCode>(
      s.span, std::move(exception), optional(s.cause));
}

StmtPtr Compiler::assertion(const ast::Assert& s) {
  auto condition = expr(*s.test);
  return std::make_unique<Assertion>(
      s.span, std::move(condition), optional(s.msg));
}

}  // namespace portwright::eval
