#include "emit/perturbation.h"

#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

TEST(Perturbation, ChangesSharesByTheFactorItIsGiven) {
  const nlohmann::json config{
      {"head_dim", 32}, {"share", 0.25}, {"eps", 1e-5}, {"scale", 4.0}};
  EXPECT_EQ(perturbed(config).front()["share"], 0.265625);
  const auto numbers = perturbed(config, "", 1.25).front();
  EXPECT_EQ(numbers["share"], 0.3125);
  EXPECT_EQ(numbers["head_dim"], 64);
  EXPECT_EQ(numbers["scale"], 4.25);
  EXPECT_NE(numbers["eps"], config["eps"]);
}

TEST(Perturbation, ChangesSizesWhereWhatTellsLayersApartMustStay) {
  const nlohmann::json config{{"far_every", 3}, {"size", 8}};
  const auto numbers = perturbed(config, "", 1.25, {"far_every"});
  EXPECT_EQ(numbers.front()["far_every"], 6);
  EXPECT_TRUE(
      std::any_of(numbers.begin(), numbers.end(), [](const auto& other) {
        return other["far_every"] == 3 && other["size"] == 16;
      }));
}

TEST(Perturbation, ChangesWhatAHeadHasOfAWidth) {
  const nlohmann::json config{{"hidden_size", 96}, {"heads", 6}};
  const auto numbers = perturbed(config).front();
  EXPECT_NE(
      numbers["hidden_size"].get<int>() / numbers["heads"].get<int>(), 96 / 6);
  // Where a source wants all sizes to grow alike, the next is tried.
  EXPECT_EQ(perturbed(config)[1]["hidden_size"], 192);
}

TEST(Perturbation, TellsSizesApartThatHappenToBeTheSame) {
  const nlohmann::json config{
      {"hidden_size", 64},
      {"moe_intermediate_size", 64},
      {"intermediate_size", 96},
      {"heads", 4},
      {"kv_heads", 4}};
  const auto fields = ties(config);
  EXPECT_EQ(fields, std::vector<std::string>{"moe_intermediate_size"});
  const auto numbers = untied(config, fields);
  EXPECT_NE(numbers["hidden_size"], numbers["moe_intermediate_size"]);
}

TEST(Perturbation, TiesNoOtherSizesBySettingSomeApart) {
  const nlohmann::json config{
      {"hidden_size", 96},
      {"max_position_embeddings", 64},
      {"moe_intermediate_size", 64}};
  const auto numbers = untied(config, ties(config));
  EXPECT_EQ(ties(numbers), std::vector<std::string>{});
}

TEST(Perturbation, LeavesTheFieldThatIsKept) {
  const nlohmann::json config{{"steps", 3}, {"size", 8}};
  EXPECT_EQ(perturbed(config, "steps").front()["steps"], 3);
  EXPECT_EQ(perturbed(config, "steps").front()["size"], 16);
}

TEST(Perturbation, DeepensAllThatMayCountLayersAndEachAlone) {
  const nlohmann::json config{
      {"n_layer", 3},
      {"num_hidden_layers", 3},
      {"layers_per_group", 2},
      {"use_layer_norm", true},
      {"size", 8}};
  const auto deeper = deepened(config);
  ASSERT_EQ(deeper.size(), 4);
  EXPECT_EQ(deeper[0]["n_layer"], 6);
  EXPECT_EQ(deeper[0]["num_hidden_layers"], 6);
  EXPECT_EQ(deeper[0]["layers_per_group"], 4);
  EXPECT_EQ(deeper[0]["size"], 8);
  EXPECT_EQ(deeper[1]["layers_per_group"], 4);
  EXPECT_EQ(deeper[1]["n_layer"], 3);
  EXPECT_EQ(deeper[2]["n_layer"], 6);
  EXPECT_EQ(deeper[2]["num_hidden_layers"], 6);  // the library counts along
  EXPECT_TRUE(deepened({{"size", 8}}).empty());
}

TEST(Perturbation, DoublesTheSizesAskedFor) {
  const nlohmann::json config{
      {"hidden_size", 8}, {"num_layers", 2}, {"scale", 0.5}, {"top_k", 1}};
  EXPECT_EQ(sizes(config), (std::vector<std::string>{"hidden_size", "top_k"}));
  EXPECT_EQ(doubled(config, {"hidden_size"})["hidden_size"], 16);
  EXPECT_EQ(doubled(config, {"hidden_size"})["top_k"], 1);
}

}  // namespace
}  // namespace portwright::emit
