#include "eval/compiler.h"
#include "eval/generator.h"
#include "eval/state.h"

namespace portwright::eval {

namespace ast = syntax;

namespace {

Value make_function(
    Frame& frame,
    const std::shared_ptr<FunctionCode>& code,
    const std::vector<ExprPtr>& defaults) {
  auto function = make<Function>(code, Ref<ModuleObject>(&frame.globals));
  function->name = code->name.str();
  function->qualname = code->qualname;
  function->defaults.resize(defaults.size());
  for (size_t i = 0; i < defaults.size(); ++i) {
    if (defaults[i]) {
      function->defaults[i] = defaults[i]->eval(frame);
    }
  }
  for (uint32_t slot : code->enclosing) {
    function->closure.emplace_back(frame.slots[slot].get<Cell>());
  }
  return Value(function);
}

Value decorate(
    Frame& frame,
    const std::vector<ExprPtr>& decorators,
    std::vector<Value>& evaluated,
    Value value) {
  for (size_t i = decorators.size(); i-- > 0;) {
    frame.at = &decorators[i]->span;
    value = frame.interp.call(evaluated[i], {value});
  }
  return value;
}

std::vector<Value> evaluate_all(
    Frame& frame,
    const std::vector<ExprPtr>& exprs) {
  std::vector<Value> out;
  for (const auto& e : exprs) {
    out.push_back(e->eval(frame));
  }
  return out;
}

class DefineFunction : public StmtCode {
 public:
  DefineFunction(
      base::Span span,
      std::shared_ptr<FunctionCode> code,
      std::vector<ExprPtr> decorators,
      std::vector<ExprPtr> defaults,
      TargetPtr target)
      : StmtCode(span),
        code_(std::move(code)),
        decorators_(std::move(decorators)),
        defaults_(std::move(defaults)),
        target_(std::move(target)) {}

  Flow exec(Frame& frame) const override {
    auto evaluated = evaluate_all(frame, decorators_);
    Value function = make_function(frame, code_, defaults_);
    target_->store(
        frame, decorate(frame, decorators_, evaluated, std::move(function)));
    return Flow::Next;
  }

 private:
  std::shared_ptr<FunctionCode> code_;
  std::vector<ExprPtr> decorators_;
  std::vector<ExprPtr> defaults_;
  TargetPtr target_;
};

class LambdaCode : public ExprCode {
 public:
  LambdaCode(
      base::Span span,
      std::shared_ptr<FunctionCode> code,
      std::vector<ExprPtr> defaults)
      : ExprCode(span),
        code_(std::move(code)),
        defaults_(std::move(defaults)) {}
  Value eval(Frame& frame) const override {
    return make_function(frame, code_, defaults_);
  }

 private:
  std::shared_ptr<FunctionCode> code_;
  std::vector<ExprPtr> defaults_;
};

/// Runs code in a new frame whose slots are prepared, generators included.
template <typename Run>
void with_frame(Frame& frame, const Run& run) {
  auto& state = frame.interp.state();
  frame.caller = state.frame;
  if (++state.depth > state.limits.depth) {
    state.depth = 0;
    frame.interp.refuse(
        diagnostics::Kind::LimitExceeded,
        "calls are nested more than " + std::to_string(state.limits.depth) +
            " deep",
        "the source recurses without end");
  }
  state.frame = &frame;
  struct Leave {
    Frame& frame;
    ~Leave() {
      auto& state = frame.interp.state();
      state.frame = frame.caller;
      if (state.depth > 0) {
        --state.depth;
      }
    }
  } leave{frame};
  run();
  for (const auto& weak : frame.generators) {
    if (auto generator = weak.lock()) {
      generator->finish(frame.interp);
    }
  }
}

void prepare_slots(
    const FunctionCode& code,
    Value* slots,
    const std::vector<Ref<Cell>>& closure) {
  for (uint32_t slot : code.cells) {
    slots[slot] = Value(make<Cell>(std::move(slots[slot])));
  }
  for (size_t i = 0; i < code.free.size(); ++i) {
    slots[code.free[i]] = Value(closure[i]);
  }
}

class DefineClass : public StmtCode {
 public:
  DefineClass(
      base::Span span,
      std::shared_ptr<FunctionCode> code,
      std::string module,
      std::vector<ExprPtr> decorators,
      std::vector<ExprPtr> bases,
      std::vector<bool> starred,
      std::vector<std::pair<Symbol, ExprPtr>> keywords,
      std::vector<std::pair<Symbol, std::string>> annotations,
      TargetPtr target)
      : StmtCode(span),
        code_(std::move(code)),
        module_(std::move(module)),
        decorators_(std::move(decorators)),
        bases_(std::move(bases)),
        starred_(std::move(starred)),
        keywords_(std::move(keywords)),
        annotations_(std::move(annotations)),
        target_(std::move(target)) {}

