#include "lift/selective_scan.h"

#include "lift/recurrence_test_base.h"

namespace portwright::lift {
namespace {

class SelectiveScanTest : public RecurrenceTest {
 protected:
  std::optional<SelectiveScan> lift(const std::string& gated) {
    record(
        "def scan(x, dt, A, B, C, D, z, bias):\n"
        "    dt = F.softplus(dt + bias[:, None])\n"
        "    state = torch.zeros(x.shape[0], 4, 5)\n"
        "    outputs = []\n"
        "    for t in range(x.shape[-1]):\n"
        "        d = dt[..., t][..., None]\n"
        "        new = d * x[..., t][..., None] * B[..., t][:, None]\n"
        "        state = torch.exp(A * d) * state + new\n"
        "        outputs.append((state * C[..., t][:, None]).sum(-1))\n"
        "    y = torch.stack(outputs, -1) + D[:, None] * x\n"
        "    return " +
            gated + ", state\n",
        "        self.x, self.z = nn.Linear(6, 4), nn.Linear(6, 4)\n"
        "        self.dt = nn.Linear(6, 4)\n"
        "        self.b, self.c = nn.Linear(6, 5), nn.Linear(6, 5)\n"
        "        self.decay = nn.Parameter(torch.ones(4, 5))\n"
        "        self.skip = nn.Parameter(torch.ones(4))\n"
        "        self.add = nn.Parameter(torch.ones(4))\n",
        "        parts = [f(x).transpose(1, 2) for f in\n"
        "            (self.x, self.dt, self.b, self.c, self.z)]\n"
        "        y, s = scan(parts[0], parts[1], -torch.exp(self.decay), "
        "parts[2],\n"
        "            parts[3], self.skip, parts[4], self.add)\n"
        "        cache.update_recurrent_state(s)\n"
        "        return y.transpose(1, 2)\n");
    const auto found = recurrence();
    return found ? lift_selective_scan(interp_, *trace_, *flows_, *found)
                 : std::nullopt;
  }
};

TEST_F(SelectiveScanTest, KnowsAScanThatStartsAnew) {
  const auto found = lift("y * F.silu(z)");
  ASSERT_TRUE(found);
  EXPECT_EQ(trace_->info(found->a_log).parameter, "decay");
  EXPECT_EQ(trace_->info(found->d).parameter, "skip");
  EXPECT_EQ(trace_->info(found->dt_bias).parameter, "add");
}

TEST_F(SelectiveScanTest, RefusesAnotherGate) {
  EXPECT_FALSE(lift("y * torch.sigmoid(z)"));
}

}  // namespace
}  // namespace portwright::lift
