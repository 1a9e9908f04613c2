#include "emit/expression.h"

#include "base/check.h"

namespace portwright::emit {

namespace {

int precedence_of(std::string_view op) {
  if (op == "+" || op == "-") {
    return kSum;
  }
  if (op == "*" || op == "/" || op == "//" || op == "%" || op == "@") {
    return kProduct;
  }
  if (op == "**") {
    return kPower;
  }
  if (op == "&") {
    return kBitAnd;
  }
  if (op == "|") {
    return kBitOr;
  }
  if (op == "^") {
    return kBitXor;
  }
  return kComparison;
}

}  // namespace

std::string join(const std::vector<std::string>& items) {
  std::string out;
  for (const auto& item : items) {
    out += (out.empty() ? "" : ", ") + item;
  }
  return out;
}

Expression
infix(const Expression& left, std::string_view op, const Expression& right) {
  const int own = precedence_of(op);
  // ** binds to the right, comparisons chain, the rest binds to the left.
  const int l = own == kPower || own == kComparison ? own + 1 : own;
  const int r = own == kPower ? kUnary : own + 1;
  return {left.at(l) + " " + std::string(op) + " " + right.at(r), own};
}

Expression call(std::string_view function, std::vector<std::string> args) {
  return {std::string(function) + "(" + join(args) + ")", kPrimary};
}

Expression method(
    const Expression& object,
    std::string_view name,
    std::vector<std::string> args) {
  return {
      object.at(kPrimary) + "." + std::string(name) + "(" + join(args) + ")",
      kPrimary};
}

Expression attribute(const Expression& object, std::string_view name) {
  return {object.at(kPrimary) + "." + std::string(name), kPrimary};
}

std::string tuple_of(const std::set<std::string>& texts) {
  std::vector<std::string> items;
  for (const auto& text : texts) {
    items.push_back("\"" + text + "\"");
  }
  return "(" + join(items) + (items.size() == 1 ? ",)" : ")");
}

}  // namespace portwright::emit
