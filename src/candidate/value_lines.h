#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <mlx/mlx.h>

#include "eval/interpreter.h"
#include "torch/op_observer.h"

namespace portwright::candidate {

namespace mx = mlx::core;

/// Collects, while it lives, which numbers the lines of some files make: what
/// they bind to names, what their calls answer, and what torch's operations in
/// them give.
class ValueLines : public eval::Observer, public torch::OpObserver {
 public:
  struct Seen {
    const base::SourceFile* file;
    int line;
    mx::array value;
  };

  /// `files`: the paths whose lines count.
  ValueLines(eval::Interpreter& interp, std::set<std::string> files);
  ~ValueLines() override;

  const std::vector<Seen>& seen() const {
    return seen_;
  }

  void on_bind(eval::Symbol, const eval::Value& value) override;
  void on_enter(
      eval::Function&,
      std::span<const eval::Value>,
      const base::Span& call) override;
  void on_exit(eval::Function& function, const eval::Value& result) override;
  void on_op(
      const torch::Op&,
      std::span<const eval::Value>,
      const eval::Value& result) override;

 private:
  bool counts(const base::Span& span) const;
  base::Span innermost() const;
  void add(const base::Span& span, const eval::Value& value);

  eval::Interpreter& interp_;
  std::set<std::string> files_;
  std::vector<base::Span> calls_;
  std::vector<Seen> seen_;
};

/// For each of `a` those of `b` that hold the same numbers in any order, by
/// index: equal in size, sums and extremes, within the rounding of float32.
std::vector<std::vector<size_t>> equal_values(
    const std::vector<ValueLines::Seen>& a,
    const std::vector<ValueLines::Seen>& b);

}  // namespace portwright::candidate
