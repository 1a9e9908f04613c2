#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

bool judge_run(
    CheckResult& out,
    Session& session,
    const Run& own,
    const Run& torch,
    const std::string& what) {
  return judge(
      out,
      own.find("logits"),
      torch.find("logits"),
      session.logits_threshold(),
      what);
}

Outcome<CheckResult> check_evaluator(Session& session) {
  Party* evaluator = session.third();
  if (!evaluator) {
    return skipped("the source is not evaluated natively here");
  }
  const auto prefill = session.reference_prefill();
  const auto decode = session.reference_decode();
  if (!prefill || !decode) {
    return tl::unexpected((prefill ? decode : prefill).error());
  }
  auto out = passed();
  const auto& plan = session.plan();
  const auto whole = evaluator->run({{plan.ids}, 0, 0, ""});
  const auto steps = evaluator->run({{plan.ids}, plan.prefill, 0, ""});
  if (!whole || !steps) {
    const auto& trouble = (whole ? steps : whole).error();
    return warned("the source could not be evaluated: " + trouble.message);
  }
  if (judge_run(out, session, *whole, **prefill, "evaluated prefill")) {
    judge_run(out, session, *steps, **decode, "evaluated single steps");
  }
  // The port is judged by its own checks; this one is about what it was
  // written from.
  return out;
}

}  // namespace

Check evaluator_check() {
  Check out;
  out.name = "evaluator";
  out.about = "the source, evaluated natively, computes what torch does";
  out.quick = true;
  out.copies = 3;
  out.run = check_evaluator;
  return out;
}

}  // namespace portwright::verify
