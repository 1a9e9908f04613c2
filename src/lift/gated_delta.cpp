#include "lift/gated_delta.h"

#include <array>
#include <cmath>

#include "lift/proof.h"
#include "trace/replay.h"

namespace portwright::lift {

namespace {

using Arrays = std::vector<mx::array>;

mx::array softplus(const mx::array& x) {
  return mx::logaddexp(x, mx::array(0.0f));
}

/// x[:, t] of (B, L, ...).
mx::array unit(const mx::array& x, double eps) {
  return x * mx::rsqrt(mx::sum(x * x, -1, true) + mx::array(float(eps)));
}

/// (B, L, Hk, D), each head for several that follow each other.
mx::array for_heads(const mx::array& x, int heads) {
  return mx::repeat(x, heads / x.shape(2), 2);
}

/// Token by token, as the definition says; the state is (B, Hv, Dk, Dv).
Recurrence::Answer delta_steps(
    const GatedDelta& form,
    mx::array q,
    mx::array k,
    const mx::array& v,
    const mx::array& g,
    const mx::array& beta,
    const std::optional<mx::array>& initial) {
  const int heads = v.shape(2), length = v.shape(1);
  if (form.unit) {
    q = unit(q, form.eps);
    k = unit(k, form.eps);
  }
  if (form.scaled) {
    q = q * mx::array(1 / std::sqrt(float(q.shape(3))));
  }
  q = for_heads(q, heads);
  k = for_heads(k, heads);
  mx::array state = initial.value_or(
      mx::zeros({v.shape(0), heads, k.shape(3), v.shape(3)}, mx::float32));
  Arrays outputs;
  for (int t = 0; t < length; ++t) {
    const auto column = mx::expand_dims(token(k, t), -1);
    const auto decay = mx::exp(token(g, t));
    state = state * (g.ndim() == 4 ? mx::expand_dims(decay, -1)
                                   : mx::expand_dims(decay, {-1, -2}));
    const auto known = mx::sum(state * column, -2);
    const auto delta =
        (token(v, t) - known) * mx::expand_dims(token(beta, t), -1);
    state = state + column * mx::expand_dims(delta, -2);
    outputs.push_back(mx::sum(state * mx::expand_dims(token(q, t), -1), -2));
  }
  return {mx::stack(outputs, 1), state};
}

/// One recorded call and the roles its tensors may play.
class DeltaSearch {
 public:
  DeltaSearch(
      eval::Interpreter& interp,
      const Trace& trace,
      const Flows& flows,
      const Recurrence& recurrence)
      : interp_(interp),
        trace_(trace),
        flows_(flows),
        recurrence_(recurrence) {}

  std::optional<GatedDelta> run() {
    const auto& inputs = recurrence_.call->inputs;
    if (inputs.size() != 6 || recurrence_.state == Recurrence::kNone) {
      return {};
    }
    for (size_t q = 0; q < 6; ++q) {
      for (size_t k = 0; k < 6; ++k) {
        if (q == k || !alike(q, k)) {
          continue;
        }
        for (size_t v = 0; v < 6; ++v) {
          for (size_t g = 0; g < 6; ++g) {
            const std::set<size_t> roles{q, k, v, g, recurrence_.state};
            if (roles.size() == 5) {
              const size_t beta = 15 - q - k - v - g - recurrence_.state;
              if (auto found = form({q, k, v, g, beta})) {
                return found;
              }
            }
          }
        }
      }
    }
    return {};
  }

 private:
  struct Roles {
    size_t q, k, v, g, beta;
  };

  const torch::Sizes& shape(size_t i) const {
    return trace_.info(recurrence_.call->inputs[i]).shape;
  }

  bool alike(size_t q, size_t k) const {
    return shape(q).size() == 4 && shape(q) == shape(k);
  }

