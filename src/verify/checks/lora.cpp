#include <cmath>

#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

constexpr int kTrainingSteps = 4;

Outcome<CheckResult> check_lora(Session& session) {
  const auto& plan = session.plan();
  const auto report = session.candidate().request(
      "lora",
      {{"model", "model"}, {"ids", {plan.ids}}, {"steps", kTrainingSteps}});
  if (!report) {
    return tl::unexpected(report.error());
  }
  const auto losses = report->value("losses", nlohmann::json::array());
  if (report->value("adapters", 0) == 0) {
    return failed("mlx_lm's tuner finds no layer to adapt");
  }
  for (const auto& loss : losses) {
    if (!loss.is_number()) {
      return failed("the loss of a training step is not a finite number");
    }
  }
  const auto unmoved = report->value("unmoved", std::vector<std::string>());
  const double first = losses.front().get<double>();
  const double last = losses.back().get<double>();
  if (!(last < first)) {
    return failed(fmt::format(
        "{} training steps take the loss from {:.4f} to {:.4f}",
        kTrainingSteps,
        first,
        last));
  }
  if (!unmoved.empty()) {
    auto out = warned(fmt::format(
        "no gradient reaches {}{}",
        unmoved.front(),
        unmoved.size() > 1 ? fmt::format(" and {} more", unmoved.size() - 1)
                           : ""));
    out.place.tensor = unmoved.front();
    return out;
  }
  return passed();
}

}  // namespace

Check lora_check() {
  Check out;
  out.name = "lora";
  out.about =
      "training steps of mlx_lm's tuner move adapters and lower the loss";
  out.full_only = true;
  out.copies = 4;
  out.run = check_lora;
  return out;
}

}  // namespace portwright::verify
