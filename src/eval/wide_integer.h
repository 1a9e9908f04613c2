#pragma once

#include <string>

#include "eval/dispatch.h"

// Python's ints are unbounded: those beyond 64 bits are objects of GMP, of at
// most 65,536 bits. More is refused. A value that fits 64 bits is never one.

namespace portwright::eval {

bool is_wide(Interpreter& interp, const Value& value);

/// A bool, int, float or wide int.
bool is_numeric(Interpreter& interp, const Value& value);

/// `digits` may begin with '-'; there must be one, all valid in `base`.
Value integer_from_digits(
    Interpreter& interp,
    const std::string& digits,
    int base = 10);

/// `whole` is finite; its fraction is dropped.
Value integer_from_double(Interpreter& interp, double whole);

/// Ints of any size on both sides, exactly; Undefined for '@'.
Value wide_binary(
    Interpreter& interp,
    Operator op,
    const Value& a,
    const Value& b);

/// Less than, equal to or greater than 0, as a - b is. Not NaN.
int compare_wide(const Value& a, const Value& b);

/// The nearest double; raises OverflowError.
double wide_to_double(Interpreter& interp, const Value& value);

/// Decimal digits of a wide int.
std::string wide_digits(const Value& value);

/// int.bit_length() of a wide int.
int64_t wide_bits(const Value& value);

}  // namespace portwright::eval
