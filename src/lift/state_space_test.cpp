#include "lift/state_space.h"

#include "lift/recurrence_test_base.h"

namespace portwright::lift {
namespace {

class StateSpaceTest : public RecurrenceTest {
 protected:
  std::optional<StateSpace> lift(
      const std::string& step,
      const std::string& decay = "-torch.exp(self.decay)",
      const std::string& skip = "self.skip",
      const std::string& state = "cache.get_recurrent_state()") {
    record(
        "def scan(x, dt, A, B, C, D, bias, limits, state):\n"
        "    B, C = B.repeat_interleave(3, 2), C.repeat_interleave(3, 2)\n"
        "    if state is None:\n"
        "        state = torch.zeros(x.shape[0], 3, 4, 5)\n"
        "    dt = F.softplus(dt + bias)\n" +
            step +
            "    outputs = []\n"
            "    for t in range(x.shape[1]):\n"
            "        d = dt[:, t][..., None, None]\n"
            "        new = d * x[:, t][..., None] * B[:, t][:, :, None]\n"
            "        state = state * torch.exp(A[:, None, None] * d) + new\n"
            "        y = (state * C[:, t][:, :, None]).sum(-1)\n"
            "        outputs.append(y + D[:, None] * x[:, t])\n"
            "    return torch.stack(outputs, 1), state\n",
        "        self.x, self.dt = nn.Linear(6, 12), nn.Linear(6, 3)\n"
        "        self.b, self.c = nn.Linear(6, 5), nn.Linear(6, 5)\n"
        "        self.decay = nn.Parameter(torch.ones(3))\n"
        "        self.skip = nn.Parameter(torch.ones(3))\n"
        "        self.add = nn.Parameter(torch.ones(3))\n",
        "        y, s = scan(self.x(x).view(2, 7, 3, 4), self.dt(x), " + decay +
            ",\n"
            "            self.b(x).view(2, 7, 1, 5), self.c(x).view(2, 7, 1, "
            "5),\n            " +
            skip + ", self.add, (0.5, 2.0), " + state +
            ")\n"
            "        cache.update_recurrent_state(s)\n"
            "        return y.flatten(2)\n");
    const auto found = recurrence();
    return found ? lift_state_space(interp_, *trace_, *flows_, *found)
                 : std::nullopt;
  }
};

constexpr const char* kClamped = "    dt = torch.clamp(dt, *limits)\n";

TEST_F(StateSpaceTest, KnowsItsParametersByWhatTheyDo) {
  const auto found = lift(kClamped);
  ASSERT_TRUE(found);
  EXPECT_EQ(trace_->info(found->a_log).parameter, "decay");
  EXPECT_EQ(trace_->info(found->d).parameter, "skip");
  EXPECT_EQ(trace_->info(found->dt_bias).parameter, "add");
  EXPECT_TRUE(found->limits.defined());
}

TEST_F(StateSpaceTest, KnowsThatNothingIsClamped) {
  const auto found = lift("");
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->limits.defined());
}

TEST_F(StateSpaceTest, RefusesAnotherClamp) {
  EXPECT_FALSE(lift("    dt = torch.clamp(dt, min=0.5)\n"));
}

TEST_F(StateSpaceTest, TakesADecayThatIsNoExponential) {
  const auto found = lift(kClamped, "-F.softplus(self.decay)");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->a_log, 0u);
  EXPECT_EQ(trace_->info(found->a).producer->op->name, "neg");
}

TEST_F(StateSpaceTest, TakesASkipThatIsComputed) {
  const auto found =
      lift(kClamped, "-torch.exp(self.decay)", "0.5 * self.skip");
  ASSERT_TRUE(found);
  EXPECT_EQ(trace_->info(found->d).producer->op->name, "mul");
}

TEST_F(StateSpaceTest, RefusesWhatStartsAnew) {
  EXPECT_FALSE(lift(
      kClamped,
      "-torch.exp(self.decay)",
      "self.skip",
      "torch.zeros(2, 3, 4, 5)"));
}

}  // namespace
}  // namespace portwright::lift
