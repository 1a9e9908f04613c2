#pragma once

#include <functional>
#include <string>

#include "emit/statements.h"

namespace portwright::emit {

/// A recording names each module of a list, and each part of what they share:
///
///     h, h2 = mx.split(x, 2, axis=1)
///     return mx.concatenate([self.norms[0](h), self.norms[1](h2)], axis=1)
///
/// Where all of the list are made alike, the forward is written for as many as
/// there are, as the source has it:
///
///     parts = mx.split(x, len(self.norms), axis=1)
///     return mx.concatenate(
///         [norm(h) for norm, h in zip(self.norms, parts)], axis=1)
///
/// `count` says in terms of ModelArgs how long a list of so many is, "" where
/// nothing does.
void write_for_each(
    Lines& init,
    Lines& call,
    const std::function<std::string(int)>& count);

}  // namespace portwright::emit
