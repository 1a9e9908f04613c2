#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/interpreter.h"
#include "lift/rope.h"

namespace portwright::emit {

/// One set of rotary parameters of a config, by transformers' names.
struct RopeParameters {
  std::string type = "default";
  double theta = 10000;
  std::optional<double> factor, attention_factor, mscale, mscale_all_dim,
      beta_fast, beta_slow, low_freq_factor, high_freq_factor, partial;
  double original = 0;  // original_max_position_embeddings
  std::optional<bool> truncate;
  std::vector<double> short_factor, long_factor;
  double max_positions = 0;  // of the config

  /// Nothing when `parameters` is no such set.
  static std::optional<RopeParameters> read(
      const eval::Value& parameters,
      double max_positions);
};

/// What mlx-lm's initialize_rope turns by, where that does not depend on the
/// length of the sequence; nothing for types and options it does not know.
std::optional<lift::Rotation> shared_rotation(
    const RopeParameters& parameters,
    int dims);

/// What transformers turns by in a sequence of `length`, for the types that
/// rope_class() writes; nothing for others.
std::optional<lift::Rotation>
local_rotation(const RopeParameters& parameters, int dims, int length);

/// The length past which the rotation depends on it; 0 when it never does.
int rope_threshold(const RopeParameters& parameters);

/// A class of the emitted file that does one type as transformers does, where
/// mlx-lm's shared one does not: its name, its Python, and what it is made with
/// beside the keywords `base`, `traditional` and `max_position_embeddings`.
struct RopeClass {
  std::string name;
  std::string text;
  std::string arguments = "dims, scaling_config";
};
RopeClass rope_class(const std::string& type);

}  // namespace portwright::emit
