#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portwright::report {

/// What became of one model type.
struct CoverageRow {
  std::string name;
  /// Of native evaluation: equal, different, refused, crashed, late, "no
  /// reference". Of ports: proven, ported, refused, wrong, unjudged, failed,
  /// "no checkpoint".
  std::string status;
  /// Why it is not better, or what was left out of the comparison.
  std::string reason;
  /// max|difference| / max|reference| of each part; none: shapes differ or a
  /// value is no number.
  std::map<std::string, std::optional<double>> errors = {};
  double seconds = 0;
  /// Further keys of the row in JSON: holes, guards, checks, ...
  nlohmann::ordered_json details = nlohmann::ordered_json::object();
};

/// Many model types side by side.
struct Coverage {
  std::string title;
  /// What was compared with what, and what counts as equal.
  std::string about;
  std::vector<CoverageRow> rows;
  std::map<std::string, std::string> versions;

  /// How many rows have each status.
  std::map<std::string, int> summary() const;
};

/// What a status is as a verdict, which has its colour: pass, warn, skipped or
/// fail.
std::string_view verdict_of(const std::string& status);

/// "180 equal, 2 refused".
std::string summary_text(const Coverage& coverage);

/// {schema, title, about, versions, summary, types: {NAME: {status, ...}}}.
nlohmann::ordered_json to_json(const Coverage& coverage);

/// Reads what to_json wrote; an Error where it is something else.
base::Result<Coverage> coverage_from_json(const nlohmann::json& json);

std::string to_markdown(const Coverage& coverage);

/// One file without references to others, with a field that searches the rows.
std::string to_html(const Coverage& coverage);

}  // namespace portwright::report
