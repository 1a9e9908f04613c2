#include "syntax/unicode.h"

#include <cstring>

#include <algorithm>

#include "syntax/unicode_tables.h"

namespace portwright::syntax {

void append_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

uint32_t next_code_point(std::string_view text, size_t& at) {
  const auto byte = [&] {
    return at < text.size() ? static_cast<unsigned char>(text[at++]) : 0U;
  };
  const uint32_t lead = byte();
  if (lead < 0x80) {
    return lead;
  }
  uint32_t c = lead < 0xE0 ? lead & 0x1F : lead < 0xF0 ? lead & 0x0F : lead & 7;
  const int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  for (int i = 0; i < more; ++i) {
    c = (c << 6) | (byte() & 0x3F);
  }
  return c;
}

std::optional<size_t> find_invalid_utf8(std::string_view text, size_t from) {
  const auto* s = reinterpret_cast<const unsigned char*>(text.data());
  const size_t size = text.size();
  const auto tail = [&](size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < size && s[i] >= low && s[i] <= high;
  };
  for (size_t i = from; i < size;) {
    const unsigned c = s[i];
    if (c < 0x80) {
      // Text is mostly ASCII: eight bytes at once.
      uint64_t word = 0;
      for (++i; i + sizeof word <= size; i += sizeof word) {
        std::memcpy(&word, s + i, sizeof word);
        if (word & 0x8080808080808080) {
          break;
        }
      }
    } else if (c >= 0xC2 && c <= 0xDF && tail(i + 1)) {
      i += 2;
    } else if (
        c >= 0xE0 && c <= 0xEF &&
        tail(i + 1, c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF) &&
        tail(i + 2)) {
      i += 3;
    } else if (
        c >= 0xF0 && c <= 0xF4 &&
        tail(i + 1, c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF) &&
        tail(i + 2) && tail(i + 3)) {
      i += 4;
    } else {
      return i;
    }
  }
  return std::nullopt;
}

namespace {

// Whether a table of alternating range ends covers `c`.
bool covers(const uint32_t* table, size_t size, uint32_t c) {
  return (std::upper_bound(table, table + size, c) - table) % 2 == 1;
}

bool is_ascii_letter(uint32_t c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

bool is_identifier_start(uint32_t c) {
  return c < 128
             ? is_ascii_letter(c)
             : covers(
                   tables::kIdentifierStart, tables::kIdentifierStartSize, c);
}

bool is_identifier_part(uint32_t c) {
  return c < 128
             ? is_ascii_letter(c) || (c >= '0' && c <= '9')
             : covers(tables::kIdentifierPart, tables::kIdentifierPartSize, c);
}

bool is_printable(uint32_t c) {
  return c < 128 ? c >= 32 && c != 127
                 : covers(tables::kPrintable, tables::kPrintableSize, c);
}

}  // namespace portwright::syntax
