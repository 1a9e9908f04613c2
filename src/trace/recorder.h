#pragma once

#include <map>
#include <optional>
#include <tuple>

#include "eval/interpreter.h"
#include "torch/op_observer.h"
#include "trace/large_arrays.h"
#include "trace/trace.h"

namespace portwright::trace {

/// Records what an interpreter evaluates while it lives.
class Recorder : public eval::Observer, public torch::OpObserver {
 public:
  /// Starts with the construction of a model: call built() after it.
  explicit Recorder(eval::Interpreter& interp);
  /// `model` is an nn.Module; its parameters and submodules become known by
  /// their paths. What was recorded so far is kept as `construction`.
  void built(const eval::Value& model);
  ~Recorder() override;

  /// The recording so far.
  Trace& trace() {
    return *trace_;
  }
  /// From now on, tests of extents are decided as in the recording so far, in
  /// which they were always decided so.
  void decide_as_before();
  /// The recording so far; the recorder stops.
  std::unique_ptr<Trace> finish();

  bool on_branch(const base::Span&, const eval::Value&, bool) override;
  bool on_operand(const base::Span&, const eval::Value&, bool) override;
  void on_enter(
      eval::Function&,
      std::span<const eval::Value>,
      const base::Span&) override;
  void on_exit(eval::Function&, const eval::Value&) override;
  void on_loop(const base::Span&, const eval::Value& iterated) override;
  void on_turn() override;
  void on_loop_end() override;
  void on_bind(base::Symbol, const eval::Value&) override;
  void on_op(const torch::Op&, std::span<const eval::Value>, const eval::Value&)
      override;

 private:
  /// A run of a loop under way, in the forward of `frame`.
  struct Loop {
    Frame* frame;
    uint32_t run;
    const eval::Provenance* bound;
    int64_t turns = 0;
    std::optional<size_t> turn;  // the one under way
  };
  void end_turn(Loop& loop);
  bool record(Branch branch);
  /// Where a condition comes from; of a tensor, its element.
  const eval::Provenance* reason(const eval::Value& condition);
  void start_construction(eval::Function&, std::span<const eval::Value>);
  /// A write into a view, x[..., :n].copy_(y), is recorded as the store into
  /// what it views, x[..., :n] = y, too.
  void store_through(torch::Tensor& view, const base::Span& span);
  ValueId id_of(torch::Tensor& tensor);
  ValueId define(torch::Tensor& tensor, const OpNode* producer);
  std::vector<ValueId> ids_of(const eval::Value& value);

  eval::Interpreter& interp_;
  /// A recording would keep all that was ever computed.
  LargeArrays large_;
  /// Outcomes of tests of extents, by place; none where there were both.
  std::map<
      std::tuple<const base::SourceFile*, uint32_t, uint32_t>,
      std::optional<bool>>
      decided_;
  std::unique_ptr<Trace> trace_;
  Frame* frame_;
  /// Calls entered that have no frame of their own.
  std::vector<bool> has_frame_;
  /// The modules being constructed, innermost last, with the call depth.
  std::vector<std::pair<const eval::Object*, size_t>> constructing_;
  std::unordered_map<const eval::Object*, std::string> module_paths_;
  /// Selections under way, with the call depth.
  std::vector<std::pair<Selection, size_t>> selecting_;
  std::vector<Loop> loops_;
  uint32_t runs_ = 0;
  /// What modules are being picked by out of lists, with the call depth, and
  /// what those were picked by that were.
  std::vector<std::pair<const eval::Provenance*, size_t>> picking_;
  std::unordered_map<const eval::Object*, const eval::Provenance*> picked_;
};

}  // namespace portwright::trace
