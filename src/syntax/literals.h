#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "syntax/ast.h"

namespace portwright::syntax {

struct NumberValue {
  ConstantKind kind = ConstantKind::Int;  // Int, BigInt, Float or Complex
  int64_t integer = 0;
  double real = 0;     // Float, and the imaginary part of Complex
  std::string digits;  // BigInt, decimal
};

/// The most decimal digits an integer literal may have, CPython's own limit.
inline constexpr size_t kMaxIntegerDigits = 4300;

/// Reads a Number token. False where it has more than kMaxIntegerDigits.
bool read_number(std::string_view text, NumberValue& out);

struct EscapeFault {
  size_t begin = 0;  // bytes within the contents
  size_t end = 0;
  std::string message;
};

/// Appends the value of a string's contents (between its quotes, not raw).
/// `bytes`: a bytes literal. False where an escape is malformed.
bool decode_escapes(
    std::string_view contents,
    bool bytes,
    std::string& out,
    EscapeFault& fault);

}  // namespace portwright::syntax
