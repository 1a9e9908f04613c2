#include <cmath>

#include "lift/proof.h"
#include "lift/rope.h"
#include "torch/torch.h"

namespace portwright::lift {

bool agree(const Rotation& a, const Rotation& b) {
  if (a.frequencies.size() != b.frequencies.size() ||
      std::abs(a.magnitude - b.magnitude) > 2e-6 * b.magnitude) {
    return false;
  }
  for (size_t i = 0; i < a.frequencies.size(); ++i) {
    const double expected = b.frequencies[i];
    if (std::abs(a.frequencies[i] - expected) >
        2e-6 * std::abs(expected) + 1e-9) {
      return false;
    }
  }
  return !a.frequencies.empty();
}

int holds_frequencies(
    const Trace& trace,
    ValueId id,
    const Rotation& rotation) {
  const auto& info = trace.info(id);
  const auto* tensor = torch::as_tensor(info.tensor);
  const auto pairs = static_cast<int64_t>(rotation.frequencies.size());
  if (!tensor || info.dtype != torch::Dtype::Float32 ||
      info.shape != torch::Sizes{pairs}) {
    return 0;
  }
  mx::array values = mx::contiguous(torch::array_of(*tensor));
  values.eval();
  for (const int sign : {1, -1}) {
    Rotation own = rotation;
    for (size_t i = 0; i < own.frequencies.size(); ++i) {
      own.frequencies[i] = sign * values.data<float>()[i];
    }
    if (agree(rotation, own)) {
      return sign;
    }
  }
  return 0;
}

}  // namespace portwright::lift
