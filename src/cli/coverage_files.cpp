#include "cli/coverage_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/paths.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;
using report::Coverage;
using report::CoverageRow;

std::string painted(const Console& console, const std::string& status) {
  const std::string padded = fmt::format("{:12}", status);
  const auto verdict = report::verdict_of(status);
  return verdict == "pass"   ? console.green(padded)
         : verdict == "fail" ? console.red(padded)
                             : console.yellow(padded);
}

}  // namespace

std::optional<Coverage> earlier_coverage(
    const fs::path& folder,
    const Coverage& wanted) {
  const fs::path file = folder / "sweep.json";
  std::error_code missing, gone;
  const auto written = fs::last_write_time(file, missing);
  const auto built = fs::last_write_time(base::executable_path(), gone);
  const auto text = base::read_file(file);
  if (missing || gone || written < built || !text) {
    return std::nullopt;
  }
  auto table =
      report::coverage_from_json(nlohmann::json::parse(*text, nullptr, false));
  if (!table || table->title != wanted.title ||
      table->versions[kSourceVersion] != wanted.versions.at(kSourceVersion)) {
    return std::nullopt;
  }
  return *table;
}

base::Result<void> write_coverage(
    const Coverage& table,
    const fs::path& folder) {
  const std::vector<std::pair<const char*, std::string>> files = {
      {"sweep.json", report::to_json(table).dump(2) + "\n"},
      {"sweep.md", report::to_markdown(table)},
      {"sweep.html", report::to_html(table)}};
  for (const auto& [name, text] : files) {
    if (auto written = base::write_file(folder / name, text); !written) {
      return written;
    }
  }
  return {};
}

void say(Console& console, const CoverageRow& row) {
  console.say(fmt::format(
      "{:28} {} {:5.1f} s  {}",
      row.name,
      painted(console, row.status),
      row.seconds,
      row.reason));
}

std::vector<std::string> missing_types(
    const std::vector<std::string>& types,
    const Coverage& table) {
  std::vector<std::string> out;
  for (const std::string& type : types) {
    if (std::none_of(
            table.rows.begin(), table.rows.end(), [&](const CoverageRow& row) {
              return row.name == type;
            })) {
      out.push_back(type);
    }
  }
  return out;
}

void sort_by_name(Coverage& table) {
  std::sort(
      table.rows.begin(),
      table.rows.end(),
      [](const CoverageRow& a, const CoverageRow& b) {
        return a.name < b.name;
      });
}

}  // namespace portwright::cli
