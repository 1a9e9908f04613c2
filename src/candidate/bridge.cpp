#include "candidate/bridge.h"

#include <cmath>

#include "candidate/call.h"
#include "candidate/core_module.h"
#include "torch/torch.h"

namespace portwright::candidate {

std::string_view embedded_source_weights();

using eval::Interpreter;
using eval::ModuleObject;
using Args = std::span<Value>;

namespace {

torch::Tensor& tensor_of(Interpreter& interp, const Value& value) {
  torch::Tensor* tensor = torch::as_tensor(value);
  if (!tensor) {
    interp.raise("TypeError", "a tensor is expected");
  }
  return *tensor;
}

/// Of deviation one, evenly spread, float32; a function of shape and number.
Value noise(Interpreter& interp, Args a) {
  mx::Shape shape;
  for (const Value& size : interp.to_vector(a[0])) {
    shape.push_back(static_cast<int>(size.as_int()));
  }
  const float bound = std::sqrt(3.0f);
  const mx::array values = mx::random::uniform(
      mx::array(-bound),
      mx::array(bound),
      shape,
      mx::float32,
      mx::random::key(static_cast<uint64_t>(a[1].as_int())));
  return Value(torch::make_tensor(interp, values, torch::Dtype::Float32));
}

}  // namespace

void install_bridge(Interpreter& interp) {
  interp.register_source_module(
      "portwright.source_weights", embedded_source_weights());
  interp.register_native_module(
      "portwright._proving", [](Interpreter&, ModuleObject& module) {
        module.def("noise(shape, number)", noise);
        module.def("shares_storage(a, b)", [](Interpreter& interp, Args a) {
          return Value::boolean(
              tensor_of(interp, a[0]).shares_storage(tensor_of(interp, a[1])));
        });
        module.def("to_mlx(tensor)", [](Interpreter& interp, Args a) {
          return array_value(interp, torch::array_of(tensor_of(interp, a[0])));
        });
      });
}

}  // namespace portwright::candidate
