#include <cstdint>
#include <string>

#include "syntax/parser.h"

/// Any bytes are a tree or diagnostics, and each diagnostic can be shown.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto result = portwright::syntax::parse_module(
      "fuzz.py", std::string(reinterpret_cast<const char*>(data), size));
  for (const auto& diagnostic : result.diagnostics) {
    portwright::diagnostics::render_text(diagnostic);
    portwright::diagnostics::render_json(diagnostic);
  }
  return 0;
}
