#include "verify/checks/checks.h"
#include "verify/locate.h"

namespace portwright::verify {
namespace {

/// With a third opinion, the two that agree name the culprit.
Outcome<std::string> third_opinion(Session& session, const Scene& scene) {
  Party* third = session.third();
  if (!third) {
    return std::string();
  }
  const auto run = third->run(scene.request);
  if (!run) {
    return tl::unexpected(run.error());
  }
  const auto opinion = run->find("logits");
  const auto near = [&](const Run& other) {
    const auto logits = other.find("logits");
    const auto difference =
        opinion && logits ? compare(*opinion, *logits) : std::nullopt;
    return difference && difference->relative <= kNeverAbove;
  };
  const bool torch = near(*scene.reference);
  const bool port = near(*scene.candidate);
  if (torch == port) {
    return fmt::format("; the {} agrees with neither", third->name());
  }
  return fmt::format(
      "; the {} agrees with {}", third->name(), torch ? "torch" : "the port");
}

/// Prompts of the checkpoint's tokenizer.
Outcome<void> judge_texts(Session& session, CheckResult& out) {
  for (const auto& text : session.texts()) {
    RunRequest request;
    request.ids = {text.ids};
    const auto torch = session.reference().run(request);
    const auto port = session.candidate().run(request);
    if (!torch || !port) {
      return tl::unexpected((torch ? port : torch).error());
    }
    const bool good = judge(
        out,
        port->find("logits"),
        torch->find("logits"),
        session.logits_threshold(),
        fmt::format("logits of the text \"{}\"", text.what));
    if (!good) {
      return name_place(session, request, out);
    }
  }
  return {};
}

Outcome<CheckResult> check_logits(Session& session) {
  const auto scene = prefill_scene(session);
  if (!scene) {
    return tl::unexpected(scene.error());
  }
  auto out = passed();
  const auto port = scene->candidate->find("logits");
  const auto torch = scene->reference->find("logits");
  const bool good =
      judge(out, port, torch, session.logits_threshold(), "prefill logits");
  if (const auto difference =
          port && torch ? compare(*port, *torch) : std::nullopt) {
    out.series.push_back(
        {"prefill logits", "position", difference->per_position});
  }
  if (!good) {
    const auto position = out.place.position;
    auto place = locate(session, *scene);
    if (!place) {
      return tl::unexpected(place.error());
    }
    out.place = *place;
    out.place.position = position ? position : out.place.position;
    auto opinion = third_opinion(session, *scene);
    if (!opinion) {
      return tl::unexpected(opinion.error());
    }
    out.reason += *opinion;
    return out;
  }
  if (auto done = judge_texts(session, out); !done) {
    return tl::unexpected(done.error());
  }
  return out;
}

}  // namespace

Check logits_check() {
  Check out;
  out.name = "logits";
  out.about = "the logits of a prompt, at every position";
  out.quick = true;
  out.streams = true;
  out.run = check_logits;
  return out;
}

}  // namespace portwright::verify