  /// (B, L, Hk, Dk), (B, L, Hv, Dv), (B, L, Hv[, Dk]) and (B, L, Hv).
  bool fits(const Roles& r) const {
    const auto &q = shape(r.q), &v = shape(r.v), &g = shape(r.g),
               &beta = shape(r.beta), &state = shape(recurrence_.state);
    if (v.size() != 4 || v[0] != q[0] || v[1] != q[1] || v[2] % q[2] ||
        beta != torch::Sizes{v[0], v[1], v[2]}) {
      return false;
    }
    const bool by_head = g == beta;
    const bool by_key = g == torch::Sizes{v[0], v[1], v[2], q[3]};
    return (by_head || by_key) &&
           state == torch::Sizes{v[0], v[2], q[3], v[3]} &&
           trace_.info(recurrence_.output).shape == v;
  }

  std::optional<GatedDelta> form(const Roles& r) {
    if (!fits(r)) {
      return {};
    }
    const auto& inputs = recurrence_.call->inputs;
    GatedDelta out;
    out.queries = inputs[r.q];
    out.keys = inputs[r.k];
    out.values = inputs[r.v];
    out.decay = inputs[r.g];
    out.beta = inputs[r.beta];
    out.output = recurrence_.output;
    for (const bool scaled : {true, false}) {
      for (const double eps : {-1.0, 1e-6, 1e-5, 1e-12}) {
        out.scaled = scaled;
        out.unit = eps >= 0;
        out.eps = out.unit ? eps : 0;
        // The length that tells most forms apart first.
        if (agrees(out, r, 3, true, 1) && agrees(out, r, 3, true, 1e-3f) &&
            agrees(out, r, 1, true, 1) && agrees(out, r, 70, true, 1) &&
            agrees(out, r, 5, false, 1)) {
          return out;
        }
      }
    }
    return {};
  }

  /// Small keys show the eps.
  bool agrees(
      const GatedDelta& form,
      const Roles& r,
      int length,
      bool with_state,
      float size) {
    Arrays given;
    for (size_t i = 0; i < 6; ++i) {
      mx::Shape sizes(shape(i).begin(), shape(i).end());
      if (i != recurrence_.state) {
        sizes[1] = length;
      }
      mx::array x = random(sizes, 31 + i, i == r.q || i == r.k ? size : 1);
      given.push_back(
          i == r.g      ? -softplus(x)
          : i == r.beta ? mx::sigmoid(x)
                        : x);
    }
    return recurrence_.follows(
        interp_, given, with_state, [&](const auto& state) {
          return delta_steps(
              form,
              given[r.q],
              given[r.k],
              given[r.v],
              given[r.g],
              given[r.beta],
              state);
        });
  }

