#include "lift/affine.h"

#include "lift/memory.h"
#include "lift/proof.h"

namespace portwright::lift {

using eval::Value;

namespace {

/// A product with the weight, transposed or not, in the dtype of both.
bool affine_agrees_in_half(
    eval::Interpreter& interp,
    const Value& module,
    const mx::array& x,
    bool transposed) {
  const auto literal = [&](mx::Dtype dtype) {
    RandomParameters parameters(interp, module, dtype);
    return call_module(interp, module, {rounded(x, dtype)});
  };
  const auto lifted = [&](mx::Dtype dtype) {
    RandomParameters parameters(interp, module, dtype);
    const auto weight =
        torch::array_of(*torch::as_tensor(interp.getattr(module, "weight")));
    auto y = mx::matmul(
        rounded(x, dtype), transposed ? mx::transpose(weight) : weight);
    const Value bias = interp.try_getattr(module, "bias");
    if (const auto* b = torch::as_tensor(bias)) {
      y = mx::add(y, torch::array_of(*b));
    }
    return y;
  };
  return agree_in_half(literal, lifted);
}

Affine recognised_map(eval::Interpreter& interp, const Value& module) {
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
  auto agrees = [&](const mx::array& map, bool transposed) {
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
                 kTolerance &&
             affine_agrees_in_half(interp, module, x, transposed);
    } catch (const eval::PythonError&) {
      return false;  // it is no map of these shapes
    }
  };
  if (agrees(mx::transpose(w), true)) {
    return Affine::Linear;
  }
  return agrees(w, false) ? Affine::Transposed : Affine::None;
}

}  // namespace

Affine lift_affine(eval::Interpreter& interp, const Value& module) {
  Memory& memory = Memory::of(interp);
  return memory.once<Affine>("affine:" + module_text(memory, module), [&] {
    return recognised_map(interp, module);
  });
}

}  // namespace portwright::lift
