#include "report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/paths.h"
#include "report/archive.h"
#include "report/html_parts.h"
#include "report/read_results.h"
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

verify::Results with_figures() {
  auto out = failing();
  auto mask = check_result("mask", Status::Fail);
  mask.figures.influence = {
      {"", {0, 1, 2, 5}, 0, {0, 1}, {"##p", ".#."}},
      {"after cached steps", {}, 2, {0, 1}, {"#", "#"}}};
  auto routing = check_result("routing", Status::Fail);
  routing.figures.routing = {{"mlp", 1, 20, 4, 1}};
  auto dtype = check_result("dtype", Status::Warn);
  dtype.figures.dtypes = {
      {"mlp.gate", {0, 2}, "bfloat16", "float32", "bfloat16", true},
      {"norm", {}, "bfloat16", "bfloat16", "", false}};
  out.checks.insert(out.checks.end(), {mask, routing, dtype});
  return out;
}

TEST(Html, DrawsWhichPositionsDependOnWhich) {
  const auto html = influence_maps(with_figures());
  EXPECT_THAT(html, HasSubstr("layers 0–2, 5<span class=\"fail\">1 differ"));
  // Tokens go across, positions down: token 0 moves 0 and 1, token 1 itself.
  EXPECT_THAT(html, HasSubstr("class=\"both\" d=\"M0 0h1v2h-1zM1 1h1v1h-1z\""));
  EXPECT_THAT(html, HasSubstr("class=\"only-port\" d=\"M0 2h1v1h-1z\""));
  EXPECT_THAT(
      html, HasSubstr("after cached steps<span class=\"\">both sides alike"));
  EXPECT_THAT(html, HasSubstr("tokens 0 → 1</span><span>positions 2 ↓ 2"));
  EXPECT_EQ(influence_maps(failing()), "");
}

TEST(Html, CountsTokensThatAgree) {
  const auto html = routing_agreement(with_figures());
  EXPECT_THAT(html, HasSubstr("width:75.0%"));
  EXPECT_THAT(html, HasSubstr("15 of 20, 1 tied"));
  EXPECT_EQ(routing_agreement(failing()), "");
}

TEST(Html, MarksLeaksOfDtypes) {
  const auto html = dtype_flow(with_figures());
  EXPECT_THAT(
      html,
      HasSubstr("<td class=\"mono\">mlp.gate</td>"
                "<td>layers 0, 2</td>"));
  EXPECT_THAT(html, HasSubstr("<span class=\"dtype float32 leak\">float32"));
  EXPECT_THAT(html, HasSubstr("One other takes and gives bfloat16 alone."));
  EXPECT_THAT(html, Not(HasSubstr("<td class=\"mono\">norm")));
  auto plain = with_figures();
  plain.checks.back().figures.dtypes.erase(
      plain.checks.back().figures.dtypes.begin());
  EXPECT_EQ(dtype_flow(plain), "");
  EXPECT_EQ(dtype_flow(failing()), "");
}

TEST(Json, FiguresAreReadAsTheyWereWritten) {
  for (const auto& check : with_figures().checks) {
    const auto read = check_from_json(nlohmann::json(to_json(check)));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->figures, check.figures) << check.name;
  }
}

TEST(Html, SmallPlotsHaveAxesAndTheBandOfNoise) {
  auto results = failing();
  results.checks[1].series = {{"prefill logits", "position", {1e-7, 1e-3}}};
  EXPECT_THAT(position_plots(results), Not(HasSubstr("class=\"band\"")));
  results.noise = {1e-6};
  const auto html = position_plots(results);
  EXPECT_THAT(html, HasSubstr("class=\"band\""));
  EXPECT_THAT(html, HasSubstr(">1e-4</text>"));
  EXPECT_THAT(html, HasSubstr(">position</text>"));
}

TEST(Markdown, TellsWhatTheFiguresShow) {
  const auto text = to_markdown({with_figures(), {}});
  EXPECT_THAT(
      text,
      HasSubstr("- layers 0–2, 5: 1 differ; 3 pairs of a token and a position "
                "on both sides, 1 only in the port, 0 only in torch\n"));
  EXPECT_THAT(text, HasSubstr("| 1 | mlp | 15 of 20, 1 tied |\n"));
  EXPECT_THAT(
      text,
      HasSubstr("| mlp.gate | layers 0, 2 | bfloat16 | float32 (leaks) | "
                "bfloat16 |\n\nOne other takes and gives"));
  EXPECT_THAT(to_markdown({failing(), {}}), Not(HasSubstr("## ")));
}

TEST(Html, ShowsVariantsSideBySide) {
  ProofRun run;
  run.variants = {{"base", {failing(), {}}}, {"<deep>", {with_figures(), {}}}};
  EXPECT_THAT(
      to_markdown(run),
      HasSubstr("| check | base | <deep> |\n| --- | --- | --- |\n"
                "| weights | pass | pass |\n"));
  const auto html = to_html(run);
  EXPECT_THAT(html, HasSubstr("<th>base</th><th>&lt;deep&gt;</th>"));
  EXPECT_THAT(
      html,
      HasSubstr("<tr><td><b>mask</b></td><td class=\"skipped\">–</td>"
                "<td class=\"cell fail\""));
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
