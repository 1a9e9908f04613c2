#include "torch/state.h"

#include "base/check.h"

namespace portwright::torch {

using eval::Interpreter;
using eval::Provenance;
using eval::Value;

namespace {

/// Kept as an attribute of builtins, out of reach for Python by its spelling.
const eval::Symbol kKey{"<torch>"};

}  // namespace

void State::clear() {
  Object::clear();
  dtypes = {};
  cpu = Value();
}

State& state_of(Interpreter& interp) {
  const Value* state = interp.builtins().attrs->find(kKey);
  PW_CHECK(state, "torch is not installed in this interpreter");
  return *state->get<State>();
}

State& make_state(Interpreter& interp) {
  auto state = eval::make<State>();
  interp.builtins().attrs->set(kKey, state);
  return *state;
}

std::optional<Dtype> as_dtype(Interpreter& interp, const Value& value) {
  if (value.is(eval::Kind::Class)) {
    const auto* cls = value.get<eval::Class>();
    if (cls == interp.types.bool_) {
      return Dtype::Bool;
    }
    if (cls == interp.types.int_) {
      return Dtype::Int64;
    }
    return cls == interp.types.float_ ? std::optional(Dtype::Float64)
                                      : std::nullopt;
  }
  if (!value.is(eval::Kind::Opaque) ||
      value.object()->cls != state_of(interp).dtype_class) {
    return std::nullopt;
  }
  return value.get<DtypeObject>()->dtype;
}

Value size_value(
    Interpreter& interp,
    const Sizes& sizes,
    const Tensor* tensor) {
  std::vector<Value> items;
  items.reserve(sizes.size());
  for (size_t i = 0; i < sizes.size(); ++i) {
    Value item = Value::integer(sizes[i]);
    if (tensor && tensor->value_id && interp.track_provenance) {
      Provenance node{Provenance::Kind::Dim, {}, {}};
      node.integer = static_cast<int64_t>(i);
      node.value_id = tensor->value_id;
      item = item.with(interp.provenance(std::move(node)));
    }
    items.push_back(std::move(item));
  }
  auto out = eval::make<eval::Tuple>(std::move(items));
  out->cls = state_of(interp).size_class;
  return out;
}

}  // namespace portwright::torch
