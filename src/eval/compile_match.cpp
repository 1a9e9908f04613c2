#include "eval/compiler.h"
#include "eval/state.h"

namespace portwright::eval {

namespace ast = syntax;

namespace {

class PatternCode {
 public:
  virtual ~PatternCode() = default;
  virtual bool matches(Frame& frame, const Value& subject) const = 0;
};
using PatternPtr = std::unique_ptr<PatternCode>;

class EqualTo : public PatternCode {
 public:
  explicit EqualTo(ExprPtr value) : value_(std::move(value)) {}
  bool matches(Frame& frame, const Value& subject) const override {
    return frame.interp.equal(subject, value_->eval(frame));
  }

 private:
  ExprPtr value_;
};

class Identical : public PatternCode {
 public:
  explicit Identical(Value value) : value_(std::move(value)) {}
  bool matches(Frame&, const Value& subject) const override {
    return subject.same(value_);
  }

 private:
  Value value_;
};

class AnyOf : public PatternCode {
 public:
  explicit AnyOf(std::vector<PatternPtr> patterns)
      : patterns_(std::move(patterns)) {}
  bool matches(Frame& frame, const Value& subject) const override {
    for (const auto& p : patterns_) {
      if (p->matches(frame, subject)) {
        return true;
      }
    }
    return false;
  }

 private:
  std::vector<PatternPtr> patterns_;
};

class Capture : public PatternCode {
 public:
  Capture(PatternPtr inner, TargetPtr target)
      : inner_(std::move(inner)), target_(std::move(target)) {}
  bool matches(Frame& frame, const Value& subject) const override {
    if (inner_ && !inner_->matches(frame, subject)) {
      return false;
    }
    if (target_) {
      target_->store(frame, subject);
    }
    return true;
  }

 private:
  PatternPtr inner_;
  TargetPtr target_;
};

class SequenceOf : public PatternCode {
 public:
  SequenceOf(std::vector<PatternPtr> patterns, int64_t starred)
      : patterns_(std::move(patterns)), starred_(starred) {}
  bool matches(Frame& frame, const Value& subject) const override {
    if (!subject.is(Kind::List) && !subject.is(Kind::Tuple)) {
      return false;
    }
    const auto items = frame.interp.to_vector(subject);
    const size_t wanted = patterns_.size();
    if (starred_ < 0 ? items.size() != wanted : items.size() + 1 < wanted) {
      return false;
    }
    size_t next = 0;
    for (size_t i = 0; i < wanted; ++i) {
      Value item;
      if (static_cast<int64_t>(i) == starred_) {
        const size_t rest = items.size() - (wanted - 1);
        item = list({items.begin() + next, items.begin() + next + rest});
        next += rest;
      } else {
        item = items[next++];
      }
      if (!patterns_[i]->matches(frame, item)) {
        return false;
      }
    }
    return true;
  }

 private:
  std::vector<PatternPtr> patterns_;
  int64_t starred_;
};

class ClassOf : public PatternCode {
 public:
  ClassOf(
      ExprPtr cls,
      std::vector<PatternPtr> positional,
      std::vector<std::pair<Symbol, PatternPtr>> attributes)
      : cls_(std::move(cls)),
        positional_(std::move(positional)),
        attributes_(std::move(attributes)) {}
  bool matches(Frame& frame, const Value& subject) const override {
    const Value cls = cls_->eval(frame);
    if (!frame.interp.isinstance(subject, cls)) {
      return false;
    }
    if (!positional_.empty() && !matches_positional(frame, subject, cls)) {
      return false;
    }
    for (const auto& [name, pattern] : attributes_) {
      if (!matches_attribute(frame, subject, name, *pattern)) {
        return false;
      }
    }
    return true;
  }

 private:
  static bool matches_attribute(
      Frame& frame,
      const Value& subject,
      Symbol name,
      const PatternCode& pattern) {
    const Value v = frame.interp.try_getattr(subject, name);
    return v.defined() && pattern.matches(frame, v);
  }

  /// By `__match_args__`; int(x), str(x) and their like match the whole.
  bool matches_positional(Frame& frame, const Value& subject, const Value& cls)
      const {
    Interpreter& interp = frame.interp;
    static const Symbol match_args("__match_args__");
    const Value given = interp.try_getattr(cls, match_args);
    const auto names =
        given.defined() ? interp.to_vector(given) : std::vector<Value>();
    const bool whole = !given.defined() && is_plain_value(interp, cls);
    const size_t takes = whole ? 1 : names.size();
    if (positional_.size() > takes) {
      interp.raise(
          "TypeError",
          cls.get<Class>()->name + "() accepts " + std::to_string(takes) +
              " positional sub-patterns (" +
              std::to_string(positional_.size()) + " given)");
    }
    if (whole) {
      return positional_.front()->matches(frame, subject);
    }
    for (size_t i = 0; i < positional_.size(); ++i) {
      if (!matches_attribute(
              frame, subject, Symbol(names[i].str()), *positional_[i])) {
        return false;
      }
    }
    return true;
  }

  static bool is_plain_value(Interpreter& interp, const Value& cls) {
    const Types& t = interp.types;
    const Class* given = cls.get<Class>();
    const auto below = [&](const Class* base) {
      return given->is_subclass_of(base);
    };
    return below(t.int_) || below(t.float_) || below(t.str) || below(t.bytes) ||
           below(t.list) || below(t.tuple) || below(t.dict) || below(t.set) ||
           below(t.frozenset);
  }

