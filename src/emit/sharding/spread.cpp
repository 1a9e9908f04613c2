#include "emit/sharding/spread.h"

#include <algorithm>

namespace portwright::emit::sharding {

namespace ast = syntax;
using Kind = Spread::Kind;

void collect_makers(const Spread& s, std::set<std::string>& out) {
  out.insert(s.makers.begin(), s.makers.end());
  for (const Spread& item : s.items) {
    collect_makers(item, out);
  }
}

bool is_split(const Spread& s) {
  return s.kind == Kind::Split || s.kind == Kind::Part ||
         s.kind == Kind::Extent || s.kind == Kind::Unknown ||
         std::any_of(s.items.begin(), s.items.end(), is_split);
}

void conflict(const std::vector<Spread>& of) {
  Conflict out;
  for (const Spread& s : of) {
    collect_makers(s, out.makers);
  }
  throw out;
}

void needs_whole(const Spread& s) {
  if (is_split(s)) {
    conflict({s});
  }
}

Spread joined(const std::vector<Spread>& all) {
  Spread out;
  for (const Spread& s : all) {
    if (s.kind == Kind::Part || s.kind == Kind::Extent ||
        s.kind == Kind::Unknown || s.kind == Kind::Several) {
      conflict(all);
    }
    if (s.kind == Kind::Split && out.kind == Kind::Split &&
        (s.axis != out.axis || s.columns != out.columns)) {
      conflict(all);
    }
    if ((s.kind == Kind::Split && out.kind == Kind::Whole) ||
        (s.kind == Kind::Whole && out.kind == Kind::Split)) {
      conflict(all);
    }
    std::set<std::string> makers = out.makers;
    makers.insert(s.makers.begin(), s.makers.end());
    out = s.kind == Kind::Free ? out : s;
    out.makers = std::move(makers);
  }
  return out;
}

Spread operation(ast::BinaryOperator op, const Spread& a, const Spread& b) {
  using enum ast::BinaryOperator;
  if (op == MatMult) {
    if (!is_split(a) && !is_split(b)) {
      return kWhole;
    }
    if (a.kind == Kind::Split && a.axis <= -3 && a == b) {
      return joined({a, b});
    }
    if (a.kind == Kind::Split && a.axis == -3 && b.one_head) {
      return a;
    }
    conflict({a, b});
  }
  const bool parts = a.kind == Kind::Part && b.kind == Kind::Part;
  const bool scaled =
      (op == Mult && !is_split(b)) || (op == Div && !is_split(b));
  if ((parts && (op == Add || op == Sub)) || (a.kind == Kind::Part && scaled)) {
    Spread out = a;
    out.makers.insert(b.makers.begin(), b.makers.end());
    return out;
  }
  if (b.kind == Kind::Part && op == Mult && !is_split(a)) {
    return b;
  }
  return joined({a, b});
}

}  // namespace portwright::emit::sharding
