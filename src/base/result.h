#pragma once

#include <string>
#include <tl/expected.hpp>

namespace portwright::base {

/// A failure of the world (file, network, worker): what happened, and what the
/// user can do next. Faults in the user's source are diagnostics instead.
struct Error {
  std::string message;
  std::string hint;
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(std::string message, std::string hint = "") {
  return tl::unexpected<Error>(Error{std::move(message), std::move(hint)});
}

}  // namespace portwright::base
