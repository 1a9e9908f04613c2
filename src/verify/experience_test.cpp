#include "verify/experience.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portwright::verify {
namespace {

using nlohmann::json;
using testing::HasSubstr;

Experience with(const json& ports) {
  auto out = Experience::from_json({{"version", 1}, {"ports", ports}});
  EXPECT_TRUE(out) << out.error().message;
  return std::move(*out);
}

json port(int layers, const std::vector<std::string>& kinds, double error) {
  return {
      {"layers", layers},
      {"kinds", kinds},
      {"values", {{"bfloat16", {{"bfloat16", error}}}}}};
}

/// Ports of 4 layers whose errors are 0.1%, 0.2%, ...
json ports(int count, const std::vector<std::string>& kinds) {
  json out = json::array();
  for (int i = 1; i <= count; ++i) {
    out.push_back(port(4, kinds, i * 1e-3));
  }
  return out;
}

TEST(Experience, TellsWhatIsUsual) {
  const auto known = with(ports(11, {"attention"}));
  const auto usual =
      known.judge("bfloat16", "bfloat16", 9e-3, 3, {"attention", "experts"});
  EXPECT_EQ(
      usual.text,
      "0.9%: within what 11 sound ports of this depth show in bfloat16 (median "
      "0.6%, largest 1.1%)");
  EXPECT_FALSE(usual.unusual);
  const auto more = known.judge("bfloat16", "bfloat16", 0.3, 4, {"attention"});
  EXPECT_EQ(
      more.text,
      "30%: more than any of 11 sound ports of this depth with attention shows "
      "in bfloat16 (median 0.6%, largest 1.1%)");
  EXPECT_TRUE(more.unusual);
}

TEST(Experience, ComparesWithItsOwnKindWhereThereAreEnough) {
  auto all = ports(8, {"attention"});
  all.push_back(port(4, {"states"}, 0.5));
  const auto known = with(all);
  EXPECT_TRUE(
      known.judge("bfloat16", "bfloat16", 0.1, 4, {"attention"}).unusual);
  // One alone is no measure: all of this depth are.
  EXPECT_THAT(
      known.judge("bfloat16", "bfloat16", 0.1, 4, {"states"}).text,
      HasSubstr("within what 9 sound ports of this depth show"));
}

TEST(Experience, SaysWhereItHasNone) {
  const auto known = with(ports(9, {"attention"}));
  EXPECT_EQ(
      known.judge("bfloat16", "bfloat16", 1e-2, 80, {"attention"}).text,
      "1%: no sound port of this depth was measured in bfloat16 (the deepest "
      "has 4 layers)");
  EXPECT_EQ(known.judge("logits", "float32", 1e-6, 4, {}).text, "");
}

TEST(Experience, OtherFilesAreErrors) {
  for (const json& bad :
       {json(),
        json::object(),
        json{{"version", 2}, {"ports", json::array()}}}) {
    EXPECT_FALSE(Experience::from_json(bad));
  }
  const json row = {{"version", 1}, {"ports", {{{"layers", "four"}}}}};
  EXPECT_FALSE(Experience::from_json(row));
}

TEST(Experience, ChangesNoVerdict) {
  const auto known = with(ports(9, {"attention"}));
  Results results;
  results.layers = 4;
  results.kinds = {"attention"};
  CheckResult check;
  check.name = "bfloat16";
  check.status = Status::Fail;
  check.rounded = 2e-3;
  results.checks = {check};
  judge_by_experience(results, known);
  EXPECT_THAT(results.checks[0].judgement.text, HasSubstr("within what 9"));
  EXPECT_EQ(results.verdict(), Status::Fail);
  results.checks[0].status = Status::Pass;
  results.checks[0].rounded = 0.5;
  judge_by_experience(results, known);
  EXPECT_TRUE(results.checks[0].judgement.unusual);
  EXPECT_EQ(results.verdict(), Status::Pass);
}

}  // namespace
}  // namespace portwright::verify
