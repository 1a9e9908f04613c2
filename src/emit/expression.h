#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace portwright::emit {

/// Python's operator precedence, loosest first.
enum Precedence : int {
  kTernary = 1,
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

/// A piece of Python and how tightly it binds.
struct Expression {
  std::string text;
  int precedence = kPrimary;

  /// The text, in parentheses if it binds looser than `level`.
  std::string at(int level) const {
    return precedence >= level ? text : "(" + text + ")";
  }
};

Expression
infix(const Expression& left, std::string_view op, const Expression& right);
Expression call(std::string_view function, std::vector<std::string> args);
/// object.method(args)
Expression method(
    const Expression& object,
    std::string_view name,
    std::vector<std::string> args);
Expression attribute(const Expression& object, std::string_view name);

std::string join(const std::vector<std::string>& items);
/// ("mlp", "moe"), ("mlp",)
std::string tuple_of(const std::set<std::string>& texts);

}  // namespace portwright::emit
