#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

constexpr int kMostProbes = 48;
// Relative to the largest output. What moves less is taken for unmoved.
constexpr double kMoved = 1e-5;
// Both sides compute the same influence but for noise; a masked one is nothing,
// and less than the noise of both is none.
constexpr double kFactor = 20;

/// moved[i][t]: how far the output at position t moves when token probes[i] is
/// another one.
using Influence = std::vector<std::vector<double>>;

std::vector<int> choose_probes(const Plan& plan) {
  const int length = static_cast<int>(plan.ids.size());
  const int stride = (length + kMostProbes - 1) / kMostProbes;
  std::vector<int> out;
  for (int p = 0; p < length; ++p) {
    // All around the edge of the window, as the last positions see it.
    const bool edge = plan.window && std::abs(length - p - plan.window) <= 3;
    if (p % stride == 0 || edge) {
      out.push_back(p);
    }
  }
  return out;
}

/// Row 0 is the prompt; each other row has one token exchanged for its
/// neighbour in the prompt, which is another one.
RunRequest probing(const Plan& plan, const std::vector<int>& probes) {
  RunRequest out;
  out.ids = {plan.ids};
  for (const int p : probes) {
    Ids changed = plan.ids;
    const auto n = changed.size();
    changed[static_cast<size_t>(p)] =
        plan.ids[(static_cast<size_t>(p) + n / 2) % n];
    out.ids.push_back(std::move(changed));
  }
  return out;
}

std::optional<Influence> influence(
    const std::optional<Array>& outputs,
    size_t rows) {
  if (!outputs || outputs->shape.size() != 3 ||
      outputs->shape[0] != static_cast<int64_t>(rows)) {
    return std::nullopt;
  }
  const Array base = row(*outputs, 0);
  Influence out;
  for (size_t i = 1; i < rows; ++i) {
    const auto moved = compare(row(*outputs, static_cast<int64_t>(i)), base);
    if (!moved) {
      return std::nullopt;
    }
    out.push_back(moved->per_position);
  }
  return out;
}

struct Disagreement {
  int probe = 0;
  int position = 0;
  bool port_sees = false;
  int count = 0;
};

/// The character of an InfluenceMap for what moves by `port` and by `torch`.
char cell_of(double port, double torch, double noise) {
  const bool only_port = port > kMoved && torch * kFactor < port;
  const bool only_torch = torch > kMoved && port * kFactor < torch;
  if (std::abs(port - torch) > noise && (only_port || only_torch)) {
    return only_port ? 'p' : 't';
  }
  return std::max(port, torch) > kMoved ? '#' : '.';
}

InfluenceMap draw(
    const std::vector<int>& probes,
    const Influence& port,
    const Influence& torch,
    double noise,
    int first) {
  InfluenceMap out;
  out.first = first;
  out.tokens = probes;
  for (size_t i = 0; i < probes.size(); ++i) {
    std::string cells;
    for (size_t t = 0; t < std::min(port[i].size(), torch[i].size()); ++t) {
      cells += cell_of(port[i][t], torch[i][t], noise);
    }
    out.rows.push_back(std::move(cells));
  }
  return out;
}

std::optional<Disagreement> find_disagreement(const InfluenceMap& map) {
  std::optional<Disagreement> out;
  for (size_t i = 0; i < map.tokens.size(); ++i) {
    for (size_t t = 0; t < map.rows[i].size(); ++t) {
      const char cell = map.rows[i][t];
      if (cell != 'p' && cell != 't') {
        continue;
      }
      if (!out) {
        const int position = static_cast<int>(t) + map.first;
        out = {map.tokens[i], position, cell == 'p', 0};
      }
      ++out->count;
    }
  }
  return out;
}

/// Layers with the same map share one.
void add_layer(InfluenceMap map, int layer, Figures& figures) {
  for (auto& other : figures.influence) {
    if (other.rows == map.rows) {
      other.layers.push_back(layer);
      return;
    }
  }
  map.layers = {layer};
  figures.influence.push_back(std::move(map));
}

