#include "verify/checks/checks.h"
#include "verify/locate.h"

namespace portwright::verify {
namespace {

struct Scenario {
  const char* what;
  int prefill;
  int chunk;
};

std::vector<Scenario> scenarios(int window) {
  return {
      {"single steps from inside the window to past it", 3, 0},
      {"steps that begin exactly at the window", window, 0},
      {"several tokens at once past the window", 2 * window + 1, window - 1}};
}

Outcome<void> judge_windows(
    Session& session,
    const std::vector<Scenario>& scenarios,
    CheckResult& out) {
  for (const auto& [what, prefill, chunk] : scenarios) {
    RunRequest request;
    request.ids = {session.plan().ids};
    request.prefill = prefill;
    const auto torch = session.reference().run(request);
    if (!torch) {
      return tl::unexpected(torch.error());
    }
    request.chunk = chunk;
    const auto port = session.candidate().run(request);
    if (!port) {
      return tl::unexpected(port.error());
    }
    const auto a = port->find("logits");
    const auto b = torch->find("logits");
    const bool failing = out.status == Status::Fail;
    if (!judge(out, a, b, session.logits_threshold(), what) && !failing) {
      if (out.place.position && prefill) {
        *out.place.position += prefill - 1;
      }
      if (auto found = name_place(session, request, out); !found) {
        return tl::unexpected(found.error());
      }
    }
    if (const auto difference = a && b ? compare(*a, *b) : std::nullopt) {
      out.series.push_back({what, "step", difference->per_position});
    }
  }
  return {};
}

std::string fields_text(const nlohmann::json& fields) {
  std::vector<std::string> out;
  for (const auto& [field, value] : fields.items()) {
    out.push_back(field + " = " + value.dump());
  }
  return fmt::format("{}", fmt::join(out, ", "));
}

/// A window that no prompt passes, or that is off: both models with a short
/// one. Of a window that is off the checkpoint at hand knows nothing: a
/// warning.
Outcome<CheckResult> check_other_window(
    Session& session,
    const CheckResult& otherwise) {
  const auto found = session.reference().request(
      "windowed",
      {{"model", "model"},
       {"folder", session.subject().checkpoint.string()},
       {"ids", {session.plan().ids}}});
  if (!found) {
    return tl::unexpected(found.error());
  }
  const auto config = found->at("config");
  if (config.is_null()) {
    return otherwise;
  }
  const bool off = session.plan().unreached_window == 0;
  const auto with = "with " + fields_text(found->at("fields"));
  auto out = passed();
  bool refused = true;
  const auto done = session.in_form(config, [&] {
    refused = false;
    const auto& plan = session.plan();
    // What other checks do for the config at hand, and what this one does.
    std::vector<Scenario> all = {
        {"a prompt past the window", 0, 0},
        {"steps after a prompt past the window", plan.prefill, 0}};
    for (const auto& scenario : scenarios(plan.window)) {
      all.push_back(scenario);
    }
    return judge_windows(session, all, out);
  });
  if (!done && refused && done.error().by == "candidate") {
    return skipped(
        with + " the port refuses the config: " + done.error().message);
  }
  if (!done) {
    return tl::unexpected(done.error());
  }
  if (off && out.status == Status::Fail) {
    out.status = Status::Warn;
  }
  out.reason = with + (out.reason.empty() ? "" : ": " + out.reason);
  return out;
}

Outcome<CheckResult> check_rotating_cache(Session& session) {
  const auto& plan = session.plan();
  if (plan.window == 0) {
    const auto otherwise =
        plan.unreached_window
            ? skipped(fmt::format(
                  "no prompt here is longer than the window of {}",
                  plan.unreached_window))
            : skipped("the model has no window");
    return session.streamed() ? otherwise
                              : check_other_window(session, otherwise);
  }
  auto out = passed();
  if (auto done = judge_windows(session, scenarios(plan.window), out); !done) {
    return tl::unexpected(done.error());
  }
  return out;
}

}  // namespace

Check rotating_cache_check() {
  Check out;
  out.name = "rotating_cache";
  out.about = "sliding caches before, at and past the window; with a short one "
              "where the model's is off or longer than the prompts";
  out.streams = true;
  out.run = check_rotating_cache;
  return out;
}

}  // namespace portwright::verify
