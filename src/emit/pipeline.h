#pragma once

#include "emit/context.h"

namespace portwright::emit {

/// True where every layer answers states of the shape and the dtype that it is
/// given: what one machine sends is then what the next one waits for.
bool keeps_its_form(Context& draft);

/// Lets machines hold some of the layers each, as mlx-lm's PipelineMixin does
/// it, where the merged classes are a plain stack that has routed experts: one
/// loop over `self.layers` of `self.model`, in which nothing but the states
/// goes from layer to layer. Of kinds and caches a machine then has those of
/// its layers alone. False, and nothing changed, where they are not.
bool add_pipeline(std::vector<ClassText>& classes);

}  // namespace portwright::emit
