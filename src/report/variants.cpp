#include "report/archive.h"
#include "report/html_parts.h"
#include "report/markdown.h"

namespace portwright::report {
namespace {

/// Every check that any variant has, in the order of the battery.
std::vector<std::string> checks_of(const ProofRun& run) {
  std::vector<std::string> out;
  for (const auto& variant : run.variants) {
    auto at = out.begin();
    for (const auto& check : variant.report.results.checks) {
      const auto known = std::find(out.begin(), out.end(), check.name);
      at = known == out.end() ? out.insert(at, check.name) : known;
      ++at;
    }
  }
  return out;
}

std::string variant_cell(const verify::CheckResult* check) {
  if (!check) {
    return "<td class=\"skipped\">–</td>";
  }
  auto said = place_text(check->place);
  if (!said.empty()) {
    said += ": ";
  }
  said += check->reason;
  return fmt::format(
      "<td class=\"cell {0}\" title=\"{1}\">{0}<span>{2}</span></td>",
      name(check->status),
      escape(said),
      scientific(check->value));
}

std::string markdown_cell(const verify::CheckResult* check) {
  if (!check) {
    return "–";
  }
  const auto value = scientific(check->value);
  return fmt::format(
      "{}{}{}", name(check->status), value.empty() ? "" : " ", value);
}

}  // namespace

std::string variants_table(const ProofRun& run) {
  std::string heads;
  for (const auto& variant : run.variants) {
    heads += fmt::format("<th>{}</th>", escape(variant.name));
  }
  std::string rows;
  for (const auto& check : checks_of(run)) {
    rows += fmt::format("<tr><td><b>{}</b></td>", escape(check));
    for (const auto& variant : run.variants) {
      rows += variant_cell(variant.report.results.find(check));
    }
    rows += "</tr>";
  }
  return "<h2>Side by side</h2><p class=\"about\">Every check of every variant "
         "with its largest relative error.</p><div class=\"card wide\"><table>"
         "<thead><tr><th>check</th>" +
         heads + "</tr></thead><tbody>" + rows + "</tbody></table></div>";
}

std::string variants_markdown(const ProofRun& run) {
  std::string heads = "| check |";
  std::string rules = "| --- |";
  for (const auto& variant : run.variants) {
    heads += fmt::format(" {} |", cell(variant.name));
    rules += " --- |";
  }
  std::string out = fmt::format("\n{}\n{}\n", heads, rules);
  for (const auto& check : checks_of(run)) {
    out += fmt::format("| {} |", check);
    for (const auto& variant : run.variants) {
      out += fmt::format(
          " {} |", markdown_cell(variant.report.results.find(check)));
    }
    out += "\n";
  }
  return out;
}

}  // namespace portwright::report
