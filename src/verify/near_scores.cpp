#include "verify/near_scores.h"

#include <algorithm>
#include <set>

#include "verify/place.h"
#include "verify/stress.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

const std::string kTiny = "tiny0";
/// Of what was given, in bfloat16 on both sides.
constexpr double kSameInput = 1e-6;

std::vector<std::string> routed(const Run& run, const std::string& key) {
  std::vector<std::string> out;
  for (const auto& path : run.order) {
    if (run.has(key + path)) {
      out.push_back(path);
    }
  }
  return out;
}

/// Modules of one path on both sides that hold the experts.
Outcome<std::vector<std::string>> choosing(Session& session) {
  const auto torch = session.reference_prefill();
  const auto port = session.candidate_prefill();
  if (!torch || !port) {
    return tl::unexpected((torch ? port : torch).error());
  }
  std::set<std::string> ours;
  for (const auto& path : routed(**port, "routes:")) {
    ours.insert(parent_path(path));
  }
  std::vector<std::string> out;
  for (const auto& path : routed(**torch, "routes:")) {
    if (path.find('#') == path.npos && ours.contains(parent_path(path))) {
      out.push_back(parent_path(path));
    }
  }
  return out;
}

/// The rows of a choice as sets, in ascending order.
std::vector<std::vector<float>> chosen(const Array& array) {
  const auto k = static_cast<size_t>(array.shape.back());
  std::vector<std::vector<float>> out;
  for (size_t at = 0; k && at + k <= array.values.size(); at += k) {
    std::vector<float> one(
        array.values.begin() + static_cast<std::ptrdiff_t>(at),
        array.values.begin() + static_cast<std::ptrdiff_t>(at + k));
    std::sort(one.begin(), one.end());
    out.push_back(std::move(one));
  }
  return out;
}

/// The choice inside the module at `path`, under a key.
std::vector<std::vector<float>>
choice_in(const Run& run, const std::string& key, const std::string& path) {
  for (const auto& inner : run.order) {
    if (parent_path(inner) == path) {
      if (const auto found = run.find(key + inner)) {
        return chosen(*found);
      }
    }
  }
  return {};
}

Rerouted compare_choices(const NearScores& near, const std::string& path) {
  Rerouted out{0, 0, path};
  const auto given =
      compare(near.port, "in:" + path, near.torch, kTiny + "/in:" + path);
  if (!given || given->relative > kSameInput) {
    return out;
  }
  const auto low = choice_in(near.torch, kTiny + "/routes:", path);
  const auto exact = choice_in(near.torch, kTiny + "/exactly:", path);
  const auto ours = choice_in(near.port, "routes:", path);
  const auto wide = choice_in(near.wide, "routes:", path);
  if (low.size() != exact.size() || ours.size() != exact.size() ||
      wide.size() != exact.size()) {
    return out;
  }
  for (size_t i = 0; i < exact.size(); ++i) {
    if (low[i] == exact[i] && wide[i] == exact[i]) {
      ++out.tokens;
      out.differing += ours[i] != exact[i] ? 1 : 0;
    }
  }
  return out;
}

/// What answers with the choice inside the module at `path`, or that itself.
std::string router_in(const Run& run, const std::string& path) {
  for (const auto& inner : run.order) {
    if (inner.starts_with(path + ".") && run.has("chosen:" + inner)) {
      return inner.substr(0, inner.find('#'));
    }
  }
  return path;
}

}  // namespace

Outcome<Run> run_near_scores(Session& session, const NearScores& near) {
  if (near.paths.empty()) {
    return Run();
  }
  RunRequest request;
  request.ids = {session.plan().ids};
  request.capture = ".*";
  return session.candidate().run_fed(
      request, near.torch, stressed_feed(near.paths, near.torch, kTiny));
}

Outcome<NearScores> near_scores(Session& session) {
  NearScores out;
  auto paths = choosing(session);
  if (!paths) {
    return tl::unexpected(paths.error());
  }
  out.paths = std::move(*paths);
  if (out.paths.empty()) {
    return out;
  }
  auto torch = session.reference().tensors(
      "stressed_low",
      {{"folder", session.subject().checkpoint.string()},
       {"ids", json::array({session.plan().ids})},
       {"groups", json::array({out.paths})},
       {"kinds", {"tiny"}}});
  if (!torch) {
    return tl::unexpected(torch.error());
  }
  out.torch = std::move(*torch);
  auto wide = run_near_scores(session, out);
  if (!wide) {
    return tl::unexpected(wide.error());
  }
  out.wide = std::move(*wide);
  return out;
}

std::optional<Rerouted> find_rerouted(const NearScores& near) {
  for (const auto& path : near.paths) {
    auto found = compare_choices(near, path);
    if (found.is_many()) {
      found.path = router_in(near.port, path);
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace portwright::verify
