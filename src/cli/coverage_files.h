#pragma once

#include <filesystem>
#include <optional>

#include "cli/console.h"
#include "report/coverage.h"

namespace portwright::cli {

/// Key of a table's versions: the transformers whose source is read.
inline constexpr const char* kSourceVersion = "transformers source";

/// sweep.json of `folder`, if it tells of the same (title, source) and this
/// binary wrote it.
std::optional<report::Coverage> earlier_coverage(
    const std::filesystem::path& folder,
    const report::Coverage& wanted);

/// Writes sweep.json, sweep.md and sweep.html.
base::Result<void> write_coverage(
    const report::Coverage& table,
    const std::filesystem::path& folder);

/// A line for the terminal.
void say(Console& console, const report::CoverageRow& row);

/// Those of `types` that `table` lacks.
std::vector<std::string> missing_types(
    const std::vector<std::string>& types,
    const report::Coverage& table);

void sort_by_name(report::Coverage& table);

}  // namespace portwright::cli
