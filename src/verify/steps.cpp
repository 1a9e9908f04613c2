#include "verify/steps.h"

namespace portwright::verify {

namespace {

Outcome<Array> logits_of(const Run& run) {
  auto logits = run.find("logits");
  if (!logits) {
    return model_trouble("no-logits", "the reference gave no logits");
  }
  return std::move(*logits);
}

Outcome<Array> logits_of(const Outcome<const Run*>& run) {
  return run ? logits_of(**run) : tl::unexpected(run.error());
}

Outcome<Array> logits_of(Session& session, const Ids& ids, int prefill) {
  const auto& plan = session.plan();
  if (ids == plan.ids && (prefill == 0 || prefill == plan.prefill)) {
    return logits_of(
        prefill ? session.reference_decode() : session.reference_prefill());
  }
  RunRequest request;
  request.ids = {ids};
  request.prefill = prefill;
  const auto run = session.reference().run(request);
  return run ? logits_of(*run) : tl::unexpected(run.error());
}

Outcome<Steps> compared(Session& session, const Ids& ids, int prefill) {
  auto cached = logits_of(session, ids, prefill);
  if (!cached) {
    return tl::unexpected(cached.error());
  }
  const auto whole = logits_of(session, ids, 0);
  if (!whole) {
    return tl::unexpected(whole.error());
  }
  auto tail =
      slice_positions(*whole, prefill - 1, static_cast<int64_t>(ids.size()));
  const auto difference = compare(*cached, tail);
  Steps out{std::move(*cached), std::nullopt, 0};
  if (difference && difference->relative > kNeverAbove) {
    out.whole = std::move(tail);
    out.contradiction = difference->relative;
  }
  return out;
}

}  // namespace

std::string contradiction_text(const Steps& steps) {
  return fmt::format(
      "torch's own cached steps differ from its prefill by {}",
      short_number(steps.contradiction));
}

Outcome<Steps> reference_steps(Session& session, const Ids& ids, int prefill) {
  const auto& plan = session.plan();
  auto planned = compared(session, plan.ids, plan.prefill);
  if (!planned || (ids == plan.ids && prefill == plan.prefill)) {
    return planned;
  }
  // One that agrees with itself over the plan's prompt is believed elsewhere.
  if (planned->whole) {
    return compared(session, ids, prefill);
  }
  auto cached = logits_of(session, ids, prefill);
  if (!cached) {
    return tl::unexpected(cached.error());
  }
  return Steps{std::move(*cached), std::nullopt, 0};
}

bool judge_steps(
    CheckResult& result,
    const std::optional<Array>& port,
    const Steps& steps,
    double threshold,
    const std::string& what) {
  const auto near = [&](const Array& reference) {
    const auto difference =
        port ? compare(*port, reference) : std::optional<Difference>();
    return difference && difference->relative <= threshold;
  };
  if (!steps.whole || near(steps.cached) || !near(*steps.whole)) {
    return judge(result, port, steps.cached, threshold, what);
  }
  judge(result, port, *steps.whole, threshold, what);
  if (result.status == Status::Pass) {
    result.status = Status::Warn;
    result.reason = fmt::format(
        "{}; the port's {} are as the prefill",
        contradiction_text(steps),
        what);
  }
  return true;
}

}  // namespace portwright::verify
