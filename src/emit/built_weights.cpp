#include "emit/built_weights.h"

#include "torch/torch.h"

namespace portwright::emit {

namespace mx = mlx::core;
using eval::Value;

BuiltWeights::BuiltWeights(eval::Interpreter& interp, const Value& model) {
  interp.for_each(
      interp.call_method(model, "named_parameters"), [&](Value pair) {
        const auto& items = pair.get<eval::Tuple>()->items;
        if (const auto* t = torch::as_tensor(items[1])) {
          weights_.push_back(
              {items[0].str(),
               items[1],
               torch::array_of(*t),
               t->storage.get()});
        }
      });
}

void BuiltWeights::refuse_changed() const {
  for (const auto& [path, tensor, value, storage] : weights_) {
    const torch::Tensor& t = *torch::as_tensor(tensor);
    const mx::array now = torch::array_of(t);
    // Zeros, as weights may be built, are often the same afterwards.
    const bool given_anew =
        t.storage.get() != storage && !mx::any(value).item<bool>();
    if (given_anew ||
        (now.id() != value.id() && !mx::array_equal(now, value).item<bool>())) {
      throw eval::Refusal{
          {diagnostics::Kind::UnsupportedStructure,
           "the model's forward changes its weight '" + path + "'",
           {},
           "write this part by hand in the draft, then verify it",
           "",
           {}}};
    }
  }
}

}  // namespace portwright::emit
