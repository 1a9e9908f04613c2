#include "report/read_results.h"

#include <limits>

namespace portwright::report {
namespace {

using nlohmann::json;

template <typename T>
std::optional<T> given(const json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? std::nullopt
                                             : std::optional<T>(it->get<T>());
}

std::optional<verify::Status> status_from(const std::string& text) {
  using verify::Status;
  for (const Status status :
       {Status::Pass,
        Status::Warn,
        Status::Fail,
        Status::Untrusted,
        Status::Skipped}) {
    if (name(status) == text) {
      return status;
    }
  }
  return std::nullopt;
}

verify::Place place_from(const json& object) {
  verify::Place out;
  out.layer = given<int>(object, "layer");
  out.module = given<std::string>(object, "module").value_or("");
  out.tensor = given<std::string>(object, "tensor").value_or("");
  out.position = given<int64_t>(object, "position");
  out.port_line = given<int>(object, "port_line");
  out.made_line = given<int>(object, "made_line");
  out.given_line = given<int>(object, "given_line");
  out.source_line = given<int>(object, "source_line");
  out.port_file = given<std::string>(object, "port_file").value_or("");
  out.source_file = given<std::string>(object, "source_file").value_or("");
  return out;
}

std::vector<verify::Series> series_from(const json& list) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  std::vector<verify::Series> out;
  for (const auto& series : list) {
    out.push_back({series.at("name"), series.at("axis"), {}});
    for (const auto& value : series.at("values")) {
      out.back().values.push_back(
          value.is_null() ? kNone : value.get<double>());
    }
  }
  return out;
}

verify::Figures figures_from(const json& object) {
  verify::Figures out;
  for (const auto& map : object.value("influence", json::array())) {
    out.influence.push_back(
        {map.at("name"),
         map.at("layers"),
         map.at("first"),
         map.at("tokens"),
         map.at("rows")});
  }
  for (const auto& router : object.value("routing", json::array())) {
    out.routing.push_back(
        {router.at("module"),
         router.at("layer"),
         router.at("tokens"),
         router.at("differing"),
         router.value("ties", int64_t{0})});
  }
  for (const auto& flow : object.value("dtypes", json::array())) {
    out.dtypes.push_back(
        {flow.at("module"),
         flow.at("layers"),
         flow.at("takes"),
         flow.at("gives"),
         flow.at("torch_gives"),
         flow.at("leak")});
  }
  return out;
}

verify::CheckResult read_check(const json& object, verify::Status status) {
  verify::CheckResult out;
  out.name = object.at("name").get<std::string>();
  out.status = status;
  out.value = given<double>(object, "value");
  out.threshold = given<double>(object, "threshold");
  if (!out.value && out.threshold) {  // JSON has no infinity
    out.value = std::numeric_limits<double>::infinity();
  }
  out.rounded = given<double>(object, "rounded");
  out.place = place_from(object.at("place"));
  out.reason = object.value("reason", "");
  out.detail = object.value("detail", "");
  out.seconds = object.value("seconds", 0.0);
  out.series = series_from(object.value("series", json::array()));
  out.figures = figures_from(object.value("figures", json::object()));
  out.exchanges = object.value("exchanges", json::array());
  return out;
}

}  // namespace

std::optional<verify::CheckResult> check_from_json(const json& object) {
  try {
    const auto status = object.is_object()
                            ? status_from(object.value("status", ""))
                            : std::nullopt;
    return status ? std::optional(read_check(object, *status)) : std::nullopt;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace portwright::report
