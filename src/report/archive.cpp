#include <chrono>

#include "base/paths.h"
#include "report/report.h"

namespace portwright::report {

namespace fs = std::filesystem;

namespace {

/// FNV-1a: names what was judged, guards nothing.
uint32_t digest(std::string_view bytes) {
  uint32_t hash = 2166136261u;
  for (const unsigned char byte : bytes) {
    hash = (hash ^ byte) * 16777619u;
  }
  return hash;
}

std::string timestamp() {
  using namespace std::chrono;
  const auto now = floor<seconds>(system_clock::now());
  const auto day = floor<days>(now);
  const year_month_day date{day};
  const hh_mm_ss time{now - day};
  return fmt::format(
      "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
      static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()),
      time.hours().count(),
      time.minutes().count(),
      time.seconds().count());
}

}  // namespace

base::Result<fs::path> archive(
    const Report& report,
    const fs::path& directory,
    const std::string& model) {
  std::string port;
  if (!report.results.port.empty()) {
    auto read = base::read_file(report.results.port);
    if (!read) {
      return tl::unexpected(read.error());
    }
    port = std::move(*read);
  }
  const auto json = to_json(report.results);
  const fs::path folder =
      directory / model /
      fmt::format("{}-{:08x}", timestamp(), digest(port + json.dump()));
  if (auto made = base::make_directories(folder / "checks"); !made) {
    return tl::unexpected(made.error());
  }
  if (auto written = write_report(report, folder); !written) {
    return tl::unexpected(written.error());
  }
  if (!port.empty()) {
    if (auto written = base::write_file(folder / "port.py", port); !written) {
      return tl::unexpected(written.error());
    }
  }
  for (const auto& check : json.at("checks")) {
    const auto name = check.at("name").get<std::string>() + ".json";
    auto written =
        base::write_file(folder / "checks" / name, check.dump(2) + "\n");
    if (!written) {
      return tl::unexpected(written.error());
    }
  }
  return folder;
}

}  // namespace portwright::report
