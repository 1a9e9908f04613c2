#pragma once

#include <optional>
#include <string>
#include <vector>

#include "verify/session.h"

namespace portwright::verify {

/// Modules that choose experts, given inputs so small that all their scores are
/// nearly equal: only in float32 can they be told apart.
struct NearScores {
  std::vector<std::string> paths;
  /// "tiny0/in:PATH", and the experts chosen: "tiny0/routes:PATH" in bfloat16,
  /// "tiny0/exactly:PATH" in float32 on the same inputs and weights.
  Run torch;
  /// The port in float32 and in bfloat16, given the same.
  Run wide, port;
};

/// torch's, and the port's as it is selected, in float32.
Outcome<NearScores> near_scores(Session& session);

/// The port's, as it is selected.
Outcome<Run> run_near_scores(Session& session, const NearScores& near);

/// Tokens that the port sends elsewhere in bfloat16, of those that torch sends
/// alike in both dtypes, and the port in float32.
struct Rerouted {
  int64_t tokens = 0;
  int64_t differing = 0;
  std::string path;

  /// More than products explain that are rounded otherwise: a few scores trade
  /// places in sound ports too.
  bool is_many() const {
    return static_cast<double>(differing) > 0.25 * static_cast<double>(tokens);
  }
};

/// The first module that sends many of them elsewhere.
std::optional<Rerouted> find_rerouted(const NearScores& near);

}  // namespace portwright::verify
