#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "emit/configs.h"
#include "emit/context.h"

namespace portwright::emit {

/// Types of rope that a file may have by the library's names, as far as mlx_lm
/// or a class of the file computes them for any length.
inline constexpr const char* kLibraryTypes[] =
    {"default", "dynamic", "linear", "llama3", "yarn"};

/// True when the model's rotary embedding can be of the library's types: where
/// a rotation was met, or one of its modules could make one, the source chooses
/// among them.
bool uses_library_types(const Context& context);

/// Writes the rotary fields of ModelArgs into `fields`, and into `body` the
/// statements of __post_init__ that bring the forms of a config together: flat
/// (`rope_theta`, `rope_scaling` and the names that the config class knows) and
/// nested (`rope_parameters`, one set or one for each kind of layer). After
/// them a set has the defaults that the config class gives it, and what the
/// file does not compute as the source does is refused; `guards` lists that.
void write_rope_arguments(
    Context& context,
    Configs& configs,
    bool partial,
    std::string& fields,
    std::vector<std::string>& body,
    std::vector<std::string>& guards);

}  // namespace portwright::emit
