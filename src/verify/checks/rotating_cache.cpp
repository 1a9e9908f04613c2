#include "verify/checks/checks.h"
#include "verify/locate.h"

namespace portwright::verify {
namespace {

struct Scenario {
  const char* what;
  int prefill;
  int chunk;
};

Outcome<CheckResult> check_rotating_cache(Session& session) {
  const auto& plan = session.plan();
  if (plan.window == 0) {
    if (plan.unreached_window) {
      return skipped(fmt::format(
          "no prompt here is longer than the window of {}",
          plan.unreached_window));
    }
    return skipped("the model has no window");
  }
  const int w = plan.window;
  auto out = passed();
  for (const auto& [what, prefill, chunk] :
       {Scenario{"single steps from inside the window to past it", 3, 0},
        Scenario{"steps that begin exactly at the window", w, 0},
        Scenario{"several tokens at once past the window", 2 * w + 1, w - 1}}) {
    RunRequest request;
    request.ids = {plan.ids};
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
      if (out.place.position) {
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
  return out;
}

}  // namespace

Check rotating_cache_check() {
  Check out;
  out.name = "rotating_cache";
  out.about = "sliding caches before, at and past the window";
  out.streams = true;
  out.run = check_rotating_cache;
  return out;
}

}  // namespace portwright::verify
