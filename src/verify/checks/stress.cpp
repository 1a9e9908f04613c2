#include "verify/stress.h"

#include "verify/checks/checks.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

/// Beyond that torch's own float32 says too little.
constexpr double kTooNoisy = 0.03;
/// Of what was given, in float32 on both sides.
constexpr double kSame = 1e-6;

double distance(
    const Run& a,
    const std::string& key,
    const Run& b,
    const std::string& other) {
  const auto difference = compare(a, key, b, other);
  return difference ? difference->relative
                    : std::numeric_limits<double>::infinity();
}

struct Worst {
  std::string path;
  Difference difference;
  double allowed = kNeverAbove;
};

/// Of modules that were given the same on both sides, the first that differs
/// by more than float32 explains.
std::optional<Worst> find_wrong(
    const std::vector<std::string>& paths,
    const Run& port,
    const Run& torch,
    const std::string& prefix,
    CheckResult& result) {
  for (const auto& path : paths) {
    const auto theirs = prefix + "/out:" + path;
    const auto difference = compare(port, "out:" + path, torch, theirs);
    const double noise =
        distance(torch, theirs, torch, prefix + "/exact:" + path);
    if (!difference || !(32 * noise <= kTooNoisy)) {
      continue;
    }
    const double allowed = std::max(kNeverAbove, 32 * noise);
    result.value = std::max(result.value.value_or(0), difference->relative);
    if (difference->relative <= allowed) {
      continue;
    }
    return Worst{path, *difference, allowed};
  }
  return std::nullopt;
}

std::string words_for(const std::string& kind) {
  return kind.starts_with("tiny")
             ? "an input so small that an eps matters"
             : "an input so large that caps and tails matter";
}

/// Modules of a group that either side does not let be given an input.
std::vector<std::string> not_fed(
    const std::vector<std::string>& paths,
    const Run& port,
    const Run& torch,
    const std::string& kind) {
  std::vector<std::string> out;
  for (const auto& path : paths) {
    if (!(distance(port, "in:" + path, torch, kind + "/in:" + path) <= kSame)) {
      out.push_back(path);
    }
  }
  return out;
}

void tell(
    Session& session,
    const std::string& kind,
    const Worst& found,
    CheckResult& out) {
  out.status = Status::Fail;
  out.reason = fmt::format(
      "given {}, {} differs by {} (allowed: {})",
      words_for(kind),
      found.path,
      short_number(found.difference.relative),
      short_number(found.allowed));
  out.threshold = found.allowed;
  out.place = place_at(session, found.path);
  if (found.difference.position >= 0) {
    out.place.position = found.difference.position;
  }
}

/// The modules at `paths`, all of them given stressed inputs.
Outcome<void> judge_group(
    Session& session,
    std::vector<std::string> paths,
    CheckResult& out) {
  for (const std::string kind : {"tiny0", "large0"}) {
    for (bool again = true; again && !paths.empty();) {
      const auto torch = session.reference().tensors(
          "stressed",
          {{"ids", nlohmann::json::array({session.plan().ids})},
           {"groups", nlohmann::json::array({paths})},
           {"kinds", {kind.substr(0, kind.size() - 1)}}});
      if (!torch) {
        return tl::unexpected(torch.error());
      }
      RunRequest request;
      request.ids = {session.plan().ids};
      request.capture = ".*";
      const auto port = session.candidate().run_fed(
          request, *torch, stressed_feed(paths, *torch, kind));
      if (!port) {
        return tl::unexpected(port.error());
      }
      // What one of them answers may go into another: all are given, or none.
      const auto others = not_fed(paths, *port, *torch, kind);
      for (const auto& path : others) {
        std::erase(paths, path);
      }
      again = !others.empty();
      if (again) {
        continue;
      }
      const auto found = find_wrong(paths, *port, *torch, kind, out);
      if (found && out.status == Status::Pass) {
        tell(session, kind, *found, out);
      }
    }
  }
  return {};
}

Outcome<CheckResult> check_stress(Session& session) {
  const auto groups = common_modules(session);
  if (!groups) {
    return tl::unexpected(groups.error());
  }
  auto out = passed();
  out.threshold = kNeverAbove;
  Outcome<void> done;
  for (size_t i = groups->size(); done && i-- > 0;) {  // the innermost first
    done = judge_group(session, (*groups)[i], out);
  }
  auto& torch = session.reference();
  (void)torch.request("unload", {{"model", torch.selected() + "/float64"}});
  if (!done) {
    return tl::unexpected(done.error());
  }
  if (!out.value) {
    return skipped("no module can be told from the noise of torch's float32");
  }
  return out;
}

}  // namespace

Check stress_check() {
  Check out;
  out.name = "stress";
  out.about = "modules given inputs that an eps, a cap, a clamp or the tail of "
              "an activation decides about";
  out.copies = 4;  // one of them in float64
  out.run = check_stress;
  return out;
}

}  // namespace portwright::verify
