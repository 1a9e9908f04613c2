#include "eval/compiler.h"
#include "eval/state.h"
#include "eval/wide_integer.h"

namespace portwright::eval {

namespace ast = syntax;

namespace {

class Const : public ExprCode {
 public:
  Const(base::Span span, Value value)
      : ExprCode(span), value_(std::move(value)) {}
  Value eval(Frame&) const override {
    return value_;
  }
  const Value& value() const {
    return value_;
  }

 private:
  Value value_;
};

/// A tuple of constants is one itself; null for any other.
ExprPtr constant_tuple(
    base::Span span,
    const std::vector<ExprPtr>& items,
    const std::vector<bool>& starred) {
  std::vector<Value> values;
  for (size_t i = 0; i < items.size(); ++i) {
    const auto* constant = dynamic_cast<const Const*>(items[i].get());
    if (!constant || starred[i]) {
      return nullptr;
    }
    values.push_back(constant->value());
  }
  return std::make_unique<Const>(span, tuple(std::move(values)));
}

/// List, tuple and set displays; starred items are spread.
class Display : public ExprCode {
 public:
  Display(
      base::Span span,
      ast::ExprKind kind,
      std::vector<ExprPtr> items,
      std::vector<bool> starred)
      : ExprCode(span),
        kind_(kind),
        items_(std::move(items)),
        starred_(std::move(starred)) {}

  Value eval(Frame& frame) const override {
    std::vector<Value> values;
    values.reserve(items_.size());
    for (size_t i = 0; i < items_.size(); ++i) {
      Value v = items_[i]->eval(frame);
      if (starred_[i]) {
        frame.at = &span;
        frame.interp.for_each(
            v, [&](Value item) { values.push_back(std::move(item)); });
      } else {
        values.push_back(std::move(v));
      }
    }
    if (kind_ == ast::ExprKind::List) {
      return list(std::move(values));
    }
    if (kind_ == ast::ExprKind::Tuple) {
      return tuple(std::move(values));
    }
    auto set = make<Set>();
    for (const Value& v : values) {
      set->items->set(frame.interp, v, Value::none());
    }
    return Value(set);
  }

 private:
  ast::ExprKind kind_;
  std::vector<ExprPtr> items_;
  std::vector<bool> starred_;
};

class DictDisplay : public ExprCode {
 public:
  DictDisplay(
      base::Span span,
      std::vector<ExprPtr> keys,
      std::vector<ExprPtr> values)
      : ExprCode(span), keys_(std::move(keys)), values_(std::move(values)) {}

  Value eval(Frame& frame) const override {
    auto out = eval::dict();
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (keys_[i]) {
        const Value key = keys_[i]->eval(frame);
        Value value = values_[i]->eval(frame);
        frame.at = &span;
        out->set(frame.interp, key, std::move(value));
        continue;
      }
      const Value mapping = values_[i]->eval(frame);
      frame.at = &span;
      if (mapping.is(Kind::Dict)) {
        for (const auto& e : mapping.get<Dict>()->entries()) {
          if (e.key.defined()) {
            out->set(frame.interp, e.key, e.value);
          }
        }
        continue;
      }
      frame.interp.for_each(
          frame.interp.call_method(mapping, "keys"), [&](Value key) {
            out->set(frame.interp, key, frame.interp.getitem(mapping, key));
          });
    }
    return Value(out);
  }

 private:
  std::vector<ExprPtr> keys_;  // null for **mapping
  std::vector<ExprPtr> values_;
};

class LoadAttribute : public ExprCode {
 public:
  LoadAttribute(base::Span span, ExprPtr object, Symbol name)
      : ExprCode(span), object_(std::move(object)), name_(name) {}
  Value eval(Frame& frame) const override {
    const Value object = object_->eval(frame);
    frame.at = &span;
    return resolve_lazy(frame.interp, frame.interp.getattr(object, name_));
  }

 private:
  ExprPtr object_;
  Symbol name_;
};

class LoadItem : public ExprCode {
 public:
  LoadItem(base::Span span, ExprPtr object, ExprPtr index)
      : ExprCode(span), object_(std::move(object)), index_(std::move(index)) {}
  Value eval(Frame& frame) const override {
    const Value object = object_->eval(frame);
    const Value index = index_->eval(frame);
    frame.at = &span;
    const Value item = frame.interp.getitem(object, index);
    if (frame.interp.observer && item.is(Kind::Class) &&
        object.is(Kind::Dict) && index.is_str() &&
        depends_on_loop(index.provenance())) {
      tell_choice(*object.get<Dict>(), index, frame);
    }
    return item;
  }

