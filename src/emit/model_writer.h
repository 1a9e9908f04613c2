#pragma once

#include "emit/module_writer.h"

namespace portwright::emit {

/// The frames that play the model's roles, found by shape: the chained layers,
/// the frame around them, and the causal LM around that.
struct Roles {
  const Frame* root = nullptr;
  const Frame* backbone = nullptr;
  std::string layers;  // attribute of the backbone: "layers", "h"
  std::vector<const Frame*> layer_frames;  // in order
};

Roles find_roles(Context& context);

/// The kinds of mask the layers read, by layer: "full", "sliding", ...
struct Masks {
  std::vector<std::string> kinds;  // one per layer
  bool any_sliding = false;
  bool any_full = false;
};

Masks find_masks(Context& context, const Roles& roles);

/// Writes the backbone and the causal LM; the classes of the layers come
/// before them in `context.classes`.
void write_model(Context& context);

}  // namespace portwright::emit
