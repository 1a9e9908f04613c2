#include "emit/rope_sets.h"

namespace portwright::emit {

using eval::Value;

bool has_rope_parameters(eval::Interpreter& interp, const Value& config) {
  return interp.try_getattr(config, "rope_parameters").is(eval::Kind::Dict);
}

Value rope_sets(eval::Interpreter& interp, const Value& config) {
  const Value theta = interp.try_getattr(config, "rope_theta");
  if (has_rope_parameters(interp, config) || !theta.is_number()) {
    return interp.try_getattr(config, "rope_parameters");
  }
  auto set = eval::dict();
  Value type = eval::str("default");
  const Value scaling = interp.try_getattr(config, "rope_scaling");
  if (scaling.is(eval::Kind::Dict)) {
    auto& given = *scaling.get<eval::Dict>();
    for (const auto& e : given.entries()) {
      if (e.key.defined()) {
        set->set(interp, e.key, e.value);
      }
    }
    for (const char* name : {"type", "rope_type"}) {
      if (const Value* own = given.find(name); own && own->is_str()) {
        type = *own;
      }
    }
  }
  set->set(interp, eval::str("rope_type"), type);
  for (const char* name :
       {"rope_theta",
        "partial_rotary_factor",
        "original_max_position_embeddings"}) {
    if (const Value own = interp.try_getattr(config, name); own.is_number()) {
      set->set(interp, eval::str(name), own);
    }
  }
  return Value(set);
}

}  // namespace portwright::emit
