#include "report/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/paths.h"
#include "report/markdown.h"
#include "report/report.h"

namespace portwright::report {
namespace {

using Json = nlohmann::ordered_json;
using verify::Status;

std::vector<AuditRow> in_order(std::vector<AuditRow> rows) {
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::tie(a.type, b.form) < std::tie(b.type, a.form);
  });
  return rows;
}

std::map<std::string, std::map<std::string, int>> counts(const Audit& audit) {
  std::map<std::string, std::map<std::string, int>> out;
  for (const auto& row : audit.rows) {
    ++out[row.form][row.status];
  }
  return out;
}

std::string said(const verify::CheckResult& check) {
  return fmt::format("{}: {}", check.name, check.reason);
}

/// Of the first failing check that names one.
std::string place_of(const verify::Results& results) {
  for (const auto& check : results.checks) {
    const auto place = place_text(check.place);
    if (check.status == Status::Fail && !place.empty()) {
      return place;
    }
  }
  return "";
}

std::string versions_text(const Audit& audit) {
  std::string out;
  for (const auto& [name, version] : audit.versions) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, version);
  }
  return out;
}

}  // namespace

bool Audit::has(const std::string& type, const std::string& form) const {
  return std::any_of(rows.begin(), rows.end(), [&](const AuditRow& row) {
    return row.type == type && row.form == form;
  });
}

void Audit::forget_failed() {
  std::erase_if(
      rows, [](const AuditRow& row) { return row.status == "failed"; });
}

void judge_row(const verify::Results& results, AuditRow& row) {
  const verify::CheckResult* first = nullptr;
  for (const auto& check : results.checks) {
    // Another form of the same config is another row's.
    const bool other = check.name == "config" && !first;
    if (check.status == Status::Fail && !other) {
      first = first ? first : &check;
      row.failing.push_back(check.name);
    }
  }
  const auto* logits = results.find("logits");
  const auto* config = results.find("config");
  if (logits && logits->status == Status::Untrusted) {
    row.status = "no reference";
    row.reason = cell(logits->reason);
  } else if (!first) {
    row.status = "match";
    for (const auto& check : results.checks) {
      if (check.status == Status::Warn || check.status == Status::Fail) {
        row.reason += (row.reason.empty() ? "" : "; ") + cell(said(check));
      }
    }
  } else if (
      logits && logits->status == Status::Fail && !logits->value &&
      !logits->detail.empty()) {
    row.status = "does not load";
    row.place = place_of(results);
    row.reason = cell(said(*first));
  } else {
    row.status = "differs";
    row.place = place_of(results);
    // A field left out that gives the port's own numbers is the cause itself.
    const bool named = config && config->status == Status::Fail;
    row.reason = cell(
        named && first != config ? config->reason + "; " + said(*first)
                                 : said(*first));
  }
}

std::string audit_sentence(const Audit& audit) {
  std::string out;
  for (const auto& [form, statuses] : counts(audit)) {
    std::string text;
    for (const auto& [status, count] : statuses) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, status);
    }
    out += fmt::format("{}{} configs: {}", out.empty() ? "" : "; ", form, text);
  }
  return out;
}

Json to_json(const Audit& audit) {
  Json rows = Json::array();
  for (const auto& row : in_order(audit.rows)) {
    rows.push_back(
        {{"type", row.type},
         {"form", row.form},
         {"status", row.status},
         {"reason", row.reason},
         {"place", row.place},
         {"failing", row.failing}});
  }
  return {
      {"schema", 1},
      {"versions", audit.versions},
      {"summary", counts(audit)},
      {"rows", rows}};
}

std::string to_markdown(const Audit& audit) {
  auto out = fmt::format(
      "# Hand-written models of mlx-lm against transformers\n\n"
      "Written by `portwright audit`. Tiny random checkpoints, the whole "
      "battery; v5 is the config as transformers saves it today, v4 has the "
      "fields of older checkpoints too: flat rope, other names, head_dim.\n\n"
      "{}.\n{}.\n\n"
      "| Type | Config | | Failing checks | Place | Cause |\n"
      "|---|---|---|---|---|---|\n",
      audit_sentence(audit),
      versions_text(audit));
  for (const auto& row : in_order(audit.rows)) {
    out += fmt::format(
        "| {} | {} | {} | {} | {} | {} |\n",
        row.type,
        row.form,
        row.status,
        fmt::join(row.failing, ", "),
        cell(row.place),
        cell(row.reason));
  }
  return out;
}

base::Result<Audit> read_audit(const std::filesystem::path& directory) {
  const auto text = base::read_file(directory / "audit.json");
  if (!text) {
    return tl::unexpected(text.error());
  }
  const auto json = Json::parse(*text, nullptr, false);
  if (!json.is_object() || !json.contains("rows") ||
      json.value("schema", 0) != 1) {
    return base::fail("audit.json is not an audit");
  }
  Audit out;
  out.versions = json.value("versions", out.versions);
  for (const auto& row : json["rows"]) {
    out.rows.push_back(
        {row.value("type", ""),
         row.value("form", ""),
         row.value("status", ""),
         row.value("reason", ""),
         row.value("place", ""),
         row.value("failing", std::vector<std::string>())});
  }
  return out;
}

base::Result<void> write_audit(
    const Audit& audit,
    const std::filesystem::path& directory) {
  if (auto written = base::write_file(
          directory / "audit.json", to_json(audit).dump(2) + "\n");
      !written) {
    return written;
  }
  return base::write_file(directory / "audit.md", to_markdown(audit));
}

}  // namespace portwright::report
