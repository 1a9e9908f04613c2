#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

Outcome<CheckResult> check_deepcopy(Session& session) {
  const auto whole = session.candidate_prefill();
  if (!whole) {
    return tl::unexpected(whole.error());
  }
  const auto copy = session.candidate().tensors(
      "deepcopied", {{"ids", {session.plan().ids}}});
  if (!copy) {
    return tl::unexpected(copy.error());
  }
  auto out = passed();
  judge(
      out,
      copy->find("logits"),
      (*whole)->find("logits"),
      session.logits_threshold(),
      "logits of a deep copy of the model");
  return out;
}

}  // namespace

Check deepcopy_check() {
  Check out;
  out.name = "deepcopy";
  out.about = "a deep copy of the model computes the same";
  out.copies = 3;
  out.run = check_deepcopy;
  return out;
}

}  // namespace portwright::verify
