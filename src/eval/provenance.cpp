#include "eval/provenance.h"

#include "eval/interpreter.h"

namespace portwright::eval {

namespace {

// Python's precedence, loosest first.
enum Precedence : int {
  kConditional = 1,
  kOr,
  kAnd,
  kNot,
  kComparison,
  kBitOr,
  kBitXor,
  kBitAnd,
  kShift,
  kSum,
  kProduct,
  kUnary,
  kPower,
  kPrimary,
};

int precedence_of(std::string_view op) {
  static const std::unordered_map<std::string_view, int> table = {
      {"or", kOr},
      {"and", kAnd},
      {"|", kBitOr},
      {"^", kBitXor},
      {"&", kBitAnd},
      {"<<", kShift},
      {">>", kShift},
      {"+", kSum},
      {"-", kSum},
      {"*", kProduct},
      {"/", kProduct},
      {"//", kProduct},
      {"%", kProduct},
      {"@", kProduct},
      {"**", kPower}};
  const auto it = table.find(op);
  return it == table.end() ? kComparison : it->second;
}

struct Text {
  std::string text;
  int precedence;
};

Text render(const Provenance* p, const Spelling& spelling);

std::string
at_least(const Provenance* p, int precedence, const Spelling& spelling) {
  Text t = render(p, spelling);
  return t.precedence >= precedence ? t.text : "(" + t.text + ")";
}

Text binary(const Provenance& p, const Spelling& spelling) {
  const std::string& op = p.name.str();
  const int own = precedence_of(op);
  // ** binds to the right, comparisons chain, the rest binds to the left.
  const int left = own == kPower || own == kComparison ? own + 1 : own;
  const int right = own == kPower ? kUnary : own + 1;
  std::string first = at_least(p.left, left, spelling);
  const size_t key = first.rfind('[');
  if (op == "or" && p.left && p.left->kind == Provenance::Kind::Index &&
      first.ends_with(']') && key != std::string::npos &&
      (first[key + 1] == '"' || first[key + 1] == '\'')) {
    // A mapping may lack what has another value then.
    first = first.substr(0, key) + ".get(" +
            first.substr(key + 1, first.size() - key - 2) + ")";
  }
  return {first + " " + op + " " + at_least(p.right, right, spelling), own};
}

Text call(const Provenance& p, const Spelling& spelling) {
  const std::string& name = p.name.str();
  const size_t dot = name.find('.');
  const std::string_view owner = std::string_view(name).substr(0, dot);
  if (dot != std::string::npos && (owner == "str" || owner == "list")) {
    return {
        at_least(p.left, kPrimary, spelling) + name.substr(dot) + "(" +
            (p.right ? render(p.right, spelling).text : "") + ")",
        kPrimary};
  }
  std::string text = name + "(" + (p.left ? render(p.left, spelling).text : "");
  if (p.right) {
    text += ", " + render(p.right, spelling).text;
  }
  return {text + ")", kPrimary};
}

Text constant(const std::string& text) {
  const bool negative = !text.empty() && text[0] == '-';
  return {text, negative ? kUnary : kPrimary};
}

std::string tensor(const Provenance& p) {
  return "v" + std::to_string(p.value_id);
}

Text render(const Provenance* p, const Spelling& spelling) {
  if (!p) {
    return {"<constant>", kPrimary};
  }
  if (spelling) {
    if (auto own = spelling(*p)) {
      return {std::move(*own), kPrimary};
    }
  }
  switch (p->kind) {
    case Provenance::Kind::Config:
      return {"config." + p->name.str(), kPrimary};
    case Provenance::Kind::Constant:
      return constant(p->text);
    case Provenance::Kind::Loop:
      return {"i", kPrimary};
    case Provenance::Kind::Dim:
      return {
          tensor(*p) + ".shape[" + std::to_string(p->integer) + "]", kPrimary};
    case Provenance::Kind::Length:
      return {"len(" + render(p->left, spelling).text + ")", kPrimary};
    case Provenance::Kind::Unary:
      return p->name.str() == "not"
                 ? Text{"not " + at_least(p->left, kNot, spelling), kNot}
                 : Text{
                       p->name.str() + at_least(p->left, kUnary, spelling),
                       kUnary};
    case Provenance::Kind::Binary:
      return binary(*p, spelling);
    case Provenance::Kind::Index:
      return {
          at_least(p->left, kPrimary, spelling) + "[" +
              render(p->right, spelling).text + "]",
          kPrimary};
    case Provenance::Kind::Call:
      return call(*p, spelling);
    case Provenance::Kind::Conditional:
      return {
          at_least(p->left, kOr, spelling) + " if " +
              at_least(p->test, kOr, spelling) + " else " +
              at_least(p->right, kConditional, spelling),
          kConditional};
    case Provenance::Kind::Default: {
      const std::string& path = p->name.str();
      const size_t dot = path.rfind('.');
      const bool nested = dot != std::string::npos;
      return {
          "getattr(config" + (nested ? "." + path.substr(0, dot) : "") +
              ", \"" + path.substr(nested ? dot + 1 : 0) + "\", " +
              render(p->left, spelling).text + ")",
          kPrimary};
    }
    case Provenance::Kind::Data:
      return {"data(" + tensor(*p) + ")", kPrimary};
  }
  return {"", kPrimary};
}

std::string slice_text(Interpreter& interp, const Slice& slice);

// The Python text of a value that a provenance mentions.
std::string operand_text(Interpreter& interp, const Value& value) {
  if (value.provenance()) {
    return to_string(value.provenance());
  }
  if (!value.is_object() || value.is_str()) {
    return interp.repr(value);
  }
  const auto join = [&](const std::vector<Value>& items) {
    std::string text;
    for (const Value& item : items) {
      text += (text.empty() ? "" : ", ") + operand_text(interp, item);
    }
    return text;
  };
  switch (value.object()->kind) {
    case Kind::List:
      return "[" + join(value.get<List>()->items) + "]";
    case Kind::Tuple: {
      const auto& items = value.get<Tuple>()->items;
      return "(" + join(items) + (items.size() == 1 ? ",)" : ")");
    }
    case Kind::Set: {
      std::vector<Value> keys = interp.to_vector(value);
      return keys.empty() ? "set()" : "{" + join(keys) + "}";
    }
    case Kind::Dict: {  // of which only the keys are asked
      std::vector<Value> keys = interp.to_vector(value);
      return keys.empty() ? "{}" : "{" + join(keys) + "}";
    }
    case Kind::Slice:
      return slice_text(interp, *value.get<Slice>());
    case Kind::Class:
      return value.get<Class>()->name;
    case Kind::Function:
      return value.get<Function>()->name;
    case Kind::Native:
      return value.get<Native>()->name;
    default:
      return interp.class_of(value)->name;
  }
}

std::string slice_text(Interpreter& interp, const Slice& slice) {
  const auto part = [&](const Value& v) {
    return v.defined() && !v.is_none() ? operand_text(interp, v)
                                       : std::string();
  };
  std::string text = part(slice.lower) + ":" + part(slice.upper);
  const std::string step = part(slice.step);
  return step.empty() ? text : text + ":" + step;
}

}  // namespace

std::string to_string(const Provenance* provenance) {
  return render(provenance, nullptr).text;
}

std::string to_string(const Provenance* provenance, const Spelling& spelling) {
  return render(provenance, spelling).text;
}

const Provenance* Interpreter::provenance_of(const Value& value) {
  if (value.provenance()) {
    return value.provenance();
  }
  return provenance(
      {.kind = Provenance::Kind::Constant, .text = operand_text(*this, value)});
}

const Provenance*
Interpreter::combine(std::string_view op, const Value& a, const Value& b) {
  if (!track_provenance || (!a.provenance() && !b.provenance())) {
    return nullptr;
  }
  return provenance(
      {.kind = Provenance::Kind::Binary,
       .name = Symbol(op),
       .left = provenance_of(a),
       .right = provenance_of(b)});
}

const Provenance* Interpreter::combine(std::string_view op, const Value& a) {
  if (!track_provenance || !a.provenance()) {
    return nullptr;
  }
  return provenance(
      {.kind = Provenance::Kind::Unary,
       .name = Symbol(op),
       .left = a.provenance()});
}

bool depends_on_loop(const Provenance* p) {
  return p && (p->kind == Provenance::Kind::Loop || depends_on_loop(p->left) ||
               depends_on_loop(p->right) || depends_on_loop(p->test));
}

}  // namespace portwright::eval
