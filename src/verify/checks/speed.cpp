#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

// Tiny models spend their time in calls; a machine at work doubles it.
constexpr double kSlow = 2;

json request_of(const Session& session, const std::string& model) {
  constexpr int kTokens = 16;
  return {{"model", model}, {"ids", session.plan().far}, {"tokens", kTokens}};
}

CheckResult judge_speed(const json& port, const json& baseline) {
  std::vector<std::string> slower;
  for (const auto& [key, what] :
       {std::pair{"prefill", "prefill"},
        {"step", "step"},
        {"peak", "memory"}}) {
    const double ours = port.value(key, 0.0);
    const double theirs = baseline.value(key, 0.0);
    if (theirs > 0 && ours > kSlow * theirs) {
      slower.push_back(fmt::format("{} {:.1f} times", what, ours / theirs));
    }
  }
  const auto said = fmt::format(
      "a prompt in {:.1f} ms, a token in {:.2f} ms, {:.1f} MB at most; the "
      "hand-written port: {:.1f} ms, {:.2f} ms, {:.1f} MB",
      1e3 * port.value("prefill", 0.0),
      1e3 * port.value("step", 0.0),
      1e-6 * port.value("peak", 0.0),
      1e3 * baseline.value("prefill", 0.0),
      1e3 * baseline.value("step", 0.0),
      1e-6 * baseline.value("peak", 0.0));
  if (slower.empty()) {
    auto out = passed();
    out.reason = said;
    return out;
  }
  return warned(fmt::format(
      "{} of the hand-written port's: {}", fmt::join(slower, ", "), said));
}

/// The baseline is what mlx_lm itself would load for this checkpoint.
Outcome<CheckResult> check_speed(Session& session) {
  if (!session.subject().port) {
    return skipped("the port is the baseline itself");
  }
  auto& candidate = session.candidate();
  const auto number = candidate.begin_load(
      "baseline", {{"checkpoint", session.subject().checkpoint.string()}});
  if (!number) {
    return tl::unexpected(number.error());
  }
  const auto loaded = candidate.finish_load_aside(*number);
  if (!loaded) {
    return loaded.error().where == Trouble::Where::World
               ? Outcome<CheckResult>(tl::unexpected(loaded.error()))
               : skipped("mlx_lm has no port of its own that loads this");
  }
  const auto baseline =
      candidate.request("speed", request_of(session, "baseline"));
  (void)candidate.request("unload", {{"model", "baseline"}});
  if (!baseline) {
    return skipped("mlx_lm's own port raises: " + baseline.error().message);
  }
  const auto port =
      candidate.request("speed", request_of(session, candidate.selected()));
  if (!port) {
    return tl::unexpected(port.error());
  }
  return judge_speed(*port, *baseline);
}

}  // namespace

Check speed_check() {
  Check out;
  out.name = "speed";
  out.about = "time and memory beside the port that mlx_lm has itself";
  out.full_only = true;
  out.copies = 3;
  out.run = check_speed;
  return out;
}

}  // namespace portwright::verify
