#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

constexpr int kTrimmed = 3;

Outcome<CheckResult> check_prompt_cache(Session& session) {
  const auto& plan = session.plan();
  const auto steps = session.candidate().tensors(
      "prompt_cache",
      {{"ids", {plan.ids}}, {"prefill", plan.prefill}, {"extra", kTrimmed}});
  if (!steps) {
    return tl::unexpected(steps.error());
  }
  auto out = passed();
  const auto plain = steps->find("plain");
  judge(
      out,
      steps->find("saved"),
      plain,
      session.logits_threshold(),
      "steps after a cache was saved and loaded, and after the cache itself,");
  if (steps->has("trimmed")) {
    judge(
        out,
        steps->find("trimmed"),
        plain,
        session.logits_threshold(),
        fmt::format(
            "steps after a cache was trimmed of {} tokens, and after one that "
            "never had them,",
            kTrimmed));
  }
  return out;
}

}  // namespace

Check prompt_cache_check() {
  Check out;
  out.name = "prompt_cache";
  out.about = "a cache saved and loaded, or trimmed, goes on as if untouched";
  out.streams = true;
  out.run = check_prompt_cache;
  return out;
}

}  // namespace portwright::verify
