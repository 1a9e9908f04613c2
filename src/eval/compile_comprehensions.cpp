#include "eval/compiler.h"
#include "eval/generator.h"
#include "eval/state.h"

namespace portwright::eval {

namespace ast = syntax;

namespace {

/// for target in iter if ... , one of a comprehension.
struct Clause {
  TargetPtr target;
  ExprPtr iter;
  std::vector<ExprPtr> conditions;
};

/// What every comprehension shares: its loops and its own variables.
class Loops {
 public:
  std::vector<Clause> clauses;
  std::vector<uint32_t> slots;

  /// Captured variables start in cells of their own at each evaluation.
  void renew(Frame& frame) const {
    for (uint32_t slot : slots) {
      if (frame.slots[slot].is(Kind::Cell)) {
        frame.slots[slot] = Value(make<Cell>());
      }
    }
  }

  template <typename Body>
  void run(Frame& frame, const base::Span& span, const Body& body) const {
    renew(frame);
    run_clause(frame, span, body, 0);
  }

 private:
  template <typename Body>
  void run_clause(
      Frame& frame,
      const base::Span& span,
      const Body& body,
      size_t level) const {
    if (level == clauses.size()) {
      body();
      return;
    }
    const Clause& clause = clauses[level];
    const Value source = clause.iter->eval(frame);
    frame.at = &span;
    const auto items = frame.interp.iterate(source);
    while (true) {
      Value item = items->next(frame.interp);
      if (!item.defined()) {
        return;
      }
      frame.interp.charge();
      clause.target->store(frame, item);
      if (holds(frame, clause)) {
        run_clause(frame, span, body, level + 1);
      }
    }
  }

 public:
  static bool holds(Frame& frame, const Clause& clause) {
    for (const auto& condition : clause.conditions) {
      if (!test(*condition, frame)) {
        return false;
      }
    }
    return true;
  }
};

class CollectionComp : public ExprCode {
 public:
  CollectionComp(
      base::Span span,
      ast::ExprKind kind,
      Loops loops,
      ExprPtr element,
      ExprPtr value)
      : ExprCode(span),
        kind_(kind),
        loops_(std::move(loops)),
        element_(std::move(element)),
        value_(std::move(value)) {}

  Value eval(Frame& frame) const override {
    if (kind_ == ast::ExprKind::ListComp) {
      std::vector<Value> items;
      loops_.run(frame, span, [&] { items.push_back(element_->eval(frame)); });
      return list(std::move(items));
    }
    if (kind_ == ast::ExprKind::SetComp) {
      auto set = make<Set>();
      loops_.run(frame, span, [&] {
        set->items->set(frame.interp, element_->eval(frame), Value::none());
      });
      return Value(set);
    }
    auto out = dict();
    loops_.run(frame, span, [&] {
      const Value key = element_->eval(frame);
      out->set(frame.interp, key, value_->eval(frame));
    });
    return Value(out);
  }

 private:
  ast::ExprKind kind_;
  Loops loops_;
  ExprPtr element_, value_;
};

/// A generator expression in progress: one iterator per clause entered.
class Generator : public GeneratorState {
 public:
  Generator(Frame& frame, const Loops& loops, const ExprCode& element)
      : frame_(&frame), loops_(loops), element_(element) {}

  Value next(Interpreter& interp) override {
    if (!frame_) {  // the frame has ended: serve what it left
      return at_ < rest_.size() ? rest_[at_++] : Value();
    }
    return advance(interp);
  }

  void finish(Interpreter& interp) override {
    while (true) {
      Value v = advance(interp);
      if (!v.defined()) {
        break;
      }
      rest_.push_back(std::move(v));
    }
    frame_ = nullptr;
  }

  void enter_first(const Value& source) {
    iterators_.push_back(frame_->interp.iterate(source));
  }

