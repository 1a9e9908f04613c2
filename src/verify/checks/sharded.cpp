#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

Outcome<CheckResult> check_sharded(Session& session) {
  const auto& plan = session.plan();
  json request = {{"ids", {plan.ids}}, {"prefill", plan.prefill}};
  if (session.subject().port) {
    request["port"] = session.subject().port->string();
  }
  request["model"] = session.candidate().selected();
  const auto file = session.scratch() / "sharded.safetensors";
  request["out"] = file.string();
  const auto answer = session.candidate().request("sharded", request);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (!answer->value("sharded", false)) {
    return skipped("the port has no shard()");
  }
  const auto port = Run::open(file.string());
  if (!port) {
    return tl::unexpected(port.error());
  }
  const auto whole = session.reference_decode();
  if (!whole) {
    return tl::unexpected(whole.error());
  }
  auto out = passed();
  judge(
      out,
      port->find("logits"),
      (*whole)->find("logits"),
      session.logits_threshold(),
      "a prefill and steps on two processes");
  return out;
}

}  // namespace

Check sharded_check() {
  Check out;
  out.name = "sharded";
  out.about = "two processes of mlx.launch compute together what torch does";
  out.full_only = true;
  out.run = check_sharded;
  return out;
}

}  // namespace portwright::verify
