#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

Ids together(const Ids& prompt, const Ids& steps) {
  Ids out = prompt;
  out.insert(out.end(), steps.begin(), steps.end());
  return out;
}

/// mlx-lm's own caches may not batch; then there is nothing to prove.
bool is_unsupported(const Trouble& trouble) {
  return trouble.kind == "unsupported-cache" ||
         trouble.message.find("does not yet support batching") !=
             std::string::npos;
}

/// Each prompt alone in torch: its prefill and its single steps.
Outcome<std::vector<Array>> alone(Session& session) {
  const auto& plan = session.plan();
  std::vector<Array> out;
  for (size_t i = 0; i < plan.batch.size(); ++i) {
    RunRequest request;
    request.ids = {together(plan.batch[i], plan.batch_steps[i])};
    request.prefill = static_cast<int>(plan.batch[i].size());
    const auto run = session.reference().run(request);
    if (!run) {
      return tl::unexpected(run.error());
    }
    auto logits = run->find("logits");
    if (!logits) {
      return model_trouble("no-logits", "the reference gave no logits");
    }
    out.push_back(std::move(*logits));
  }
  return out;
}

/// Left-padded prompts over batch caches: the last position of each.
Outcome<void> judge_left_padded(
    Session& session,
    const std::vector<Array>& expected,
    CheckResult& out) {
  const auto run = session.candidate().tensors(
      "left_padded", {{"prompts", session.plan().batch}});
  if (!run) {
    if (is_unsupported(run.error())) {
      return {};
    }
    return tl::unexpected(run.error());
  }
  const auto logits = run->find("logits");
  for (size_t i = 0; logits && i < expected.size(); ++i) {
    const auto prompt = row(*logits, static_cast<int64_t>(i));
    const int64_t length = prompt.shape[1];
    judge(
        out,
        slice_positions(prompt, length - 1, length),
        slice_positions(expected[i], 0, 1),
        session.logits_threshold(),
        fmt::format("left-padded row {} and the prompt alone", i));
  }
  return {};
}

Outcome<CheckResult> run(Session& session) {
  const auto& plan = session.plan();
  const auto expected = alone(session);
  if (!expected) {
    return tl::unexpected(expected.error());
  }
  const auto run = session.candidate().tensors(
      "batch", {{"prompts", plan.batch}, {"steps", plan.batch_steps}});
  if (!run) {
    if (is_unsupported(run.error())) {
      return skipped(
          "mlx-lm cannot batch these caches: " + run.error().message);
    }
    return tl::unexpected(run.error());
  }
  auto out = passed();
  const auto logits = run->find("logits");
  if (!logits) {
    return failed("the port gave no logits");
  }
  for (size_t i = 0; i < expected->size(); ++i) {
    const auto batched = row(*logits, static_cast<int64_t>(i));
    judge(
        out,
        batched,
        (*expected)[i],
        session.logits_threshold(),
        fmt::format(
            "row {} ({} tokens) of an unequal batch and the prompt alone",
            i,
            plan.batch[i].size()));
    if (const auto difference = compare(batched, (*expected)[i])) {
      out.series.push_back(
          {fmt::format("row {}", i), "step", difference->per_position});
    }
  }
  if (auto padded = judge_left_padded(session, *expected, out); !padded) {
    return tl::unexpected(padded.error());
  }
  return out;
}

}  // namespace

Check batch_check() {
  Check out;
  out.name = "batch";
  out.about = "unequal prompts together as batch_generate runs them";
  out.run = run;
  return out;
}

}  // namespace portwright::verify