 private:
  /// A class looked up by what the config says of a layer is decided as by a
  /// comparison with each key.
  void tell_choice(const Dict& classes, const Value& index, Frame& frame)
      const {
    for (const auto& entry : classes.entries()) {
      if (entry.key.defined() && entry.key.is_str()) {
        const Value equal = frame.interp.compare("==", index, entry.key);
        frame.interp.observer->on_branch(
            span, equal, frame.interp.truthy(equal));
      }
    }
  }

  ExprPtr object_;
  ExprPtr index_;
};

class MakeSlice : public ExprCode {
 public:
  MakeSlice(base::Span span, ExprPtr lower, ExprPtr upper, ExprPtr step)
      : ExprCode(span),
        lower_(std::move(lower)),
        upper_(std::move(upper)),
        step_(std::move(step)) {}
  Value eval(Frame& frame) const override {
    auto part = [&](const ExprPtr& e) {
      return e ? e->eval(frame) : Value::none();
    };
    Value lower = part(lower_);
    Value upper = part(upper_);
    return Value(make<Slice>(std::move(lower), std::move(upper), part(step_)));
  }

 private:
  ExprPtr lower_, upper_, step_;
};

struct Piece {
  std::string text;  // literal, or ...
  ExprPtr value;     // ... a replacement field
  int conversion = -1;
  ExprPtr format_spec;
};

class FormatString : public ExprCode {
 public:
  FormatString(base::Span span, std::vector<Piece> pieces)
      : ExprCode(span), pieces_(std::move(pieces)) {}
  Value eval(Frame& frame) const override {
    std::string out;
    for (const Piece& p : pieces_) {
      if (!p.value) {
        out += p.text;
        continue;
      }
      Value v = p.value->eval(frame);
      const std::string spec =
          p.format_spec ? p.format_spec->eval(frame).str() : "";
      frame.at = &span;
      if (p.conversion == 'r' || p.conversion == 'a') {
        v = str(frame.interp.repr(v));
      } else if (p.conversion == 's') {
        v = str(frame.interp.to_str(v));
      }
      out += frame.interp.format(v, spec);
    }
    return str(std::move(out));
  }

 private:
  std::vector<Piece> pieces_;
};

class Walrus : public ExprCode {
 public:
  Walrus(base::Span span, TargetPtr target, ExprPtr value)
      : ExprCode(span), target_(std::move(target)), value_(std::move(value)) {}
  Value eval(Frame& frame) const override {
    Value v = value_->eval(frame);
    target_->store(frame, v);
    return v;
  }

 private:
  TargetPtr target_;
  ExprPtr value_;
};

class YieldCode : public ExprCode {
 public:
  YieldCode(base::Span span, ExprPtr value, bool from)
      : ExprCode(span), value_(std::move(value)), from_(from) {}
  Value eval(Frame& frame) const override {
    Value v = value_ ? value_->eval(frame) : Value::none();
    frame.at = &span;
    frame.interp.charge();
    if (frame.on_yield && !from_) {
      frame.on_yield(v);
    } else if (!from_) {
      frame.yielded->push_back(std::move(v));
    } else {
      frame.interp.for_each(
          v, [&](Value item) { frame.yielded->push_back(std::move(item)); });
    }
    return Value::none();  // nothing can be sent into an eager generator
  }

 private:
  ExprPtr value_;
  bool from_;
};

}  // namespace

void Compiler::unsupported(base::Span span, std::string what) {
  throw Refusal{
      {diagnostics::Kind::UnsupportedSyntax,
       what + " is not supported",
       span,
       "rewrite it, or report the construct so that it can be added",
       "",
       {}}};
}

ExprPtr Compiler::optional(const ast::Expr* e) {
  return e ? expr(*e) : nullptr;
}

std::vector<ExprPtr> Compiler::exprs(ast::Exprs list) {
  std::vector<ExprPtr> out;
  for (const ast::Expr* e : list) {
    out.push_back(expr(*e));
  }
  return out;
}

ExprPtr Compiler::constant(const ast::Constant& e) {
  auto make_const = [&](const Value& v) {
    return std::make_unique<Const>(e.span, v);
  };
  switch (e.value_kind) {
    case ast::ConstantKind::None:
      return make_const(Value::none());
    case ast::ConstantKind::True:
    case ast::ConstantKind::False:
      return make_const(
          Value::boolean(e.value_kind == ast::ConstantKind::True));
    case ast::ConstantKind::Ellipsis:
      return make_const(Value::ellipsis());
    case ast::ConstantKind::Int:
      return make_const(Value::integer(e.int_value));
    case ast::ConstantKind::Float:
      return make_const(Value::real(e.float_value));
    case ast::ConstantKind::Str:
      return make_const(str(std::string(e.text)));
    case ast::ConstantKind::Bytes:
      return make_const(Value(make<Bytes>(std::string(e.text))));
    case ast::ConstantKind::BigInt:
      return make_const(integer_from_digits(interp_, std::string(e.text)));
    case ast::ConstantKind::Complex:
      unsupported(e.span, "a complex number");
  }
  unsupported(e.span, "this constant");
}

