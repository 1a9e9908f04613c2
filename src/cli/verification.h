#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/git_branch.h"
#include "cli/manifest.h"
#include "report/archive.h"
#include "verify/proof.h"
#include "verify/workers.h"

namespace portwright::cli {

/// One call of `verify` or `port`: what to prove, and where to keep it.
struct Verification {
  Manifest manifest;
  /// Gets results.json, the report, and results/<model type>/...
  std::filesystem::path directory;
  std::filesystem::path transformers;
  std::optional<std::filesystem::path> mlx_lm;
  /// The commit that `mlx_lm` holds the files of, where it was read from git.
  std::optional<GitCommit> commit;
  /// Go on with a run of the same subject that did not finish.
  bool resume = false;
  /// Plant bugs into a port that passes.
  bool prove = false;
  verify::Streaming streaming = verify::Streaming::WhereNeeded;
  /// Bytes of memory to use; 0: what there is.
  double memory = 0;
  /// Where streamed weights go; empty: `directory`.
  std::filesystem::path scratch;
  std::optional<verify::Hosts> hosts;
  /// Whether the workers' timeout was asked for: else streaming prolongs it.
  bool timeout_fixed = false;
  /// The lines of the source behind those of the port, where they are known.
  std::vector<report::SourceLink> links;
  /// Checkpoints that lie ready, by the name of their variant.
  std::map<std::string, std::filesystem::path> checkpoints;
};

struct Verified {
  report::ProofRun run;
  std::filesystem::path archive;
  std::vector<verify::PlantedBug> planted;
};

/// Runs the battery on every variant, keeping each check as it ends: whenever
/// it stops, what `directory` holds is valid. A variant that cannot be had is
/// an untrusted check `model` where there are others, else the Error.
base::Result<Verified> verify_port(
    const std::shared_ptr<verify::Workers>& workers,
    const Verification& asked,
    const Common& common,
    Console& console);

}  // namespace portwright::cli
