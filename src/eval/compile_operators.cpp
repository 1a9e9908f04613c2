#include "eval/compiler.h"
#include "eval/state.h"

namespace portwright::eval {

namespace ast = syntax;

std::string_view spelling(ast::BinaryOperator op) {
  static constexpr std::string_view kText[] = {
      "+", "-", "*", "@", "/", "%", "**", "<<", ">>", "|", "^", "&", "//"};
  return kText[static_cast<size_t>(op)];
}

std::string_view spelling(ast::CompareOperator op) {
  static constexpr std::string_view kText[] = {
      "==", "!=", "<", "<=", ">", ">=", "is", "is not", "in", "not in"};
  return kText[static_cast<size_t>(op)];
}

std::string_view spelling(ast::UnaryOperator op) {
  static constexpr std::string_view kText[] = {"~", "not", "+", "-"};
  return kText[static_cast<size_t>(op)];
}

bool test(const ExprCode& condition, Frame& frame) {
  Value v;
  return test(condition, frame, v);
}

bool test(const ExprCode& condition, Frame& frame, Value& v) {
  v = condition.eval(frame);
  frame.at = &condition.span;
  const bool outcome = frame.interp.truthy(v);
  return frame.interp.observer
             ? frame.interp.observer->on_branch(condition.span, v, outcome)
             : outcome;
}

namespace {

class Binary : public ExprCode {
 public:
  Binary(base::Span span, ast::BinaryOperator op, ExprPtr left, ExprPtr right)
      : ExprCode(span),
        op_(op),
        left_(std::move(left)),
        right_(std::move(right)) {}

  Value eval(Frame& frame) const override {
    const Value a = left_->eval(frame);
    const Value b = right_->eval(frame);
    frame.at = &span;
    return frame.interp.binary(spelling(op_), a, b);
  }

 private:
  ast::BinaryOperator op_;
  ExprPtr left_, right_;
};

class Unary : public ExprCode {
 public:
  Unary(base::Span span, ast::UnaryOperator op, ExprPtr operand)
      : ExprCode(span), op_(op), operand_(std::move(operand)) {}
  Value eval(Frame& frame) const override {
    const Value v = operand_->eval(frame);
    frame.at = &span;
    return frame.interp.unary(spelling(op_), v);
  }

 private:
  ast::UnaryOperator op_;
  ExprPtr operand_;
};

/// a < b < c
class ComparisonChain : public ExprCode {
 public:
  ComparisonChain(
      base::Span span,
      ExprPtr left,
      std::vector<ast::CompareOperator> ops,
      std::vector<ExprPtr> rest)
      : ExprCode(span),
        left_(std::move(left)),
        ops_(std::move(ops)),
        rest_(std::move(rest)) {}

  Value eval(Frame& frame) const override {
    Value a = left_->eval(frame);
    Value result;
    for (size_t i = 0; i < ops_.size(); ++i) {
      const Value b = rest_[i]->eval(frame);
      frame.at = &span;
      result = frame.interp.compare(spelling(ops_[i]), a, b);
      if (i + 1 < ops_.size()) {
        if (!frame.interp.truthy(result)) {
          return result;
        }
        a = b;
      }
    }
    return result;
  }

