#include "verify/checks/checks.h"
#include "verify/locate.h"
#include "verify/steps.h"

namespace portwright::verify {
namespace {

/// Step 0 is the last position of the prefill.
int first_bad(const std::vector<double>& steps) {
  for (size_t i = 0; i < steps.size(); ++i) {
    if (!(steps[i] <= kNeverAbove)) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

Outcome<CheckResult> check_decode(Session& session) {
  const auto& plan = session.plan();
  const auto torch = reference_steps(session, plan.ids, plan.prefill);
  if (!torch) {
    return tl::unexpected(torch.error());
  }
  const auto port = session.candidate_decode();
  if (!port) {
    return tl::unexpected(port.error());
  }
  auto out = passed();
  const auto steps = (*port)->find("logits");
  const bool good = judge_steps(
      out, steps, *torch, session.logits_threshold(), "cached single steps");
  const auto difference =
      steps ? compare(*steps, torch->cached) : std::optional<Difference>();
  if (difference) {
    out.series.push_back({"cached steps", "step", difference->per_position});
    if (out.place.position) {
      *out.place.position += plan.prefill - 1;
    }
  }
  if (torch->whole && out.status != Status::Warn) {
    out.reason += (out.reason.empty() ? "" : "; ") + contradiction_text(*torch);
  }
  if (good || !difference) {
    return out;
  }
  const int step = first_bad(difference->per_position);
  auto scene = decode_scene(session, step);
  if (!scene) {
    return tl::unexpected(scene.error());
  }
  auto place = locate(session, *scene);
  if (!place) {
    return tl::unexpected(place.error());
  }
  out.place = *place;
  out.place.position = plan.prefill - 1 + step;
  if (step > 0) {
    out.reason += fmt::format(
        "; the prefill is right, step {} is the first that is not", step);
  }
  return out;
}

}  // namespace

Check decode_check() {
  Check out;
  out.name = "decode";
  out.about = "a prefill and then cached single steps, as generate() does";
  out.quick = true;
  out.streams = true;
  out.run = check_decode;
  return out;
}

}  // namespace portwright::verify
