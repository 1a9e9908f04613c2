#include "verify/between.h"
#include "verify/checks/checks.h"
#include "verify/low_routing.h"
#include "verify/near_scores.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

/// Modules in the order of their calls: of several that err, the innermost.
Rounding find_worst(
    const Run& port,
    const Run& wide,
    const Run& torch,
    const std::vector<LowRouting>& routing) {
  Rounding out;
  for (const auto& path : torch.order) {
    // One side may sort the rows of experts, the other not.
    if (!torch.has("in:" + path) || port.has("routes:" + path)) {
      continue;
    }
    const auto rows = [&](const Run& run, const std::string& key) {
      auto array = run.find(key + path);
      return array ? std::optional(
                         arithmetic_rows(std::move(*array), routing, path))
                   : std::nullopt;
    };
    const auto found = judge_rounding(
        {rows(port, "out:"),
         rows(wide, "out:"),
         rows(torch, "low:"),
         rows(torch, "exact:")},
        path);
    const bool inside = path.starts_with(out.path + ".");
    if (found &&
        (found->ratio > out.ratio || (inside && found->ratio > kSuspicious))) {
      out = *found;
    }
  }
  return out;
}

/// Of the port as it is selected, from torch's in float32; nothing where either
/// raises.
std::optional<double> error_of_logits(Session& session) {
  RunRequest request;
  request.ids = {session.plan().ids};
  const auto exact = session.reference_prefill();
  const auto run = session.candidate().run(request);
  const auto ours = run ? run->find("logits") : std::nullopt;
  const auto theirs = exact ? (*exact)->find("logits") : std::nullopt;
  return ours && theirs ? typical_error(*ours, *theirs) : std::nullopt;
}

CheckResult judged(const Rounding& found, const std::string& what) {
  const auto reason =
      fmt::format("in bfloat16 {}: a conversion to float32 is lacking", what);
  return found.ratio > kWrong ? failed(reason) : warned(reason);
}

/// The first router that sends many tokens elsewhere, ties left out.
std::optional<Rerouted> find_rerouted(const std::vector<LowRouting>& routing) {
  for (const auto& router : routing) {
    const auto& found = router.agreement;
    const Rerouted out{
        found.tokens - found.ties, found.differing, parent_path(router.ours)};
    if (out.is_many()) {
      return out;
    }
  }
  return std::nullopt;
}

CheckResult
judged(Session& session, const Rerouted& found, const std::string& given) {
  auto out = warned(fmt::format(
      "in bfloat16{}, {} of {} tokens go to experts that torch does not send "
      "them to: a conversion to float32 is lacking",
      given,
      found.differing,
      found.tokens));
  out.place = place_at(session, found.path);
  return out;
}

Outcome<CheckResult> check_bfloat16(Session& session) {
  const auto torch = session.reference_in_bfloat16();
  if (!torch) {
    const Trouble& trouble = torch.error();
    if (trouble.kind != "RuntimeError") {
      return tl::unexpected(trouble);
    }
    return warned(fmt::format(
        "torch does not compute this model in bfloat16 itself: {}: {}",
        trouble.kind,
        trouble.message));
  }
  std::map<std::string, std::string> feed;
  for (const auto& path : (*torch)->order) {
    const auto key = "in:" + path;
    const auto given = (*torch)->find(key);
    if (given && given->shape.size() > 1 && (*torch)->has("exact:" + path)) {
      feed[key] = key;
    }
  }
  RunRequest request;
  request.ids = {session.plan().ids};
  request.capture = ".*";
  auto wide = session.candidate().run_fed(request, **torch, feed);
  if (!wide) {
    return tl::unexpected(wide.error());
  }
  const auto between = torch_between(session, **torch, *wide);
  if (!between) {
    return tl::unexpected(between.error());
  }
  auto wide_between =
      session.candidate().run_fed(request, **torch, between->answers);
  if (!wide_between) {
    return tl::unexpected(wide_between.error());
  }
  auto near = near_scores(session);
  if (!near) {
    return tl::unexpected(near.error());
  }
  Run port, port_between;
  std::optional<double> whole;
  const auto done = session.in_bfloat16([&]() -> Outcome<void> {
    whole = error_of_logits(session);
    for (Run* run : {&port, &port_between}) {
      auto made = session.candidate().run_fed(
          request, **torch, run == &port ? feed : between->answers);
      if (!made) {
        return tl::unexpected(made.error());
      }
      *run = std::move(*made);
    }
    auto made = run_near_scores(session, *near);
    if (!made) {
      return tl::unexpected(made.error());
    }
    near->port = std::move(*made);
    return {};
  });
  if (!done) {
    return tl::unexpected(done.error());
  }
  const auto routing = low_routing(session, **torch, *wide, port);
  const auto worst = find_worst(port, *wide, **torch, routing);
  const auto own =
      find_worst_between(*between, **torch, port_between, *wide_between);
  auto out = passed();
  if (own.worst.ratio > std::max(worst.ratio, kSuspicious)) {
    out = judged(
        own.worst,
        fmt::format(
            "what {} {} errs {:.1f} times as much as torch's ({} of it)",
            own.worst.path,
            own.given ? "is given" : "makes of its modules' answers",
            own.worst.ratio,
            short_number(own.worst.error)));
    out.place = place_between(session, own);
  } else if (worst.ratio > kSuspicious) {
    out = judged(
        worst,
        fmt::format(
            "{} errs {:.1f} times as much as torch's ({} of its output)",
            worst.path,
            worst.ratio,
            short_number(worst.error)));
    out.place = place_at(session, worst.path);
  } else if (const auto rerouted = find_rerouted(*near)) {
    out = judged(session, *rerouted, ", given scores that are nearly equal");
  } else if (const auto elsewhere = find_rerouted(routing)) {
    out = judged(session, *elsewhere, "");
  } else if (port.emulated) {
    out.reason = "emulated: experts computed in float32 and rounded";
  }
  out.rounded = whole;
  for (const auto& router : routing) {
    out.figures.routing.push_back(router.agreement);
  }
  return out;
}

}  // namespace

Check bfloat16_check() {
  Check out;
  out.name = "bfloat16";
  out.about = "modules in bfloat16, each and those inside it on torch's "
              "inputs, and what "
              "lies between them, err no more than torch's do against float32";
  out.copies = 6;
  out.run = check_bfloat16;
  return out;
}

}  // namespace portwright::verify
