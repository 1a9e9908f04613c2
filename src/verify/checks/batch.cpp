#include "verify/checks/checks.h"
#include "verify/given.h"
#include "verify/locate.h"
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

struct Wrong {
  std::string module;
  /// It is what the module is given.
  bool input = false;
};

/// The first module of row `index` that is wrong in the batch though what goes
/// in is right, as the port itself computes that row alone: of several, the
/// innermost. Else the first that is given something wrong. Empty: none.
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
  std::optional<Wrong> given;
  const int steps = static_cast<int>(session.plan().batch_steps[index].size());
  for (int step = 0; step <= steps && !out; ++step) {
    for (const auto& path : batch.order) {
      const auto here = fmt::format("step{}/", step);
      const auto own = fmt::format("step{}/", step + 1);
      const auto in = near(here + "in:" + path, own + "in:" + path);
      const auto result = near(here + "out:" + path, own + "out:" + path);
      const bool wrong = in && *in && result && !*result;
      if (wrong && (!out || path.starts_with(out->module + "."))) {
        out = {path, false};
      }
      if (in && !*in && !given) {
        given = {path, true};
      }
    }
  }
  return out ? out : given;
}

/// The port's logits of a row are those of the row alone: not the batch is at
/// fault.
bool agree(Session& session, const Run& batch, const Run& alone, size_t index) {
  const auto together = batch.find("logits");
  const auto own = alone.find("logits");
  if (!together || !own) {
    return false;
  }
  const auto difference = compare(
      row(*together, static_cast<int64_t>(index)),
      slice_positions(*own, 1, own->shape[1]));
  return difference && difference->relative <= session.logits_threshold();
}

/// The module is right with a mask that its layer's cache asks for, or a part
/// of that cache does: the kind of cache that asked. Empty: it is not.
std::string cache_that_asks(
    Session& session,
    const Wrong& wrong,
    int layer,
    const Run& alone,
    size_t index,
    json request) {
  for (const int part : {0, 1}) {
    request["masked"] = {wrong.module, layer, part};
    json facts;
    const auto run = session.candidate().tensors("batch", request, &facts);
    const auto found =
        run ? find_wrong(session, *run, alone, index) : std::optional(wrong);
    if (!found || found->module != wrong.module) {
      return facts.value("masked", "");
    }
  }
  return "";
}

/// Where row `index` goes wrong; the mask where the one that the cache asks for
/// makes it right. `chunk`: as RunRequest's.
Outcome<Place> locate_row(Session& session, size_t index, int chunk = 0) {
  const auto& plan = session.plan();
  auto request = request_of(plan);
  request["capture"] = ".*";
  if (chunk) {
    request["chunk"] = chunk;
  }
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
  if (agree(session, *batch, *alone, index)) {
    return locate_in_run(session, std::move(single));
  }
  const auto wrong = find_wrong(session, *batch, *alone, index);
  if (!wrong) {
    return place_of_logits(session);
  }
  if (wrong->input) {
    return place_of_input(session, wrong->module);
  }
  Place out = place_at(session, wrong->module);
  if (out.layer) {
    const auto cache = cache_that_asks(
        session, *wrong, *out.layer, *alone, index, std::move(request));
    if (!cache.empty()) {
      name_mask(session, out, cache);
    }
  }
  return out;
}

/// Puts where row `index` goes wrong into `result`; its position stays.
Outcome<void>
name_row(Session& session, size_t index, CheckResult& result, int chunk = 0) {
  auto place = locate_row(session, index, chunk);
  if (!place) {
    return tl::unexpected(place.error());
  }
  place->position = result.place.position;
  result.place = std::move(*place);
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
  auto request = request_of(session.plan());
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
    if (auto named = name_row(session, i, pieces, kPiece); !named) {
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
      if (auto named = name_row(session, i, out); !named) {
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
