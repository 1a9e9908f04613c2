#include "emit/built_weights.h"

#include "torch/torch.h"

namespace portwright::emit {

namespace mx = mlx::core;
using eval::Value;

BuiltWeights::BuiltWeights(eval::Interpreter& interp, const Value& model)
    : interp_(interp) {
  interp.for_each(
      interp.call_method(model, "named_parameters"), [&](Value pair) {
        const auto& items = pair.get<eval::Tuple>()->items;
        if (const auto* t = torch::as_tensor(items[1])) {
          weights_.push_back(
              {items[0].str(),
               items[1],
               torch::array_of(*t),
               t->storage.get(),
               t->value_id});
        }
      });
  interp.for_each(interp.call_method(model, "modules"), [&](Value module) {
    for (const auto& [name, value] : module.object()->attrs->entries()) {
      if (value.is_bool() || value.is_number() || value.is_none()) {
        flags_.push_back({module, name, value});
      }
    }
  });
}

bool BuiltWeights::changed(const Weight& weight) const {
  const torch::Tensor& t = *torch::as_tensor(weight.tensor);
  const mx::array now = torch::array_of(t);
  // Zeros, as weights may be built, are often the same afterwards.
  const bool given_anew =
      t.storage.get() != weight.storage && !mx::any(weight.value).item<bool>();
  return given_anew || (now.id() != weight.value.id() &&
                        !mx::array_equal(now, weight.value).item<bool>());
}

bool BuiltWeights::restore() const {
  bool any = false;
  for (const Weight& weight : weights_) {
    if (changed(weight)) {
      torch::Tensor& t = *weight.tensor.get<torch::Tensor>();
      const Value before(torch::make_tensor(interp_, weight.value, t.dtype));
      t.rebind(*torch::as_tensor(before));
      t.value_id = weight.value_id;
      t.value_version = t.storage->version;
      any = true;
    }
  }
  for (const auto& [module, name, value] : flags_) {
    if (any) {
      interp_.setattr(module, name, value);
    }
  }
  return any;
}

void BuiltWeights::refuse_changed() const {
  for (const Weight& weight : weights_) {
    // Rows of length 1 are normalised but for their last digits.
    const auto now = torch::array_of(*torch::as_tensor(weight.tensor));
    if (!mx::allclose(now, weight.value, 1e-5, 1e-7).item<bool>()) {
      throw eval::Refusal{
          {diagnostics::Kind::UnsupportedStructure,
           "each forward changes the weight '" + weight.path + "'",
           {},
           "write this part by hand in the draft, then verify it",
           "",
           {}}};
    }
  }
}

}  // namespace portwright::emit