  Flow exec(Frame& frame) const override {
    Interpreter& interp = frame.interp;
    auto evaluated = evaluate_all(frame, decorators_);
    std::vector<Value> bases;
    for (size_t i = 0; i < bases_.size(); ++i) {
      Value base = bases_[i]->eval(frame);
      if (starred_[i]) {
        interp.for_each(base, [&](Value v) { bases.push_back(std::move(v)); });
      } else {
        bases.push_back(std::move(base));
      }
    }
    std::vector<std::pair<Symbol, Value>> keywords;
    for (const auto& [name, value] : keywords_) {
      keywords.emplace_back(name, value->eval(frame));
    }
    Value cell;
    AttrMap names = run_body(frame, cell);
    frame.at = &span;
    Value cls =
        interp.make_class(code_->name.str(), bases, std::move(names), keywords);
    cls.get<Class>()->span = span;
    if (cell.defined()) {
      cell.get<Cell>()->value = cls;
    }
    target_->store(
        frame, decorate(frame, decorators_, evaluated, std::move(cls)));
    return Flow::Next;
  }

 private:
  AttrMap run_body(Frame& outer, Value& class_cell) const {
    AttrMap names;
    names.set(eval::names().module, str(module_));
    names.set(eval::names().qualname, str(code_->qualname));
    if (!annotations_.empty()) {
      auto annotations = dict();
      for (const auto& [name, text] : annotations_) {
        annotations->set(name.str(), str(text));
      }
      names.set(eval::names().annotations, Value(annotations));
    }
    std::vector<Value> slots(code_->slot_count);
    std::vector<Ref<Cell>> closure;
    for (uint32_t slot : code_->enclosing) {
      closure.emplace_back(outer.slots[slot].get<Cell>());
    }
    prepare_slots(*code_, slots.data(), closure);
    Frame frame{outer.interp, *code_, outer.globals, slots.data(), &names};
    with_frame(frame, [&] { run_block(code_->body, frame); });
    for (uint32_t slot : code_->cells) {
      if (code_->slot_names[slot].str() == "__class__") {
        class_cell = slots[slot];
      }
    }
    return names;
  }