  eval::Interpreter& interp_;
  const Trace& trace_;
  const Flows& flows_;
  const Recurrence& recurrence_;
};

std::array<ValueId*, 5> roles_of(GatedDelta& form) {
  return {&form.queries, &form.keys, &form.values, &form.decay, &form.beta};
}

/// What a value is made of when followed along its one data input, nearest
/// first; the parameters met on the way are added.
std::vector<ValueId> lineage(
    const Flows& flows,
    const Graph& graph,
    const Trace& trace,
    ValueId id,
    std::set<ValueId>& parameters) {
  const std::function<void(ValueId)> collect = [&](ValueId v) {
    const auto& info = trace.info(v);
    if (!info.parameter.empty()) {
      parameters.insert(v);
    } else if (info.producer && flows.of(v) == Flow::Parameter) {
      for (ValueId input : info.producer->inputs) {
        collect(input);
      }
    }
  };
  std::vector<ValueId> out;
  for (;;) {
    out.push_back(id);
    const auto it = graph.producers.find(id);
    const OpNode* op = it == graph.producers.end() ? nullptr : it->second.op;
    if (!op || op->outputs.size() != 1) {
      return out;
    }
    ValueId data = 0;
    for (ValueId input : op->inputs) {
      if (flows.of(input) == Flow::Data) {
        if (data) {
          return out;
        }
        data = input;
      }
    }
    if (!data) {
      return out;
    }
    for (ValueId input : op->inputs) {
      if (flows.of(input) == Flow::Parameter) {
        collect(input);
      }
    }
    id = data;
  }
}

/// b where beta = sigmoid(b), or twice that.
void lift_beta(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    GatedDelta& form) {
  std::set<ValueId> parameters;
  for (ValueId b : lineage(flows, graph, trace, form.beta, parameters)) {
    if (!parameters.empty() ||
        trace.info(b).shape != trace.info(form.beta).shape) {
      return;
    }
    trace::Replay replay(interp, trace);
    const mx::array x = random(shape_of(trace, b), 51, 2);
    replay.replace(b, x);
    const mx::array got = replay.compute(form.beta);
    for (const bool doubled : {false, true}) {
      const auto wanted = mx::sigmoid(x) * mx::array(doubled ? 2.0f : 1.0f);
      if (relative_error(got, wanted) < kTolerance) {
        form.b = b;
        form.doubled = doubled;
        return;
      }
    }
  }
}

/// a, A and the bias where g = -exp(A) softplus(a + bias).
void lift_decay(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    GatedDelta& form) {
  std::set<ValueId> parameters;
  const auto line = lineage(flows, graph, trace, form.decay, parameters);
  const auto& heads = trace.info(form.beta).shape;
  if (parameters.size() != 2) {
    return;
  }
  for (ValueId a : line) {
    if (trace.info(a).shape != heads) {
      return;
    }
    for (const bool swapped : {false, true}) {
      const ValueId first = *parameters.begin(), second = *parameters.rbegin();
      const ValueId a_log = swapped ? second : first;
      const ValueId bias = swapped ? first : second;
      const torch::Sizes one{heads[2]};
      if (trace.info(a_log).shape != one || trace.info(bias).shape != one) {
        return;
      }
      trace::Replay replay(interp, trace);
      const mx::array x = random(shape_of(trace, a), 61, 2);
      const mx::array log = random(shape_of(trace, a_log), 62);
      const mx::array add = random(shape_of(trace, bias), 63);
      replay.replace(a, x);
      replay.replace(a_log, log);
      replay.replace(bias, add);
      if (relative_error(
              replay.compute(form.decay), -mx::exp(log) * softplus(x + add)) <
          kTolerance) {
        form.a = a;
        form.a_log = a_log;
        form.dt_bias = bias;
        return;
      }
    }
  }
}

}  // namespace

namespace {

/// The search, once for calls that are one function.
std::optional<GatedDelta> find_form(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Recurrence& recurrence) {
  // Values by their place among the inputs.
  static thread_local std::map<RecurrenceKey, std::optional<GatedDelta>> known;
  const auto& inputs = recurrence.call->inputs;
  const auto key = key_of(interp, trace, recurrence);
  auto it = known.find(key);
  if (it == known.end()) {
    auto found = DeltaSearch(interp, trace, flows, recurrence).run();
    if (found) {
      for (ValueId* id : roles_of(*found)) {
        *id = static_cast<ValueId>(
            std::find(inputs.begin(), inputs.end(), *id) - inputs.begin());
      }
    }
    it = known.emplace(key, found).first;
  }
  auto out = it->second;
  if (out) {
    for (ValueId* id : roles_of(*out)) {
      *id = inputs[*id];
    }
    out->output = recurrence.output;
  }
  return out;
}

}  // namespace

std::optional<GatedDelta> lift_gated_delta(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    const Recurrence& recurrence) {
  auto found = find_form(interp, trace, flows, recurrence);
  if (found) {
    try {
      lift_beta(interp, trace, flows, graph, *found);
      lift_decay(interp, trace, flows, graph, *found);
    } catch (const eval::PythonError&) {
    }
  }
  return found;
}

}  // namespace portwright::lift
