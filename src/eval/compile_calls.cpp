#include "eval/compiler.h"
#include "eval/state.h"

namespace portwright::eval {

namespace ast = syntax;

namespace {

struct Argument {
  ExprPtr value;
  Symbol keyword;       // null: positional
  bool spread = false;  // *value or **value
};

void spread_mapping(Interpreter& interp, const Value& mapping, CallArgs& out) {
  auto add = [&](const Value& key, const Value& value) {
    if (!key.is_str()) {
      interp.raise("TypeError", "keywords must be strings");
    }
    out.keywords.emplace_back(key.get<Str>()->symbol(), value);
  };
  if (mapping.is(Kind::Dict)) {
    for (const auto& e : mapping.get<Dict>()->entries()) {
      if (e.key.defined()) {
        add(e.key, e.value);
      }
    }
    return;
  }
  interp.for_each(interp.call_method(mapping, "keys"), [&](Value key) {
    add(key, interp.getitem(mapping, key));
  });
}

/// The slots of the frame that a call's arguments will become.
size_t slots_of(const Value& function) {
  return function.is(Kind::Function)
             ? function.get<Function>()->code->slot_count
             : 0;
}

CallArgs evaluate_arguments(
    Frame& frame,
    Value self,
    const std::vector<Argument>& arguments,
    size_t slots,
    const base::Span& span) {
  CallArgs out;
  // A method adds its self.
  out.positional.reserve(std::max(arguments.size() + 1, slots));
  if (self.defined()) {
    out.positional.push_back(std::move(self));
  }
  for (const Argument& argument : arguments) {
    Value v = argument.value->eval(frame);
    if (argument.keyword) {
      out.keywords.emplace_back(argument.keyword, std::move(v));
    } else if (!argument.spread) {
      out.positional.push_back(std::move(v));
    } else {
      frame.at = &span;
      frame.interp.for_each(
          v, [&](Value item) { out.positional.push_back(std::move(item)); });
    }
  }
  return out;
}

/// What a logger that says nothing is told need not be put into words: a
/// config's alone costs more than the config.
bool does_nothing(const Value& function) {
  const Value& called = function.is(Kind::BoundMethod)
                            ? function.get<BoundMethod>()->function
                            : function;
  return called.is(Kind::Function) &&
         called.get<Function>()->code->does_nothing;
}

/// super() inside a method: the class that defines it, and its first argument.
class SuperCode : public ExprCode {
 public:
  SuperCode(base::Span span, uint32_t class_slot)
      : ExprCode(span), class_slot_(class_slot) {}

  Value eval(Frame& frame) const override {
    const Value& self = slot_value(frame.slots[0]);
    Class* after = defining_class(frame);
    Class* start =
        self.is(Kind::Class) && self.get<Class>()->is_subclass_of(after)
            ? self.get<Class>()
            : frame.interp.class_of(self);
    return Value(make<SuperObject>(after, self, start));
  }

  /// The method that super() would bind to `self`; null for anything else.
  const Value* plain_method(Frame& frame, Symbol name, Value& self) const {
    self = slot_value(frame.slots[0]);
    const Class* after = defining_class(frame);
    if (self.is(Kind::Class)) {
      return nullptr;
    }
    const Value* v = lookup_after(*frame.interp.class_of(self), after, name);
    return v && (v->is(Kind::Function) || v->is(Kind::Native)) ? v : nullptr;
  }

 private:
  Class* defining_class(Frame& frame) const {
    const Value& cls = slot_value(frame.slots[class_slot_]);
    frame.at = &span;
    if (!cls.is(Kind::Class) || !slot_value(frame.slots[0]).defined()) {
      frame.interp.raise("RuntimeError", "super(): no arguments");
    }
    return cls.get<Class>();
  }

  uint32_t class_slot_;
};

/// What is called: a value, or a method found on an object without binding it.
class Callee {
 public:
  explicit Callee(ExprPtr function) : value_(std::move(function)) {}
  Callee(ExprPtr object, Symbol method, base::Span span)
      : value_(std::move(object)),
        super_(dynamic_cast<const SuperCode*>(value_.get())),
        method_(method),
        span_(span) {}

