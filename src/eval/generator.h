#pragma once

#include "eval/interpreter.h"

namespace portwright::eval {

/// A generator expression that runs in the frame that made it. When the frame
/// ends first, what is left is computed then and kept.
class GeneratorState {
 public:
  virtual ~GeneratorState() = default;
  /// The next element, Undefined at the end.
  virtual Value next(Interpreter& interp) = 0;
  virtual void finish(Interpreter& interp) = 0;
};

}  // namespace portwright::eval
