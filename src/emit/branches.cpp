#include "emit/branches.h"

#include <algorithm>

#include "emit/config_text.h"
#include "emit/sharding/makers.h"

namespace portwright::emit {

namespace ast = syntax;
using sharding::spelling;

namespace {

/// The lines of `if ...:`, and of its `else:`.
struct Branches {
  size_t begin = 0, end = 0;
  std::string indent;
  Lines then, other;
};

/// None where there is another branch, or no second one.
std::optional<Branches> branches_at(const Lines& lines, size_t at) {
  Branches out;
  out.begin = at;
  out.indent = lines[at].substr(0, leading(lines[at]));
  if (!lines[at].substr(out.indent.size()).starts_with("if ")) {
    return {};
  }
  const auto body = [&](size_t from, Lines& into) {
    while (from < lines.size() && leading(lines[from]) > out.indent.size()) {
      into.push_back(lines[from++]);
    }
    return from;
  };
  const size_t middle = body(at + 1, out.then);
  if (middle == lines.size() || lines[middle] != out.indent + "else:") {
    return {};
  }
  out.end = body(middle + 1, out.other);
  return out.then.empty() || out.other.empty() ? std::nullopt
                                               : std::optional(std::move(out));
}

/// name = value.astype(dtype)
struct Conversion {
  std::string name, value, dtype;
};

std::optional<Conversion> conversion(const std::string& line) {
  const auto made = assignment(line);
  if (!made || made->targets.size() != 1 ||
      made->value->kind != ast::ExprKind::Call) {
    return {};
  }
  const auto& call = ast::as<ast::Call>(*made->value);
  if (call.func->kind != ast::ExprKind::Attribute || call.args.size() != 1 ||
      !call.keywords.empty()) {
    return {};
  }
  const auto& method = ast::as<ast::Attribute>(*call.func);
  return method.attr.str() == "astype" ? std::optional(Conversion{
                                             made->targets.front(),
                                             spelling(*method.value),
                                             spelling(*call.args.front())})
                                       : std::nullopt;
}

/// Both end with a conversion of one name to one dtype: the line that does it
/// after them.
std::string take_conversion(Branches& b) {
  const size_t depth = b.indent.size() + 4;
  if (leading(b.then.back()) != depth || leading(b.other.back()) != depth) {
    return "";
  }
  const auto then = conversion(b.then.back());
  const auto other = conversion(b.other.back());
  if (!then || !other || then->name != other->name ||
      then->dtype != other->dtype ||
      count_of({"(" + then->dtype + ")"}, then->name)) {
    return "";
  }
  for (auto [lines, made] :
       {std::pair{&b.then, &*then}, std::pair{&b.other, &*other}}) {
    lines->pop_back();
    if (made->value != made->name) {
      lines->push_back(
          std::string(depth, ' ') + made->name + " = " + made->value);
    }
  }
  return b.indent + then->name + " = " + then->name + ".astype(" + then->dtype +
         ")";
}

/// Both begin with one assignment that the test does not read: that line.
std::string take_first(Branches& b, const std::string& test) {
  if (b.then.empty() || b.other.empty() || b.then[0] != b.other[0]) {
    return "";
  }
  const auto made = assignment(b.then[0]);
  if (!made || made->indent.size() != b.indent.size() + 4 ||
      std::any_of(
          made->targets.begin(), made->targets.end(), [&](const auto& name) {
            return count_of({test}, name) > 0;
          })) {
    return "";
  }
  const std::string line = b.then[0].substr(4);
  b.then.erase(b.then.begin());
  b.other.erase(b.other.begin());
  return line;
}

/// None where nothing is shared, or only one branch would be left to negate.
std::optional<Lines> rewritten(Branches b, const std::string& test) {
  const std::string last = take_conversion(b);
  Lines out;
  for (std::string line = take_first(b, test); !line.empty();
       line = take_first(b, test)) {
    out.push_back(line);
  }
  if ((out.empty() && last.empty()) || b.then.empty()) {
    return {};
  }
  out.push_back(test);
  out.insert(out.end(), b.then.begin(), b.then.end());
  if (!b.other.empty()) {
    out.push_back(b.indent + "else:");
    out.insert(out.end(), b.other.begin(), b.other.end());
  }
  if (!last.empty()) {
    out.push_back(last);
  }
  return out;
}

/// h = h.astype(dtype), return h: one line does.
void return_converted(Lines& lines, size_t at) {
  const auto last = conversion(lines[at]);
  const std::string indent = lines[at].substr(0, leading(lines[at]));
  if (last && last->name == last->value && at + 1 < lines.size() &&
      lines[at + 1] == indent + "return " + last->name) {
    lines[at] = lines[at + 1] + ".astype(" + last->dtype + ")";
    lines.erase(lines.begin() + at + 1);
  }
}

}  // namespace

Lines with_shared_ends(Lines lines) {
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto found = branches_at(lines, i);
    const auto made =
        found ? rewritten(*found, lines[i]) : std::optional<Lines>();
    if (made) {
      lines.erase(lines.begin() + found->begin, lines.begin() + found->end);
      lines.insert(lines.begin() + found->begin, made->begin(), made->end());
      return_converted(lines, found->begin + made->size() - 1);
    }
  }
  return lines;
}

}  // namespace portwright::emit
