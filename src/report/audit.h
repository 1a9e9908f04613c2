#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "verify/results.h"

namespace portwright::report {

/// A model file of an mlx-lm against transformers, on one form of the config:
/// "v5" as transformers saves it today, "v4" with the flat rope fields and the
/// others that checkpoints from before it have.
struct AuditRow {
  std::string type;
  std::string form;
  /// match, differs, does not load, no counterpart, no reference, failed.
  std::string status;
  /// The cause, as far as the battery can name it.
  std::string reason;
  /// Where it is, as the check that says so names it; may be empty.
  std::string place;
  /// The checks that fail, in their order.
  std::vector<std::string> failing;
};

struct Audit {
  std::vector<AuditRow> rows;
  std::map<std::string, std::string> versions;

  bool has(const std::string& type, const std::string& form) const;

  /// Drops the rows that the world spoiled, so that they are tried again.
  void forget_failed();
};

/// Fills status, reason and failing from a battery.
void judge_row(const verify::Results& results, AuditRow& row);

/// "67 match, 13 differ": how many rows of each form have each status.
std::string audit_sentence(const Audit& audit);

/// {schema, versions, summary: {FORM: {STATUS: n}}, rows: [...]}, rows in
/// order.
nlohmann::ordered_json to_json(const Audit& audit);

std::string to_markdown(const Audit& audit);

/// audit.json of `directory`; an Error when it is not there or something else.
base::Result<Audit> read_audit(const std::filesystem::path& directory);

/// Writes audit.json and audit.md into `directory`.
base::Result<void> write_audit(
    const Audit& audit,
    const std::filesystem::path& directory);

}  // namespace portwright::report
