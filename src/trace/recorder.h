#pragma once

#include "eval/interpreter.h"
#include "torch/op_observer.h"
#include "trace/trace.h"

namespace portwright::trace {

/// Records what an interpreter evaluates while it lives. `model` is an
/// nn.Module; its parameters and submodules are known by their paths.
class Recorder : public eval::Observer, public torch::OpObserver {
 public:
  Recorder(eval::Interpreter& interp, const eval::Value& model);
  ~Recorder() override;

  /// The recording so far; the recorder stops.
  std::unique_ptr<Trace> finish();

  void on_branch(const base::Span&, const eval::Value&, bool) override;
  void on_enter(
      eval::Function&,
      std::span<const eval::Value>,
      const base::Span&) override;
  void on_exit(eval::Function&, const eval::Value&) override;
  void on_bind(base::Symbol, const eval::Value&) override;
  void on_op(
      const torch::Op&,
      std::span<const eval::Value>,
      const eval::Value&) override;

 private:
  ValueId id_of(torch::Tensor& tensor);
  ValueId define(torch::Tensor& tensor, const OpNode* producer);
  std::vector<ValueId> ids_of(const eval::Value& value);

  eval::Interpreter& interp_;
  std::unique_ptr<Trace> trace_;
  Frame* frame_;
  /// Calls entered that have no frame of their own.
  std::vector<bool> has_frame_;
  std::unordered_map<const eval::Object*, std::string> module_paths_;
};

} // namespace portwright::trace
