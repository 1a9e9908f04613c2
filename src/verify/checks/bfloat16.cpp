#include <cmath>

#include "verify/checks/checks.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

// Rounding an answer to bfloat16 once costs about this much of it.
constexpr double kOneRounding = 1.2e-3;
// Fused kernels round less often than torch's modules, library norms once or
// twice more. What errs further lacks a conversion that the source has.
constexpr double kSuspicious = 2.5;
constexpr double kWrong = 8;
// Weights that are rounded on one side only cost some thousandths.
constexpr double kSomethingElse = 0.05;

double norm(const float* values, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) {
    sum += static_cast<double>(values[i]) * values[i];
  }
  return std::sqrt(sum);
}

/// The median over tokens of |a - exact| / |exact|: experts that a rounding
/// exchanges for a few tokens do not show.
std::optional<double> typical_error(const Array& a, const Array& exact) {
  if (a.shape.empty() || exact.shape.empty() ||
      a.shape.back() != exact.shape.back() ||
      a.values.size() != exact.values.size() || a.values.empty()) {
    return std::nullopt;
  }
  const auto width = static_cast<size_t>(exact.shape.back());
  std::vector<double> errors;
  for (size_t at = 0; at < a.values.size(); at += width) {
    std::vector<float> difference(width);
    for (size_t i = 0; i < width; ++i) {
      difference[i] = a.values[at + i] - exact.values[at + i];
    }
    const double size = norm(&exact.values[at], width);
    errors.push_back(norm(difference.data(), width) / std::max(size, 1e-30));
  }
  const auto middle =
      errors.begin() + static_cast<std::ptrdiff_t>(errors.size() / 2);
  std::nth_element(errors.begin(), middle, errors.end());
  return *middle;
}

struct Worst {
  double ratio = 0;
  double error = 0;
  std::string module;
};

/// Modules in the order of their calls: of several that err, the innermost.
/// `wide`: the port in float32, which tells modules of the same path that
/// answer something else, as a router's scores and its logits.
Worst find_worst(const Run& port, const Run& wide, const Run& torch) {
  Worst out;
  for (const auto& path : torch.order) {
    const auto exact = torch.find("exact:" + path);
    const auto low = torch.find("low:" + path);
    const auto ours = port.find("out:" + path);
    // One side may sort the rows of experts, the other not.
    if (!exact || !low || !ours || !torch.has("in:" + path) ||
        port.has("routes:" + path)) {
      continue;
    }
    const auto same = wide.find("out:" + path);
    const auto apart = same ? typical_error(*same, *exact) : std::nullopt;
    if (!apart || *apart > kSomethingElse) {
      continue;
    }
    const auto error = typical_error(*ours, *exact);
    const auto theirs = typical_error(*low, *exact);
    if (!error || !theirs) {
      continue;
    }
    const double ratio = *error / std::max(*theirs, kOneRounding);
    const bool inside = path.starts_with(out.module + ".");
    if (ratio > out.ratio || (inside && ratio > kSuspicious)) {
      out = {ratio, *error, path};
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
  Run port;
  std::optional<double> whole;
  const auto done = session.in_bfloat16([&]() -> Outcome<void> {
    whole = error_of_logits(session);
    auto made = session.candidate().run_fed(request, **torch, feed);
    if (!made) {
      return tl::unexpected(made.error());
    }
    port = std::move(*made);
    return {};
  });
  if (!done) {
    return tl::unexpected(done.error());
  }
  const Worst worst = find_worst(port, *wide, **torch);
  auto out = passed();
  out.rounded = whole;
  if (worst.ratio > kSuspicious) {
    const auto reason = fmt::format(
        "in bfloat16 {} errs {:.1f} times as much as torch's ({} of its "
        "output): a conversion to float32 is lacking",
        worst.module,
        worst.ratio,
        short_number(worst.error));
    out = worst.ratio > kWrong ? failed(reason) : warned(reason);
    out.rounded = whole;
    out.place = place_at(session, worst.module);
  } else if (port.emulated) {
    out.reason = "emulated: experts computed in float32 and rounded";
  }
  return out;
}

}  // namespace

Check bfloat16_check() {
  Check out;
  out.name = "bfloat16";
  out.about =
      "modules in bfloat16, each and those inside it on torch's inputs, err no "
      "more than torch's do against float32";
  out.copies = 6;
  out.run = check_bfloat16;
  return out;
}

}  // namespace portwright::verify
