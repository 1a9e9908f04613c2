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

/// Evenly spread, of deviation one: two of each step of splitmix64 (Steele, Lea
/// and Flood).
std::vector<float> spread(size_t count, uint64_t seed) {
  const float scale = std::sqrt(3.0f) / 0x1p31f;
  std::vector<float> out(count + count % 2);
  uint64_t state = (seed + 1) * 0xd1342543de82ef95u;
  for (size_t i = 0; i < out.size(); i += 2) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    out[i] = scale * static_cast<float>(static_cast<int32_t>(z));
    out[i + 1] = scale * static_cast<float>(static_cast<int32_t>(z >> 32));
  }
  out.resize(count);
  return out;
}

/// Of deviation one, evenly spread, float32; a function of shape and number.
Value noise(Interpreter& interp, Args a) {
  mx::Shape shape;
  for (const Value& size : interp.to_vector(a[0])) {
    shape.push_back(static_cast<int>(size.as_int()));
  }
  size_t count = 1;
  for (int size : shape) {
    count *= static_cast<size_t>(size);
  }
  const mx::array values(
      spread(count, static_cast<uint64_t>(a[1].as_int())).data(),
      shape,
      mx::float32);
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
