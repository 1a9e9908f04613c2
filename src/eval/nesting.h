#pragma once

#include "eval/interpreter.h"

namespace portwright::eval {

/// One level of recursion in C++ over a value's contents; RecursionError when
/// there are too many.
class Nesting {
 public:
  explicit Nesting(Interpreter& interp);
  ~Nesting();
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
};

}  // namespace portwright::eval
