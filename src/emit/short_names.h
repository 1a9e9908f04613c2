#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// Gives fields that __init__ reads often a local name, `dim =
/// args.hidden_size`, where its lines become fewer by it.
void use_short_names(ClassText& text);

}  // namespace portwright::emit
