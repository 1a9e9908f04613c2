#include "cli/switches.h"

#include <gtest/gtest.h>

namespace portwright::cli {
namespace {

const char* const kFile = R"(class ModelArgs(BaseModelArgs):
    bias: bool = False
    mlp_bias: Optional[bool] = True
    unread: bool = False
    size: int = 3

class MLP(nn.Module):
    def __init__(self, args: ModelArgs):
        self.up = nn.Linear(args.size, args.size, bias=args.mlp_bias)
        self.out = nn.Linear(args.size, args.size, bias=args.bias)
        self.unread_too = args.unread_too
)";

TEST(Switches, AreWhatClassesReadOfFieldsThatAreTrueOrFalse) {
  const auto found = switches_of(kFile, nlohmann::json::object());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].field, "bias");
  EXPECT_FALSE(found[0].value);
  EXPECT_EQ(found[1].field, "mlp_bias");
  EXPECT_TRUE(found[1].value);
}

TEST(Switches, StandAsTheConfigHasThem) {
  const auto found =
      switches_of(kFile, {{"bias", true}, {"mlp_bias", nullptr}});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].value);
}

}  // namespace
}  // namespace portwright::cli
