#pragma once

#include "emit/model_writer.h"

namespace portwright::emit {

/// The window of a mask that the source makes itself, in terms of ModelArgs:
/// "args.window", "args.reach + 1"; "" where no field of the config tells it.
std::string window_text(Context& context, ValueId mask, int64_t window);

/// What a window is called as an attribute: "sliding_window".
std::string window_name(const Context& context);

/// The window as a statement of a class without ModelArgs reads it: makes the
/// attribute.
std::string keep_window(ModuleWriter& w);

/// The cache of a layer whose keys slide.
std::string rotating_cache(Context& context);

/// Which of two kinds each layer is of, where no field names them: the source's
/// own condition on the index of a layer, as the text of ModelArgs.layer_types.
/// "" where none tells.
std::string
kinds_text(Context& context, const Roles& roles, const Masks& masks);

/// The property of ModelArgs; "" where the config has layer_types itself.
std::string layer_types_property(const Context& context);

}  // namespace portwright::emit
