#include "base/subprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace portwright::base {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Command shell(std::string script) {
  return {.arguments = {"sh", "-c", std::move(script)}};
}

TEST(Subprocess, run_gives_both_streams_and_the_exit_code) {
  const auto output = run(shell("cat; echo oops >&2; exit 3"), "hello");
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, "hello");
  EXPECT_EQ(output->err, "oops\n");
  EXPECT_EQ(output->status.code, 3);
  EXPECT_EQ(to_string(output->status), "exit code 3");
}

TEST(Subprocess, run_names_the_signal) {
  const auto output = run(shell("kill -9 $$"));
  ASSERT_TRUE(output);
  EXPECT_EQ(output->status.signal, SIGKILL);
  EXPECT_THAT(to_string(output->status), StartsWith("killed by signal 9"));
}

TEST(Subprocess, a_missing_program_is_an_error) {
  const auto child = Subprocess::spawn({.arguments = {"no-such-program"}});
  ASSERT_FALSE(child);
  EXPECT_THAT(
      child.error().message, StartsWith("cannot start `no-such-program`"));
}

TEST(Subprocess, run_kills_what_passes_the_timeout) {
  const auto output = run(shell("sleep 60"), "", Milliseconds(50));
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error().message, HasSubstr("took longer than"));
}

TEST(Subprocess, large_input_and_output_do_not_block_each_other) {
  const std::string big(4 << 20, 'x');
  const auto output = run(shell("cat"), big);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out.size(), big.size());
}

TEST(Subprocess, talks_by_lines) {
  auto child = Subprocess::spawn(
      shell("while read -r line; do echo \"got $line\"; done; printf end"));
  ASSERT_TRUE(child);
  for (const char* word : {"one", "two"}) {
    ASSERT_TRUE(child->write(std::string(word) + "\n"));
    EXPECT_EQ(
        *child->read_line(Milliseconds(5000)), std::string("got ") + word);
  }
  child->close_input();
  EXPECT_EQ(*child->read_line(Milliseconds(5000)), "end");
  EXPECT_FALSE(child->read_line(Milliseconds(5000)));
  EXPECT_TRUE(child->wait(Milliseconds(5000))->ok());
}

TEST(Subprocess, a_death_is_an_error_with_the_end_of_stderr) {
  auto child = Subprocess::spawn(shell("echo no module >&2; exit 7"));
  ASSERT_TRUE(child);
  const auto line = child->read_line(Milliseconds(5000));
  ASSERT_FALSE(line);
  EXPECT_EQ(
      line.error().message, "`sh` ended (exit code 7) while being read from");
  EXPECT_EQ(line.error().hint, "no module\n");
  EXPECT_FALSE(child->running());
}

TEST(Subprocess, a_hanging_child_is_a_timeout_and_can_be_killed) {
  auto child = Subprocess::spawn(shell("trap '' TERM; echo up; sleep 60"));
  ASSERT_TRUE(child);
  ASSERT_EQ(*child->read_line(Milliseconds(5000)), "up");
  const auto line = child->read_line(Milliseconds(20));
  ASSERT_FALSE(line);
  EXPECT_THAT(line.error().message, HasSubstr("took longer than 20 ms"));
  EXPECT_TRUE(child->running());
  child->terminate(Milliseconds(20));
  EXPECT_EQ(child->wait()->signal, SIGKILL);
}

TEST(Subprocess, writing_to_a_dead_child_is_an_error) {
  auto child = Subprocess::spawn(shell("exit 0"));
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->wait(Milliseconds(5000)));
  EXPECT_FALSE(child->write(std::string(1 << 20, 'x'), Milliseconds(5000)));
}

TEST(Subprocess, keeps_the_end_of_stderr_only) {
  Command command = shell("i=0; while [ $i -lt 500 ]; do echo line $i >&2; "
                          "i=$((i+1)); done");
  command.stderr_limit = 64;
  const auto output = run(command);
  ASSERT_TRUE(output);
  EXPECT_LE(output->err.size(), 64u);
  EXPECT_THAT(output->err, HasSubstr("line 499\n"));
}

TEST(Subprocess, sets_directory_and_environment) {
  Command command = shell("pwd; echo $PORTWRIGHT_PROBE");
  command.directory = "/";
  command.environment = {{"PORTWRIGHT_PROBE", "7"}};
  EXPECT_EQ(run(command)->out, "/\n7\n");
}

TEST(Subprocess, the_whole_group_dies_with_its_handle) {
  pid_t grandchild = 0;
  {
    auto child = Subprocess::spawn(shell("sleep 60 & echo $!; wait"));
    ASSERT_TRUE(child);
    grandchild = std::stoi(*child->read_line(Milliseconds(5000)));
  }
  // The orphan is reaped by init, which may take a moment.
  for (int i = 0; i < 200 && ::kill(grandchild, 0) == 0; ++i) {
    (void)run({.arguments = {"sleep", "0.01"}});
    const auto state =
        run(shell("ps -o stat= -p " + std::to_string(grandchild)));
    if (state && state->out.starts_with("Z")) {
      return;
    }
  }
  EXPECT_NE(::kill(grandchild, 0), 0);
}

}  // namespace
}  // namespace portwright::base
