#include "lift/selective_scan.h"

#include "lift/parameters.h"
#include "lift/proof.h"

namespace portwright::lift {

namespace {

struct ScanRoles {
  size_t x, dt, z, b, c, a, d, dt_bias;
};

/// x[:, :, t] of (B, C, L).
/// Token by token, as the definition says; `a` is -exp(a_log).
Recurrence::Answer scan_steps(
    const ScanRoles& r,
    const std::vector<mx::array>& given,
    std::optional<mx::array> state) {
  const mx::array &x = given[r.x], &a = given[r.a], &z = given[r.z];
  const auto column = [](const mx::array& v) {
    return mx::reshape(v, {1, -1, 1});
  };
  const mx::array dt =
      mx::logaddexp(given[r.dt] + column(given[r.dt_bias]), mx::array(0.0f));
  mx::array s = state.value_or(
      mx::zeros({x.shape(0), a.shape(0), a.shape(1)}, mx::float32));
  std::vector<mx::array> outputs;
  for (int t = 0; t < x.shape(2); ++t) {
    const mx::array step = mx::expand_dims(token(dt, t, 2), -1);
    s = s * mx::exp(step * mx::expand_dims(a, 0)) +
        step * mx::expand_dims(token(x, t, 2), -1) *
            mx::expand_dims(token(given[r.b], t, 2), 1);
    outputs.push_back(
        mx::sum(s * mx::expand_dims(token(given[r.c], t, 2), 1), -1));
  }
  const mx::array y = mx::stack(outputs, 2) + column(given[r.d]) * x;
  return {y * z * mx::sigmoid(z), s};
}

class ScanSearch {
 public:
  ScanSearch(
      eval::Interpreter& interp,
      const Trace& trace,
      const Flows& flows,
      const Recurrence& recurrence)
      : interp_(interp),
        trace_(trace),
        flows_(flows),
        recurrence_(recurrence),
        inputs_(recurrence.call->inputs) {}

  std::optional<SelectiveScan> run() {
    std::vector<size_t> wide, narrow, vectors, matrices;
    const auto& output = trace_.info(recurrence_.output).shape;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const auto rank = shape(i).size();
      if (recurrence_.state == i) {
        continue;
      }
      const bool data = flows_.of(inputs_[i]) == Flow::Data;
      (data        ? (shape(i) == output ? wide : narrow)
       : rank == 1 ? vectors
                   : matrices)
          .push_back(i);
    }
    if (wide.size() != 3 || narrow.size() != 2 || vectors.size() != 2 ||
        matrices.size() != 1 || output.size() != 3 ||
        shape(narrow[0]) != shape(narrow[1]) || shape(narrow[0]).size() != 3 ||
        shape(matrices[0]) != torch::Sizes{output[1], shape(narrow[0])[1]}) {
      return {};
    }
    do {
      do {
        do {
          const ScanRoles r{
              wide[0],
              wide[1],
              wide[2],
              narrow[0],
              narrow[1],
              matrices[0],
              vectors[0],
              vectors[1]};
          if (agrees(r, 3) && agrees(r, 1) && agrees(r, 9)) {
            return form(r);
          }
        } while (std::next_permutation(vectors.begin(), vectors.end()));
      } while (std::next_permutation(narrow.begin(), narrow.end()));
    } while (std::next_permutation(wide.begin(), wide.end()));
    return {};
  }

 private:
  const torch::Sizes& shape(size_t i) const {
    return trace_.info(inputs_[i]).shape;
  }

  std::optional<SelectiveScan> form(const ScanRoles& r) {
    SelectiveScan out;
    out.x = inputs_[r.x];
    out.dt = inputs_[r.dt];
    out.gate = inputs_[r.z];
    out.b = inputs_[r.b];
    out.c = inputs_[r.c];
    out.a_log = negative_exponential(interp_, trace_, inputs_[r.a]);
    out.d = same_parameter(interp_, trace_, inputs_[r.d]);
    out.dt_bias = same_parameter(interp_, trace_, inputs_[r.dt_bias]);
    out.output = recurrence_.output;
    return out.a_log && out.d && out.dt_bias ? std::optional(out)
                                             : std::nullopt;
  }

  bool agrees(const ScanRoles& r, int length) {
    return agrees(r, length, false) &&
           (recurrence_.state == Recurrence::kNone || agrees(r, length, true));
  }

  bool agrees(const ScanRoles& r, int length, bool with_state) {
    std::vector<mx::array> given;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      mx::Shape sizes(shape(i).begin(), shape(i).end());
      if (flows_.of(inputs_[i]) == Flow::Data && i != recurrence_.state) {
        sizes[2] = length;
      }
      mx::array v = random(sizes, 91 + i);
      given.push_back(i == r.a ? -mx::exp(v) : v);
    }
    return recurrence_.follows(
        interp_, given, with_state, [&](const auto& state) {
          return scan_steps(r, given, state);
        });
  }

  eval::Interpreter& interp_;
  const Trace& trace_;
  const Flows& flows_;
  const Recurrence& recurrence_;
  const std::vector<ValueId>& inputs_;
};

}  // namespace

std::optional<SelectiveScan> lift_selective_scan(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Recurrence& recurrence) {
  try {
    return ScanSearch(interp, trace, flows, recurrence).run();
  } catch (const eval::PythonError&) {
    return {};
  }
}

}  // namespace portwright::lift
