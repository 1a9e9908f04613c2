#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "verify/worker_process.h"

namespace portwright::verify {

struct Environment {
  /// The interpreter of the workers; the reference may have its own.
  std::string python = "python3";
  std::string reference_python = {};
  /// The folder that holds the Python package `portwright`.
  std::filesystem::path python_path = {};
  /// For each request.
  base::Milliseconds timeout = std::chrono::minutes(10);
};

/// Both workers, started at once and importing their libraries while the
/// caller goes on. Any number of sessions may use them, one after another.
struct Workers {
  static base::Result<std::shared_ptr<Workers>> start(
      const Environment& environment,
      const std::optional<std::filesystem::path>& mlx_lm = std::nullopt);

  WorkerProcess reference;
  WorkerProcess candidate;
  base::Milliseconds timeout;
};

/// Of both workers' libraries, by package. Waits until they answer.
std::map<std::string, std::string> versions_of(Workers& workers);

struct SynthOptions {
  int seed = -1;  // the default seed
  /// Config fields to set on top.
  nlohmann::json overrides = nlohmann::json::object();
  /// Also write the flat rope keys of the v4 era.
  bool flat_rope = false;
  /// Also write the other fields that checkpoints on the Hub have had.
  bool hub_form = false;
  bool trust_remote_code = false;
};

/// Writes a tiny random checkpoint of a model type or config to `folder`:
/// {"path", "cached", "config"}. A `Model` trouble says why it cannot.
Outcome<nlohmann::json> synthesize(
    WorkerProcess& reference,
    const std::string& what,
    const std::filesystem::path& folder,
    const SynthOptions& options,
    base::Milliseconds timeout = std::chrono::minutes(10));

/// The reference worker alone, for `synthesize`.
base::Result<WorkerProcess> start_reference(const Environment& environment);

}  // namespace portwright::verify
