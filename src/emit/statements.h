#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "syntax/parser.h"

namespace portwright::emit {

/// The statements of an emitted function, each on a line with its indentation.
using Lines = std::vector<std::string>;

/// The spaces before its text.
size_t leading(const std::string& line);

/// A line that assigns: its indentation, targets and value.
struct Assignment {
  std::string indent;
  std::vector<std::string> targets;
  syntax::ParseResult parsed;
  const syntax::Expr* value = nullptr;
};

/// None where the line is another statement.
std::optional<Assignment> assignment(const std::string& line);

/// A call of that function; null for others.
const syntax::Call* call_to(const syntax::Expr& e, std::string_view function);

/// The object of a method's call with these arguments, where "" is any; null
/// for others.
const syntax::Expr* object_of(
    const syntax::Expr& e,
    std::string_view method,
    const std::vector<std::string>& arguments);

/// How many lines black makes of a statement of a method, given with its
/// indentation; none where it does not parse.
std::optional<size_t> printed_height(const std::string& statement);

/// How often a name is read or made, its attributes included.
size_t count_of(const Lines& lines, const std::string& name);

/// True where no line behind that one reads what the name holds there. Lines
/// hold no loops.
bool is_dead_behind(const Lines& lines, size_t at, const std::string& name);

bool has_loops(const Lines& lines);

/// True where a line has this text; cheaper than to parse them.
bool any_has(const Lines& lines, std::string_view text);

/// A line with these objects under other names, their attributes kept: "self.k"
/// and what is read of it.
std::string renamed_objects(
    std::string line,
    const std::map<std::string, std::string>& names);

/// Everywhere in the text.
void replace_all(std::string& text, std::string_view from, std::string_view to);

/// The name, or one like it that no line has.
std::string unused_name(const Lines& lines, std::string name);

}  // namespace portwright::emit
