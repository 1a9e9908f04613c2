#include "emit/short_names.h"

#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

ClassText attention(std::vector<std::string> init) {
  ClassText text;
  text.name = "Attention";
  text.init_params = {"args: ModelArgs"};
  text.init = std::move(init);
  return text;
}

constexpr const char* kQueries =
    "self.q_proj = nn.Linear(args.hidden_size, args.num_attention_heads * "
    "args.head_dim, bias=False)";
constexpr const char* kKeys =
    "self.k_proj = nn.Linear(args.hidden_size, args.num_attention_heads * "
    "args.head_dim, bias=True)";

TEST(ShortNames, NamesWhatMakesLinesFit) {
  ClassText text =
      attention({"self.heads = args.num_attention_heads", kQueries, kKeys});
  use_short_names(text);
  const std::vector<std::string> expected = {
      "self.heads = heads = args.num_attention_heads",
      "self.q_proj = nn.Linear(args.hidden_size, heads * args.head_dim, "
      "bias=False)",
      "self.k_proj = nn.Linear(args.hidden_size, heads * args.head_dim, "
      "bias=True)"};
  EXPECT_EQ(text.init, expected);
}

TEST(ShortNames, LeavesWhatFits) {
  ClassText text = attention(
      {"self.a = nn.Linear(args.hidden_size, 8)",
       "self.b = nn.Linear(8, args.hidden_size)"});
  const auto before = text.init;
  use_short_names(text);
  EXPECT_EQ(text.init, before);
}

TEST(ShortNames, TakesNoNameThatIsTaken) {
  ClassText text = attention({kQueries, kKeys, "self.scale = dim**-0.5"});
  text.init_params.push_back("n_heads: int");
  use_short_names(text);
  for (const auto& line : text.init) {
    EXPECT_EQ(line.find("n_heads ="), std::string::npos) << line;
    EXPECT_FALSE(line.starts_with("dim =")) << line;
  }
}

}  // namespace
}  // namespace portwright::emit