  /// The function; `self` is defined where it comes first among the arguments.
  Value eval(Frame& frame, Value& self) const {
    if (super_) {
      if (const Value* found = super_->plain_method(frame, method_, self)) {
        return *found;
      }
      self = {};
    }
    Value value = value_->eval(frame);
    if (!method_) {
      return value;
    }
    frame.at = &span_;
    if (const Value* found = plain_method(frame.interp, value, method_)) {
      self = std::move(value);
      return *found;
    }
    return resolve_lazy(frame.interp, frame.interp.getattr(value, method_));
  }

 private:
  ExprPtr value_;
  const SuperCode* super_ = nullptr;  // where `value_` is that
  Symbol method_;
  base::Span span_;
};

class CallCode : public ExprCode {
 public:
  CallCode(
      base::Span span,
      Callee function,
      std::vector<Argument> positional,
      std::vector<Argument> keywords,
      bool formats_only)
      : ExprCode(span),
        function_(std::move(function)),
        positional_(std::move(positional)),
        keywords_(std::move(keywords)),
        plain_(
            keywords_.empty() &&
            std::none_of(
                positional_.begin(),
                positional_.end(),
                [](const Argument& a) { return a.spread; })),
        formats_only_(formats_only) {}

  Value eval(Frame& frame) const override {
    return call(frame, false);
  }
  Value eval_last(Frame& frame) const override {
    return call(frame, true);
  }

 private:
  Value call(Frame& frame, bool may_miss) const {
    Value self;
    const Value function = function_.eval(frame, self);
    if (formats_only_ && does_nothing(function)) {
      return Value::none();
    }
    if (plain_) {
      std::vector<Value> args;
      // A method adds its self; the rest is room for the frame's slots.
      args.reserve(std::max(positional_.size() + 1, slots_of(function)));
      if (self.defined()) {
        args.push_back(std::move(self));
      }
      for (const Argument& argument : positional_) {
        args.push_back(argument.value->eval(frame));
      }
      frame.at = &span;
      return call_positional(frame.interp, function, std::move(args), may_miss);
    }
    CallArgs args = evaluate_arguments(
        frame, std::move(self), positional_, slots_of(function), span);
    for (const Argument& keyword : keywords_) {
      Value v = keyword.value->eval(frame);
      if (keyword.spread) {
        frame.at = &span;
        spread_mapping(frame.interp, v, args);
      } else {
        args.keywords.emplace_back(keyword.keyword, std::move(v));
      }
    }
    frame.at = &span;
    frame.interp.state().may_miss = may_miss;
    return frame.interp.call(function, std::move(args));
  }

  Callee function_;
  std::vector<Argument> positional_;
  std::vector<Argument> keywords_;
  bool plain_;         // neither keywords nor spreads
  bool formats_only_;  // its one argument is an f-string
};

}  // namespace

ExprPtr Compiler::zero_argument_super(const ast::Call& e) {
  if (e.func->kind != ast::ExprKind::Name ||
      ast::as<ast::Name>(*e.func).id.str() != "super" || !e.args.empty() ||
      scope_->kind != Scope::Kind::Function ||
      scope_->code.signature.params.empty()) {
    return nullptr;
  }
  const auto slot = scope_->slot(Symbol("__class__"));
  return slot ? std::make_unique<SuperCode>(e.span, *slot) : nullptr;
}

ExprPtr Compiler::call(const ast::Call& e) {
  if (ExprPtr special = zero_argument_super(e)) {
    return special;
  }
  auto callee = [&] {
    if (e.func->kind != ast::ExprKind::Attribute) {
      return Callee(expr(*e.func));
    }
    const auto& method = ast::as<ast::Attribute>(*e.func);
    return Callee(
        expr(*method.value), scope_->mangled(method.attr), method.span);
  }();
  std::vector<Argument> positional;
  for (const ast::Expr* arg : e.args) {
    const bool spread = arg->kind == ast::ExprKind::Starred;
    positional.push_back(
        {expr(spread ? *ast::as<ast::Starred>(*arg).value : *arg),
         Symbol(),
         spread});
  }
  std::vector<Argument> keywords;
  for (const ast::Keyword& k : e.keywords) {
    keywords.push_back({expr(*k.value), k.arg, !k.arg});
  }
  return std::make_unique<CallCode>(
      e.span,
      std::move(callee),
      std::move(positional),
      std::move(keywords),
      e.keywords.empty() && e.args.size() == 1 &&
          e.args[0]->kind == ast::ExprKind::JoinedStr);
}

}  // namespace portwright::eval
