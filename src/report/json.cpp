#include <cmath>

#include "report/report.h"

namespace portwright::report {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) {
  // JSON has no infinity; a difference without bound is no number either.
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

template <typename T>
Json optional(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json text(const std::string& value) {
  return value.empty() ? Json(nullptr) : Json(value);
}

Json place_json(const verify::Place& place) {
  return {
      {"layer", optional(place.layer)},
      {"module", text(place.module)},
      {"tensor", text(place.tensor)},
      {"position", optional(place.position)},
      {"port_line", optional(place.port_line)},
      {"made_line", optional(place.made_line)},
      {"given_line", optional(place.given_line)},
      {"source_line", optional(place.source_line)},
      {"port_file", text(place.port_file)},
      {"source_file", text(place.source_file)}};
}

Json series_json(const std::vector<verify::Series>& all) {
  Json out = Json::array();
  for (const auto& series : all) {
    Json values = Json::array();
    for (const double value : series.values) {
      values.push_back(number(value));
    }
    out.push_back(
        {{"name", series.name}, {"axis", series.axis}, {"values", values}});
  }
  return out;
}

Json figures_json(const verify::Figures& figures) {
  Json out = Json::object();
  for (const auto& map : figures.influence) {
    out["influence"].push_back(
        {{"name", map.name},
         {"layers", map.layers},
         {"first", map.first},
         {"tokens", map.tokens},
         {"rows", map.rows}});
  }
  for (const auto& router : figures.routing) {
    out["routing"].push_back(
        {{"module", router.module},
         {"layer", router.layer},
         {"tokens", router.tokens},
         {"differing", router.differing},
         {"ties", router.ties}});
  }
  for (const auto& flow : figures.dtypes) {
    out["dtypes"].push_back(
        {{"module", flow.module},
         {"layers", flow.layers},
         {"takes", flow.takes},
         {"gives", flow.gives},
         {"torch_gives", flow.torch_gives},
         {"leak", flow.leak}});
  }
  return out;
}

}  // namespace

Json to_json(const verify::CheckResult& check) {
  Json out = {
      {"name", check.name},
      {"status", name(check.status)},
      {"value", check.value ? number(*check.value) : Json(nullptr)},
      {"threshold", optional(check.threshold)},
      {"place", place_json(check.place)},
      {"reason", check.reason},
      {"seconds", check.seconds}};
  if (check.rounded) {
    out["rounded"] = number(*check.rounded);
  }
  if (!check.judgement.text.empty()) {
    out["judgement"] = {
        {"text", check.judgement.text}, {"unusual", check.judgement.unusual}};
  }
  if (!check.series.empty()) {
    out["series"] = series_json(check.series);
  }
  if (check.figures != verify::Figures()) {
    out["figures"] = figures_json(check.figures);
  }
  if (!check.detail.empty()) {
    out["detail"] = check.detail;
  }
  return out;
}

Json to_json(const verify::Results& results) {
  Json checks = Json::array();
  for (const auto& check : results.checks) {
    checks.push_back(to_json(check));
  }
  Json out = {
      {"schema", verify::kResultsSchema},
      {"verdict", name(results.verdict())},
      {"model", results.model},
      {"port", text(results.port)},
      {"layers", results.layers},
      {"kinds", results.kinds},
      {"checks", checks},
      {"noise", results.noise},
      {"versions", results.versions},
      {"seconds", results.seconds}};
  if (const auto& memory = results.memory) {
    out["memory"] = {
        {"text", memory->text},
        {"streamed", memory->streamed},
        {"needed_bytes", memory->streamed ? memory->at_a_time : memory->whole},
        {"there_bytes", memory->memory},
        {"disk_bytes", memory->disk}};
  }
  if (!results.pending.empty()) {
    out["pending"] = results.pending;
  }
  return out;
}

}  // namespace portwright::report
