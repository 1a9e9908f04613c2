#include "eval/compiler.h"
#include "eval/state.h"

namespace portwright::eval {

namespace ast = syntax;

Flow run_block(const Block& block, Frame& frame) {
  for (const auto& statement : block) {
    frame.interp.charge();
    const Flow flow = statement->exec(frame);
    if (flow != Flow::Next) {
      return flow;
    }
  }
  return Flow::Next;
}

namespace {

class Assign : public StmtCode {
 public:
  Assign(base::Span span, std::vector<TargetPtr> targets, ExprPtr value)
      : StmtCode(span),
        targets_(std::move(targets)),
        value_(std::move(value)) {}
  Flow exec(Frame& frame) const override {
    const Value v = value_->eval(frame);
    for (const auto& target : targets_) {
      frame.at = &span;
      target->store(frame, v);
    }
    return Flow::Next;
  }

 private:
  std::vector<TargetPtr> targets_;
  ExprPtr value_;
};

class Evaluate : public StmtCode {
 public:
  Evaluate(base::Span span, ExprPtr value, bool guarded)
      : StmtCode(span), value_(std::move(value)), guarded_(guarded) {}
  Flow exec(Frame& frame) const override {
    if (!frame.may_miss || guarded_) {
      value_->eval(frame);
      return Flow::Next;
    }
    if (value_->eval_last(frame).defined()) {
      return Flow::Next;
    }
    frame.result = {};  // what is missed here ends the function
    return Flow::Return;
  }

 private:
  ExprPtr value_;
  bool guarded_;  // as below
};

class Return : public StmtCode {
 public:
  Return(base::Span span, ExprPtr value, bool guarded)
      : StmtCode(span), value_(std::move(value)), guarded_(guarded) {}
  Flow exec(Frame& frame) const override {
    if (!value_) {
      frame.result = Value::none();
    } else if (frame.may_miss && !guarded_) {
      frame.result = value_->eval_last(frame);
    } else {
      frame.result = value_->eval(frame);
    }
    return Flow::Return;
  }

 private:
  ExprPtr value_;
  bool guarded_;  // inside of what may handle exceptions
};

class Leave : public StmtCode {
 public:
  Leave(base::Span span, Flow flow) : StmtCode(span), flow_(flow) {}
  Flow exec(Frame&) const override {
    return flow_;
  }

 private:
  Flow flow_;
};

class If : public StmtCode {
 public:
  If(base::Span span, ExprPtr test, Block body, Block orelse)
      : StmtCode(span),
        test_(std::move(test)),
        body_(std::move(body)),
        orelse_(std::move(orelse)) {}
  Flow exec(Frame& frame) const override {
    return run_block(test(*test_, frame) ? body_ : orelse_, frame);
  }

 private:
  ExprPtr test_;
  Block body_, orelse_;
};

class While : public StmtCode {
 public:
  While(base::Span span, ExprPtr test, Block body, Block orelse)
      : StmtCode(span),
        test_(std::move(test)),
        body_(std::move(body)),
        orelse_(std::move(orelse)) {}
  Flow exec(Frame& frame) const override {
    while (test(*test_, frame)) {
      frame.interp.charge();
      const Flow flow = run_block(body_, frame);
      if (flow == Flow::Break) {
        return Flow::Next;
      }
      if (flow == Flow::Return) {
        return flow;
      }
    }
    return run_block(orelse_, frame);
  }

 private:
  ExprPtr test_;
  Block body_, orelse_;
};

/// Tells an observer, if there is one, of a loop while it runs.
class Observed {
 public:
  Observed(Observer* observer, const base::Span& span, const Value& iterated)
      : observer_(observer) {
    if (observer_) {
      observer_->on_loop(span, iterated);
    }
  }
  Observed(const Observed&) = delete;
  Observed& operator=(const Observed&) = delete;
  ~Observed() {
    if (observer_) {
      observer_->on_loop_end();
    }
  }
  void turn() const {
    if (observer_) {
      observer_->on_turn();
    }
  }

 private:
  Observer* observer_;
};

class For : public StmtCode {
 public:
  For(base::Span span, TargetPtr target, ExprPtr iter, Block body, Block orelse)
      : StmtCode(span),
        target_(std::move(target)),
        iter_(std::move(iter)),
        body_(std::move(body)),
        orelse_(std::move(orelse)) {}
  Flow exec(Frame& frame) const override {
    const Value source = iter_->eval(frame);
    frame.at = &iter_->span;
    const auto items = frame.interp.iterate(source);
    const Observed observed(frame.interp.observer, span, source);
    while (true) {
      frame.at = &iter_->span;
      const Value item = items->next(frame.interp);
      if (!item.defined()) {
        break;
      }
      frame.interp.charge();
      observed.turn();
      target_->store(frame, item);
      const Flow flow = run_block(body_, frame);
      if (flow == Flow::Break) {
        return Flow::Next;
      }
      if (flow == Flow::Return) {
        return flow;
      }
    }
    return run_block(orelse_, frame);
  }

