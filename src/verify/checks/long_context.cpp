#include <cmath>

#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

constexpr int kLongPrompt = 2048;
constexpr int kChunk = 512;
constexpr int kSteps = 4;

Outcome<CheckResult> check_long_context(Session& session) {
  RunRequest request;
  const int vocab =
      *std::max_element(session.plan().ids.begin(), session.plan().ids.end());
  request.ids = {spread_ids(kLongPrompt, vocab, 5)};
  request.prefill = kLongPrompt - kSteps;
  const auto torch = session.reference().run(request);
  if (!torch) {
    return skipped(fmt::format(
        "torch takes no prompt of {} tokens: {}",
        kLongPrompt,
        torch.error().message));
  }
  request.chunk = kChunk;
  const auto port = session.candidate().run(request);
  if (!port) {
    return tl::unexpected(port.error());
  }
  const auto difference = compare(*port, "logits", *torch, "logits");
  if (!difference) {
    return failed("logits of another shape than torch's");
  }
  auto out = passed();
  out.value = difference->relative;
  // An angle at position p cannot be better than p times float32's rounding.
  out.threshold = 8 * std::ldexp(static_cast<double>(kLongPrompt), -24);
  if (!(difference->relative <= *out.threshold)) {
    out = failed(fmt::format(
        "steps after {} tokens in pieces of {} differ by {} (allowed: {})",
        kLongPrompt,
        kChunk,
        short_number(difference->relative),
        short_number(*out.threshold)));
    out.value = difference->relative;
    out.place.position = request.prefill - 1 + difference->position;
  }
  return out;
}

}  // namespace

Check long_context_check() {
  Check out;
  out.name = "long_context";
  out.about = "cached steps after thousands of tokens, fed in pieces";
  out.full_only = true;
  out.run = check_long_context;
  return out;
}

}  // namespace portwright::verify