 private:
  Value advance(Interpreter& interp) {
    while (!iterators_.empty()) {
      const Clause& clause = loops_.clauses[iterators_.size() - 1];
      Value item = iterators_.back()->next(interp);
      if (!item.defined()) {
        iterators_.pop_back();
        continue;
      }
      interp.charge();
      clause.target->store(*frame_, item);
      if (!Loops::holds(*frame_, clause)) {
        continue;
      }
      if (iterators_.size() == loops_.clauses.size()) {
        return element_.eval(*frame_);
      }
      iterators_.push_back(interp.iterate(
          loops_.clauses[iterators_.size()].iter->eval(*frame_)));
    }
    return {};
  }

  Frame* frame_;
  const Loops& loops_;
  const ExprCode& element_;
  std::vector<Ref<Iterator>> iterators_;
  std::vector<Value> rest_;
  size_t at_ = 0;
};

class GeneratorCode : public ExprCode {
 public:
  GeneratorCode(base::Span span, Loops loops, ExprPtr element)
      : ExprCode(span),
        loops_(std::move(loops)),
        element_(std::move(element)) {}

  Value eval(Frame& frame) const override {
    loops_.renew(frame);
    const Value source = loops_.clauses.front().iter->eval(frame);
    frame.at = &span;
    auto state = std::make_shared<Generator>(frame, loops_, *element_);
    state->enter_first(source);
    std::erase_if(frame.generators, [](const auto& g) { return g.expired(); });
    frame.generators.push_back(state);
    return Value(make<Iterator>(
        [state](Interpreter& interp) { return state->next(interp); }));
  }

 private:
  Loops loops_;
  ExprPtr element_;
};

}  // namespace

ExprPtr Compiler::comprehension(const ast::Expr& e) {
  const bool is_dict = e.kind == ast::ExprKind::DictComp;
  const auto generators = is_dict ? ast::as<ast::DictComp>(e).generators
                                  : ast::as<ast::ElementComp>(e).generators;
  Loops loops;
  // The first iterable belongs to the enclosing block.
  ExprPtr first = expr(*generators.front().iter);
  Scope::Block variables;
  class Targets : public Walk {
   public:
    Targets(Scope& scope, Scope::Block& block) : scope_(scope), block_(block) {}
    void on_expr(const ast::Expr& t) override {
      if (t.kind == ast::ExprKind::Name &&
          ast::as<ast::Name>(t).ctx == ast::ExprContext::Store) {
        const Symbol name = ast::as<ast::Name>(t).id;
        if (!block_.contains(name)) {
          block_[name] = scope_.add_slot(name);
        }
      }
    }

   private:
    Scope& scope_;
    Scope::Block& block_;
  } targets(*scope_, variables);
  for (const ast::Comprehension& g : generators) {
    if (g.is_async) {
      unsupported(e.span, "an asynchronous comprehension");
    }
    targets.walk(g.target);
  }
  for (const auto& [name, slot] : variables) {
    loops.slots.push_back(slot);
  }
  scope_->blocks.push_back(std::move(variables));
  for (const ast::Comprehension& g : generators) {
    Clause clause;
    clause.iter = first ? std::move(first) : expr(*g.iter);
    clause.target = target(*g.target);
    clause.conditions = exprs(g.ifs);
    loops.clauses.push_back(std::move(clause));
  }
  ExprPtr element, value;
  if (is_dict) {
    element = expr(*ast::as<ast::DictComp>(e).key);
    value = expr(*ast::as<ast::DictComp>(e).value);
  } else {
    element = expr(*ast::as<ast::ElementComp>(e).elt);
  }
  scope_->blocks.pop_back();
  if (e.kind == ast::ExprKind::GeneratorExp) {
    return std::make_unique<GeneratorCode>(
        e.span, std::move(loops), std::move(element));
  }
  return std::make_unique<CollectionComp>(
      e.span, e.kind, std::move(loops), std::move(element), std::move(value));
}

}  // namespace portwright::eval
