#pragma once

#include <optional>
#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// Parameters that the file holds in a layer: sanitize() moves them there. The
/// key it reads is gone afterwards, so that a second time changes nothing.
struct MovedWeights {
  std::string from, to;          // the ends of keys: "weight", "linear.weight"
  bool swapped = false;          // the source has the rows of the inputs
  std::set<std::string> owners;  // attributes that hold such a module
};

/// Matrices that classes of the file hold as bare parameters, put into layers
/// that nn.quantize reaches: `x @ w` with a row for each input into nn.Linear,
/// products of stacked matrices into MultiLinear, the rows of the model's
/// embedding into nn.Embedding. What computes with states is left alone, and so
/// are routers, whose matrices have a row for each expert. `drafts`: where the
/// modules lie.
std::vector<MovedWeights> hold_matrices(
    Context& context,
    const std::vector<Context*>& drafts);

/// The layer that holds a parameter of a class now.
struct HeldMatrix {
  std::string layer;
  std::string bias;  // a parameter that it holds too; "" without
  bool swapped = false;
  bool stacked = false;
};

/// Puts one parameter into a layer where every statement of the forward lets
/// that be; else nothing is changed. `is_embedding`: of the model's tokens.
std::optional<HeldMatrix>
hold_in_layer(ClassText& c, const std::string& parameter, bool is_embedding);

/// The statements of sanitize() for them.
std::string moving_code(const std::vector<MovedWeights>& moved);

}  // namespace portwright::emit
