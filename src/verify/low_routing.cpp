#include "verify/low_routing.h"

#include <algorithm>
#include <functional>

#include "verify/place.h"

namespace portwright::verify {
namespace {

// Of the tokens: fewer say little of a module.
constexpr double kEnoughTokens = 0.25;

using Choice = std::vector<std::vector<float>>;

std::vector<std::string> routed_modules(const Run& run) {
  std::vector<std::string> out;
  for (const auto& path : run.order) {
    if (run.has("routes:" + path)) {
      out.push_back(path);
    }
  }
  return out;
}

/// Each token's in ascending order, but for those past the experts.
Choice chosen_experts(
    const std::optional<Array>& array,
    const std::optional<Array>& experts) {
  Choice out;
  if (!array || !experts || array->shape.empty()) {
    return out;
  }
  const auto k = static_cast<std::ptrdiff_t>(array->shape.back());
  const auto end = array->values.end();
  for (auto at = array->values.begin(); k > 0 && end - at >= k; at += k) {
    std::vector<float> one(at, at + k);
    std::erase_if(one, [&](float e) { return e >= experts->values.front(); });
    std::sort(one.begin(), one.end());
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

std::vector<LowRouting> low_routing(
    Session& session,
    const Run& torch,
    const Run& wide,
    const Run& port) {
  const auto theirs = routed_modules(torch);
  const auto ours = routed_modules(port);
  std::vector<LowRouting> out;
  for (size_t i = 0; i < ours.size() && ours.size() == theirs.size(); ++i) {
    const auto experts = port.find("experts:" + ours[i]);
    const auto choice = [&](const Run& run, const std::string& key) {
      return chosen_experts(run.find(key), experts);
    };
    const Choice low = choice(torch, "routes:" + theirs[i]);
    const Choice exact = choice(torch, "exactly:" + theirs[i]);
    const Choice mine = choice(port, "routes:" + ours[i]);
    const Choice wider = choice(wide, "routes:" + ours[i]);
    if (low.size() != exact.size() || mine.size() != exact.size() ||
        wider.size() != exact.size()) {
      continue;
    }
    const Place place = in_layer(session, parent_path(ours[i]));
    LowRouting found{theirs[i], ours[i], {}, {}};
    found.agreement.module = place.module;
    found.agreement.layer = place.layer.value_or(-1);
    for (size_t at = 0; at < exact.size(); ++at) {
      // Any expert of the port may stand for one past the last.
      const bool clear =
          low[at] == exact[at] && std::ranges::includes(wider[at], exact[at]);
      const bool same = std::ranges::includes(mine[at], exact[at]);
      ++found.agreement.tokens;
      found.agreement.ties += !clear;
      found.agreement.differing += clear && !same;
      found.alike.push_back(clear && same);
    }
    out.push_back(std::move(found));
  }
  return out;
}

Array arithmetic_rows(
    Array array,
    const std::vector<LowRouting>& routing,
    const std::string& path) {
  if (array.shape.empty() || array.shape.back() == 0) {
    return array;
  }
  const auto width = static_cast<size_t>(array.shape.back());
  std::vector<bool> kept(array.values.size() / width, true);
  for (const auto& router : routing) {
    if (router.path.starts_with(path + ".") &&
        router.alike.size() == kept.size()) {
      std::transform(
          kept.begin(),
          kept.end(),
          router.alike.begin(),
          kept.begin(),
          std::logical_and<bool>());
    }
  }
  const auto count = std::count(kept.begin(), kept.end(), true);
  if (static_cast<double>(count) <
          kEnoughTokens * static_cast<double>(kept.size()) ||
      static_cast<size_t>(count) == kept.size()) {
    return array;
  }
  Array out{{count, array.shape.back()}, {}};
  for (size_t at = 0; at < kept.size(); ++at) {
    if (kept[at]) {
      const auto from =
          array.values.begin() + static_cast<std::ptrdiff_t>(at * width);
      out.values.insert(
          out.values.end(), from, from + static_cast<std::ptrdiff_t>(width));
    }
  }
  return out;
}

}  // namespace portwright::verify
