#include "verify/worker_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/paths.h"

namespace portwright::verify {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// A worker that is a shell script in place of Python.
class Scripted {
 public:
  explicit Scripted(const std::string& body)
      : folder_(*base::TemporaryDirectory::create("worker")) {
    const auto script = folder_.path() / "python";
    EXPECT_TRUE(base::write_file(script, "#!/bin/sh\n" + body));
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    auto started =
        WorkerProcess::start({"reference", script.string(), "m", {}, ""});
    EXPECT_TRUE(started);
    worker_.emplace(std::move(*started));
  }
  WorkerProcess& operator*() {
    return *worker_;
  }

 private:
  base::TemporaryDirectory folder_;
  std::optional<WorkerProcess> worker_;
};

constexpr base::Milliseconds kLong{20'000};

TEST(WorkerProcess, AnswersComeInAnyOrder) {
  Scripted worker("read a; read b\n"
                  "echo '{\"id\": 2, \"ok\": true, \"result\": {\"x\": 2}}'\n"
                  "echo '{\"id\": 1, \"ok\": true, \"result\": {\"x\": 1}}'\n"
                  "read c\n");
  const auto first = (*worker).post("a", json::object());
  const auto second = (*worker).post("b", json::object());
  ASSERT_TRUE(first && second);
  EXPECT_EQ((*(*worker).wait(*first, kLong))["x"], 1);
  EXPECT_EQ((*(*worker).wait(*second, kLong))["x"], 2);
}

TEST(WorkerProcess, AFaultOfTheModelIsNoFaultOfTheWorld) {
  Scripted worker(
      "read a\n"
      "echo '{\"id\": 1, \"ok\": false, \"error\": {\"kind\": \"ValueError\", "
      "\"message\": \"no\", \"traceback_tail\": \"tb\"}}'\nread b\n");
  const auto answer = (*worker).request("a", json::object(), kLong);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().where, Trouble::Where::Model);
  EXPECT_EQ(answer.error().kind, "ValueError");
  EXPECT_EQ(answer.error().detail, "tb");
}

TEST(WorkerProcess, ADeathTellsTheEndOfStderr) {
  Scripted worker("read a\necho 'out of luck' >&2\nexit 3\n");
  const auto answer = (*worker).request("a", json::object(), kLong);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().where, Trouble::Where::World);
  EXPECT_THAT(answer.error().message, HasSubstr("the reference worker died"));
  EXPECT_THAT(answer.error().detail, HasSubstr("out of luck"));
}

TEST(WorkerProcess, ARequestAfterADeathTellsTheDeath) {
  Scripted worker("exit 3\n");
  ASSERT_FALSE((*worker).request("a", json::object(), kLong));
  const auto answer = (*worker).request("b", json::object(), kLong);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().where, Trouble::Where::World);
  EXPECT_THAT(answer.error().message, HasSubstr("the reference worker died"));
}

TEST(WorkerProcess, AHangEndsWithTheTimeout) {
  Scripted worker("read a\nsleep 60\n");
  const auto answer =
      (*worker).request("a", json::object(), base::Milliseconds(200));
  ASSERT_FALSE(answer);
  EXPECT_EQ(
      answer.error().message, "the reference worker did not answer in 0.2 s");
}

TEST(WorkerProcess, WordsThatAreNoProtocolAreShown) {
  Scripted worker("read a\necho hello\nread b\n");
  const auto answer = (*worker).request("a", json::object(), kLong);
  ASSERT_FALSE(answer);
  EXPECT_EQ(
      answer.error().message, "the reference worker broke the protocol: hello");
}

}  // namespace
}  // namespace portwright::verify
