#include <cmath>

#include "verify/checks/checks.h"
#include "verify/locate.h"
#include "verify/steps.h"

namespace portwright::verify {
namespace {

/// An angle at position p cannot be better than p times float32's rounding.
double far_threshold(Session& session) {
  const double rounding =
      std::ldexp(static_cast<double>(session.plan().far.size()), -24);
  return threshold_for(session.noise().logits + rounding);
}

/// Torch's steps at the end of the far prompt, which ends where torch itself
/// raises.
Outcome<Steps> far_steps(Session& session) {
  const auto& plan = session.plan();
  auto steps = reference_steps(session, plan.far, plan.far_prefill);
  if (!steps) {
    const auto ended = session.end_far(steps.error());
    if (!ended) {
      return tl::unexpected(ended.error());
    }
    if (*ended) {
      return reference_steps(session, plan.far, plan.far_prefill);
    }
  }
  return steps;
}

Outcome<CheckResult> check_rope_far(Session& session) {
  const auto& plan = session.plan();
  if (plan.far.size() <= plan.ids.size()) {
    return skipped("the model's positions end before the far prompt");
  }
  const auto torch = far_steps(session);
  if (!torch) {
    return tl::unexpected(torch.error());
  }
  RunRequest request;
  request.ids = {plan.far};
  request.prefill = plan.far_prefill;
  const auto port = session.candidate().run(request);
  if (!port) {
    return tl::unexpected(port.error());
  }
  RunRequest at_once;
  at_once.ids = request.ids;
  const auto whole = session.reference().run(at_once);
  if (!whole) {
    return tl::unexpected(whole.error());
  }
  auto out = passed();
  out.reason = plan.end_of_far;
  const auto logits = whole->find("logits");
  const auto prefill = port->find("prefill_logits");
  bool prompt_good = true;
  if (logits && prefill) {
    const auto expected = slice_positions(*logits, 0, plan.far_prefill);
    prompt_good = judge(
        out,
        prefill,
        expected,
        far_threshold(session),
        fmt::format("logits of {} positions", plan.far_prefill));
    if (const auto difference = compare(*prefill, expected)) {
      out.series.push_back(
          {"far prompt", "position", difference->per_position});
    }
  }
  const bool steps_good = judge_steps(
      out,
      port->find("logits"),
      *torch,
      far_threshold(session),
      fmt::format("cached steps after position {}", plan.far_prefill));
  if (prompt_good && steps_good) {
    return out;
  }
  if (prompt_good && out.place.position) {
    *out.place.position += plan.far_prefill - 1;
  }
  const auto found = name_place(session, request, out, far_threshold(session));
  if (!found) {
    return tl::unexpected(found.error());
  }
  return out;
}

}  // namespace

Check rope_far_check() {
  Check out;
  out.name = "rope_far";
  out.about = "positions far from the beginning, prefilled and stepped";
  out.streams = true;
  out.run = check_rope_far;
  return out;
}

}  // namespace portwright::verify