  ExprPtr cls_;
  std::vector<PatternPtr> positional_;
  std::vector<std::pair<Symbol, PatternPtr>> attributes_;
};

class MappingOf : public PatternCode {
 public:
  MappingOf(std::vector<std::pair<ExprPtr, PatternPtr>> items, TargetPtr rest)
      : items_(std::move(items)), rest_(std::move(rest)) {}
  bool matches(Frame& frame, const Value& subject) const override {
    if (!subject.is(Kind::Dict)) {
      return false;
    }
    Dict& from = *subject.get<Dict>();
    std::vector<Value> keys;
    for (const auto& [key, pattern] : items_) {
      keys.push_back(key->eval(frame));
      const Value* found = from.find(frame.interp, keys.back());
      if (!found || !pattern->matches(frame, Value(*found))) {
        return false;
      }
    }
    if (rest_) {
      auto left = dict();
      for (const auto& e : from.entries()) {
        if (e.key.defined()) {
          left->set(frame.interp, e.key, e.value);
        }
      }
      for (const Value& key : keys) {
        left->erase(frame.interp, key);
      }
      rest_->store(frame, Value(left));
    }
    return true;
  }

 private:
  std::vector<std::pair<ExprPtr, PatternPtr>> items_;
  TargetPtr rest_;  // null where there is none
};

struct Case {
  PatternPtr pattern;
  ExprPtr guard;
  Block body;
};

class MatchCode : public StmtCode {
 public:
  MatchCode(base::Span span, ExprPtr subject, std::vector<Case> cases)
      : StmtCode(span),
        subject_(std::move(subject)),
        cases_(std::move(cases)) {}
  Flow exec(Frame& frame) const override {
    const Value subject = subject_->eval(frame);
    for (const Case& c : cases_) {
      frame.at = &span;
      if (c.pattern->matches(frame, subject) &&
          (!c.guard || test(*c.guard, frame))) {
        return run_block(c.body, frame);
      }
    }
    return Flow::Next;
  }

 private:
  ExprPtr subject_;
  std::vector<Case> cases_;
};

}  // namespace

StmtPtr Compiler::match(const ast::Match& s) {
  std::function<PatternPtr(const ast::Pattern&)> compile =
      [&](const ast::Pattern& p) -> PatternPtr {
    auto all = [&](ast::Patterns patterns) {
      std::vector<PatternPtr> out;
      for (const ast::Pattern* sub : patterns) {
        out.push_back(compile(*sub));
      }
      return out;
    };
    switch (p.kind) {
      case ast::PatternKind::MatchValue:
        return std::make_unique<EqualTo>(
            expr(*ast::as<ast::MatchValue>(p).value));
      case ast::PatternKind::MatchSingleton: {
        const auto kind = ast::as<ast::MatchSingleton>(p).value;
        return std::make_unique<Identical>(
            kind == ast::ConstantKind::None
                ? Value::none()
                : Value::boolean(kind == ast::ConstantKind::True));
      }
      case ast::PatternKind::MatchOr:
        return std::make_unique<AnyOf>(
            all(ast::as<ast::MatchSequence>(p).patterns));
      case ast::PatternKind::MatchAs: {
        const auto& as_pattern = ast::as<ast::MatchAs>(p);
        return std::make_unique<Capture>(
            as_pattern.pattern ? compile(*as_pattern.pattern) : nullptr,
            as_pattern.name ? store(as_pattern.name) : nullptr);
      }
      case ast::PatternKind::MatchStar: {
        const auto& star = ast::as<ast::MatchStar>(p);
        return std::make_unique<Capture>(
            nullptr, star.name ? store(star.name) : nullptr);
      }
      case ast::PatternKind::MatchSequence: {
        const auto patterns = ast::as<ast::MatchSequence>(p).patterns;
        int64_t starred = -1;
        for (size_t i = 0; i < patterns.size(); ++i) {
          if (patterns[i]->kind == ast::PatternKind::MatchStar) {
            starred = static_cast<int64_t>(i);
          }
        }
        return std::make_unique<SequenceOf>(all(patterns), starred);
      }
      case ast::PatternKind::MatchClass: {
        const auto& cls = ast::as<ast::MatchClass>(p);
        std::vector<std::pair<Symbol, PatternPtr>> attributes;
        for (size_t i = 0; i < cls.kwd_attrs.size(); ++i) {
          attributes.emplace_back(
              cls.kwd_attrs[i], compile(*cls.kwd_patterns[i]));
        }
        return std::make_unique<ClassOf>(
            expr(*cls.cls), all(cls.patterns), std::move(attributes));
      }
      case ast::PatternKind::MatchMapping: {
        const auto& mapping = ast::as<ast::MatchMapping>(p);
        std::vector<std::pair<ExprPtr, PatternPtr>> items;
        for (size_t i = 0; i < mapping.keys.size(); ++i) {
          items.emplace_back(
              expr(*mapping.keys[i]), compile(*mapping.patterns[i]));
        }
        return std::make_unique<MappingOf>(
            std::move(items), mapping.rest ? store(mapping.rest) : nullptr);
      }
    }
    unsupported(p.span, "this pattern");
  };
  auto subject = expr(*s.subject);
  std::vector<Case> cases;
  for (const ast::MatchCase& c : s.cases) {
    Case one;
    one.pattern = compile(*c.pattern);
    one.guard = optional(c.guard);
    one.body = block(c.body);
    cases.push_back(std::move(one));
  }
  return std::make_unique<MatchCode>(
      s.span, std::move(subject), std::move(cases));
}

}  // namespace portwright::eval
