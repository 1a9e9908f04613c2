#include "report/planted.h"

#include <cmath>

#include "base/paths.h"
#include "report/markdown.h"
#include "report/report.h"

namespace portwright::report {
namespace {

using Json = nlohmann::ordered_json;
using verify::Catch;
using verify::PlantedBug;

size_t count(const std::vector<PlantedBug>& bugs, Catch status) {
  return static_cast<size_t>(
      std::count_if(bugs.begin(), bugs.end(), [&](const PlantedBug& bug) {
        return bug.status == status;
      }));
}

std::string to_markdown(const std::vector<PlantedBug>& bugs) {
  auto out = fmt::format(
      "# Planted bugs\n\n{}.\n\n"
      "| Bug | Where | Line | | Check | It says |\n|---|---|---|---|---|---|\n",
      planted_sentence(bugs));
  for (const auto& bug : bugs) {
    out += fmt::format(
        "| {} | `{}` | {} | {} | {} | {} |\n",
        bug.name,
        bug.scope,
        bug.line,
        name(bug.status),
        bug.check,
        cell(bug.reason));
  }
  return out;
}

}  // namespace

Json planted_json(const std::vector<PlantedBug>& bugs) {
  Json all = Json::array();
  Json summary = Json::object();
  for (const auto status : {Catch::Caught, Catch::NotCaught, Catch::NoEffect}) {
    summary[std::string(name(status))] = count(bugs, status);
  }
  for (const auto& bug : bugs) {
    all.push_back(
        {{"name", bug.name},
         {"scope", bug.scope},
         {"line", bug.line},
         {"status", name(bug.status)},
         {"check", bug.check.empty() ? Json(nullptr) : Json(bug.check)},
         {"reason", bug.reason},
         {"place", place_text(bug.place)},
         {"placed", bug.placed ? Json(*bug.placed) : Json(nullptr)},
         {"effect",
          std::isfinite(bug.effect) ? Json(bug.effect) : Json(nullptr)}});
  }
  return {{"schema", 1}, {"summary", summary}, {"bugs", all}};
}

std::string planted_sentence(const std::vector<PlantedBug>& bugs) {
  return fmt::format(
      "{} of {} planted bugs caught, {} not caught, {} without effect",
      count(bugs, Catch::Caught),
      bugs.size(),
      count(bugs, Catch::NotCaught),
      count(bugs, Catch::NoEffect));
}

base::Result<void> write_planted(
    const std::vector<PlantedBug>& bugs,
    const std::filesystem::path& directory) {
  if (auto written = base::write_file(
          directory / "planted.json", planted_json(bugs).dump(2) + "\n");
      !written) {
    return written;
  }
  return base::write_file(directory / "planted.md", to_markdown(bugs));
}

}  // namespace portwright::report
