#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/verification.h"

namespace portwright::cli {

/// A variant's checkpoint; without `path`, why there is none.
struct Brought {
  std::filesystem::path path;
  std::string missing;
  /// How its weights are to be held, and how long a request may then take.
  std::optional<verify::MemoryPlan> memory = {};
  int64_t timeout_s = 0;
};

/// What run.json holds before the first check: {schema, portwright, command,
/// subject: {manifest, port, mlx_lm, versions, variants}, directory, hardware,
/// binary}. Two runs with the same `subject` judge the same. The Error is that
/// of a file that cannot be read.
base::Result<nlohmann::ordered_json> facts_of_run(
    const Verification& asked,
    const std::vector<Brought>& brought,
    const std::map<std::string, std::string>& versions,
    const Common& common);

/// The dtype that a checkpoint's config names; empty when it names none.
std::string dtype_in_config(const std::filesystem::path& checkpoint);

}  // namespace portwright::cli
