#pragma once

#include <stdexcept>
#include <string>

namespace portwright::base {

/// Our own bug. Reaches main(), which asks for a report and exits with 70.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

}  // namespace portwright::base

/// States an invariant of ours; failing is a bug of ours, never of the input.
#define PW_CHECK(condition, message)                                      \
  do {                                                                    \
    if (!(condition)) {                                                   \
      throw ::portwright::base::InternalError(                            \
          std::string(__FILE__) + ":" + std::to_string(__LINE__) + ": " + \
          (message));                                                     \
    }                                                                     \
  } while (false)
