#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace portwright::emit {

/// Prints Python source as black (line length 88, its own choice of target
/// versions) and isort (profile black) leave it. `source` is what the emitter
/// writes: statements one a line however long, comments on lines of their own
/// or behind a statement. Magic trailing commas are kept; at most one blank
/// line inside functions and two at module level survive.
///
/// Not served: `# fmt:` and `# isort:` switches, `# type:` comments other than
/// `ignore`, `match`, type parameters and form feeds. Fails when the source is
/// not valid Python or holds one of those statements; the Error says where.
base::Result<std::string> layout(std::string_view source);

}  // namespace portwright::emit
