#pragma once

#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// A choice of the source that the file has made for good, as statements of
/// ModelArgs.__post_init__ that refuse every config which would choose
/// otherwise.
struct Guard {
  std::string condition; // true for what the file serves; fields as self.x
  std::string message; // Python text of what is not supported
};

/// One guard for every decided condition on config fields (in the model's own
/// file) and for every field that selected a function by its name.
std::vector<Guard> find_guards(Context& context);

} // namespace portwright::emit
