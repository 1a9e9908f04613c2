#include "verify/checks/checks.h"
#include "verify/locate.h"

namespace portwright::verify {
namespace {

/// The port may divide its layers otherwise and still be right.
bool logits_agree(Session& session, const Scene& scene) {
  const auto difference =
      compare(*scene.candidate, "logits", *scene.reference, "logits");
  return difference && difference->relative <= session.logits_threshold();
}

Outcome<CheckResult> check_layers(Session& session) {
  if (session.candidate_layers().empty()) {
    return skipped("the layers of both sides could not be matched");
  }
  const auto scene = prefill_scene(session);
  if (!scene) {
    return tl::unexpected(scene.error());
  }
  const auto scan = scan_layers(session, *scene);
  if (!scan) {
    return tl::unexpected(scan.error());
  }
  auto out = passed();
  for (size_t i = 0; i < scan->fed.size(); ++i) {
    Difference difference;
    difference.relative = scan->fed[i];
    difference.position = scan->position[i];
    const bool before = out.status == Status::Fail;
    const bool good = judge(
        out,
        difference,
        session.layer_threshold(i),
        fmt::format("outputs of layer {}, fed torch's input,", i));
    if (!good && !before) {
      out.place.layer = static_cast<int>(i);
    }
  }
  out.series.push_back({"fed torch's input", "layer", scan->fed});
  out.series.push_back({"in sequence", "layer", scan->chained});
  if (out.status != Status::Fail) {
    return out;
  }
  if (logits_agree(session, *scene)) {
    out.status = Status::Warn;
    out.reason += "; the logits agree, so the port cuts its layers elsewhere";
    return out;
  }
  auto place = locate(session, *scene);
  if (!place) {
    return tl::unexpected(place.error());
  }
  out.place = *place;
  return out;
}

}  // namespace

Check layers_check() {
  Check out;
  out.name = "layers";
  out.about = "every decoder layer alone, fed the reference's own input";
  out.streams = true;
  out.run = check_layers;
  return out;
}

}  // namespace portwright::verify