 private:
  ExprPtr left_;
  std::vector<ast::CompareOperator> ops_;
  std::vector<ExprPtr> rest_;
};

/// Reads names, attributes and numbers alone, so that evaluating it is not
/// seen by anything else.
bool only_reads(const ast::Expr& e) {
  static const std::set<std::string_view> kOfNumbers{
      "abs", "float", "getattr", "int", "len", "max", "min", "round"};
  switch (e.kind) {
    case ast::ExprKind::Constant:
    case ast::ExprKind::Name:
      return true;
    case ast::ExprKind::Attribute:
      return only_reads(*ast::as<ast::Attribute>(e).value);
    case ast::ExprKind::UnaryOp:
      return only_reads(*ast::as<ast::UnaryOp>(e).operand);
    case ast::ExprKind::BinOp:
      return only_reads(*ast::as<ast::BinOp>(e).left) &&
             only_reads(*ast::as<ast::BinOp>(e).right);
    case ast::ExprKind::Call: {
      const auto& call = ast::as<ast::Call>(e);
      return call.func->kind == ast::ExprKind::Name &&
             kOfNumbers.contains(ast::as<ast::Name>(*call.func).id.str()) &&
             call.keywords.empty() &&
             std::all_of(call.args.begin(), call.args.end(), [](const auto* a) {
               return only_reads(*a);
             });
    }
    default:
      return false;
  }
}

/// Reads a field of something, not names alone: what a parameter holds is its
/// caller's choice.
bool reads_field(const ast::Expr& e) {
  const auto any = [](const auto& parts) {
    return std::any_of(parts.begin(), parts.end(), [](const ast::Expr* part) {
      return reads_field(*part);
    });
  };
  switch (e.kind) {
    case ast::ExprKind::Attribute:
    case ast::ExprKind::Call:
      return true;
    case ast::ExprKind::UnaryOp:
      return reads_field(*ast::as<ast::UnaryOp>(e).operand);
    case ast::ExprKind::BoolOp:
      return any(ast::as<ast::BoolOp>(e).values);
    case ast::ExprKind::Compare:
      return reads_field(*ast::as<ast::Compare>(e).left) ||
             any(ast::as<ast::Compare>(e).comparators);
    default:
      return false;
  }
}

/// True where a value may be another for other inputs or another config.
bool varies(const Provenance* p) {
  if (!p || p->kind == Provenance::Kind::Constant) {
    return false;
  }
  return (!p->left && !p->right && !p->test) || varies(p->left) ||
         varies(p->right) || varies(p->test) ||
         p->kind == Provenance::Kind::Default;
}

bool reads_config(const Provenance* p) {
  return p && (p->kind == Provenance::Kind::Config ||
               p->kind == Provenance::Kind::Default || reads_config(p->left) ||
               reads_config(p->right) || reads_config(p->test));
}

/// What the side of a choice that is not taken would have given; undefined when
/// it cannot be evaluated here.
Value other_side(const ExprCode& code, Frame& frame) {
  Interpreter& interp = frame.interp;
  const auto at = frame.at;
  Observer* const observer = std::exchange(interp.observer, nullptr);
  Value v;
  try {
    v = code.eval(frame);
  } catch (const PythonError&) {
  } catch (const Refusal&) {
  }
  interp.observer = observer;
  frame.at = at;
  return v.defined() && (!v.is_object() || v.is_str()) ? v : Value();
}

class BoolOp : public ExprCode {
 public:
  BoolOp(
      base::Span span,
      bool is_and,
      std::vector<ExprPtr> values,
      bool only_reads)
      : ExprCode(span),
        is_and_(is_and),
        values_(std::move(values)),
        only_reads_(only_reads) {}

  /// A constant that decides whatever stands beside it: False of an `and`.
  bool settles(const Value& v) const {
    const Provenance* p = v.provenance();
    return v.is_bool() && v.as_bool() != is_and_ && !varies(p);
  }

  Value eval(Frame& frame) const override {
    Interpreter& interp = frame.interp;
    Value v;
    const Provenance* so_far = nullptr;
    for (size_t i = 0; i < values_.size(); ++i) {
      v = values_[i]->eval(frame);
      frame.at = &values_[i]->span;
      const bool last = i + 1 == values_.size();
      bool decided = !last && interp.truthy(v) != is_and_;
      const bool number = so_far && !is_and_ && v.is_number() && !v.is_bool();
      if (v.provenance() || number) {
        so_far = joined(interp, so_far, interp.provenance_of(v));
      }
      if (!last && interp.observer) {
        const bool outcome = decided != is_and_;
        if (interp.observer->on_operand(values_[i]->span, v, outcome) !=
            outcome) {
          decided = !decided;
          v = Value::boolean(!outcome);
        }
      }
      if (decided) {
        // `config.a or b` as a value: b counts for other configs.
        const bool value = v.is_number() && !v.is_bool();
        for (++i; only_reads_ && value && interp.observer &&
                  reads_config(so_far) && i < values_.size();
             ++i) {
          if (const Value rest = other_side(*values_[i], frame);
              rest.defined()) {
            so_far = joined(interp, so_far, interp.provenance_of(rest));
          }
        }
        break;
      }
    }
    const bool scalar = !v.is_object() || v.is_str();
    return scalar && so_far && !settles(v) ? v.with(so_far) : v;
  }

