#pragma once

#include <string>
#include <string_view>

#include "syntax/ast.h"

namespace portwright::syntax {

/// Each appends what CPython's repr gives.
void append_str_repr(std::string& out, std::string_view utf8);
void append_bytes_repr(std::string& out, std::string_view bytes);
void append_float_repr(std::string& out, double value);
void append_constant_repr(std::string& out, const Constant& constant);

}  // namespace portwright::syntax
