#include "report/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/paths.h"
#include "report/changes.h"
#include "report/test_results.h"

namespace portwright::report {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;
using verify::Status;

class ArchiveTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = base::TemporaryDirectory::create("archive");
    ASSERT_TRUE(made);
    folder_.emplace(std::move(*made));
    port_ = folder_->path() / "port_under_test.py";
    ASSERT_TRUE(base::write_file(port_, "class Model: ...\n"));
  }

  ProofRun run_of(int variants) const {
    ProofRun out;
    out.model_type = "tiny";
    out.manifest = "version: 2\n";
    out.facts = {
        {"schema", 1},
        {"subject", {{"port", "abc"}, {"versions", {{"torch", "2.13.0"}}}}},
        {"hardware", {{"cores", 2}}}};
    for (int i = 0; i < variants; ++i) {
      Variant variant;
      variant.name = "variant" + std::to_string(i);
      auto& results = variant.report.results;
      results.port = port_.string();
      auto logits = check_result("logits", Status::Pass);
      logits.value = 2e-6;
      logits.place.layer = 3;
      logits.series = {{"prefill logits", "position", {1e-7, 2e-6}}};
      logits.exchanges = {{{"side", "reference"}, {"op", "forward"}}};
      results.checks = {logits, check_result("chat", Status::Skipped, "why")};
      results.tensors["prefill/torch/logits"] = {{1, 2}, {0.5f, 1.5f}};
      out.variants.push_back(std::move(variant));
    }
    return out;
  }

  fs::path kept(const ProofRun& run) const {
    const auto out = begin_archive(run, folder_->path() / "results");
    EXPECT_TRUE(out);
    EXPECT_TRUE(finish_archive(run, *out));
    return *out;
  }

  std::optional<base::TemporaryDirectory> folder_;
  fs::path port_;
};

TEST_F(ArchiveTest, OneVariantIsTheFolder) {
  const auto archive = kept(run_of(1));
  EXPECT_EQ(archive.parent_path(), folder_->path() / "results" / "tiny");
  EXPECT_EQ(*base::read_file(archive / "port.py"), "class Model: ...\n");
  for (const char* name :
       {"run.json",
        "manifest.yaml",
        "results.json",
        "summary.md",
        "report.html",
        "checks/logits.json",
        "checks/chat.json",
        "tensors.safetensors"}) {
    EXPECT_TRUE(fs::exists(archive / name)) << name;
  }
}

TEST_F(ArchiveTest, SeveralVariantsHaveFoldersAndOneTable) {
  auto run = run_of(2);
  run.variants[1].report.results.checks[0].status = Status::Warn;
  run.variants[1].report.results.checks[0].reason = "half a bit";
  const auto archive = kept(run);
  for (const char* name : {"report.html", "results.json", "checks/chat.json"}) {
    EXPECT_TRUE(fs::exists(archive / "variants" / "variant1" / name)) << name;
  }
  EXPECT_THAT(
      *base::read_file(archive / "summary.md"),
      HasSubstr("| variant1 | warn | 1 warn, 1 skipped |"));
  EXPECT_THAT(
      *base::read_file(archive / "report.html"),
      HasSubstr("href=\"./variants/variant1/report.html\""));
  const auto json = to_json(run);
  EXPECT_EQ(json["verdict"], "warn");
  EXPECT_EQ(json["checks"][2]["variant"], "variant1");
  EXPECT_THAT(json["variants"], SizeIs(2));
}

TEST_F(ArchiveTest, AnUnfinishedOneIsFoundAndItsChecksAreKept) {
  const auto run = run_of(1);
  const auto results = folder_->path() / "results";
  EXPECT_TRUE(find_unfinished(run, results).empty());
  const auto archive = begin_archive(run, results);
  ASSERT_TRUE(archive);
  const auto& check = run.variants[0].report.results.checks[0];
  ASSERT_TRUE(archive_check(run, "variant0", check, *archive));
  EXPECT_EQ(find_unfinished(run, results), *archive);
  const auto checks = archived_checks(run, "variant0", *archive);
  ASSERT_THAT(checks, SizeIs(1));
  EXPECT_EQ(to_json(checks[0]), to_json(check));
  EXPECT_EQ(checks[0].exchanges, check.exchanges);
  auto other = run;
  other.facts["subject"]["port"] = "def";
  EXPECT_TRUE(find_unfinished(other, results).empty());
  ASSERT_TRUE(finish_archive(run, *archive));
  EXPECT_TRUE(find_unfinished(run, results).empty());
}

TEST_F(ArchiveTest, SaysWhatItLacks) {
  const auto run = run_of(1);
  EXPECT_THAT(
      read_archive(folder_->path() / "absent").error().message,
      HasSubstr("no such directory"));
  EXPECT_THAT(
      read_archive(folder_->path()).error().message,
      HasSubstr("has no run.json"));
  const auto begun = begin_archive(run, folder_->path() / "results");
  ASSERT_TRUE(begun);
  EXPECT_THAT(read_archive(*begun).error().hint, HasSubstr("did not finish"));
  const auto archive = kept(run);
  EXPECT_TRUE(read_archive(archive));
  ASSERT_TRUE(base::write_file(archive / "results.json", "{\"schema\": 9"));
  EXPECT_THAT(read_archive(archive).error().message, HasSubstr("results.json"));
}

TEST_F(ArchiveTest, ChangesAreNamed) {
  const auto before = read_archive(kept(run_of(1)));
  ASSERT_TRUE(before);
  auto again = run_of(1);
  auto text = changes_text(changes_between(*before, again));
  ASSERT_THAT(text, SizeIs(2));
  EXPECT_THAT(text[0], HasSubstr("verdict pass as on 2"));
  EXPECT_EQ(text[1], "2 of 2 checks ended as before, 2 to the last bit");
  again.facts["subject"]["versions"]["torch"] = "2.14.0";
  auto& logits = again.variants[0].report.results.checks[0];
  logits.status = Status::Fail;
  logits.value = 0.5;
  logits.reason = "prefill logits differ";
  text = changes_text(changes_between(*before, again));
  EXPECT_THAT(text, Contains("changed: versions torch: 2.13.0 -> 2.14.0"));
  EXPECT_THAT(
      text,
      Contains("logits: pass 2.0e-06 -> fail 5.0e-01: prefill logits differ"));
  EXPECT_THAT(text, Contains(HasSubstr("verdict fail, on 2")));
}

TEST_F(ArchiveTest, PendingChecksProveNothing) {
  auto run = run_of(1);
  run.variants[0].report.results.pending = {"decode", "batch"};
  EXPECT_EQ(run.verdict(), Status::Untrusted);
  EXPECT_EQ(
      verdict_sentence(run),
      "nothing is proven about port_under_test.py yet: 2 of 4 checks have run");
  EXPECT_THAT(to_markdown(run), HasSubstr("Not run: decode, batch."));
  EXPECT_EQ(to_json(run)["pending"].size(), 2u);
}

}  // namespace
}  // namespace portwright::report
