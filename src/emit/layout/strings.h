#pragma once

#include <string>
#include <string_view>

namespace portwright::emit::printing {

/// The letters before a string's quotes.
std::string_view string_prefix(std::string_view text);
bool has_triple_quotes(std::string_view text);

/// Lower case, `u` dropped, `r` kept as it is.
std::string normalize_prefix(std::string_view text);
/// Double quotes, unless that needs more backslashes.
std::string normalize_quotes(std::string_view text);
/// `\xFF`, `\uABCD` and the like with lower-case digits.
std::string normalize_escapes(std::string_view text);
/// A docstring, prefix and quotes normal, indented by `indent` blanks.
std::string normalize_docstring(std::string_view text, size_t indent);
std::string normalize_number(std::string_view text);
/// `#` and a blank before the words.
std::string normalize_comment(std::string_view text);

std::string lowered(std::string_view text);

/// Code points.
size_t text_length(std::string_view text);
/// Columns on a terminal: wide characters count two, combining ones none.
size_t text_width(std::string_view text);

}  // namespace portwright::emit::printing
