#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// What a class computed with the keys and values of its attention, where the
/// cache keeps one latent vector a token and a linear layer makes both of it:
///
///     k, v = split(linear(latent)); keys = [k, rotated]
///
/// A step with one token need not make them: queries are turned into latents,
/// and so are answers back, by the same weights. As mlx_lm has it, the layer
/// becomes two MultiLinear, embed_q (H, R, N) and unembed_out (H, V, R), and
/// the part of the scores that rotations make goes where the mask goes.
///
/// Every line of `text` that computes keys or values has to be one that is
/// understood; else nothing is changed. Masks have to be arrays then.
std::optional<Latent> keep_latents(ClassText& text);

template <typename T>
void add_unknown(std::vector<T>& items, const T& item) {
  if (std::find(items.begin(), items.end(), item) == items.end()) {
    items.push_back(item);
  }
}

/// The statements of sanitize() that cut such a layer's weights (H (N + V), R).
std::string latent_code(const std::vector<Latent>& latents);

}  // namespace portwright::emit