 private:
  const Provenance* joined(
      Interpreter& interp,
      const Provenance* left,
      const Provenance* right) const {
    return left ? interp.provenance(
                      {.kind = Provenance::Kind::Binary,
                       .name = Symbol(is_and_ ? "and" : "or"),
                       .left = left,
                       .right = right})
                : right;
  }

  bool is_and_;
  std::vector<ExprPtr> values_;
  bool only_reads_;
};

class Conditional : public ExprCode {
 public:
  Conditional(
      base::Span span,
      ExprPtr test,
      ExprPtr body,
      ExprPtr orelse,
      bool only_reads)
      : ExprCode(span),
        test_(std::move(test)),
        body_(std::move(body)),
        orelse_(std::move(orelse)),
        only_reads_(only_reads) {}
  Value eval(Frame& frame) const override {
    Value condition;
    const bool outcome = test(*test_, frame, condition);
    Value v = (outcome ? body_ : orelse_)->eval(frame);
    const Provenance* why = condition.provenance();
    const bool scalar = !v.is_object() || v.is_str();
    if (!why || !scalar) {
      return v;
    }
    const Provenance* chosen = frame.interp.provenance_of(v);
    if (only_reads_ && frame.interp.observer && reads_config(why)) {
      const Value other = other_side(*(outcome ? orelse_ : body_), frame);
      if (other.defined()) {
        const Provenance* unread = frame.interp.provenance_of(other);
        return v.with(frame.interp.provenance(
            {.kind = Provenance::Kind::Conditional,
             .text = std::string(span.text()),
             .integer = outcome,
             .left = outcome ? chosen : unread,
             .right = outcome ? unread : chosen,
             .test = why}));
      }
    }
    if (v.provenance() && !depends_on_loop(why)) {
      return v;
    }
    return v.with(frame.interp.provenance(
        {Provenance::Kind::Conditional,
         Symbol(),
         std::string(span.text()),
         outcome,
         0,
         outcome ? chosen : nullptr,
         outcome ? nullptr : chosen,
         why}));
  }

 private:
  ExprPtr test_, body_, orelse_;
  bool only_reads_;  // both sides
};

Symbol inplace_method(ast::BinaryOperator op) {
  static const Symbol kNames[] = {
      Symbol("__iadd__"),
      Symbol("__isub__"),
      Symbol("__imul__"),
      Symbol("__imatmul__"),
      Symbol("__itruediv__"),
      Symbol("__imod__"),
      Symbol("__ipow__"),
      Symbol("__ilshift__"),
      Symbol("__irshift__"),
      Symbol("__ior__"),
      Symbol("__ixor__"),
      Symbol("__iand__"),
      Symbol("__ifloordiv__")};
  return kNames[static_cast<size_t>(op)];
}

/// a op= b: in place where the object can, else a new value.
Value inplace(
    Interpreter& interp,
    ast::BinaryOperator op,
    const Value& a,
    const Value& b) {
  if (a.is_object()) {
    if (a.is(Kind::List) && op == ast::BinaryOperator::Add) {
      auto items = interp.to_vector(b);
      auto& own = a.get<List>()->items;
      own.insert(own.end(), items.begin(), items.end());
      return a;
    }
    if (const Value* method = a.object()->cls->lookup(inplace_method(op))) {
      Value v = interp.call(*method, {a, b});
      if (v.tag() != Tag::NotImplemented) {
        return v;
      }
    } else if (a.is(Kind::Dict) && op == ast::BinaryOperator::BitOr) {
      interp.call_method(a, "update", {b});
      return a;
    } else if (a.is(Kind::Set) && op == ast::BinaryOperator::BitOr) {
      interp.call_method(a, "update", {b});
      return a;
    }
  }
  return interp.binary(spelling(op), a, b);
}

/// target op= value, where reading the target evaluates its parts once.
class Augmented : public StmtCode {
 public:
  Augmented(
      base::Span span,
      ast::BinaryOperator op,
      ExprPtr object,
      ExprPtr index,
      Symbol attribute,
      ExprPtr name,
      TargetPtr target,
      ExprPtr value)
      : StmtCode(span),
        op_(op),
        object_(std::move(object)),
        index_(std::move(index)),
        attribute_(attribute),
        name_(std::move(name)),
        target_(std::move(target)),
        value_(std::move(value)) {}

