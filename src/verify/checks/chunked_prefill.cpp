#include "verify/checks/checks.h"
#include "verify/locate.h"
#include "verify/steps.h"

namespace portwright::verify {
namespace {

Outcome<CheckResult> check_chunked_prefill(Session& session) {
  const auto& plan = session.plan();
  const auto torch = reference_steps(session, plan.ids, plan.prefill);
  if (!torch) {
    return tl::unexpected(torch.error());
  }
  const auto whole = session.reference_prefill();
  if (!whole) {
    return tl::unexpected(whole.error());
  }
  const auto logits = (*whole)->find("logits");
  if (!logits) {
    return failed("the reference gave no logits");
  }
  const auto prompt = slice_positions(*logits, 0, plan.prefill);
  auto out = passed();
  // One piece shorter than a window, one longer, neither dividing the prompt.
  for (const int chunk : {5, 11}) {
    RunRequest request;
    request.ids = {plan.ids};
    request.prefill = plan.prefill;
    request.chunk = chunk;
    const auto port = session.candidate().run(request);
    if (!port) {
      return tl::unexpected(port.error());
    }
    const auto what = fmt::format("a prefill in pieces of {}", chunk);
    const bool before = out.status == Status::Fail;
    const bool prompt_good = judge(
        out,
        port->find("prefill_logits"),
        prompt,
        session.logits_threshold(),
        "logits of " + what);
    const bool steps_good = judge_steps(
        out,
        port->find("logits"),
        *torch,
        session.logits_threshold(),
        "steps after " + what);
    if (before || (prompt_good && steps_good)) {
      continue;
    }
    if (prompt_good && out.place.position) {
      *out.place.position += plan.prefill - 1;
    }
    if (auto found = name_place(session, request, out); !found) {
      return tl::unexpected(found.error());
    }
  }
  return out;
}

}  // namespace

Check chunked_prefill_check() {
  Check out;
  out.name = "chunked_prefill";
  out.about = "a prompt fed in pieces leaves the same logits and cache";
  out.streams = true;
  out.run = check_chunked_prefill;
  return out;
}

}  // namespace portwright::verify
