#pragma once

#include <string>

#include "emit/context.h"

namespace portwright::emit {

/// Statements of sanitize that give each layer what it shares with others of
/// its kind, in turns; checkpoints hold it once. "" where nothing is shared.
std::string shared_weights(Context& context);

}  // namespace portwright::emit