void report(
    const Disagreement& found,
    const std::string& where,
    std::optional<int> layer,
    CheckResult& out) {
  out.status = Status::Fail;
  out.value = found.count;
  out.threshold = 0;
  out.place.layer = layer;
  out.place.position = found.position;
  const int back = found.position - found.probe;
  const auto distance =
      back < 0 ? fmt::format("{} ahead", -back) : fmt::format("{} back", back);
  out.reason = fmt::format(
      "{} position {} of {} depends on token {} ({}) and {}'s does not "
      "({} such pairs)",
      where,
      found.position,
      found.port_sees ? "the port" : "torch",
      found.probe,
      distance,
      found.port_sees ? "torch" : "the port",
      found.count);
}

std::string escaped(const std::string& path) {
  std::string out;
  for (const char c : path) {
    out += c == '.' ? std::string("\\.") : std::string(1, c);
  }
  return out;
}

std::string capture_of(const std::vector<std::string>& layers) {
  std::vector<std::string> out;
  for (const auto& path : layers) {
    out.push_back(escaped(path));
  }
  return fmt::format("{}", fmt::join(out, "|"));
}

/// Layer by layer, then the logits: the first that disagrees is reported.
void judge_prefill(
    Session& session,
    const std::vector<int>& probes,
    const Run& port,
    const Run& torch,
    CheckResult& out) {
  const size_t rows = probes.size() + 1;
  const auto drawn =
      [&](const std::string& a, const std::string& b, double noise) {
        const auto left = influence(port.find(a), rows);
        const auto right = influence(torch.find(b), rows);
        return left && right
                   ? std::optional(draw(probes, *left, *right, noise, 0))
                   : std::nullopt;
      };
  for (size_t i = 0; i < session.candidate_layers().size(); ++i) {
    const auto map = drawn(
        "out:" + session.candidate_layers()[i],
        "out:" + session.reference_layers()[i],
        session.layer_threshold(i));
    if (!map) {
      continue;
    }
    const auto layer = static_cast<int>(i);
    const auto found = find_disagreement(*map);
    if (found && out.status == Status::Pass) {
      report(*found, fmt::format("in layer {}", i), layer, out);
    }
    add_layer(*map, layer, out.figures);
  }
  if (auto map = drawn("logits", "logits", session.logits_threshold())) {
    const auto found = find_disagreement(*map);
    if (found && out.status == Status::Pass) {
      report(*found, "in the logits", std::nullopt, out);
    }
    map->name = "logits";
    out.figures.influence.push_back(std::move(*map));
  }
}

Outcome<CheckResult> check_mask(Session& session) {
  const auto& plan = session.plan();
  const auto probes = choose_probes(plan);
  auto request = probing(plan, probes);
  request.capture = capture_of(session.reference_layers());
  const auto torch = session.reference().run(request);
  if (!torch) {
    return tl::unexpected(torch.error());
  }
  request.capture = capture_of(session.candidate_layers());
  const auto port = session.candidate().run(request);
  if (!port) {
    return tl::unexpected(port.error());
  }
  auto out = passed();
  judge_prefill(session, probes, *port, *torch, out);
  if (out.status == Status::Fail) {
    return out;
  }
  request.capture = "";
  request.prefill = plan.prefill;
  const auto torch_steps = session.reference().run(request);
  if (!torch_steps) {
    return tl::unexpected(torch_steps.error());
  }
  const auto port_steps = session.candidate().run(request);
  if (!port_steps) {
    return tl::unexpected(port_steps.error());
  }
  const auto left = influence(port_steps->find("logits"), probes.size() + 1);
  const auto right = influence(torch_steps->find("logits"), probes.size() + 1);
  if (left && right) {
    auto map = draw(
        probes, *left, *right, session.logits_threshold(), plan.prefill - 1);
    if (const auto found = find_disagreement(map)) {
      report(*found, "after cached steps", std::nullopt, out);
    }
    map.name = "after cached steps";
    out.figures.influence.push_back(std::move(map));
  }
  return out;
}

}  // namespace

Check mask_check() {
  Check out;
  out.name = "mask";
  out.about =
      "which tokens each position depends on, found by exchanging one token at "
      "a time";
  out.run = check_mask;
  return out;
}

}  // namespace portwright::verify
