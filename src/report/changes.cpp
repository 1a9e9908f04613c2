#include "report/changes.h"

#include "report/markdown.h"

namespace portwright::report {

using nlohmann::json;
using Json = nlohmann::ordered_json;

namespace {

// Numbers at the noise floor move from machine to machine by less.
constexpr double kMoved = 4;

std::string shown(const json& value) {
  return value.is_string() ? value.get<std::string>()
         : value.is_null() ? "nothing"
                           : value.dump();
}

/// Leaves of two objects that differ, by their path.
void compare_leaves(
    const json& before,
    const json& after,
    const std::string& path,
    Json& out) {
  if (before == after) {
    return;
  }
  if (before.is_object() && after.is_object()) {
    json keys = before;
    keys.update(after);
    for (const auto& [key, ignored] : keys.items()) {
      compare_leaves(
          before.value(key, json()),
          after.value(key, json()),
          path.empty() ? key : path + " " + key,
          out);
    }
    return;
  }
  out.push_back({{"what", path}, {"before", before}, {"after", after}});
}

/// Variants by name, so that they compare by it.
json by_name(json subject) {
  json variants = json::object();
  for (auto& variant : subject["variants"]) {
    variant.erase("inputs");  // follow from the config
    variants[variant.value("name", "")] = variant;
  }
  subject["variants"] = std::move(variants);
  auto& manifest = subject["manifest"];
  if (manifest.is_object()) {
    manifest.erase("variants");
  }
  return subject;
}

std::map<std::pair<std::string, std::string>, json> checks_of(
    const json& results) {
  std::map<std::pair<std::string, std::string>, json> out;
  for (const auto& check : results.value("checks", json::array())) {
    out[{check.value("variant", ""), check.value("name", "")}] = check;
  }
  return out;
}

std::optional<double> number_of(const json& check) {
  const auto value = check.is_object() ? check.value("value", json()) : json();
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

bool moved(const json& before, const json& after) {
  const auto a = number_of(before);
  const auto b = number_of(after);
  if (!a || !b) {
    return a.has_value() != b.has_value();
  }
  return std::max(*a, *b) > kMoved * std::min(*a, *b);
}

std::string told(const json& pair, size_t i) {
  return pair.at(i).is_number() ? scientific(pair[i].get<double>()) : "";
}

}  // namespace

Json changes_between(const Archived& before, const ProofRun& after) {
  const json results = to_json(after);
  Json checks = Json::array();
  int same = 0;
  const auto old = checks_of(before.results);
  const auto fresh = checks_of(results);
  auto all = old;
  all.insert(fresh.begin(), fresh.end());
  for (const auto& [key, ignored] : all) {
    const auto a = old.contains(key) ? old.at(key) : json::object();
    const auto b = fresh.contains(key) ? fresh.at(key) : json::object();
    const auto status = [](const json& check) {
      return check.value("status", "not run");
    };
    if (status(a) != status(b) || moved(a, b)) {
      checks.push_back(
          {{"variant", key.first},
           {"name", key.second},
           {"status", {status(a), status(b)}},
           {"value", {a.value("value", json()), b.value("value", json())}},
           {"reason", b.value("reason", "")}});
    } else if (number_of(a) == number_of(b)) {
      ++same;
    }
  }
  Json subject = Json::array();
  Json hardware = Json::array();
  compare_leaves(
      by_name(before.facts.value("subject", json::object())),
      by_name(after.facts.value("subject", Json::object())),
      "",
      subject);
  compare_leaves(
      before.facts.value("hardware", json()),
      after.facts.value("hardware", Json()),
      "",
      hardware);
  return {
      {"schema", 1},
      {"since", before.facts.value("started", "")},
      {"verdict",
       {before.results.value("verdict", ""), results.value("verdict", "")}},
      {"checks", checks},
      {"of", all.size()},
      {"same", same},
      {"subject", subject},
      {"hardware", hardware}};
}

std::vector<std::string> changes_text(const Json& changes) {
  const auto& verdict = changes.at("verdict");
  std::vector<std::string> out = {
      verdict[0] == verdict[1] ? fmt::format(
                                     "verdict {} as on {}",
                                     shown(verdict[1]),
                                     shown(changes.at("since")))
                               : fmt::format(
                                     "verdict {}, on {} it was {}",
                                     shown(verdict[1]),
                                     shown(changes.at("since")),
                                     shown(verdict[0]))};
  for (const char* part : {"subject", "hardware"}) {
    for (const auto& change : changes.at(part)) {
      out.push_back(fmt::format(
          "changed: {}: {} -> {}",
          shown(change.at("what")),
          shown(change.at("before")),
          shown(change.at("after"))));
    }
  }
  for (const auto& check : changes.at("checks")) {
    const auto variant = shown(check.at("variant"));
    const auto reason = shown(check.at("reason"));
    out.push_back(fmt::format(
        "{}{}: {} {} -> {} {}{}{}",
        variant.empty() ? "" : variant + " ",
        shown(check.at("name")),
        shown(check.at("status")[0]),
        told(check.at("value"), 0),
        shown(check.at("status")[1]),
        told(check.at("value"), 1),
        reason.empty() ? "" : ": ",
        reason));
  }
  const auto total = changes.at("of").get<size_t>();
  const auto same = changes.at("same").get<size_t>();
  const auto other = changes.at("checks").size();
  out.push_back(fmt::format(
      "{} of {} checks ended as before, {} to the last bit",
      total - other,
      total,
      same));
  return out;
}

}  // namespace portwright::report
