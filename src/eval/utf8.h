#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Python's str counts code points; ours are stored as UTF-8.

namespace portwright::eval::utf8 {

bool is_ascii(std::string_view text);
/// Number of code points.
int64_t length(std::string_view text);
/// Decodes the code point at `offset` and moves past it.
char32_t next(std::string_view text, size_t& offset);
void append(std::string& out, char32_t code);
std::string encode(char32_t code);
std::u32string decode(std::string_view text);
std::string encode(std::u32string_view text);
/// Byte offset of code point number `index` (0 to length).
size_t offset_of(std::string_view text, int64_t index);
/// Number of the code point that starts at byte `offset`.
int64_t index_of(std::string_view text, size_t offset);

}  // namespace portwright::eval::utf8
