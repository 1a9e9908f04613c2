#include "report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/paths.h"
#include "report/html_parts.h"
#include "report/test_results.h"

namespace portwright::report {
namespace {

using testing::HasSubstr;
using testing::Not;
using verify::Status;

verify::Results failing() {
  verify::Results out;
  out.port = "/x/qwen3.py";
  out.checks = {
      check_result("weights", Status::Pass),
      check_result("logits", Status::Fail, "prefill logits differ by 2 <b>"),
      check_result("batch", Status::Skipped, "why")};
  auto& logits = out.checks[1];
  logits.value = std::numeric_limits<double>::infinity();
  logits.place.layer = 2;
  logits.place.module = "self_attn.q_norm";
  logits.place.position = 7;
  logits.place.port_file = out.port;
  logits.place.port_line = 59;
  return out;
}

TEST(Words, TheVerdictNamesThePlace) {
  EXPECT_EQ(
      verdict_sentence(failing()),
      "qwen3.py is wrong at layer 2, self_attn.q_norm, position 7, "
      "qwen3.py:59: prefill logits differ by 2 <b> (1 of 2 checks fail)");
  auto good = failing();
  good.checks[1] = check_result("logits", Status::Pass);
  good.checks[1].value = 2e-6;
  EXPECT_EQ(
      verdict_sentence(good),
      "qwen3.py computes what transformers computes: 2 checks passed, 1 "
      "skipped, largest relative error 2.0e-06");
  good.checks = {check_result("logits", Status::Untrusted, "torch raised")};
  EXPECT_EQ(
      verdict_sentence(good),
      "nothing is proven about qwen3.py: logits: torch raised");
}

TEST(Json, HoldsTheContract) {
  const auto json = to_json(failing());
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["verdict"], "fail");
  const auto& logits = json["checks"][1];
  EXPECT_EQ(logits["status"], "fail");
  EXPECT_TRUE(logits["value"].is_null()) << "JSON has no infinity";
  EXPECT_EQ(logits["place"]["layer"], 2);
  EXPECT_EQ(logits["place"]["module"], "self_attn.q_norm");
  EXPECT_EQ(logits["place"]["port_line"], 59);
  EXPECT_TRUE(logits["place"]["source_line"].is_null());
}

TEST(Html, EscapesAndRefersToNothingOutside) {
  const auto html = to_html({failing(), {}});
  EXPECT_THAT(html, HasSubstr("differ by 2 &lt;b&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("http")));
  EXPECT_THAT(html, Not(HasSubstr("src=")));
}

TEST(Report, QuotesExperienceEverywhere) {
  auto results = failing();
  results.checks[0].judgement = {"2%: more than any of <9> ports shows", true};
  EXPECT_THAT(
      to_markdown({results, {}}),
      HasSubstr("By experience:\n\n- weights 2%: more than any of <9>"));
  EXPECT_THAT(
      to_html({results, {}}),
      HasSubstr("2%: more than any of &lt;9&gt; ports"));
  const auto json = to_json(results);
  EXPECT_EQ(json["checks"][0]["judgement"]["unusual"], true);
  EXPECT_FALSE(json["checks"][1].contains("judgement"));
  EXPECT_EQ(json["verdict"], "fail");
}

TEST(Html, MarksPythonUp) {
  EXPECT_EQ(
      highlight("def f(x=1):  # <c>"),
      "<span class=\"k\">def</span> f(x=<span class=\"n\">1</span>):  "
      "<span class=\"c\"># &lt;c&gt;</span>");
  EXPECT_EQ(highlight("'a"), "<span class=\"s\">'a</span>");
  EXPECT_EQ(highlight("'\\"), "<span class=\"s\">'\\</span>");
}

TEST(Html, KeepsTheSpacesOfCode) {
  const auto folder = base::TemporaryDirectory::create("report");
  ASSERT_TRUE(folder);
  verify::Results results;
  results.port = (folder->path() / "port.py").string();
  ASSERT_TRUE(base::write_file(results.port, "    if not x:\n"));
  // A line is a flex box, which drops spaces between its own children.
  EXPECT_THAT(
      side_by_side({results, {}}),
      HasSubstr("<a>1</a><code>    <span class=\"k\">if</span> "
                "<span class=\"k\">not</span> x:</code></div>"));
}

TEST(Html, DrawsLayersAndPositions) {
  auto results = failing();
  auto layers = check_result("layers", Status::Pass);
  layers.series = {
      {"fed torch's input", "layer", {1e-7, 0.0}},
      {"in sequence",
       "layer",
       {1e-7, std::numeric_limits<double>::infinity()}}};
  results.checks.push_back(layers);
  results.noise = {1e-7, 2e-7, 3e-7};
  EXPECT_THAT(layer_plot(results), HasSubstr("<svg"));
  EXPECT_THAT(layer_plot(results), HasSubstr("not comparable"));
  EXPECT_EQ(layer_plot(failing()), "");
  results.checks[1].series = {{"steps", "step", {1e-7, 1e-2}}};
  EXPECT_THAT(position_plots(results), HasSubstr("bar over"));
}

TEST(Report, IsWrittenAsThreeFiles) {
  const auto folder = base::TemporaryDirectory::create("report");
  ASSERT_TRUE(folder);
  ASSERT_TRUE(write_report({failing(), {}}, folder->path() / "new"));
  for (const char* name : {"results.json", "report.md", "report.html"}) {
    EXPECT_TRUE(std::filesystem::exists(folder->path() / "new" / name)) << name;
  }
}

}  // namespace
}  // namespace portwright::report
