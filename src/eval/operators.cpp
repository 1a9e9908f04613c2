#include <array>

#include "eval/dispatch.h"
#include "eval/generic_alias.h"
#include "eval/wide_integer.h"

namespace portwright::eval {

namespace {

struct OperatorNames {
  std::string_view spelling, in_place_spelling;
  Symbol forward, reflected, in_place;
};

const OperatorNames& names_of(Operator op) {
  const auto row = [](std::string_view spelling,
                      std::string_view in_place,
                      const std::string& name) {
    return OperatorNames{
        spelling,
        in_place,
        Symbol("__" + name + "__"),
        Symbol("__r" + name + "__"),
        Symbol("__i" + name + "__")};
  };
  static const std::array<OperatorNames, 13> table = {
      row("+", "+=", "add"),
      row("-", "-=", "sub"),
      row("*", "*=", "mul"),
      row("@", "@=", "matmul"),
      row("/", "/=", "truediv"),
      row("//", "//=", "floordiv"),
      row("%", "%=", "mod"),
      row("**", "**=", "pow"),
      row("<<", "<<=", "lshift"),
      row(">>", ">>=", "rshift"),
      row("&", "&=", "and"),
      row("|", "|=", "or"),
      row("^", "^=", "xor")};
  return table[static_cast<size_t>(op)];
}

struct Parsed {
  Operator op;
  bool in_place;
};

Parsed parse_operator(std::string_view text) {
  const bool in_place = text.size() > 1 && text.back() == '=';
  const std::string_view op = in_place ? text.substr(0, text.size() - 1) : text;
  const bool doubled = op.size() == 2;
  const auto answer = [&](Operator o) { return Parsed{o, in_place}; };
  switch (op[0]) {
    case '+':
      return answer(Operator::Add);
    case '-':
      return answer(Operator::Sub);
    case '*':
      return answer(doubled ? Operator::Pow : Operator::Mul);
    case '@':
      return answer(Operator::MatMul);
    case '/':
      return answer(doubled ? Operator::FloorDiv : Operator::TrueDiv);
    case '%':
      return answer(Operator::Mod);
    case '<':
      return answer(Operator::LShift);
    case '>':
      return answer(Operator::RShift);
    case '&':
      return answer(Operator::And);
    case '|':
      return answer(Operator::Or);
    case '^':
      return answer(Operator::Xor);
  }
  PW_CHECK(false, "unknown operator " + std::string(text));
}

bool is_answer(const Value& v) {
  return v.defined() && v.tag() != Tag::NotImplemented;
}

// The special methods, the reflected one first when its class is a proper
// subclass that replaces it.
Value special_binary(
    Interpreter& interp,
    const OperatorNames& names,
    const Value& a,
    const Value& b) {
  Class* left = interp.class_of(a);
  Class* right = interp.class_of(b);
  const bool reflected_first =
      left != right && right->is_subclass_of(left) &&
      right->lookup(names.reflected) != left->lookup(names.reflected);
  if (reflected_first) {
    Value r = call_special(interp, b, names.reflected, {a});
    if (is_answer(r)) {
      return r;
    }
  }
  Value r = call_special(interp, a, names.forward, {b});
  if (is_answer(r)) {
    return r;
  }
  if (left != right && !reflected_first) {
    r = call_special(interp, b, names.reflected, {a});
    if (is_answer(r)) {
      return r;
    }
  }
  return {};
}

[[noreturn]] void unsupported(
    Interpreter& interp,
    std::string_view op,
    const Value& a,
    const Value& b) {
  const auto is_sequence = [](const Value& v) {
    return v.is_str() || v.is(Kind::List) || v.is(Kind::Tuple) ||
           v.is(Kind::Bytes);
  };
  if (op == "*" && is_sequence(a) != is_sequence(b)) {
    interp.raise(
        "TypeError",
        fmt::format(
            "can't multiply sequence by non-int of type '{}'",
            type_name(interp, is_sequence(a) ? b : a)));
  }
  interp.raise(
      "TypeError",
      fmt::format(
          "unsupported operand type(s) for {}: '{}' and '{}'",
          op == "**" ? "** or pow()" : op,
          type_name(interp, a),
          type_name(interp, b)));
}

Value object_binary(
    Interpreter& interp,
    Operator op,
    bool in_place,
    const Value& a,
    const Value& b) {
  const OperatorNames& names = names_of(op);
  const bool plain = is_plain(interp, a) && is_plain(interp, b);
  if (in_place && a.is_object()) {
    if (!overrides(interp, a.object(), names.in_place)) {
      if (container_in_place(interp, op, a, b).defined()) {
        return a;
      }
    }
    Value r = call_special(interp, a, names.in_place, {b});
    if (is_answer(r)) {
      return r;
    }
  }
  if (plain) {
    Value r = container_binary(interp, op, a, b);
    if (r.defined()) {
      return a.provenance() || b.provenance()
                 ? r.with(interp.combine(names.spelling, a, b))
                 : r;
    }
  }
  Value r = special_binary(interp, names, a, b);
  if (!r.defined() && op == Operator::Or) {
    r = make_union(interp, a, b);
  }
  if (r.defined()) {
    return r;
  }
  if (!plain &&
      builtin_class(interp, a.is_object() ? a.object() : b.object())) {
    // A subclass without a method of its own behaves as its builtin.
    r = container_binary(interp, op, a, b);
    if (r.defined()) {
      return r.with(interp.combine(names.spelling, a, b));
    }
  }
  unsupported(
      interp, in_place ? names.in_place_spelling : names.spelling, a, b);
}

}  // namespace

Value Interpreter::binary(std::string_view op, const Value& a, const Value& b) {
  const auto [code, in_place] = parse_operator(op);
  if (is_numeric(*this, a) && is_numeric(*this, b)) {
    Value r = number_binary(*this, code, a, b);
    if (!r.defined()) {
      unsupported(*this, op, a, b);
    }
    if (a.provenance() || b.provenance()) {
      return r.with(combine(names_of(code).spelling, a, b));
    }
    return r;
  }
  if (!a.is_object() && !b.is_object()) {
    if (code == Operator::Or) {
      if (Value r = make_union(*this, a, b); r.defined()) {
        return r;
      }
    }
    unsupported(*this, op, a, b);
  }
  return object_binary(*this, code, in_place, a, b);
}

Value Interpreter::unary(std::string_view op, const Value& a) {
  if (op == "not") {
    const bool result = !truthy(a);
    Value r = Value::boolean(result);
    return a.provenance() ? r.with(combine("not", a)) : r;
  }
  if (a.is_number()) {
    Value r;
    if (a.is_float()) {
      if (op == "~") {
        raise("TypeError", "bad operand type for unary ~: 'float'");
      }
      r = Value::real(op == "-" ? -a.as_double() : a.as_double());
    } else if (op == "~") {
      r = Value::integer(~a.as_int());
    } else if (op == "-") {
      r = number_binary(*this, Operator::Sub, Value::integer(0), a);
    } else {
      return a.is_bool() ? Value::integer(a.as_int()).with(a.provenance()) : a;
    }
    return a.provenance() ? r.with(combine(op, a)) : r;
  }
  if (is_wide(*this, a)) {
    // ~a == -1 - a
    Value r =
        op == "+"
            ? a
            : number_binary(
                  *this, Operator::Sub, Value::integer(op == "~" ? -1 : 0), a);
    return a.provenance() ? r.with(combine(op, a)) : r;
  }
  static const Symbol neg("__neg__"), pos("__pos__"), invert("__invert__");
  if (a.is_object()) {
    Value r = call_special(
        *this,
        a,
        op == "-"   ? neg
        : op == "+" ? pos
                    : invert);
    if (is_answer(r)) {
      return r;
    }
  }
  raise(
      "TypeError",
      fmt::format(
          "bad operand type for unary {}: '{}'", op, type_name(*this, a)));
}

}  // namespace portwright::eval
