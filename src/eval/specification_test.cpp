#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "eval/interpreter.h"

// Runs every `py` block of testdata/*.md; CPython runs the same blocks in
// check_specification.py, so that no assert says what Python does not.

namespace portwright::eval {
namespace {

struct Block {
  std::string name, file, text;
};

void PrintTo(const Block& block, std::ostream* out) {
  *out << block.file;
}

std::vector<Block> read_blocks(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<Block> out;
  std::string line, heading;
  bool inside = false;
  int number = 0;
  for (int count = 1; std::getline(in, line); ++count) {
    if (line == "```py") {
      inside = true;
      // Blank lines keep the file's line numbers.
      out.push_back(
          {path.stem().string() + "_" + std::to_string(++number),
           path.filename().string(),
           std::string(count, '\n')});
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      out.back().text += line + "\n";
    }
  }
  return out;
}

std::vector<Block> all_blocks() {
  std::vector<Block> out;
  std::vector<std::filesystem::path> files;
  for (const auto& e :
       std::filesystem::directory_iterator(PORTWRIGHT_TESTDATA)) {
    if (e.path().extension() == ".md") {
      files.push_back(e.path());
    }
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    for (Block& b : read_blocks(file)) {
      out.push_back(std::move(b));
    }
  }
  return out;
}

class Specification : public testing::TestWithParam<Block> {};

TEST_P(Specification, Holds) {
  Interpreter interp;
  try {
    interp.run_source("__main__", GetParam().file, GetParam().text);
  } catch (const PythonError& error) {
    FAIL() << diagnostics::render_text(interp.describe(error));
  } catch (const Refusal& refusal) {
    FAIL() << diagnostics::render_text(refusal.diagnostic);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Blocks,
    Specification,
    testing::ValuesIn(all_blocks()),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace portwright::eval
