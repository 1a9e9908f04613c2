#include "candidate/proving.h"

#include <mlx/mlx.h>

namespace portwright::candidate {

namespace mx = mlx::core;
using eval::Interpreter;
using eval::Value;

namespace {

/// Beyond that a proof would take seconds; such a config is to be shrunk.
constexpr int64_t kMostElements = 64'000'000;

}  // namespace

Value function(Interpreter& interp, const char* module, const char* name) {
  return interp.getattr(Value(interp.import_module(module)), name);
}

mx::array ids_for(int64_t vocabulary, int batch, int length) {
  std::vector<int64_t> out;
  uint32_t state = 12345;
  const auto lowest = std::min<int64_t>(8, vocabulary / 2);
  for (int i = 0; i < batch * length; ++i) {
    state = state * 1664525u + 1013904223u;
    out.push_back(lowest + (state >> 8) % (vocabulary - lowest));
  }
  return mx::array(out.data(), {batch, length}, mx::int64);
}

namespace {

Value loaded(Interpreter& interp, const nlohmann::json& config) {
  return value_or_throw(library::load_config(interp, config));
}

Value built(
    Interpreter& interp,
    const nlohmann::json& config,
    torch::Dtype dtype) {
  const Value object = loaded(interp, config);
  const Value model =
      value_or_throw(library::build_model(interp, object, dtype));
  const Value size = interp.call(function(interp, kTheirs, "size"), {model});
  if (size.as_int() > kMostElements) {
    interp.refuse(
        diagnostics::Kind::LimitExceeded,
        fmt::format("the model has {} elements", size.as_int()),
        "a model with smaller sizes can be proven in process");
  }
  interp.call_method(model, "eval");
  return model;
}

}  // namespace

bool same_config(
    Interpreter& interp,
    const nlohmann::json& config,
    const nlohmann::json& other) {
  return interp.truthy(interp.call(
      function(interp, kTheirs, "same"),
      {loaded(interp, config), loaded(interp, other)}));
}

Value source_model(Interpreter& interp, const nlohmann::json& config) {
  const Value model = built(interp, config, torch::Dtype::Float32);
  interp.call(function(interp, kTheirs, "randomize"), {model});
  return model;
}

Value source_like(
    Interpreter& interp,
    const nlohmann::json& config,
    const Value& source,
    torch::Dtype dtype) {
  const Value model = built(interp, config, dtype);
  const Value copy = function(interp, kTheirs, "copy_weights");
  interp.call(copy, {source, model});
  interp.call(copy, {model, source});
  return model;
}

int64_t vocabulary_of(Interpreter& interp, const Value& source) {
  const Value config = interp.getattr(source, "config");
  // In earlier versions of transformers 4 each config is that of the text.
  const Value text = interp.try_getattr(config, "get_text_config");
  return interp
      .getattr(text.defined() ? interp.call(text) : config, "vocab_size")
      .as_int();
}

}  // namespace portwright::candidate
