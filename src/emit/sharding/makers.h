#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "emit/context.h"
#include "syntax/parser.h"

namespace portwright::emit::sharding {

/// What a class's __init__ makes, by attribute.
struct Made {
  /// The functions that make it: "nn.Linear"; "array" for weights, "" for a
  /// scalar.
  std::set<std::string> makers;
  bool bias = false;     // a layer that may have one
  bool always = false;   // whatever the config is
  bool list = false;     // one for each layer
  bool several = false;  // a list that is written out
  size_t place = 0;      // in __init__
};
using Makers = std::map<std::string, Made>;
Makers makers_of(const ClassText& text);
/// A number, a text or a truth, whatever the config is.
bool is_scalar(const Makers& makers, const std::string& name);

/// The statements of an emitted function.
struct Parsed {
  syntax::ParseResult result;
  syntax::Stmts body;
};
Parsed parse_function(
    const std::vector<std::string>& parameters,
    const std::vector<std::string>& lines);

std::string spelling(const syntax::Expr& e);
/// "n_heads" of `self.n_heads`.
std::string own_attribute(const syntax::Expr& e);
std::optional<int64_t> integer(const syntax::Expr& e);
/// The keyword's value; null where it is not given.
const syntax::Expr* keyword(const syntax::Call& call, std::string_view name);

}  // namespace portwright::emit::sharding
