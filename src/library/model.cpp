#include "library/model.h"

#include "library/config_json.h"
#include "library/guarded.h"
#include "torch/torch.h"

namespace portwright::library {
namespace {

using eval::Interpreter;
using eval::Value;

diagnostics::Diagnostic
fault(diagnostics::Kind kind, std::string message, std::string hint) {
  return {kind, std::move(message), {}, std::move(hint), "", {}};
}

Value function(Interpreter& interp, const char* module, const char* name) {
  return interp.getattr(Value(interp.import_module(module)), name);
}

Value ids_tensor(Interpreter& interp, const mx::array& ids) {
  return Value(torch::make_tensor(
      interp, mx::astype(ids, mx::int64), torch::Dtype::Int64));
}

Value optional_tensor(
    Interpreter& interp,
    const std::optional<mx::array>& ids) {
  return ids ? ids_tensor(interp, *ids) : Value::none();
}

/// Being computed, so that MLX's errors appear here.
mx::array logits_of(Interpreter& interp, const Value& value) {
  const auto* tensor = torch::as_tensor(value);
  if (!tensor) {
    interp.refuse(
        diagnostics::Kind::UnsupportedStructure, "the model answers no logits");
  }
  mx::array out = torch::array_of(*tensor);
  if (out.ndim() != 3) {
    interp.refuse(
        diagnostics::Kind::UnsupportedStructure,
        fmt::format("the model answers logits of {} dimensions", out.ndim()),
        "3 are meant: batch, position and token");
  }
  mx::async_eval(out);
  return out;
}

std::string first_few(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < 3; ++i) {
    out += (i ? ", " : "") + names[i];
  }
  return names.size() > 3 ? out + fmt::format(" and {} more", names.size() - 3)
                          : out;
}

/// Weights that a quantization method has packed are not what the source
/// computes with.
std::optional<diagnostics::Diagnostic> quantized(const nlohmann::json& fields) {
  for (const nlohmann::json& part :
       {fields, fields.value("text_config", nlohmann::json::object())}) {
    const auto found = part.find("quantization_config");
    if (found == part.end() || !found->is_object()) {
      continue;
    }
    return fault(
        diagnostics::Kind::UnsupportedStructure,
        "the config has a quantization_config of the method " +
            found->value("quant_method", "unknown"),
        "dequantize the checkpoint and remove the entry");
  }
  return std::nullopt;
}

}  // namespace

Evaluated<Value> load_config(
    Interpreter& interp,
    const nlohmann::json& fields) {
  return guarded(interp, [&] {
    const Value config = interp.call(
        function(interp, "portwright.loading", "load_config"),
        {to_value(fields), eval::str(fields.dump())});
    interp.mark_config(config, "");
    return config;
  });
}

void read_model_class(Interpreter& interp, const Value& config) {
  (void)guarded(interp, [&] {
    return interp.call(
        function(interp, "portwright.loading", "model_class"), {config});
  });
}

Evaluated<Value>
build_model(Interpreter& interp, const Value& config, torch::Dtype dtype) {
  return guarded(interp, [&] {
    return interp.call(
        function(interp, "portwright.loading", "build_model"),
        {config, torch::dtype_value(interp, dtype)});
  });
}

Evaluated<nlohmann::json> read_config(const fs::path& directory) {
  return read_config_file(directory / "config.json");
}

Evaluated<LoadedModel>
load_model(Interpreter& interp, const fs::path& directory, torch::Dtype dtype) {
  const auto fields = read_config(directory);
  if (!fields) {
    return tl::unexpected(fields.error());
  }
  if (auto fault = quantized(*fields)) {
    return tl::unexpected(std::move(*fault));
  }
  if (fields->contains("auto_map")) {
    register_checkpoint_code(interp, directory.string());
  }
  LoadedModel out;
  auto config = load_config(interp, *fields);
  if (!config) {
    return tl::unexpected(config.error());
  }
  out.config = *config;
  auto model = build_model(interp, out.config, dtype);
  if (!model) {
    return tl::unexpected(model.error());
  }
  out.model = *model;
  auto weights = load_weights(interp, out.model, directory);
  if (!weights) {
    return tl::unexpected(weights.error());
  }
  out.weights = *weights;
  if (!out.weights.mismatched.empty()) {
    return tl::unexpected(fault(
        diagnostics::Kind::CheckpointError,
        "tensors have other shapes: " + first_few(out.weights.mismatched),
        "the config does not belong to these weights"));
  }
  if (!out.weights.missing.empty()) {
    return tl::unexpected(fault(
        diagnostics::Kind::CheckpointError,
        "the checkpoint lacks " + first_few(out.weights.missing),
        "the checkpoint is incomplete, or of another architecture"));
  }
  return out;
}

Evaluated<std::vector<std::string>> causal_lm_types(Interpreter& interp) {
  return guarded(interp, [&] {
    std::vector<std::string> out;
    interp.for_each(
        function(
            interp,
            "transformers.models.auto.modeling_auto",
            "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"),
        [&](Value type) { out.push_back(type.str()); });
    std::sort(out.begin(), out.end());
    return out;
  });
}

Evaluated<mx::array> forward(
    Interpreter& interp,
    const Value& model,
    const mx::array& ids,
    const std::optional<mx::array>& mask) {
  return guarded(interp, [&] {
    return logits_of(
        interp,
        interp.call(
            function(interp, "portwright.running", "forward"),
            {model, ids_tensor(interp, ids), optional_tensor(interp, mask)}));
  });
}

Evaluated<Value> make_cache(Interpreter& interp, const Value& model) {
  return guarded(interp, [&] {
    return interp.call(
        function(interp, "portwright.running", "make_cache"), {model});
  });
}

Evaluated<Session> Session::start(
    Interpreter& interp,
    const Value& model,
    const std::optional<mx::array>& mask) {
  return guarded(interp, [&] {
    return Session(
        interp,
        interp.call(
            function(interp, "portwright.running", "Session"),
            {model, optional_tensor(interp, mask)}));
  });
}

Evaluated<mx::array> Session::call(const char* method, const mx::array& ids) {
  return guarded(*interp_, [&] {
    return logits_of(
        *interp_,
        interp_->call_method(session_, method, {ids_tensor(*interp_, ids)}));
  });
}

Evaluated<mx::array> Session::prefill(const mx::array& ids) {
  return call("prefill", ids);
}

Evaluated<mx::array> Session::step(const mx::array& ids) {
  return call("step", ids);
}

Evaluated<Value> Session::cache() {
  return guarded(
      *interp_, [&] { return interp_->call_method(session_, "cache"); });
}

Evaluated<mx::array> generate(
    Interpreter& interp,
    const Value& model,
    const mx::array& ids,
    int tokens) {
  auto session = Session::start(interp, model);
  if (!session) {
    return tl::unexpected(session.error());
  }
  std::vector<mx::array> out;
  auto logits = session->prefill(ids);
  for (int i = 0;; ++i) {
    if (!logits) {
      return tl::unexpected(logits.error());
    }
    const int last = logits->shape(1) - 1;
    const mx::array row = mx::take(*logits, last, 1);  // (B, V)
    out.push_back(
        mx::expand_dims(mx::astype(mx::argmax(row, -1), mx::int64), 1));
    if (i + 1 >= tokens) {
      break;
    }
    logits = session->step(out.back());
  }
  return mx::concatenate(out, 1);
}

}  // namespace portwright::library
