#include "emit/group_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

using testing::ElementsAre;

std::vector<std::string> lines() {
  return {
      "s = mx.sigmoid(self.gate(x))",
      "y = mx.topk(s.reshape(-1, self.n_group, self.each), 2, axis=-1)",
      "ranks = y.sum(axis=-1)",
      "inds = mx.stop_gradient(mx.argpartition(-ranks, kth=self.k - 1, "
      "axis=-1)[..., :self.k])",
      "mask = mx.repeat(mx.put_along_axis(mx.zeros(ranks.shape, ranks.dtype), "
      "inds, mx.array(1), axis=1), self.each, axis=-1)",
      "s2 = mx.where(mask.astype(mx.bool_), s, -mx.inf)",
      "inds2 = mx.argpartition(-s2, kth=3, axis=-1)[..., :4]",
      "return inds2"};
}

std::vector<std::string> rewritten(std::vector<std::string> call) {
  ClassText c;
  c.call = std::move(call);
  write_to_other_groups(c);
  return c.call;
}

TEST(GroupChoice, ScoresOfOtherGroupsAreOverwritten) {
  EXPECT_THAT(
      rewritten(lines()),
      ElementsAre(
          "s = mx.sigmoid(self.gate(x))",
          "grouped = s.reshape(-1, self.n_group, self.each)",
          "y = mx.topk(grouped, 2, axis=-1)",
          "ranks = y.sum(axis=-1)",
          "group_idx = mx.stop_gradient(mx.argpartition(-ranks, kth=self.k - "
          "1, axis=-1)[..., self.k:])",
          "s2 = mx.put_along_axis(grouped, group_idx[..., None], "
          "mx.array(-mx.inf), axis=1).reshape(s.shape)",
          "inds = mx.argpartition(-s2, kth=3, axis=-1)[..., :4]",
          "return inds"));
}

TEST(GroupChoice, AMaskThatIsReadElsewhereStays) {
  auto call = lines();
  call.back() = "return inds2, mask";
  EXPECT_EQ(rewritten(call), call);
}

TEST(GroupChoice, GroupsOfAnotherSizeAreAnother) {
  auto call = lines();
  call[4].replace(call[4].find("self.each"), 9, "self.some");
  EXPECT_EQ(rewritten(call), call);
}

TEST(GroupChoice, AChoiceInABranchIsWrittenThere) {
  std::vector<std::string> call{"if self.k > 0:"};
  for (const auto& line : lines()) {
    call.push_back("    " + line);
  }
  const auto out = rewritten(call);
  EXPECT_EQ(out[2], "    grouped = s.reshape(-1, self.n_group, self.each)");
  EXPECT_EQ(out.size(), call.size());
}

}  // namespace
}  // namespace portwright::emit
