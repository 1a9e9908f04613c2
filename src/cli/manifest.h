#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/console.h"
#include "verify/battery.h"

namespace portwright::cli {

/// One model that a manifest names.
struct ManifestVariant {
  std::string name;
  /// A directory, a model type, or a repository of the Hub.
  std::string model;
  /// "base" or "instruct"; empty: not said.
  std::string type;
  /// Of its weights as they are stored.
  std::optional<double> memory_gb;
  std::string expected_dtype;
  /// Of a model type: fields of the config to set, and the seed of the weights.
  nlohmann::json set = nlohmann::json::object();
  int seed = -1;
  std::string notes;
};

/// What is to be proven: version 2 of the format, whatever it was read from
/// (docs/bench.md, python/portwright/data/manifest.schema.json).
struct Manifest {
  std::string model_type;
  /// The file under test; empty: what mlx_lm itself would load.
  std::string port;
  std::string mode = "normal";
  std::vector<std::string> checks;
  bool quantize = true;
  bool trust_remote_code = false;
  std::string notes;
  /// {number, repo, branch}, or null.
  nlohmann::json pr;
  std::vector<ManifestVariant> variants;

  verify::BatteryOptions battery() const;
};

/// What MODEL is called in results: the model type of a directory's config,
/// else its own name.
std::string model_type_of(const std::string& model);

nlohmann::ordered_json to_json(const Manifest& manifest);

/// Reads what to_json wrote.
Manifest manifest_from_json(const nlohmann::json& json);

/// Reads a YAML file, of version 1 or 2; paths in it count from its folder.
/// Without a value the fault has been told and the code says how it ended.
tl::expected<Manifest, ExitCode> read_manifest(
    const std::filesystem::path& file,
    Console& console);

/// The manifest as YAML. `version` 1 is the format that others have; what it
/// cannot say is left out.
base::Result<std::string> manifest_text(
    const Manifest& manifest,
    int version = 2);

}  // namespace portwright::cli
