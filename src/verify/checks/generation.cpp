#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

constexpr int kGenerated = 12;

/// The same tokens of both sides after `ids`; `what` names them.
Outcome<CheckResult>
judge_tokens(Session& session, const Ids& ids, const std::string& what) {
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
      "greedy token {} of {}{} differs",
      a - actual.begin() + 1,
      kGenerated,
      what));
  out.place.position = static_cast<int64_t>(ids.size()) + (a - actual.begin());
  return out;
}

Outcome<CheckResult> check_generation(Session& session) {
  auto out = judge_tokens(session, session.plan().batch[1], "");
  const auto& texts = session.texts();
  for (size_t i = 0; out && out->status == Status::Pass && i < texts.size();
       ++i) {
    out = judge_tokens(
        session,
        texts[i].ids,
        fmt::format(" after the text \"{}\"", texts[i].what));
  }
  if (out && out->status == Status::Pass && !texts.empty()) {
    const bool conversations = texts.front().kind == "instruct";
    out->reason = fmt::format(
        "{} {}, {} tokens each",
        texts.size(),
        conversations ? "conversations through the chat template" : "texts",
        kGenerated);
  }
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
