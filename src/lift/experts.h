#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/interpreter.h"
#include "lift/graph.h"

namespace portwright::lift {

/// Experts over stacked weights, summed by routing weight:
///   sum_k w[n,k] * last[e] act(first[e] x[n]),  e = index[n,k];
/// indices past the experts stand for x[n] itself.
struct Experts {
  /// One product of an expert: its weights stand in one parameter for all.
  struct Product {
    /// Parameter, (E, out, in) unless transposed. "experts.*.up.weight" where
    /// each expert is a module of a list.
    std::string weight;
    std::string bias;         // parameter (E, out), or ""
    bool transposed = false;  // (E, in, out)
    bool flat = false;        // held as (E * a, b)
    torch::Sizes sizes;       // (E, a, b), as it is held
    int inputs() const {
      return static_cast<int>(sizes[transposed ? 1 : 2]);
    }
    int outputs() const {
      return static_cast<int>(sizes[transposed ? 2 : 1]);
    }
  };
  enum class Activation {
    Swiglu,     // silu(gate) * up
    SwigluOai,  // (clip(up) + 1) * gate' * sigmoid(alpha gate'), both clipped
    Relu2,      // of what is not gated, from here
    Gelu,
    GeluApprox,
    Silu,
    Relu,
    Other,
  };
  enum class Gating {
    None,         // one first product, all of it activated
    Halves,       // gates and ups one after the other
    Interleaved,  // gate, up, gate, up, ...
    Separate,     // a product each
  };

  ValueId input = 0;           // (N, H), or (B, L, H)
  ValueId indices = 0;         // (N, K), integers; (N) where `single`
  ValueId weights = 0;         // (N, K), (N) where `single`; 0 for ones
  bool single = false;         // each row has one expert
  std::vector<Product> first;  // two when separate, the gate's first
  Product last;
  Gating gating = Gating::None;
  /// Which half is the gate; ups come first in some.
  bool ups_first = false;
  /// Of one expert, in the recording: what the first products give (the gate,
  /// or all), and what the last one takes.
  ValueId gate = 0, up = 0, hidden = 0;
  /// What is computed between them; alpha and limit are swiglu_oai's.
  Activation activation = Activation::Other;
  eval::Value alpha, limit;
  int experts = 0, hidden_size = 0, intermediate = 0;
  int identities = 0;  // indices past the experts
  /// Weights are (N, E): one for each expert, chosen or not.
  bool weighs_all = false;

  /// The list of modules that experts are; "" where parameters hold all.
  std::string list() const {
    const size_t star = last.weight.find(".*.");
    return star == std::string::npos ? "" : last.weight.substr(0, star);
  }
};

/// Recognises a module by how its recorded products use its parameters, and by
/// what it computes on random ones; the latter is left out where another
/// recording of the same statements has shown it (`shown`).
std::optional<Experts> lift_experts(
    eval::Interpreter& interp,
    const Trace& trace,
    const Frame& frame,
    bool shown = false);

}  // namespace portwright::lift
