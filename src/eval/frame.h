#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "eval/interpreter.h"
#include "eval/objects.h"

namespace portwright::eval {

struct FunctionCode;
class GeneratorState;

/// One activation of a function, class body or module.
struct Frame {
  Interpreter& interp;
  const FunctionCode& code;
  ModuleObject& globals;
  Value* slots;              // code.slot_count
  AttrMap* names = nullptr;  // class bodies and modules: their namespace
  Frame* caller = nullptr;
  const base::Span* at = nullptr;         // what is being evaluated
  Value result;                           // set by return
  std::vector<Value>* yielded = nullptr;  // generators
  bool may_miss = false;                  // what it returns may be an Undefined
  /// Runs at each yield instead of collecting: the body of a `with` whose
  /// manager is a generator.
  std::function<void(const Value&)> on_yield;
  /// Generator expressions made here; finished when the frame ends.
  std::vector<std::weak_ptr<GeneratorState>> generators;
};

/// Throws the exception, noting where.
[[noreturn]] void throw_python(Interpreter& interp, const Value& exception);

/// object.__getattribute__ and its like, super, type: what the core needs.
void install_core(Interpreter& interp);

}  // namespace portwright::eval
