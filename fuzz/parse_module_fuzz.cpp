#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "syntax/dump.h"
#include "syntax/parser.h"
#include "syntax/printer.h"

namespace {

using portwright::diagnostics::Kind;
using portwright::syntax::dump;
using portwright::syntax::parse_module;
using portwright::syntax::Tree;

// The printed tree parses to an equal one; but the printer may need brackets
// that are more than the parser nests.
void check_round_trip(const Tree& tree) {
  const std::string printed = portwright::syntax::print(tree);
  const auto again = parse_module("printed.py", printed);
  for (const auto& diagnostic : again.diagnostics) {
    if (diagnostic.kind == Kind::LimitExceeded) {
      return;
    }
  }
  if (!again.diagnostics.empty() ||
      dump(again.tree, false) != dump(tree, false)) {
    std::fprintf(stderr, "prints as another tree:\n%s\n", printed.c_str());
    std::abort();
  }
}

}  // namespace

/// Any bytes are a tree or diagnostics; each diagnostic can be shown, and each
/// tree can be dumped and printed.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto result = parse_module(
      "fuzz.py", std::string(reinterpret_cast<const char*>(data), size));
  for (const auto& diagnostic : result.diagnostics) {
    portwright::diagnostics::render_text(diagnostic);
    portwright::diagnostics::render_json(diagnostic);
  }
  dump(result.tree, true);
  if (result.diagnostics.empty()) {
    check_round_trip(result.tree);
  } else {
    portwright::syntax::print(result.tree);
  }
  return 0;
}
