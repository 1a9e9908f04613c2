#pragma once

#include <mlx/array.h>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "diagnostics/diagnostic.h"
#include "eval/interpreter.h"
#include "library/install.h"
#include "torch/dtype.h"

namespace portwright::library {

namespace fs = std::filesystem;
namespace mx = mlx::core;

/// What an evaluation gives, or the fault that ended it.
template <typename T>
using Evaluated = tl::expected<T, diagnostics::Diagnostic>;

/// What of a checkpoint and a model did not meet.
struct WeightReport {
  std::vector<std::string> missing;     // in the model, not in the checkpoint
  std::vector<std::string> unused;      // the other way round
  std::vector<std::string> mismatched;  // "name: shape, shape"
};

struct LoadedModel {
  eval::Value config;
  eval::Value model;
  WeightReport weights;
};

/// The config object for the fields of a config.json, of the class that the
/// library's mappings (or `auto_map`) name. Reads of it carry provenance.
Evaluated<eval::Value> load_config(
    eval::Interpreter& interp,
    const nlohmann::json& fields);

/// Reads and runs the modules that build_model() would need.
void read_model_class(eval::Interpreter& interp, const eval::Value& config);

/// The causal language model for a config, its weights not yet set. Its
/// parameters have `dtype`, but for what the library keeps in float32.
Evaluated<eval::Value> build_model(
    eval::Interpreter& interp,
    const eval::Value& config,
    torch::Dtype dtype = torch::Dtype::Float32);

/// Reads model*.safetensors of a directory through the library's own renaming
/// and conversion rules, then ties. Elements are read when first used.
Evaluated<WeightReport> load_weights(
    eval::Interpreter& interp,
    const eval::Value& model,
    const fs::path& directory);

/// All of the above for a checkpoint directory. Tensors missing in it, or of
/// other shapes, are a fault.
Evaluated<LoadedModel> load_model(
    eval::Interpreter& interp,
    const fs::path& directory,
    torch::Dtype dtype = torch::Dtype::Float32);

/// config.json as JSON; NaN and Infinity in it become {"__float__": name}.
Evaluated<nlohmann::json> read_config(const fs::path& directory);

/// The model types that the library maps to causal language models, sorted.
Evaluated<std::vector<std::string>> causal_lm_types(eval::Interpreter& interp);

/// Logits (B, T, V), float32, of all positions, without a cache. `ids` (B, T)
/// and `mask` (B, T; 0 and 1) are int64.
Evaluated<mx::array> forward(
    eval::Interpreter& interp,
    const eval::Value& model,
    const mx::array& ids,
    const std::optional<mx::array>& mask = std::nullopt);

/// The cache that generate() would start with; None where the model makes its
/// own.
Evaluated<eval::Value> make_cache(
    eval::Interpreter& interp,
    const eval::Value& model);

/// One cached run of a model, called as generate() calls it. Refers to the
/// interpreter.
class Session {
 public:
  /// `mask` (B, T) is that of the prefill; none means no padding.
  static Evaluated<Session> start(
      eval::Interpreter& interp,
      const eval::Value& model,
      const std::optional<mx::array>& mask = std::nullopt);

  /// ids (B, T), once: logits (B, T, V).
  Evaluated<mx::array> prefill(const mx::array& ids);
  /// ids (B, T), T = 1 before v5: logits (B, T, V).
  Evaluated<mx::array> step(const mx::array& ids);
  /// None before the prefill, and for a model that keeps no cache.
  Evaluated<eval::Value> cache();

 private:
  Session(eval::Interpreter& interp, eval::Value session)
      : interp_(&interp), session_(std::move(session)) {}
  Evaluated<mx::array> call(const char* method, const mx::array& ids);
  eval::Interpreter* interp_;
  eval::Value session_;
};

/// The greedy continuation of ids (B, T): new ids (B, tokens).
Evaluated<mx::array> generate(
    eval::Interpreter& interp,
    const eval::Value& model,
    const mx::array& ids,
    int tokens);

}  // namespace portwright::library
