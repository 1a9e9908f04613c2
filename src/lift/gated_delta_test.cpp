#include "lift/gated_delta.h"

#include "lift/recurrence_test_base.h"

namespace portwright::lift {
namespace {

/// Token by token; NORMAL, SCALE and UPDATE are filled in.
constexpr const char* kRule =
    "def rule(q, k, v, g, beta, state):\n"
    "    q, k = q.repeat_interleave(3, 2), k.repeat_interleave(3, 2)\n"
    "    if state is None:\n"
    "        state = torch.zeros(v.shape[0], 3, 4, 5)\n"
    "    NORMAL\n"
    "    q = q * SCALE\n"
    "    outputs = []\n"
    "    for t in range(v.shape[1]):\n"
    "        state = state * g[:, t].exp()[..., None, None]\n"
    "        known = (state * k[:, t][..., None]).sum(-2)\n"
    "        delta = UPDATE\n"
    "        state = state + k[:, t][..., None] * delta[..., None, :]\n"
    "        outputs.append((state * q[:, t][..., None]).sum(-2))\n"
    "    return torch.stack(outputs, 1), state\n";

class GatedDeltaTest : public RecurrenceTest {
 protected:
  std::optional<GatedDelta> lift(
      const std::string& normal,
      const std::string& scale,
      const std::string& update,
      const std::string& beta = "self.b(x).sigmoid()") {
    std::string rule = kRule;
    rule.replace(rule.find("NORMAL"), 6, normal);
    rule.replace(rule.find("SCALE"), 5, scale);
    rule.replace(rule.find("UPDATE"), 6, update);
    record(
        rule,
        "        self.q, self.k = nn.Linear(6, 4), nn.Linear(6, 4)\n"
        "        self.v = nn.Linear(6, 15)\n"
        "        self.a, self.b = nn.Linear(6, 3), nn.Linear(6, 3)\n"
        "        self.decay = nn.Parameter(torch.ones(3))\n"
        "        self.add = nn.Parameter(torch.ones(3))\n",
        "        q = self.q(x).view(2, 7, 1, 4)\n"
        "        k = self.k(x).view(2, 7, 1, 4)\n"
        "        v = self.v(x).view(2, 7, 3, 5)\n"
        "        beta = " +
            beta +
            "\n"
            "        g = -self.decay.exp() * F.softplus(self.a(x) + self.add)\n"
            "        y, s = rule(q, k, v, g, beta, "
            "cache.get_recurrent_state())\n"
            "        cache.update_recurrent_state(s)\n"
            "        return y.flatten(2)\n");
    const auto found = recurrence();
    return found ? lift_gated_delta(interp_, *trace_, *flows_, graph_, *found)
                 : std::nullopt;
  }
};

constexpr const char* kUnit =
    "q, k = (y * torch.rsqrt((y * y).sum(-1, keepdim=True) + 1e-6) "
    "for y in (q, k))";
constexpr const char* kDelta = "(v[:, t] - known) * beta[:, t][..., None]";

TEST_F(GatedDeltaTest, KnowsTheRuleAndItsGates) {
  const auto found = lift(kUnit, "0.5", kDelta);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->unit);
  EXPECT_DOUBLE_EQ(found->eps, 1e-6);
  EXPECT_TRUE(found->scaled);
  EXPECT_EQ(trace_->info(found->a_log).parameter, "decay");
  EXPECT_EQ(trace_->info(found->dt_bias).parameter, "add");
  EXPECT_NE(found->b, 0u);
  EXPECT_FALSE(found->doubled);
}

TEST_F(GatedDeltaTest, KnowsItWithoutUnitVectors) {
  const auto found = lift("pass", "1.0", kDelta);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->unit);
  EXPECT_FALSE(found->scaled);
}

TEST_F(GatedDeltaTest, KnowsABetaUpToTwo) {
  const auto found = lift(kUnit, "0.5", kDelta, "self.b(x).sigmoid() * 2.0");
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->doubled);
}

TEST_F(GatedDeltaTest, LeavesAnotherBetaToItsOperations) {
  const auto found = lift(kUnit, "0.5", kDelta, "self.b(x).tanh()");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->b, 0u);
}

TEST_F(GatedDeltaTest, RefusesARuleWithoutTheDifference) {
  EXPECT_FALSE(lift(kUnit, "0.5", "v[:, t] * beta[:, t][..., None]"));
}

TEST_F(GatedDeltaTest, RefusesAnotherEps) {
  EXPECT_FALSE(lift(
      "q, k = (y * torch.rsqrt((y * y).sum(-1, keepdim=True) + 1e-4) "
      "for y in (q, k))",
      "0.5",
      kDelta));
}

}  // namespace
}  // namespace portwright::lift