  Flow exec(Frame& frame) const override {
    Interpreter& interp = frame.interp;
    if (name_) {
      const Value current = name_->eval(frame);
      const Value operand = value_->eval(frame);
      frame.at = &span;
      target_->store(frame, inplace(interp, op_, current, operand));
      return Flow::Next;
    }
    const Value object = object_->eval(frame);
    const Value index = index_ ? index_->eval(frame) : Value();
    frame.at = &span;
    const Value current = index_ ? interp.getitem(object, index)
                                 : interp.getattr(object, attribute_);
    const Value operand = value_->eval(frame);
    frame.at = &span;
    const Value result = inplace(interp, op_, current, operand);
    if (index_) {
      interp.setitem(object, index, result);
    } else {
      interp.setattr(object, attribute_, result);
    }
    return Flow::Next;
  }

 private:
  ast::BinaryOperator op_;
  ExprPtr object_, index_;
  Symbol attribute_;
  ExprPtr name_;
  TargetPtr target_;
  ExprPtr value_;
};

}  // namespace

ExprPtr Compiler::bool_op(const ast::BoolOp& e) {
  return std::make_unique<BoolOp>(
      e.span,
      e.op == ast::BoolOperator::And,
      exprs(e.values),
      reads_field(*e.values.front()) &&
          std::all_of(e.values.begin(), e.values.end(), [](const ast::Expr* v) {
            return only_reads(*v);
          }));
}

ExprPtr Compiler::binary(const ast::BinOp& e) {
  return std::make_unique<Binary>(e.span, e.op, expr(*e.left), expr(*e.right));
}

ExprPtr Compiler::unary(const ast::UnaryOp& e) {
  return std::make_unique<Unary>(e.span, e.op, expr(*e.operand));
}

ExprPtr Compiler::compare(const ast::Compare& e) {
  return std::make_unique<ComparisonChain>(
      e.span,
      expr(*e.left),
      std::vector<ast::CompareOperator>(e.ops.begin(), e.ops.end()),
      exprs(e.comparators));
}

ExprPtr Compiler::conditional(const ast::IfExp& e) {
  return std::make_unique<Conditional>(
      e.span,
      expr(*e.test),
      expr(*e.body),
      expr(*e.orelse),
      only_reads(*e.body) && only_reads(*e.orelse) && reads_field(*e.test));
}

StmtPtr Compiler::augmented(const ast::AugAssign& s) {
  ExprPtr object, index, name;
  TargetPtr store;
  Symbol attribute;
  if (s.target->kind == ast::ExprKind::Attribute) {
    const auto& a = ast::as<ast::Attribute>(*s.target);
    object = expr(*a.value);
    attribute = scope_->mangled(a.attr);
  } else if (s.target->kind == ast::ExprKind::Subscript) {
    const auto& sub = ast::as<ast::Subscript>(*s.target);
    object = expr(*sub.value);
    index = expr(*sub.slice);
  } else {
    name = load(ast::as<ast::Name>(*s.target).id, s.target->span);
    store = target(*s.target);
  }
  return std::make_unique<Augmented>(
      s.span,
      s.op,
      std::move(object),
      std::move(index),
      attribute,
      std::move(name),
      std::move(store),
      expr(*s.value));
}

}  // namespace portwright::eval
