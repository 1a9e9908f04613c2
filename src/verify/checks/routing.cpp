#include "verify/checks/checks.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

/// Choices of experts: keys `routes:PATH` of a run, in the order of calls.
std::vector<std::string> routed(const Run& run) {
  std::vector<std::string> out;
  for (const auto& path : run.order) {
    if (run.has("routes:" + path)) {
      out.push_back(path);
    }
  }
  return out;
}

/// Each row in ascending order: no side promises an order of its choice.
Array in_order(Array choices) {
  const auto k = static_cast<size_t>(choices.shape.back());
  for (size_t at = 0; k && at + k <= choices.values.size(); at += k) {
    std::sort(
        choices.values.begin() + static_cast<std::ptrdiff_t>(at),
        choices.values.begin() + static_cast<std::ptrdiff_t>(at + k));
  }
  return choices;
}

struct Agreement {
  int64_t tokens = 0;
  int64_t differing = 0;
  int64_t ties = 0;
  int64_t first = -1;
};

/// Choices past the experts never reach the layer that holds them, where any
/// expert may stand for them.
std::optional<Agreement>
agree(const Array& a, const Array& b, double experts, const Plan& plan) {
  if (a.shape.empty() || b.shape.empty() || a.shape.back() != b.shape.back() ||
      a.values.size() != b.values.size()) {
    return std::nullopt;
  }
  const auto k = static_cast<size_t>(a.shape.back());
  const Array x = in_order(a);
  const Array y = in_order(b);
  Agreement out;
  for (size_t at = 0; k && at + k <= x.values.size(); at += k) {
    const auto left = x.values.begin() + static_cast<std::ptrdiff_t>(at);
    const auto right = y.values.begin() + static_cast<std::ptrdiff_t>(at);
    const auto chosen = std::lower_bound(
        right, right + static_cast<std::ptrdiff_t>(k), experts);
    const bool same = std::includes(
        left, left + static_cast<std::ptrdiff_t>(k), right, chosen);
    if (!same &&
        std::binary_search(plan.tied.begin(), plan.tied.end(), out.tokens)) {
      ++out.ties;
    } else if (!same) {
      out.first = out.first < 0 ? out.tokens : out.first;
      ++out.differing;
    }
    ++out.tokens;
  }
  return out;
}

/// The port again, each layer fed torch's input: what is left is the router.
Outcome<Run> fed_layers(Session& session, const Run& torch) {
  std::map<std::string, std::string> feed;
  for (size_t i = 0; i < session.candidate_layers().size(); ++i) {
    feed["in:" + session.candidate_layers()[i]] =
        "in:" + session.reference_layers()[i];
  }
  RunRequest request;
  request.ids = {session.plan().ids};
  request.capture = ".*";
  return session.candidate().run_fed(request, torch, std::move(feed));
}

Outcome<CheckResult> check_routing(Session& session) {
  const auto torch = session.reference_prefill();
  if (!torch) {
    return tl::unexpected(torch.error());
  }
  const auto theirs = routed(**torch);
  const auto port = fed_layers(session, **torch);
  if (!port) {
    return tl::unexpected(port.error());
  }
  const auto ours = routed(*port);
  if (theirs.empty()) {
    return skipped("torch's modules pass no choice of experts");
  }
  if (ours.size() != theirs.size()) {
    return skipped(fmt::format(
        "torch chooses experts {} times, the port {} times",
        theirs.size(),
        ours.size()));
  }
  auto out = passed();
  Series series{"tokens with other experts", "layer", {}};
  double worst = 0;
  for (size_t i = 0; i < ours.size(); ++i) {
    const auto a = port->find("routes:" + ours[i]);
    const auto b = (*torch)->find("routes:" + theirs[i]);
    const auto experts = port->find("experts:" + ours[i]);
    const auto found =
        a && b && experts
            ? agree(*a, *b, experts->values.front(), session.plan())
            : std::nullopt;
    if (!found) {
      return skipped("the choices of both sides have other shapes");
    }
    const double share =
        static_cast<double>(found->differing) /
        static_cast<double>(std::max<int64_t>(found->tokens, 1));
    series.values.push_back(share);
    worst = std::max(worst, share);
    const auto place = in_layer(session, parent_path(ours[i]));
    out.figures.routing.push_back(
        {place.module,
         place.layer.value_or(-1),
         found->tokens,
         found->differing,
         found->ties});
    if (found->differing && out.status == Status::Pass) {
      out.status = Status::Fail;
      out.reason = fmt::format(
          "fed torch's input, {} of {} tokens go to other experts",
          found->differing,
          found->tokens);
      out.place = place_at(session, parent_path(ours[i]));
      out.place.position = found->first;
    }
  }
  out.value = worst;
  out.threshold = 0;
  out.series.push_back(std::move(series));
  return out;
}

}  // namespace

Check routing_check() {
  Check out;
  out.name = "routing";
  out.about = "tokens go to the experts that torch sends them to";
  out.streams = true;
  out.run = check_routing;
  return out;
}

}  // namespace portwright::verify
