#pragma once

#include <exception>
#include <utility>

#include "library/model.h"

namespace portwright::library {

/// Runs `body` and turns what leaves an evaluation by exception into a
/// diagnostic: Python errors, refusals, and MLX's own complaints.
template <typename Body>
auto guarded(eval::Interpreter& interp, Body&& body)
    -> Evaluated<decltype(body())> {
  try {
    return body();
  } catch (const eval::PythonError& error) {
    return tl::unexpected(interp.describe(error));
  } catch (const eval::Refusal& refusal) {
    return tl::unexpected(refusal.diagnostic);
  } catch (const std::exception& error) {
    return tl::unexpected(diagnostics::Diagnostic{
        diagnostics::Kind::UnsupportedOperation,
        std::string("MLX: ") + error.what(),
        interp.here(),
        "the array library cannot carry out this operation",
        "",
        interp.call_stack()});
  }
}

}  // namespace portwright::library
