#include <gtest/gtest.h>

#include "base/paths.h"
#include "eval/interpreter.h"

// Modules read from folders.

namespace portwright::eval {
namespace {

namespace fs = std::filesystem;

std::string text_of(const std::string& folder, const std::string& expression) {
  Interpreter interp;
  interp.register_package("box", folder);
  const auto module = interp.run_source(
      "main", "main.py", "import box.part\nanswer = str(" + expression + ")");
  return interp.getattr(Value(module), "answer").str();
}

TEST(Modules, AreReadAnewWhenTheirTextChanges) {
  const auto folder = base::TemporaryDirectory::create("portwright-modules");
  ASSERT_TRUE(folder);
  const fs::path path = folder->path();
  ASSERT_TRUE(base::write_file(path / "__init__.py", ""));
  ASSERT_TRUE(base::write_file(path / "part.py", "value = [1]\n"));
  EXPECT_EQ(text_of(path, "box.part.value"), "[1]");
  EXPECT_EQ(
      text_of(path, "box.part.value.append(2) or box.part.value"), "[1, 2]");
  EXPECT_EQ(text_of(path, "box.part.value"), "[1]");
  ASSERT_TRUE(base::write_file(path / "part.py", "value = [3]\n"));
  EXPECT_EQ(text_of(path, "box.part.value"), "[3]");
}

TEST(Modules, APackageOfOursMayTakeThePlaceOfThoseInIt) {
  const auto folder = base::TemporaryDirectory::create("portwright-modules");
  ASSERT_TRUE(folder);
  const fs::path inner = folder->path() / "inner";
  ASSERT_TRUE(base::make_directories(inner));
  ASSERT_TRUE(base::write_file(inner / "__init__.py", "value = 1"));
  Interpreter interp;
  interp.register_package("outer", folder->path());
  interp.register_native_module("outer", [](Interpreter& in, ModuleObject&) {
    in.register_native_module("outer.inner", [](Interpreter&, ModuleObject& m) {
      m.set("value", Value::integer(7));
    });
  });
  const auto module =
      interp.run_source("main", "main.py", "from outer.inner import value");
  EXPECT_EQ(interp.getattr(Value(module), "value").as_int(), 7);
}

}  // namespace
}  // namespace portwright::eval
