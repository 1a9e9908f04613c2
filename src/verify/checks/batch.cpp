#include "verify/checks/checks.h"
#include "verify/rows.h"
#include "verify/steps.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

/// mlx-lm's own caches may not batch; then there is nothing to prove.
bool is_unsupported(const Trouble& trouble) {
  return trouble.kind == "unsupported-cache" ||
         trouble.message.find("does not yet support batching") !=
             std::string::npos;
}

/// Each prompt alone in torch: its prefill and its single steps.
Outcome<std::vector<Steps>> alone(Session& session) {
  const auto& plan = session.plan();
  std::vector<Steps> out;
  for (size_t i = 0; i < plan.batch.size(); ++i) {
    auto steps = reference_steps(
        session, row_ids(plan, i), static_cast<int>(plan.batch[i].size()));
    if (!steps) {
      return tl::unexpected(steps.error());
    }
    out.push_back(std::move(*steps));
  }
  return out;
}

/// Left-padded prompts over batch caches: the last position of each.
Outcome<void> judge_left_padded(
    Session& session,
    const std::vector<Steps>& expected,
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
    const bool before = out.status == Status::Fail;
    const bool good = judge(
        out,
        slice_positions(prompt, length - 1, length),
        slice_positions(expected[i].cached, 0, 1),
        session.logits_threshold(),
        fmt::format("left-padded row {} and the prompt alone", i));
    if (!good && !before) {
      if (auto named = name_row(session, {Together::Padded}, i, out); !named) {
        return named;
      }
    }
  }
  return {};
}

/// Prompts in pieces shorter than some of them, as those of more than 2,048
/// tokens are fed. Only a warning: mlx_lm's own state-space update loses the
/// state there, whatever the port does.
Outcome<void> judge_in_pieces(
    Session& session,
    const std::vector<Steps>& expected,
    CheckResult& out) {
  constexpr int kPiece = 7;
  auto request = batch_request(session.plan());
  request["chunk"] = kPiece;
  const auto run = session.candidate().tensors("batch", request);
  if (!run) {
    return tl::unexpected(run.error());
  }
  const auto logits = run->find("logits");
  auto pieces = passed();
  for (size_t i = 0; logits && i < expected.size(); ++i) {
    const bool good = judge_steps(
        pieces,
        row(*logits, static_cast<int64_t>(i)),
        expected[i],
        session.logits_threshold(),
        fmt::format("row {} of a batch fed in pieces of {}", i, kPiece));
    if (good || out.status != Status::Pass) {
      continue;
    }
    if (auto named = name_row(session, {Together::Batch, kPiece}, i, pieces);
        !named) {
      return named;
    }
    out.status = Status::Warn;
    out.reason = pieces.reason;
    out.place = pieces.place;
  }
  return {};
}

Outcome<CheckResult> check_batch(Session& session) {
  const auto& plan = session.plan();
  const auto expected = alone(session);
  if (!expected) {
    return tl::unexpected(expected.error());
  }
  const auto run = session.candidate().tensors("batch", batch_request(plan));
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
    const bool before = out.status == Status::Fail;
    const bool good = judge_steps(
        out,
        batched,
        (*expected)[i],
        session.logits_threshold(),
        fmt::format(
            "row {} ({} tokens) of an unequal batch and the prompt alone",
            i,
            plan.batch[i].size()));
    if (!good && !before) {
      const auto named = name_row(session, {Together::Batch}, i, out);
      if (!named) {
        return tl::unexpected(named.error());
      }
    }
    if (const auto difference = compare(batched, (*expected)[i].cached)) {
      out.series.push_back(
          {fmt::format("row {}", i), "step", difference->per_position});
    }
  }
  if (auto padded = judge_left_padded(session, *expected, out); !padded) {
    return tl::unexpected(padded.error());
  }
  if (auto pieces = judge_in_pieces(session, *expected, out); !pieces) {
    return tl::unexpected(pieces.error());
  }
  return out;
}

}  // namespace

Check batch_check() {
  Check out;
  out.name = "batch";
  out.about = "unequal prompts together as batch_generate runs them";
  out.streams = true;
  out.run = check_batch;
  return out;
}

}  // namespace portwright::verify
