#pragma once

#include <unordered_map>

#include "trace/trace.h"

namespace portwright::trace {

/// The large results of operations, as they would be computed once more. What
/// has been computed of them need then not be kept: who reads one computes it.
class LargeArrays {
 public:
  /// Call it before the tensor is evaluated.
  void note(torch::Tensor& tensor);
  /// What is noted is computed anew where the trace's values are read next.
  void let_go(Trace& trace);

 private:
  struct Known {
    mx::array made;  // keeps the number of its key from being another's
    mx::array again;
  };
  using Kept = std::unordered_map<std::uintptr_t, Known>;
  /// The same computation, of such as are known.
  mx::array again(const mx::array& made);

  Kept known_;
};

}  // namespace portwright::trace
