#include "verify/steps.h"

#include <gtest/gtest.h>

namespace portwright::verify {
namespace {

Array steps(float last) {
  Array out;
  out.shape = {1, 2, 2};
  out.values = {1, 2, 3, last};
  return out;
}

/// A reference whose steps end in 4.1, and whose forward over all tokens in 4.
Steps contradicting() {
  return {steps(4.1f), steps(4), 0.024};
}

TEST(JudgeSteps, PassesWhatTheReferenceSteps) {
  auto result = passed();
  EXPECT_TRUE(judge_steps(result, steps(4.1f), contradicting(), 1e-5, "steps"));
  EXPECT_EQ(result.status, Status::Pass);
}

TEST(JudgeSteps, WarnsOfAReferenceThatContradictsItself) {
  auto result = passed();
  EXPECT_TRUE(judge_steps(result, steps(4), contradicting(), 1e-5, "steps"));
  EXPECT_EQ(result.status, Status::Warn);
  EXPECT_EQ(
      result.reason,
      "torch's own cached steps differ from its prefill by 2.4e-02; the port's "
      "steps are as the prefill");
}

TEST(JudgeSteps, FailsWhatIsNeither) {
  auto result = passed();
  EXPECT_FALSE(
      judge_steps(result, steps(4.2f), contradicting(), 1e-5, "steps"));
  EXPECT_EQ(result.status, Status::Fail);
  const Steps sure{steps(4.1f), std::nullopt, 0};
  auto other = passed();
  EXPECT_FALSE(judge_steps(other, steps(4), sure, 1e-5, "steps"));
  EXPECT_EQ(other.status, Status::Fail);
}

}  // namespace
}  // namespace portwright::verify
