#include "emit/members.h"

#include <gmock/gmock.h>

namespace portwright::emit {
namespace {

TEST(Members, ListsHoldWhatIsNumbered) {
  Members members;
  EXPECT_EQ(members.put("mlp.0", "nn.Linear(4, 8)"), "self.mlp[0]");
  EXPECT_EQ(members.put("mlp.2", "nn.Linear(8, 4)"), "self.mlp[2]");
  EXPECT_EQ(
      members.texts().at("mlp"),
      "[nn.Linear(4, 8), nn.Identity(), nn.Linear(8, 4)]");
}

TEST(Members, DictionariesHoldWhatIsNamed) {
  Members members;
  EXPECT_EQ(
      members.put("heads.main.0", "nn.Linear(4, 8)"),
      "self.heads[\"main\"][0]");
  EXPECT_EQ(members.texts().at("heads"), "{\"main\": [nn.Linear(4, 8)]}");
}

}  // namespace
}  // namespace portwright::emit