 private:
  TargetPtr target_;
  ExprPtr iter_;
  Block body_, orelse_;
};

class Sequence : public StmtCode {
 public:
  Sequence(base::Span span, Block block)
      : StmtCode(span), block_(std::move(block)) {}
  Flow exec(Frame& frame) const override {
    return run_block(block_, frame);
  }

 private:
  Block block_;
};

}  // namespace

Block Compiler::block(ast::Stmts body) {
  Block out;
  for (const ast::Stmt* s : body) {
    if (auto code = stmt(*s)) {
      out.push_back(std::move(code));
    }
  }
  return out;
}

StmtPtr Compiler::assign(const ast::Assign& s) {
  auto value = expr(*s.value);
  std::vector<TargetPtr> targets;
  for (const ast::Expr* t : s.targets) {
    targets.push_back(target(*t));
  }
  return std::make_unique<Assign>(s.span, std::move(targets), std::move(value));
}

StmtPtr Compiler::annotated(const ast::AnnAssign& s) {
  if (!s.value) {
    return nullptr;  // class annotations are read from the syntax
  }
  auto value = expr(*s.value);
  std::vector<TargetPtr> targets;
  targets.push_back(target(*s.target));
  return std::make_unique<Assign>(s.span, std::move(targets), std::move(value));
}

StmtPtr Compiler::for_loop(const ast::For& s) {
  auto iter = expr(*s.iter);
  auto store = target(*s.target);
  auto body = block(s.body);
  return std::make_unique<For>(
      s.span,
      std::move(store),
      std::move(iter),
      std::move(body),
      block(s.orelse));
}

StmtPtr Compiler::stmt(const ast::Stmt& s) {
  using ast::as;
  using ast::StmtKind;
  switch (s.kind) {
    case StmtKind::FunctionDef:
    case StmtKind::AsyncFunctionDef:
      return function(as<ast::FunctionDef>(s));
    case StmtKind::ClassDef:
      return class_def(as<ast::ClassDef>(s));
    case StmtKind::Return:
      return std::make_unique<Return>(
          s.span,
          optional(as<ast::Return>(s).value),
          scope_->try_depth + scope_->with_depth > 0);
    case StmtKind::Delete: {
      Block out;
      for (const ast::Expr* t : as<ast::Delete>(s).targets) {
        out.push_back(remove(*t));
      }
      return std::make_unique<Sequence>(s.span, std::move(out));
    }
    case StmtKind::Assign:
      return assign(as<ast::Assign>(s));
    case StmtKind::AugAssign:
      return augmented(as<ast::AugAssign>(s));
    case StmtKind::AnnAssign:
      return annotated(as<ast::AnnAssign>(s));
    case StmtKind::For:
      return for_loop(as<ast::For>(s));
    case StmtKind::While: {
      const auto& w = as<ast::Conditional>(s);
      auto test = expr(*w.test);
      auto body = block(w.body);
      return std::make_unique<While>(
          s.span, std::move(test), std::move(body), block(w.orelse));
    }
    case StmtKind::If: {
      const auto& i = as<ast::Conditional>(s);
      auto test = expr(*i.test);
      auto body = block(i.body);
      return std::make_unique<If>(
          s.span, std::move(test), std::move(body), block(i.orelse));
    }
    case StmtKind::With:
      return with(as<ast::With>(s));
    case StmtKind::Match:
      return match(as<ast::Match>(s));
    case StmtKind::Raise:
      return raise(as<ast::Raise>(s));
    case StmtKind::Try:
      return try_stmt(as<ast::Try>(s));
    case StmtKind::Assert:
      return assertion(as<ast::Assert>(s));
    case StmtKind::Import:
      return import(as<ast::Import>(s));
    case StmtKind::ImportFrom:
      return import_from(as<ast::ImportFrom>(s));
    case StmtKind::Expr: {
      const auto& value = *as<ast::ExprStmt>(s).value;
      if (value.kind == ast::ExprKind::Constant) {
        return nullptr;  // a docstring
      }
      return std::make_unique<Evaluate>(
          s.span, expr(value), scope_->try_depth + scope_->with_depth > 0);
    }
    case StmtKind::Global:
    case StmtKind::Nonlocal:
    case StmtKind::Pass:
    case StmtKind::TypeAlias:
      return nullptr;
    case StmtKind::Break:
      return std::make_unique<Leave>(s.span, Flow::Break);
    case StmtKind::Continue:
      return std::make_unique<Leave>(s.span, Flow::Continue);
    case StmtKind::AsyncFor:
    case StmtKind::AsyncWith:
      unsupported(s.span, "an asynchronous statement");
    case StmtKind::TryStar:
      unsupported(s.span, "'except*'");
  }
  unsupported(s.span, "this statement");
}

}  // namespace portwright::eval
