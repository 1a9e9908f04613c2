#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace portwright::syntax {

/// Appends a code point as UTF-8; surrogates become three bytes.
void append_utf8(std::string& out, uint32_t code_point);

/// Decodes the code point that starts at text[at] and moves `at` past it.
/// `text` is well-formed UTF-8, apart from three-byte surrogates.
uint32_t next_code_point(std::string_view text, size_t& at);

/// Offset of the first byte from `from` on that is not well-formed UTF-8.
std::optional<size_t> find_invalid_utf8(std::string_view text, size_t from = 0);

/// Whether a name may start with, or go on with, this code point.
bool is_identifier_start(uint32_t code_point);
bool is_identifier_part(uint32_t code_point);

/// Python's str.isprintable for one code point.
bool is_printable(uint32_t code_point);

/// Normal form KC of a name, as Python compares names.
std::string normalize_name(std::string_view name);

/// The code point of a Unicode name or alias, in any case.
std::optional<uint32_t> lookup_unicode_name(std::string_view name);

}  // namespace portwright::syntax
