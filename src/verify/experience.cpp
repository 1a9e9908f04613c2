#include "verify/experience.h"

#include "base/paths.h"
#include "verify/check.h"

namespace portwright::verify {

using nlohmann::json;

namespace {

constexpr int kExperienceVersion = 1;
/// Fewer measurements of one kind say less than more of any kind.
constexpr size_t kEnough = 8;

std::string measured(double value) {
  return value >= 1e-3 ? fmt::format("{:.2g}%", value * 100)
                       : short_number(value);
}

bool is_near(int layers, int wanted) {
  return 2 * layers >= wanted && layers <= 2 * wanted;
}

}  // namespace

base::Result<Experience> Experience::read(const std::filesystem::path& file) {
  const auto text = base::read_file(file);
  if (!text) {
    return tl::unexpected(text.error());
  }
  auto out = from_json(json::parse(*text, nullptr, false));
  return out ? std::move(out)
             : base::fail(
                   file.string() + ": " + out.error().message,
                   out.error().hint);
}

base::Result<Experience> Experience::from_json(const json& object) {
  if (!object.is_object() ||
      object.value("version", json()) != json(kExperienceVersion)) {
    return base::fail(
        "not a body of measurements of version 1",
        "bench/experience.py makes it anew");
  }
  Experience out;
  try {
    for (const auto& row : object.at("ports")) {
      Port port;
      port.layers = row.at("layers").get<int>();
      port.kinds = row.at("kinds").get<std::vector<std::string>>();
      port.values = row.at("values").get<decltype(port.values)>();
      out.ports_.push_back(std::move(port));
    }
  } catch (const json::exception& error) {
    return base::fail(error.what(), "bench/experience.py makes it anew");
  }
  return out;
}

Judgement Experience::judge(
    const std::string& check,
    const std::string& dtype,
    double value,
    int layers,
    const std::vector<std::string>& kinds) const {
  std::vector<double> alike;
  std::vector<double> near;
  int deepest = 0;
  for (const auto& port : ports_) {
    const auto of_dtype = port.values.find(dtype);
    if (of_dtype == port.values.end() || !of_dtype->second.contains(check)) {
      continue;
    }
    deepest = std::max(deepest, port.layers);
    if (is_near(port.layers, layers)) {
      near.push_back(of_dtype->second.at(check));
      if (port.kinds == kinds) {
        alike.push_back(near.back());
      }
    }
  }
  if (deepest == 0) {
    return {};
  }
  if (near.empty()) {
    return {
        fmt::format(
            "{}: no sound port of this depth was measured in {} (the deepest "
            "has {} layers)",
            measured(value),
            dtype,
            deepest),
        false};
  }
  const bool narrow = alike.size() >= kEnough;
  auto& among = narrow ? alike : near;
  std::sort(among.begin(), among.end());
  const auto above = static_cast<size_t>(
      among.end() - std::lower_bound(among.begin(), among.end(), value));
  const auto which = fmt::format(
      "{} sound ports of this depth{}",
      among.size(),
      narrow ? fmt::format(" with {}", fmt::join(kinds, ", ")) : "");
  const auto range = fmt::format(
      "median {}, largest {}",
      measured(among[among.size() / 2]),
      measured(among.back()));
  if (above == 0) {
    return {
        fmt::format(
            "{}: more than any of {} shows in {} ({})",
            measured(value),
            which,
            dtype,
            range),
        true};
  }
  return {
      fmt::format(
          "{}: within what {} show in {} ({})",
          measured(value),
          which,
          dtype,
          range),
      false};
}

void judge_by_experience(Results& results, const Experience& experience) {
  for (auto& check : results.checks) {
    const bool rounded = check.rounded.has_value();
    const auto& value = rounded ? check.rounded : check.value;
    if (value && results.layers > 0) {
      check.judgement = experience.judge(
          check.name,
          rounded ? "bfloat16" : "float32",
          *value,
          results.layers,
          results.kinds);
    }
  }
}

}  // namespace portwright::verify
