#pragma once

#include <set>
#include <string>
#include <vector>

#include "trace/trace.h"

namespace portwright::emit {

using trace::Frame;
using trace::ValueId;

class Context;

/// What each layer hands to the next beside the hidden states, as what an index
/// chose: None before the first layer.
struct Carried {
  std::string name;  // its variable all over the file; "" without such
  std::set<ValueId> ids;
  size_t output = 0;  // which of a layer's outputs it is
  /// The modules that take it in some layer, by path below the layer.
  std::set<std::string> takers;

  bool holds(ValueId id) const {
    return ids.contains(id);
  }
};

/// A Hole where the layers hand on several such values.
Carried find_carried(Context& context, const std::vector<const Frame*>& layers);

/// True for a module that takes the value, in this layer or another.
bool takes_carried(const Context& context, const Frame& frame);

}  // namespace portwright::emit
