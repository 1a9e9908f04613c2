#include "report/coverage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portwright::report {
namespace {

using testing::HasSubstr;

Coverage example() {
  Coverage out;
  out.title = "Native evaluation";
  out.about = "Against torch.";
  out.versions = {{"torch", "2.0"}, {"transformers", "5.0"}};
  out.rows = {
      {"llama",
       "equal",
       "",
       {{"batch", 1e-7}, {"full", 2e-7}},
       1.25,
       {{"guards", {"no bias"}}}},
      {"odd", "different", "full has no shape", {{"full", std::nullopt}}, 0.5},
      {"<b>", "refused", "a | b\nc", {}, 0}};
  return out;
}

TEST(Coverage, comes_back_from_json) {
  const auto json = to_json(example());
  EXPECT_EQ(json["summary"]["equal"], 1);
  const auto back = coverage_from_json(nlohmann::json::parse(json.dump()));
  ASSERT_TRUE(back);
  EXPECT_EQ(to_json(*back).size(), json.size());
  EXPECT_EQ(to_json(*back)["types"]["odd"], json["types"]["odd"]);
  EXPECT_EQ(to_json(*back)["types"]["llama"]["guards"][0], "no bias");
  EXPECT_EQ(to_json(*back)["versions"], json["versions"]);
}

TEST(Coverage, other_json_is_an_error) {
  EXPECT_FALSE(coverage_from_json({{"schema", 1}}));
  EXPECT_FALSE(coverage_from_json({{"schema", 9}}));
  EXPECT_FALSE(coverage_from_json(nlohmann::json::array()));
}

TEST(Coverage, markdown_is_one_table) {
  EXPECT_EQ(to_markdown(example()), R"(# Native evaluation

Against torch.

3 types: 1 different, 1 equal, 1 refused.
torch 2.0, transformers 5.0.

| type | status | batch | full | time | |
| --- | --- | --- | --- | --- | --- |
| llama | equal | 1.0e-07 | 2.0e-07 | 1.2 s |  |
| odd | different |  | none | 0.5 s | full has no shape |
| <b> | refused |  |  | 0.0 s | a \| b c |
)");
}

TEST(Coverage, html_escapes_and_colours) {
  const auto html = to_html(example());
  EXPECT_THAT(html, HasSubstr("<td><b>&lt;b&gt;</b></td><td class=\"warn\">"));
  EXPECT_THAT(html, HasSubstr("<td class=\"pass\">equal</td>"));
  EXPECT_THAT(html, HasSubstr("<input type=\"search\""));
}

}  // namespace
}  // namespace portwright::report
