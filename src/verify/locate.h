#pragma once

#include <string>
#include <vector>

#include "verify/results.h"
#include "verify/session.h"

namespace portwright::verify {

/// One evaluation that both sides made with every module captured: the prefill
/// (prefix ""), one step of a cached decode ("step3/"), or a piece of its
/// prompt ("chunk2/").
struct Scene {
  RunRequest request;
  std::string prefix;
  const Run* reference = nullptr;
  const Run* candidate = nullptr;
  /// Prefixes of what the same run evaluated before. A module is fed there too,
  /// so that its cache holds what it should.
  std::vector<std::string> before;
  /// What may differ where that is more than the noise of the logits.
  double allowed = 0;

  /// `before` and `prefix`.
  std::vector<std::string> prefixes() const;
  double limit(Session& session) const;
};

/// What a run evaluates, in order, as prefixes of its keys.
std::vector<std::string> evaluations(const RunRequest& request);

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

/// The same for a run of its own: a prompt, at once or in pieces of
/// `request.chunk`, then cached single steps. In the first evaluation that is
/// plainly wrong although all before it was given what torch's was; an empty
/// place where none is.
Outcome<Place>
locate_in_run(Session& session, RunRequest request, double allowed = 0);

/// Puts into `result`, which failed by that run, where it goes wrong. Its
/// position stays.
Outcome<void> name_place(
    Session& session,
    const RunRequest& request,
    CheckResult& result,
    double allowed = 0);

}  // namespace portwright::verify
