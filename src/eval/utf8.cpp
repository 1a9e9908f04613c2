#include "eval/utf8.h"

#include <algorithm>

namespace portwright::eval::utf8 {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x80;
  });
}

namespace {
bool is_start(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}
}  // namespace

int64_t length(std::string_view text) {
  return std::count_if(text.begin(), text.end(), is_start);
}

char32_t next(std::string_view text, size_t& offset) {
  unsigned char first = static_cast<unsigned char>(text[offset++]);
  if (first < 0x80) {
    return first;
  }
  int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  char32_t code = first & (0x3F >> more);
  while (more-- > 0 && offset < text.size() && !is_start(text[offset])) {
    code = (code << 6) | (static_cast<unsigned char>(text[offset++]) & 0x3F);
  }
  return code;
}

void append(std::string& out, char32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

std::string encode(char32_t code) {
  std::string out;
  append(out, code);
  return out;
}

std::u32string decode(std::string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    out += next(text, i);
  }
  return out;
}

std::string encode(std::u32string_view text) {
  std::string out;
  for (char32_t code : text) {
    append(out, code);
  }
  return out;
}

size_t offset_of(std::string_view text, int64_t index) {
  size_t offset = 0;
  while (index > 0 && offset < text.size()) {
    ++offset;
    while (offset < text.size() && !is_start(text[offset])) {
      ++offset;
    }
    --index;
  }
  return offset;
}

int64_t index_of(std::string_view text, size_t offset) {
  return length(text.substr(0, offset));
}

}  // namespace portwright::eval::utf8
