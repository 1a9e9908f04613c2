#include "verify/checks/checks.h"
#include "verify/locate.h"

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

/// The gold standard must agree with itself before it can judge.
std::optional<double> reference_consistency(
    Session& session,
    const Run& decode) {
  const auto prefill = session.reference_prefill();
  if (!prefill) {
    return std::nullopt;
  }
  const auto whole = (*prefill)->find("logits");
  const auto steps = decode.find("logits");
  if (!whole || !steps) {
    return std::nullopt;
  }
  const auto& plan = session.plan();
  const auto tail = slice_positions(
      *whole, plan.prefill - 1, static_cast<int64_t>(plan.ids.size()));
  const auto difference = compare(*steps, tail);
  return difference ? std::optional(difference->relative) : std::nullopt;
}

Outcome<CheckResult> run(Session& session) {
  const auto torch = session.reference_decode();
  if (!torch) {
    return tl::unexpected(torch.error());
  }
  const auto port = session.candidate_decode();
  if (!port) {
    return tl::unexpected(port.error());
  }
  auto out = passed();
  const auto a = (*port)->find("logits");
  const auto b = (*torch)->find("logits");
  const bool good =
      judge(out, a, b, session.logits_threshold(), "cached single steps");
  const auto difference = a && b ? compare(*a, *b) : std::nullopt;
  if (difference) {
    out.series.push_back({"cached steps", "step", difference->per_position});
    if (out.place.position) {
      *out.place.position += session.plan().prefill - 1;
    }
  }
  const auto own = reference_consistency(session, **torch);
  if (own && *own > kNeverAbove) {
    out.reason += fmt::format(
        "{}torch's own cached steps differ from its prefill by {}",
        out.reason.empty() ? "" : "; ",
        short_number(*own));
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
  out.place.position = session.plan().prefill - 1 + step;
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
  out.run = run;
  return out;
}

}  // namespace portwright::verify
