#pragma once

#include <optional>
#include <string>
#include <vector>

#include "emit/context.h"
#include "lift/rope.h"

namespace portwright::emit {

/// A number of the rotary parameters by which far positions turn, though near
/// ones do not read it.
struct FarNumber {
  std::string key;
  std::string other;  // what is read near; "" where nothing equals it
};

/// Of a rotation that turns alike everywhere in this config, though the source
/// decides by the positions how: numbers that must be equal for it, each found
/// by a config in which it alone is another, with thresholds within reach.
/// Nothing where the rotation is not alike past a threshold.
std::optional<std::vector<FarNumber>> far_numbers(
    Context& context,
    const lift::Rope& rope);

}  // namespace portwright::emit