  std::shared_ptr<FunctionCode> code_;
  std::string module_;
  std::vector<ExprPtr> decorators_;
  std::vector<ExprPtr> bases_;
  std::vector<bool> starred_;
  std::vector<std::pair<Symbol, ExprPtr>> keywords_;
  std::vector<std::pair<Symbol, std::string>> annotations_;
  TargetPtr target_;
};

}  // namespace

Value run_function(
    Interpreter& interp,
    Function& function,
    std::vector<Value>& bound,
    bool may_miss) {
  const FunctionCode& code = *function.code;
  Ref<Function> keep(&function);
  interp.charge();
  Observer* observer = interp.observer;
  if (observer) {
    observer->on_enter(function, bound, interp.here());
  }
  bound.resize(code.slot_count);
  prepare_slots(code, bound.data(), function.closure);
  Frame frame{interp, code, *function.globals, bound.data()};
  std::vector<Value> yielded;
  if (code.is_generator) {
    frame.yielded = &yielded;
    frame.on_yield = std::exchange(interp.state().pending_yield, nullptr);
  }
  frame.may_miss = may_miss && !code.is_generator;
  frame.result = Value::none();
  struct Exit {  // Undefined where an exception ends it
    Observer* observer;
    Function& function;
    Value result;
    ~Exit() {
      if (observer) {
        observer->on_exit(function, result);
      }
    }
  } exit{observer, function, {}};
  with_frame(frame, [&] {
    if (code.value) {
      frame.result = code.value->eval(frame);
    } else {
      run_block(code.body, frame);
    }
  });
  exit.result = code.is_generator
                    ? Value(interp.iterate(list(std::move(yielded))))
                    : std::move(frame.result);
  return exit.result;
}

void execute_module(
    Interpreter& interp,
    const syntax::Tree& tree,
    const Ref<ModuleObject>& module) {
  auto code = compile_module(interp, tree, *module);
  std::vector<Value> slots(code->slot_count);
  prepare_slots(*code, slots.data(), {});
  Frame frame{interp, *code, *module, slots.data(), module->attrs};
  with_frame(frame, [&] { run_block(code->body, frame); });
}

void Compiler::parameters(Scope& scope, const ast::Arguments& args) {
  using ParamKind = Signature::ParamKind;
  auto add = [&](const ast::Arg& arg, ParamKind kind) {
    const Symbol name = scope.mangled(arg.name);
    scope.code.signature.params.push_back({name, kind, {}});
    scope.add_local(name);
  };
  for (const ast::Arg* a : args.posonlyargs) {
    add(*a, ParamKind::PositionalOnly);
  }
  for (const ast::Arg* a : args.args) {
    add(*a, ParamKind::Normal);
  }
  if (args.vararg) {
    add(*args.vararg, ParamKind::VarArgs);
  }
  for (const ast::Arg* a : args.kwonlyargs) {
    add(*a, ParamKind::KeywordOnly);
  }
  if (args.kwarg) {
    add(*args.kwarg, ParamKind::VarKeywords);
  }
}

std::vector<ExprPtr> Compiler::defaults(const ast::Arguments& args) {
  std::vector<ExprPtr> out;
  const size_t positional = args.posonlyargs.size() + args.args.size();
  const size_t without = positional - args.defaults.size();
  for (size_t i = 0; i < positional; ++i) {
    out.push_back(i < without ? nullptr : expr(*args.defaults[i - without]));
  }
  if (args.vararg) {
    out.push_back(nullptr);
  }
  for (const ast::Expr* e : args.kw_defaults) {
    out.push_back(optional(e));
  }
  if (args.kwarg) {
    out.push_back(nullptr);
  }
  return out;
}

namespace {

std::string qualified_name(const Scope& outer, Symbol name) {
  switch (outer.kind) {
    case Scope::Kind::Module:
      return name.str();
    case Scope::Kind::Class:
      return outer.code.qualname + "." + name.str();
    case Scope::Kind::Function:
      return outer.code.qualname + ".<locals>." + name.str();
  }
  return name.str();
}

bool inside_function(const Scope& scope) {
  return scope.kind == Scope::Kind::Function ||
         (scope.parent && inside_function(*scope.parent));
}

}  // namespace

void Compiler::function_body(Scope& scope, const ast::FunctionDef& s) {
  ScopeGuard guard(*this, scope);
  declare_bindings(scope, s.body);
  scope.code.is_generator = contains_yield(s.body);
  scope.code.body = block(s.body);
}

StmtPtr Compiler::function(const ast::FunctionDef& s) {
  if (s.kind == ast::StmtKind::AsyncFunctionDef) {
    unsupported(s.span, "an asynchronous function");
  }
  auto code = std::make_shared<FunctionCode>();
  code->name = s.name;
  code->qualname = qualified_name(*scope_, s.name);
  code->span = s.span;
  code->syntax = &s;
  auto decorators = exprs(s.decorator_list);
  auto default_values = defaults(*s.args);
  code->does_nothing =
      s.body.size() == 1 && s.body[0]->kind == ast::StmtKind::Pass;
  auto scope = std::make_shared<Scope>(Scope::Kind::Function, scope_, *code);
  parameters(*scope, *s.args);
  if (inside_function(*scope_)) {
    function_body(*scope, s);
  } else {
    // Of the scopes around it, it can capture a class alone.
    if (scope_->kind == Scope::Kind::Class) {
      scope->slot(Symbol("__class__"));
    }
    scope->parent = nullptr;
    code->rest = [compiler = Compiler(interp_, module_name_, is_package_),
                  scope,
                  &s]() mutable { compiler.function_body(*scope, s); };
  }
  return std::make_unique<DefineFunction>(
      s.span,
      std::move(code),
      std::move(decorators),
      std::move(default_values),
      store(s.name));
}

ExprPtr Compiler::lambda(const ast::Lambda& e) {
  auto code = std::make_shared<FunctionCode>();
  code->name = Symbol("<lambda>");
  code->qualname = qualified_name(*scope_, code->name);
  code->span = e.span;
  code->is_lambda = true;
  auto default_values = defaults(*e.args);
  {
    Scope scope(Scope::Kind::Function, scope_, *code);
    parameters(scope, *e.args);
    ScopeGuard guard(*this, scope);
    code->value = expr(*e.body);
  }
  return std::make_unique<LambdaCode>(
      e.span, std::move(code), std::move(default_values));
}

StmtPtr Compiler::class_def(const ast::ClassDef& s) {
  auto code = std::make_shared<FunctionCode>();
  code->name = s.name;
  code->qualname = qualified_name(*scope_, s.name);
  code->span = s.span;
  auto decorators = exprs(s.decorator_list);
  std::vector<ExprPtr> bases;
  std::vector<bool> starred;
  for (const ast::Expr* base : s.bases) {
    starred.push_back(base->kind == ast::ExprKind::Starred);
    bases.push_back(
        expr(starred.back() ? *ast::as<ast::Starred>(*base).value : *base));
  }
  std::vector<std::pair<Symbol, ExprPtr>> keywords;
  for (const ast::Keyword& k : s.keywords) {
    if (!k.arg) {
      unsupported(k.span, "**keywords of a class");
    }
    keywords.emplace_back(k.arg, expr(*k.value));
  }
  std::vector<std::pair<Symbol, std::string>> annotations;
  for (const ast::Stmt* member : s.body) {
    if (member->kind == ast::StmtKind::AnnAssign) {
      const auto& a = ast::as<ast::AnnAssign>(*member);
      if (a.target->kind == ast::ExprKind::Name) {
        annotations.emplace_back(
            ast::as<ast::Name>(*a.target).id,
            std::string(a.annotation->span.text()));
      }
    }
  }
  {
    Scope scope(Scope::Kind::Class, scope_, *code);
    scope.class_name = s.name.str();
    ScopeGuard guard(*this, scope);
    code->body = block(s.body);
  }
  return std::make_unique<DefineClass>(
      s.span,
      std::move(code),
      module_name_,
      std::move(decorators),
      std::move(bases),
      std::move(starred),
      std::move(keywords),
      std::move(annotations),
      store(s.name));
}

std::shared_ptr<FunctionCode> Compiler::module(const ast::Tree& tree) {
  auto code = std::make_shared<FunctionCode>();
  code->name = Symbol("<module>");
  Scope scope(Scope::Kind::Module, nullptr, *code);
  ScopeGuard guard(*this, scope);
  code->body = block(tree.body);
  return code;
}

std::shared_ptr<FunctionCode> compile_module(
    Interpreter& interp,
    const syntax::Tree& tree,
    const ModuleObject& module) {
  return Compiler(interp, module.name, module.is_package).module(tree);
}

}  // namespace portwright::eval
