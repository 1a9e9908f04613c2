#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "report/report.h"

namespace portwright::report {

/// One model that a port is proven on.
struct Variant {
  std::string name;
  Report report;
};

/// Everything that one call of `verify` or `port` keeps.
struct ProofRun {
  /// What ran, on what: see docs/bench.md, run.json.
  nlohmann::ordered_json facts;
  /// What was asked for, as YAML.
  std::string manifest;
  std::string model_type;
  std::vector<Variant> variants;

  /// The worst of the variants.
  verify::Status verdict() const;
};

/// Of one variant its results.json; of several {schema, verdict, variants:
/// [{name, verdict, model, ...}], checks: [{variant, name, ...}], versions,
/// seconds}.
nlohmann::ordered_json to_json(const ProofRun& run);

/// The verdict of the variant that decides it, in a sentence.
std::string verdict_sentence(const ProofRun& run);

std::string to_markdown(const ProofRun& run);

/// One file; of several variants a table that links variants/NAME/report.html
/// of the archive, which lies at `archive` seen from the file.
std::string to_html(const ProofRun& run, const std::string& archive = ".");

/// The variants side by side: a row for each check, its number in each.
std::string variants_table(const ProofRun& run);
std::string variants_markdown(const ProofRun& run);

/// Writes results.json, report.md and report.html into `directory`.
base::Result<void> write_run(
    const ProofRun& run,
    const std::filesystem::path& directory,
    const std::filesystem::path& archive);

/// Makes `directory`/<model type>/<UTC time>-<digest>/ with run.json and
/// manifest.yaml; without results.json it counts as unfinished.
base::Result<std::filesystem::path> begin_archive(
    const ProofRun& run,
    const std::filesystem::path& directory);

/// One finished check into checks/ of its variant, raw.
base::Result<void> archive_check(
    const ProofRun& run,
    const std::string& variant,
    const verify::CheckResult& check,
    const std::filesystem::path& archive);

/// The rest: summary.md, report.html, port.py, tensors, and results.json last.
base::Result<void> finish_archive(
    const ProofRun& run,
    const std::filesystem::path& archive);

/// The newest unfinished archive below `directory`/<model type>/ of a run whose
/// `subject` is that of `run`; empty when there is none.
std::filesystem::path find_unfinished(
    const ProofRun& run,
    const std::filesystem::path& directory);

/// The checks that an archive has of a variant already, as they ended.
std::vector<verify::CheckResult> archived_checks(
    const ProofRun& run,
    const std::string& variant,
    const std::filesystem::path& archive);

/// run.json and results.json of a finished archive.
struct Archived {
  nlohmann::json facts;
  nlohmann::json results;
};

/// The Error says what is missing, or that the run was interrupted.
base::Result<Archived> read_archive(const std::filesystem::path& archive);

}  // namespace portwright::report
