#include "verify/checks/checks.h"
#include "verify/given.h"
#include "verify/place.h"
#include "verify/steps.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

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
Outcome<std::vector<Steps>> alone(Session& session) {
  const auto& plan = session.plan();
  std::vector<Steps> out;
  for (size_t i = 0; i < plan.batch.size(); ++i) {
    auto steps = reference_steps(
        session,
        together(plan.batch[i], plan.batch_steps[i]),
        static_cast<int>(plan.batch[i].size()));
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
    judge(
        out,
        slice_positions(prompt, length - 1, length),
        slice_positions(expected[i].cached, 0, 1),
        session.logits_threshold(),
        fmt::format("left-padded row {} and the prompt alone", i));
  }
  return {};
}

json request_of(const Plan& plan) {
  return {{"prompts", plan.batch}, {"steps", plan.batch_steps}};
}

/// The first module of row `index` that is wrong in the batch though what goes
/// in is right, as the port itself computes that row alone: of several, the
/// innermost. Empty: none.
struct Wrong {
  std::string module;
  int step = 0;
};

std::optional<Wrong>
find_wrong(Session& session, const Run& batch, const Run& alone, size_t index) {
  const auto near = [&](const std::string& key, const std::string& own) {
    const auto a = batch.find(key);
    const auto b = alone.find(own);
    if (!a || !b || a->shape.size() != 3 ||
        a->shape[0] <= static_cast<int64_t>(index)) {
      return std::optional<bool>();
    }
    const auto difference = compare(row(*a, static_cast<int64_t>(index)), *b);
    return std::optional(
        difference && difference->relative <= session.logits_threshold());
  };
  std::optional<Wrong> out;
  const int steps = static_cast<int>(session.plan().batch_steps[index].size());
  for (int step = 0; step <= steps && !out; ++step) {
    for (const auto& path : batch.order) {
      const auto here = fmt::format("step{}/", step);
      const auto own = fmt::format("step{}/", step + 1);
      const auto in = near(here + "in:" + path, own + "in:" + path);
      const auto result = near(here + "out:" + path, own + "out:" + path);
      const bool wrong = in && *in && result && !*result;
      if (wrong && (!out || path.starts_with(out->module + "."))) {
        out = {path, step};
      }
    }
  }
  return out;
}

/// Where row `index` goes wrong; the mask where the one that the cache asks for
/// makes it right.
Outcome<Place> locate_row(Session& session, size_t index) {
  const auto& plan = session.plan();
  auto request = request_of(plan);
  request["capture"] = ".*";
  const auto batch = session.candidate().tensors("batch", request);
  if (!batch) {
    return tl::unexpected(batch.error());
  }
  RunRequest single;
  single.ids = {together(plan.batch[index], plan.batch_steps[index])};
  single.prefill = static_cast<int>(plan.batch[index].size()) - 1;
  single.capture = ".*";
  const auto alone = session.candidate().run(single);
  if (!alone) {
    return tl::unexpected(alone.error());
  }
  const auto wrong = find_wrong(session, *batch, *alone, index);
  if (!wrong) {
    return Place{};
  }
  Place out = place_at(session, wrong->module);
  if (out.layer) {
    request["masked"] = {wrong->module, *out.layer};
    const auto masked = session.candidate().tensors("batch", request);
    const auto found =
        masked ? find_wrong(session, *masked, *alone, index) : wrong;
    if (!found || found->module != wrong->module) {
      name_mask(session, out);
    }
  }
  return out;
}

/// Prompts in pieces shorter than some of them, as those of more than 2,048
/// tokens are fed. Only a warning: mlx_lm's own state-space update loses the
/// state there, whatever the port does.
Outcome<void> judge_in_pieces(
    Session& session,
    const std::vector<Steps>& expected,
    CheckResult& out) {
  constexpr int kPiece = 7;
  auto request = request_of(session.plan());
  request["chunk"] = kPiece;
  const auto run = session.candidate().tensors("batch", request);
  if (!run) {
    return tl::unexpected(run.error());
  }
  const auto logits = run->find("logits");
  auto pieces = passed();
  for (size_t i = 0; logits && i < expected.size(); ++i) {
    judge_steps(
        pieces,
        row(*logits, static_cast<int64_t>(i)),
        expected[i],
        session.logits_threshold(),
        fmt::format("row {} of a batch fed in pieces of {}", i, kPiece));
  }
  if (pieces.status == Status::Fail && out.status == Status::Pass) {
    out.status = Status::Warn;
    out.reason = pieces.reason;
  }
  return {};
}

Outcome<CheckResult> check_batch(Session& session) {
  const auto& plan = session.plan();
  const auto expected = alone(session);
  if (!expected) {
    return tl::unexpected(expected.error());
  }
  const auto run = session.candidate().tensors("batch", request_of(plan));
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
      if (auto place = locate_row(session, i)) {
        place->position = out.place.position;
        out.place = std::move(*place);
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
