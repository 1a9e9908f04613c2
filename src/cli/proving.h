#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "cli/console.h"
#include "report/archive.h"
#include "verify/proof.h"

namespace portwright::cli {

/// A check's line for the terminal, its place when it failed, and the verdict.
void show_results(const verify::Results& results, Console& console);

/// For each variant a line for every check, and the verdict of all.
void show_run(const report::ProofRun& run, Console& console);

/// Pass and warn are done, anything else is a failed verdict.
ExitCode exit_code_of(verify::Status verdict);

/// A line for each bug that was planted, and their count.
void show_planted(
    const std::vector<verify::PlantedBug>& bugs,
    Console& console);

/// Runs the battery on a subject, with our evaluator as the third opinion.
/// Where `planted` is given and the port passes, the battery proves itself.
base::Result<verify::Results> prove(
    const std::shared_ptr<verify::Workers>& workers,
    const verify::Subject& subject,
    const verify::BatteryOptions& options,
    const std::filesystem::path& transformers,
    Console& console,
    std::vector<verify::PlantedBug>* planted = nullptr);

}  // namespace portwright::cli
