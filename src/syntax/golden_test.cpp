#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "diagnostics/diagnostic.h"
#include "syntax/dump.h"
#include "syntax/parser.h"
#include "syntax/printer.h"

// Topics in testdata/*.md: each case is a heading, a `py` block and blocks of
// what is expected. PORTWRIGHT_UPDATE_GOLDENS=1 writes the latter anew.
namespace portwright::syntax {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> topics() {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(PORTWRIGHT_TESTDATA)) {
    if (entry.path().extension() == ".md") {
      out.push_back(entry.path().stem().string());
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string errors(const ParseResult& result) {
  std::string out;
  for (const auto& d : result.diagnostics) {
    out += diagnostics::render_text(d);
  }
  return out;
}

// One line a statement: its dump without the module around.
std::string statements(const ParseResult& result, bool attributes) {
  std::string out = errors(result);
  for (Stmt*& stmt : result.tree.body) {
    const Tree one{result.tree.source, result.tree.arena, {&stmt, 1}, {}};
    constexpr std::string_view kHead = "Module(body=[";
    constexpr std::string_view kTail = "], type_ignores=[])";
    std::string text = dump(one, attributes);
    text.erase(text.size() - kTail.size());
    out += text.substr(kHead.size()) + '\n';
  }
  return out;
}

std::string actual(const std::string& kind, const std::string& source) {
  const ParseResult result = parse_module("case.py", source);
  if (kind == "error") {
    return errors(result);
  }
  if (kind == "printed") {
    return errors(result) + print(result.tree);
  }
  EXPECT_TRUE(kind == "ast" || kind == "spans") << kind;
  return statements(result, kind == "spans");
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, Topic) {
  const fs::path path = fs::path(PORTWRIGHT_TESTDATA) / (GetParam() + ".md");
  std::ifstream in(path, std::ios::binary);
  std::string title;
  std::string source;
  std::string updated;
  size_t checked = 0;
  for (std::string line; std::getline(in, line);) {
    updated += line + '\n';
    if (line.starts_with("## ")) {
      title = line.substr(3);
    }
    if (!line.starts_with("```")) {
      continue;
    }
    std::string body;
    std::string kind = line.substr(3);
    for (std::string inner; std::getline(in, inner) && inner != "```";) {
      body += inner + '\n';
    }
    if (kind == "py") {
      source = body;
    } else {
      SCOPED_TRACE(title);
      const std::string now = actual(kind, source);
      EXPECT_FALSE(now.empty()) << "nothing to expect";
      EXPECT_EQ(body, now);
      body = now;
      ++checked;
    }
    updated += body + "```\n";
  }
  EXPECT_GT(checked, 0U);
  if (std::getenv("PORTWRIGHT_UPDATE_GOLDENS") != nullptr) {
    std::ofstream(path, std::ios::binary) << updated;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Syntax,
    Golden,
    testing::ValuesIn(topics()),
    [](const auto& info) { return info.param; });

}  // namespace
}  // namespace portwright::syntax
