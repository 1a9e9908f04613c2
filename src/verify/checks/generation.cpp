#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

constexpr int kGenerated = 12;

Outcome<CheckResult> check_generation(Session& session) {
  const auto& ids = session.plan().batch[1];
  const auto torch = session.reference().request(
      "generate", {{"model", "model"}, {"ids", {ids}}, {"tokens", kGenerated}});
  if (!torch) {
    return tl::unexpected(torch.error());
  }
  const auto port = session.candidate().request(
      "generate", {{"model", "model"}, {"ids", ids}, {"tokens", kGenerated}});
  if (!port) {
    return tl::unexpected(port.error());
  }
  const auto expected = (*torch)["ids"][0].get<Ids>();
  const auto actual = (*port)["ids"].get<Ids>();
  const auto [a, b] = std::mismatch(
      actual.begin(), actual.end(), expected.begin(), expected.end());
  if (a == actual.end() && b == expected.end()) {
    return passed();
  }
  // Two tokens may be as likely as each other: the logits checks judge that.
  auto out = warned(fmt::format(
      "greedy token {} of {} differs", a - actual.begin() + 1, kGenerated));
  out.place.position = static_cast<int64_t>(ids.size()) + (a - actual.begin());
  return out;
}

}  // namespace

Check generation_check() {
  Check out;
  out.name = "generation";
  out.about = "greedy tokens of mlx_lm's own loop and of generate()";
  out.streams = true;
  out.run = check_generation;
  return out;
}

}  // namespace portwright::verify
