#include "trace/large_arrays.h"

#include <algorithm>

namespace portwright::trace {

namespace {

constexpr size_t kLarge = 1 << 18;  // bytes

bool is_large(const mx::array& array) {
  return array.nbytes() >= kLarge;
}

}  // namespace

mx::array LargeArrays::again(const mx::array& made) {
  if (const auto it = known_.find(made.id()); it != known_.end()) {
    return it->second.again;
  }
  if (!is_large(made) || !made.has_primitive()) {
    return made;  // small, or of no operation that could be done again
  }
  std::vector<mx::array> inputs;
  for (const mx::array& input : made.inputs()) {
    inputs.push_back(again(input));
  }
  const auto outputs = made.outputs();
  std::vector<mx::Shape> shapes;
  std::vector<mx::Dtype> dtypes;
  for (const mx::array& output : outputs) {
    shapes.push_back(output.shape());
    dtypes.push_back(output.dtype());
  }
  const auto copies = mx::array::make_arrays(
      std::move(shapes), dtypes, made.primitive_ptr(), inputs);
  const auto own = std::find_if(
      outputs.begin(), outputs.end(), [&](const mx::array& output) {
        return output.id() == made.id();
      });
  return copies[own - outputs.begin()];
}

void LargeArrays::note(torch::Tensor& tensor) {
  tensor.each_array([&](mx::array& array) {
    if (is_large(array) && array.has_primitive() &&
        !known_.contains(array.id())) {
      known_.emplace(array.id(), Known{array, again(array)});
    }
  });
}

void LargeArrays::let_go(Trace& trace) {
  std::vector<mx::array> apart;
  const auto replace = [&](mx::array& array) {
    auto it = known_.find(array.id());
    // The elements of a small one may lie among those of a large one.
    if (it == known_.end() && !is_large(array) && array.is_available() &&
        array.buffer_size() >= kLarge) {
      it =
          known_.emplace(array.id(), Known{array, mx::contiguous(array)}).first;
      apart.push_back(it->second.again);
    }
    if (it != known_.end()) {
      array = it->second.again;
    }
  };
  for (const ValueInfo& info : trace.values) {
    if (torch::Tensor* tensor = torch::as_tensor(info.tensor)) {
      tensor->each_array(replace);
    }
  }
  mx::eval(std::move(apart));
  known_.clear();
}

}  // namespace portwright::trace
