#include "report/figures.h"

namespace portwright::report {

const verify::Figures* figures_of(
    const verify::Results& results,
    std::string_view check) {
  const auto* found = results.find(check);
  return found ? &found->figures : nullptr;
}

std::string layers_text(const std::vector<int>& layers) {
  if (layers.empty()) {
    return "";
  }
  std::vector<std::string> runs;
  for (size_t i = 0; i < layers.size();) {
    size_t end = i + 1;
    while (end < layers.size() && layers[end] == layers[end - 1] + 1) {
      ++end;
    }
    if (end - i == 2) {  // two are no range
      --end;
    }
    runs.push_back(
        end - i == 1 ? std::to_string(layers[i])
                     : fmt::format("{}–{}", layers[i], layers[end - 1]));
    i = end;
  }
  return fmt::format(
      "layer{} {}", layers.size() == 1 ? "" : "s", fmt::join(runs, ", "));
}

std::string name_of(const verify::InfluenceMap& map) {
  return map.name.empty() ? layers_text(map.layers) : map.name;
}

std::string agreement_of(const verify::InfluenceMap& map) {
  const size_t differing = map.count('p') + map.count('t');
  return differing ? fmt::format("{} differ", differing) : "both sides alike";
}

std::string name_of(const verify::DtypeFlow& flow) {
  return flow.module.empty() ? "the whole layer" : flow.module;
}

std::string plain_text(size_t count) {
  switch (count) {
    case 0:
      return "";
    case 1:
      return "One other takes and gives bfloat16 alone.";
    default:
      return fmt::format("{} others take and give bfloat16 alone.", count);
  }
}

}  // namespace portwright::report