ExprPtr Compiler::dict(const ast::Dict& e) {
  std::vector<ExprPtr> keys;
  for (const ast::Expr* key : e.keys) {
    keys.push_back(optional(key));
  }
  return std::make_unique<DictDisplay>(
      e.span, std::move(keys), exprs(e.values));
}

ExprPtr Compiler::joined(const ast::JoinedStr& e) {
  std::vector<Piece> pieces;
  for (const ast::Expr* part : e.values) {
    Piece piece;
    if (part->kind == ast::ExprKind::Constant) {
      piece.text = ast::as<ast::Constant>(*part).text;
    } else {
      const auto& field = ast::as<ast::FormattedValue>(*part);
      piece.value = expr(*field.value);
      piece.conversion = field.conversion;
      piece.format_spec = optional(field.format_spec);
    }
    pieces.push_back(std::move(piece));
  }
  return std::make_unique<FormatString>(e.span, std::move(pieces));
}

ExprPtr Compiler::slice(const ast::Slice& e) {
  return std::make_unique<MakeSlice>(
      e.span, optional(e.lower), optional(e.upper), optional(e.step));
}

ExprPtr Compiler::expr(const ast::Expr& e) {
  using ast::as;
  using ast::ExprKind;
  switch (e.kind) {
    case ExprKind::BoolOp:
      return bool_op(as<ast::BoolOp>(e));
    case ExprKind::NamedExpr: {
      const auto& walrus = as<ast::NamedExpr>(e);
      auto value = expr(*walrus.value);
      return std::make_unique<Walrus>(
          e.span, target(*walrus.target), std::move(value));
    }
    case ExprKind::BinOp:
      return binary(as<ast::BinOp>(e));
    case ExprKind::UnaryOp:
      return unary(as<ast::UnaryOp>(e));
    case ExprKind::Lambda:
      return lambda(as<ast::Lambda>(e));
    case ExprKind::IfExp:
      return conditional(as<ast::IfExp>(e));
    case ExprKind::Dict:
      return dict(as<ast::Dict>(e));
    case ExprKind::ListComp:
    case ExprKind::SetComp:
    case ExprKind::DictComp:
    case ExprKind::GeneratorExp:
      return comprehension(e);
    case ExprKind::Yield:
    case ExprKind::YieldFrom:
      return std::make_unique<YieldCode>(
          e.span,
          optional(as<ast::ValueExpr>(e).value),
          e.kind == ExprKind::YieldFrom);
    case ExprKind::Compare:
      return compare(as<ast::Compare>(e));
    case ExprKind::Call:
      return call(as<ast::Call>(e));
    case ExprKind::JoinedStr:
      return joined(as<ast::JoinedStr>(e));
    case ExprKind::Constant:
      return constant(as<ast::Constant>(e));
    case ExprKind::Attribute: {
      const auto& a = as<ast::Attribute>(e);
      return std::make_unique<LoadAttribute>(
          e.span, expr(*a.value), scope_->mangled(a.attr));
    }
    case ExprKind::Subscript: {
      const auto& s = as<ast::Subscript>(e);
      return std::make_unique<LoadItem>(e.span, expr(*s.value), expr(*s.slice));
    }
    case ExprKind::Name:
      return load(as<ast::Name>(e).id, e.span);
    case ExprKind::List:
    case ExprKind::Tuple:
    case ExprKind::Set: {
      const auto elts = e.kind == ExprKind::Set ? as<ast::Set>(e).elts
                                                : as<ast::Sequence>(e).elts;
      std::vector<ExprPtr> items;
      std::vector<bool> starred;
      for (const ast::Expr* item : elts) {
        starred.push_back(item->kind == ExprKind::Starred);
        items.push_back(
            starred.back() ? expr(*as<ast::Starred>(*item).value)
                           : expr(*item));
      }
      if (e.kind == ExprKind::Tuple) {
        if (auto constant = constant_tuple(e.span, items, starred)) {
          return constant;
        }
      }
      return std::make_unique<Display>(
          e.span, e.kind, std::move(items), std::move(starred));
    }
    case ExprKind::Slice:
      return slice(as<ast::Slice>(e));
    case ExprKind::Await:
      unsupported(e.span, "'await'");
    case ExprKind::Starred:
      unsupported(e.span, "a starred expression here");
    case ExprKind::FormattedValue:
    case ExprKind::Interpolation:
    case ExprKind::TemplateStr:
      unsupported(e.span, "a template string");
  }
  unsupported(e.span, "this expression");
}

}  // namespace portwright::eval
