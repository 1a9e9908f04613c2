#include "emit/perturbation.h"

#include <string>

namespace portwright::emit {

using nlohmann::json;

namespace {

/// Integers that count or name something else than an extent.
bool is_index(const std::string& field) {
  for (const char* part :
       {"layer", "_id", "step", "interval", "period", "pattern", "freq"}) {
    if (field.find(part) != std::string::npos) {
      return true;
    }
  }
  return false;
}

struct Extent {
  bool sizes, fractions;
  double share;
  std::set<std::string> steady = {};  // integers that stay
  int widths = 2;                     // the factor of the larger sizes
};

/// What is more is rather a width than a count of heads or experts.
constexpr int64_t kCount = 40;

json changed(const json& config, Extent extent) {
  json out = config;
  for (auto& [field, value] : out.items()) {
    if (value.is_number_float()) {
      const double v = value.get<double>();
      // A fraction of one is often a share or a probability.
      const bool fraction = v >= 1e-3 && v <= 1;
      if (!fraction || extent.fractions) {
        value = v * (fraction ? extent.share : 1.0625);
      }
    } else if (
        value.is_number_integer() && extent.sizes && !is_index(field) &&
        !extent.steady.contains(field)) {
      const auto n = value.get<int64_t>();
      value = n * (n > kCount ? extent.widths : 2);
    } else if (value.is_object() && field != "quantization_config") {
      value = changed(value, {false, extent.fractions, extent.share});
    }
  }
  return out;
}

}  // namespace

std::vector<json> perturbed(
    const json& config,
    const std::string& kept,
    double share,
    const std::set<std::string>& decided) {
  std::vector<json> out{
      changed(config, {true, true, share, {}, 4}),
      changed(config, {true, true, share}),
      changed(config, {true, false, share}),
      changed(config, {true, true, share, decided}),
      changed(config, {true, false, share, decided}),
      changed(config, {false, false, share})};
  for (json& numbers : out) {
    if (!kept.empty()) {
      numbers[kept] = config[kept];
    }
  }
  return out;
}

std::vector<std::string> sizes(const json& config) {
  std::vector<std::string> out;
  for (const auto& [field, value] : config.items()) {
    if (value.is_number_integer() && !is_index(field)) {
      out.push_back(field);
    }
  }
  return out;
}

json doubled(json config, const std::vector<std::string>& fields) {
  for (const std::string& field : fields) {
    config[field] = 2 * config[field].get<int64_t>();
  }
  return config;
}

std::vector<std::string> ties(const json& config) {
  std::set<int64_t> seen;
  std::vector<std::string> out;
  for (const auto& [field, value] : config.items()) {
    const bool size = value.is_number_integer() && !is_index(field) &&
                      value.get<int64_t>() > kCount;
    if (size && !seen.insert(value.get<int64_t>()).second) {
      out.push_back(field);
    }
  }
  return out;
}

json untied(json config, const std::vector<std::string>& fields) {
  for (const std::string& field : fields) {
    std::set<int64_t> taken;
    for (const json& value : config) {
      if (value.is_number_integer()) {
        taken.insert(value.get<int64_t>());
      }
    }
    const int64_t half = config[field].get<int64_t>() / 2;
    int64_t factor = 3;
    while (taken.contains(factor * half)) {
      factor += 2;
    }
    config[field] = factor * half;
  }
  return config;
}

std::vector<json> deepened(const json& config) {
  constexpr const char* kLibrarys = "num_hidden_layers";
  json all = config;
  std::vector<json> out;
  for (const auto& [field, value] : config.items()) {
    const bool counts = value.is_number_integer() && value.get<int64_t>() > 0 &&
                        (field.find("layer") != std::string::npos ||
                         field.find("block") != std::string::npos);
    if (!counts) {
      continue;
    }
    const json twice = 2 * value.get<int64_t>();
    all[field] = twice;
    json& alone = out.emplace_back(config);
    if (config.value(kLibrarys, json()) == value) {
      alone[kLibrarys] = twice;
    }
    alone[field] = twice;
  }
  if (!out.empty()) {
    out.insert(out.begin(), std::move(all));
  }
  return out;
}

}  // namespace portwright::emit
