#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "verify/results.h"

namespace portwright::report {

/// A line of the emitted file and the line of the source that it came from.
struct SourceLink {
  int port_line = 0;
  std::string source_file;
  int source_line = 0;
};

/// Everything a report shows. `links` may be empty.
struct Report {
  verify::Results results;
  std::vector<SourceLink> links;
};

/// {name, status, value, threshold, place, reason, ...}.
nlohmann::ordered_json to_json(const verify::CheckResult& check);

/// results.json: {schema, verdict, model, port, checks: [{name, status, value,
/// threshold, place, reason, ...}], noise, versions, seconds}.
nlohmann::ordered_json to_json(const verify::Results& results);

/// The verdict in one sentence, without a final newline.
std::string verdict_sentence(const verify::Results& results);

/// "layer 2, self_attn.q_norm, position 7"; empty when nothing is known.
std::string place_text(const verify::Place& place);

std::string to_markdown(const Report& report);

/// One file without references to others.
std::string to_html(const Report& report);

/// Writes results.json, report.md and report.html into `directory`.
base::Result<void> write_report(
    const Report& report,
    const std::filesystem::path& directory);

}  // namespace portwright::report
