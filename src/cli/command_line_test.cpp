#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/environment.h"
#include "cli/verbs.h"

namespace portwright::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Called {
  int code;
  std::string out;
  std::string err;
};

Called call(std::vector<std::string> arguments) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = run_command_line(std::move(arguments), out, err);
  return {code, out.str(), err.str()};
}

TEST(CommandLine, help_fits_a_screen) {
  const auto called = call({"--help"});
  EXPECT_EQ(called.code, 0);
  EXPECT_LE(std::count(called.out.begin(), called.out.end(), '\n'), 40);
  std::istringstream lines(called.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80u) << line;
  }
  for (const auto& verb : verbs()) {
    EXPECT_THAT(called.out, HasSubstr(verb.summary));
  }
}

TEST(CommandLine, version_is_one_line) {
  const auto called = call({"--version"});
  EXPECT_EQ(called.code, 0);
  EXPECT_THAT(called.out, testing::MatchesRegex("portwright [0-9.]+\n"));
}

TEST(CommandLine, nothing_to_do_is_a_usage_error) {
  EXPECT_EQ(call({}).code, 2);
}

TEST(CommandLine, a_mistyped_verb_gets_a_suggestion) {
  const auto called = call({"doctr"});
  EXPECT_EQ(called.code, 2);
  EXPECT_EQ(
      called.err,
      "error: there is no verb `doctr`\n  hint: did you mean `doctor`?\n");
  EXPECT_EQ(called.out, "");
}

TEST(CommandLine, an_unknown_option_is_a_usage_error) {
  const auto called = call({"doctor", "--no-such"});
  EXPECT_EQ(called.code, 2);
  EXPECT_THAT(called.err, HasSubstr("--no-such"));
  EXPECT_THAT(called.err, HasSubstr("see portwright doctor --help"));
}

TEST(CommandLine, usage_errors_are_json_where_asked_for) {
  for (const auto& arguments :
       {std::vector<std::string>{"--json", "nonsense"},
        {"doctor", "--no-such", "--json"}}) {
    const auto called = call(arguments);
    EXPECT_EQ(called.code, 2);
    const auto answer = nlohmann::json::parse(called.out);
    EXPECT_TRUE(answer["error"].contains("message")) << called.out;
  }
}

TEST(CommandLine, every_verb_has_help) {
  for (const auto& verb : verbs()) {
    const auto called = call({verb.name, "--help"});
    EXPECT_EQ(called.code, 0);
    EXPECT_THAT(called.out, HasSubstr(verb.summary));
    EXPECT_THAT(called.out, HasSubstr("--json"));
  }
}

TEST(Console, human_text_leaves_stdout_to_json) {
  std::ostringstream out;
  std::ostringstream err;
  Console console({.json = true}, out, err);
  console.say("for people");
  console.result({{"answer", 1}});
  EXPECT_EQ(err.str(), "for people\n");
  EXPECT_EQ(nlohmann::json::parse(out.str())["answer"], 1);
}

TEST(Console, a_failure_answers_once) {
  std::ostringstream out;
  std::ostringstream err;
  Console console({.json = true}, out, err);
  EXPECT_EQ(console.fail({"no file", "look again"}), ExitCode::World);
  console.fail({"another", ""});
  EXPECT_EQ(
      nlohmann::json::parse(out.str()),
      nlohmann::json::parse(
          R"({"error": {"message": "no file", "hint": "look again"}})"));
  EXPECT_THAT(
      err.str(), StartsWith("error: no file\n  hint: look again\nerror: an"));
}

TEST(Environment, pins_come_from_the_lock_file) {
  std::vector<std::string> names;
  for (const auto& pin : pins()) {
    names.push_back(pin.name);
    EXPECT_THAT(pin.version, testing::MatchesRegex("[0-9.]+"));
  }
  EXPECT_THAT(
      names,
      testing::UnorderedElementsAre(
          "torch", "transformers", "mlx", "mlx-lm", "safetensors", "numpy"));
}

TEST(Environment, a_folder_without_transformers_is_an_error) {
  const auto folder = transformers_directory({.transformers = "/"});
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().message, "/ holds no transformers");
}

}  // namespace
}  // namespace portwright::cli
