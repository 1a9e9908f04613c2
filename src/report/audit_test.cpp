#include "report/audit.h"

#include <gtest/gtest.h>

#include "base/paths.h"
#include "report/test_results.h"

namespace portwright::report {
namespace {

using verify::CheckResult;
using verify::Results;
using verify::Status;

AuditRow judged(std::vector<CheckResult> checks) {
  Results results;
  results.checks = std::move(checks);
  AuditRow row;
  judge_row(results, row);
  return row;
}

TEST(Audit, MatchesWithWhatIsWarnedOf) {
  const auto row = judged(
      {check_result("logits", Status::Pass),
       check_result("config", Status::Warn, "the port ignores eps")});
  EXPECT_EQ(row.status, "match");
  EXPECT_EQ(row.reason, "config: the port ignores eps");
}

TEST(Audit, LeavesOtherFormsToTheirRows) {
  const auto row = judged(
      {check_result("logits", Status::Pass),
       check_result("config", Status::Fail, "with a absent logits differ")});
  EXPECT_EQ(row.status, "match");
  EXPECT_EQ(row.reason, "config: with a absent logits differ");
}

TEST(Audit, NamesTheFieldFirst) {
  auto logits = check_result("logits", Status::Fail, "differ");
  logits.value = 0.1;
  const auto row = judged(
      {logits,
       check_result("config", Status::Fail, "the port computes without a")});
  EXPECT_EQ(row.status, "differs");
  EXPECT_EQ(row.reason, "the port computes without a; logits: differ");
  EXPECT_EQ(row.failing, (std::vector<std::string>{"logits", "config"}));
}

TEST(Audit, DoesNotLoad) {
  auto logits =
      check_result("logits", Status::Fail, "the port raised KeyError");
  logits.detail = "Traceback";
  EXPECT_EQ(judged({logits}).status, "does not load");
}

TEST(Audit, SurvivesItsFile) {
  const auto folder = base::TemporaryDirectory::create("audit");
  ASSERT_TRUE(folder);
  Audit audit;
  audit.rows = {
      {"b", "v5", "match", "", "", {}},
      {"a", "v4", "differs", "why", "layer 0, mlp", {"logits"}}};
  audit.versions = {{"torch", "2.13.0"}};
  ASSERT_TRUE(write_audit(audit, folder->path()));
  const auto read = read_audit(folder->path());
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->has("a", "v4"));
  EXPECT_FALSE(read->has("a", "v5"));
  EXPECT_EQ(to_json(*read), to_json(audit));
}

TEST(Audit, TriesAgainWhatTheWorldSpoiled) {
  Audit audit;
  audit.rows = {{"a", "v4", "failed"}, {"b", "v4", "no reference"}};
  audit.forget_failed();
  EXPECT_FALSE(audit.has("a", "v4"));
  EXPECT_TRUE(audit.has("b", "v4"));
}

TEST(Audit, SaysWhere) {
  auto logits = check_result("logits", Status::Fail, "differ");
  logits.value = 0.1;
  logits.place.layer = 2;
  logits.place.module = "mlp";
  const auto row = judged({logits});
  EXPECT_EQ(row.reason, "logits: differ");
  EXPECT_EQ(row.place, "layer 2, mlp");
}

}  // namespace
}  // namespace portwright::report
