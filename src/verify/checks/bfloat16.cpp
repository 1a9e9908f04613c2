#include "verify/between.h"
#include "verify/checks/checks.h"
#include "verify/near_scores.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

/// Modules in the order of their calls: of several that err, the innermost.
Rounding find_worst(const Run& port, const Run& wide, const Run& torch) {
  Rounding out;
  for (const auto& path : torch.order) {
    // One side may sort the rows of experts, the other not.
    if (!torch.has("in:" + path) || port.has("routes:" + path)) {
      continue;
    }
    const auto key = "out:" + path;
    const auto found = judge_rounding(
        {port.find(key),
         wide.find(key),
         torch.find("low:" + path),
         torch.find("exact:" + path)},
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

CheckResult judged(Session& session, const Rerouted& found) {
  auto out = warned(fmt::format(
      "in bfloat16, given scores that are nearly equal, {} of {} tokens go to "
      "experts that torch does not send them to: a conversion to float32 is "
      "lacking",
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
  const auto worst = find_worst(port, *wide, **torch);
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
    out = judged(session, *rerouted);
  } else if (port.emulated) {
    out.reason = "emulated: experts computed in float32 and rounded";
  }
  out.rounded = whole;
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
