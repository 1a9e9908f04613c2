#pragma once

#include <memory>
#include <string>
#include <vector>

#include "eval/frame.h"
#include "eval/objects.h"
#include "syntax/ast.h"

namespace portwright::eval {

/// What a statement did to the flow of control.
enum class Flow : uint8_t { Next, Break, Continue, Return };

/// An expression, compiled: names resolved to slots, operators chosen.
class ExprCode {
 public:
  explicit ExprCode(base::Span span) : span(span) {}
  virtual ~ExprCode() = default;
  virtual Value eval(Frame& frame) const = 0;
  /// As the last thing a function does: a call may then miss an attribute in
  /// its stead (Frame::may_miss).
  virtual Value eval_last(Frame& frame) const {
    return eval(frame);
  }
  base::Span span;
};

class StmtCode {
 public:
  explicit StmtCode(base::Span span) : span(span) {}
  virtual ~StmtCode() = default;
  virtual Flow exec(Frame& frame) const = 0;
  base::Span span;
};

/// Where an assignment stores.
class TargetCode {
 public:
  virtual ~TargetCode() = default;
  virtual void store(Frame& frame, const Value& value) const = 0;
};

using ExprPtr = std::unique_ptr<ExprCode>;
using StmtPtr = std::unique_ptr<StmtCode>;
using TargetPtr = std::unique_ptr<TargetCode>;
using Block = std::vector<StmtPtr>;

/// A compiled function, lambda, class body or module.
struct FunctionCode {
  Symbol name;
  std::string qualname;
  base::Span span;
  Signature signature;  // parameters are the first slots
  uint32_t slot_count = 0;
  /// Slots that inner functions capture: they hold a Cell.
  std::vector<uint32_t> cells;
  /// Slots filled from the closure, in its order.
  std::vector<uint32_t> free;
  /// Where the enclosing frame keeps those cells.
  std::vector<uint32_t> enclosing;
  std::vector<Symbol> slot_names;
  Block body;
  ExprPtr value;  // lambdas
  bool is_generator = false;
  bool is_lambda = false;
  bool does_nothing = false;             // `pass` alone
  const syntax::Stmt* syntax = nullptr;  // the def, if any
  /// Compiles what only a call needs, at the first one: few functions of a
  /// library are ever called. Null once done.
  mutable std::function<void()> rest;
  void complete() const {
    if (rest) {
      rest();
      rest = nullptr;
    }
  }
};

/// Runs statements in order until one leaves.
Flow run_block(const Block& block, Frame& frame);

/// Evaluates a condition and tells the observer.
bool test(const ExprCode& condition, Frame& frame);
/// The same, handing out the condition's value.
bool test(const ExprCode& condition, Frame& frame, Value& value);

/// Compiles a module's body. Refuses what the evaluator does not know.
std::shared_ptr<FunctionCode> compile_module(
    Interpreter& interp,
    const syntax::Tree& tree,
    const ModuleObject& module);

}  // namespace portwright::eval
