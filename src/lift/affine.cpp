#include "lift/affine.h"

#include "lift/proof.h"

namespace portwright::lift {

using eval::Value;

Affine lift_affine(eval::Interpreter& interp, const Value& module) {
  std::optional<Value> weight, bias;
  bool others = false;
  interp.for_each(
      interp.call_method(module, "named_parameters"), [&](Value pair) {
        const auto& items = pair.get<eval::Tuple>()->items;
        auto& slot = items[0].str() == "weight" ? weight : bias;
        others = others || slot ||
                 (items[0].str() != "weight" && items[0].str() != "bias");
        slot = items[1];
      });
  if (others || !weight || torch::as_tensor(*weight)->dim() != 2) {
    return Affine::None;
  }
  RandomParameters randomised(interp, module);
  const mx::array w = torch::array_of(*torch::as_tensor(*weight));
  auto agrees = [&](const mx::array& map) {
    if (bias && torch::as_tensor(*bias)->sizes != torch::Sizes{map.shape(1)}) {
      return false;
    }
    try {
      const auto x = random({2, 3, map.shape(0)}, 5);
      mx::array expected = mx::matmul(x, map);
      if (bias) {
        expected = mx::add(expected, torch::array_of(*torch::as_tensor(*bias)));
      }
      return relative_error(call_module(interp, module, {x}), expected) <
             kTolerance;
    } catch (const eval::PythonError&) {
      return false;  // it is no map of these shapes
    }
  };
  if (agrees(mx::transpose(w))) {
    return Affine::Linear;
  }
  return agrees(w) ? Affine::Transposed : Affine::None;
}

}  // namespace portwright::lift
