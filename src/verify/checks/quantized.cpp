#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

Outcome<CheckResult> check_quantized(Session& session) {
  const auto& plan = session.plan();
  auto out = passed();
  for (const int bits : {8, 4}) {
    json facts;
    const auto port = session.candidate().tensors(
        "quantized",
        {{"ids", {plan.ids}}, {"prefill", plan.prefill}, {"bits", bits}},
        &facts);
    if (!port) {
      return tl::unexpected(port.error());
    }
    if (facts.value("modules", 0) == 0) {
      return skipped("no matrix is wide enough for a group of 32");
    }
    const auto quantized = port->find("quantized");
    // The rounding is the same on both sides: only arithmetic may differ.
    judge(
        out,
        quantized,
        port->find("rounded"),
        session.logits_threshold(),
        fmt::format(
            "logits at {} bits and those of the rounded weights", bits));
    judge(
        out,
        port->find("reloaded"),
        quantized,
        session.logits_threshold(),
        fmt::format("logits at {} bits, saved and loaded again,", bits));
    const auto unreached = facts.value("unreached", std::vector<std::string>());
    if (!unreached.empty() && out.status == Status::Pass) {
      out = warned(fmt::format(
          "quantization does not reach {}", fmt::join(unreached, ", ")));
      out.place.tensor = unreached.front();
    }
  }
  return out;
}

}  // namespace

Check quantized_check() {
  Check out;
  out.name = "quantized";
  out.about =
      "8 and 4 bits by the port's own predicate cost what rounding the weights "
      "costs, every large matrix is reached, and the result loads again";
  out.copies = 5;
  out.run = check_quantized;
  return out;
}

}  // namespace portwright::verify
