#include <cstdint>
#include <string>

#include "eval/interpreter.h"

/// Any bytes are evaluated within the limits: they end, raise a Python
/// exception or are refused, and both can be told.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portwright;
  eval::Interpreter interp(
      {.steps = 200'000, .depth = 100, .items = 1'000'000});
  try {
    interp.run_source(
        "fuzz",
        "fuzz.py",
        std::string(reinterpret_cast<const char*>(data), size));
  } catch (const eval::PythonError& error) {
    diagnostics::render_text(interp.describe(error));
  } catch (const eval::Refusal& refusal) {
    diagnostics::render_json(refusal.diagnostic);
  }
  return 0;
}
