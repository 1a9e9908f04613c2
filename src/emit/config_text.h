#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "eval/objects.h"

namespace portwright::emit {

/// A number, a text, a truth or None, as a regular expression.
inline const std::string kLiteral =
    R"re((?:-?[0-9][\w.+-]*|True|False|None|'[^']*'|"[^"]*"))re";

/// A name in a piece of syntax, with the attributes read of it
/// ("self.attn_config.clip_qkv"), and where it ends.
struct Name {
  std::string text;
  size_t end;
};

/// A letter, digit or underscore.
bool is_word(char c);
/// Letters, digits and underscores alone.
bool is_name(std::string_view text);

/// Every name, texts left out.
std::vector<Name> names_in(const std::string& text);

/// `text` with each of these names replaced.
std::string renamed(
    std::string text,
    const std::map<std::string, std::string>& names);

/// A statement of a config class's method in terms of fields alone: keys that
/// it takes from `kwargs` are fields, a field's other names are that field, and
/// calls of static methods that are one expression stand for it, as the
/// library's renaming of kinds of layers does. The rest stays as it is.
std::string in_fields(
    const eval::Class& cls,
    const eval::Function& method,
    std::string text);

}  // namespace portwright::emit
