#pragma once

#include <string>
#include <vector>

#include "verify/results.h"
#include "verify/session.h"

namespace portwright::verify {

/// One evaluation that both sides made with every module captured: the prefill
/// (prefix ""), or one step of a cached decode ("step3/").
struct Scene {
  RunRequest request;
  std::string prefix;
  const Run* reference = nullptr;
  const Run* candidate = nullptr;
};

Outcome<Scene> prefill_scene(Session& session);
Outcome<Scene> decode_scene(Session& session, int step);

struct LayerScan {
  /// Error of each layer's output when it is fed torch's input, and when it is
  /// fed what the port's previous layers made. Infinity: not comparable.
  std::vector<double> fed;
  std::vector<double> chained;
  std::vector<int64_t> position;
};

/// Feeds every decoder layer torch's own input, so that errors do not add up.
Outcome<LayerScan> scan_layers(Session& session, const Scene& scene);

/// The deepest module that is wrong while everything it calls is right, given
/// that the scene differs: in the first failing layer, else before or after
/// the layers.
Outcome<Place> locate(Session& session, const Scene& scene);

}  // namespace portwright::verify
