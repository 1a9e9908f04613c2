#pragma once

#include <string>
#include <string_view>

#include "syntax/ast.h"

namespace portwright::emit::printing {

/// The module's source with every run of imports as isort (profile black)
/// orders it: by section, `import` before `from`, names merged and sorted,
/// however long the lines. A run with comments among its lines is left alone.
std::string sort_imports(const syntax::Tree& tree);

/// Whether a top-level module belongs to the standard library.
bool is_standard_module(std::string_view name);

}  // namespace portwright::emit::printing
