#include "base/paths.h"
#include "report/report.h"

namespace portwright::report {

base::Result<void> write_report(
    const Report& report,
    const std::filesystem::path& directory) {
  const std::vector<std::pair<const char*, std::string>> files = {
      {"results.json", to_json(report.results).dump(2) + "\n"},
      {"report.md", to_markdown(report)},
      {"report.html", to_html(report)}};
  for (const auto& [name, text] : files) {
    if (auto written = base::write_file(directory / name, text); !written) {
      return written;
    }
  }
  return {};
}

}  // namespace portwright::report
