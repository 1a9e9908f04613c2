#include <gtest/gtest.h>

#include "eval/interpreter.h"

namespace portwright::eval {
namespace {

TEST(Calls, PutNothingIntoWordsForAFunctionThatDoesNothing) {
  Interpreter interp;
  const auto module = interp.run_source("main", "main.py", R"(
spoken = []

class Config:
    def __repr__(self):
        spoken.append(1)
        return "Config"

class Logger:
    def info(self, *args):
        pass

    def keep(self, text):
        self.text = text

logger = Logger()
logger.info(f"{Config()!r}")
silent = len(spoken)
logger.keep(f"{Config()!r}")
)");
  const auto number = [&](const char* name) {
    return interp.getattr(Value(module), name);
  };
  EXPECT_EQ(number("silent").as_int(), 0);
  EXPECT_EQ(interp.length(number("spoken")), 1);
}

}  // namespace
}  // namespace portwright::eval
