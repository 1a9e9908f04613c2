#pragma once

#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// Gives instances of one class of the source classes of their own where
/// instances of one layer differ: no condition on the config could tell these
/// apart, their place in the model does. All drafts are changed alike, and the
/// lines that make the instances with them. Before that, instances that are
/// given a size and those that take it from the config are made alike.
void separate_classes(const std::vector<Context*>& drafts);

}  // namespace portwright::emit
