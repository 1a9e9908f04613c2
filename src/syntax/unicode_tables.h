#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// Tables that unicode_data/generate.py writes when the project is built.
namespace portwright::syntax::tables {

// Code points where membership changes; even entries begin a range.
extern const uint32_t kIdentifierStart[];
extern const size_t kIdentifierStartSize;
extern const uint32_t kIdentifierPart[];
extern const size_t kIdentifierPartSize;
extern const uint32_t kPrintable[];
extern const size_t kPrintableSize;
extern const uint32_t kIdeograph[];
extern const size_t kIdeographSize;

// Pairs: a code point, then (offset into kDecomposed << 8 | length).
extern const uint32_t kDecompositions[];
extern const size_t kDecompositionsSize;
extern const uint32_t kDecomposed[];
extern const size_t kDecomposedSize;
// code point << 8 | canonical combining class, which is not zero.
extern const uint32_t kCombiningClasses[];
extern const size_t kCombiningClassesSize;
// first << 42 | second << 21 | composite.
extern const uint64_t kCompositions[];
extern const size_t kCompositionsSize;

// 43 bits of a name's hash << 21 | code point.
extern const uint64_t kNames[];
extern const size_t kNamesSize;

// Code points of the bytes from 0x80 on, 128 a row; 0 where a byte means
// nothing.
extern const uint16_t kHighHalves[];
extern const size_t kHighHalvesSize;
struct EncodingName {
  std::string_view name;  // lower case, words joined by underscores
  int row;
};
extern const EncodingName kEncodings[];
extern const size_t kEncodingsSize;

}  // namespace portwright::syntax::tables
