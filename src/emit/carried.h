#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "trace/trace.h"

namespace portwright::emit {

using trace::Frame;
using trace::ValueId;

class Context;

/// A value that layers make and later ones read, beside the hidden states and
/// in whatever way it gets there: a variable of the loop over the layers. None
/// until a layer makes it.
struct Carried {
  std::string name;    // of the variable, all over the file
  bool apart = false;  // forwards that make it have a name of their own for it
  std::set<ValueId> ids;
  /// What it is before and after each layer; 0 for None.
  std::map<const Frame*, std::pair<ValueId, ValueId>> around;
  /// The modules that take it in some layer, and those that answer it beside
  /// their own output, by path below the layer.
  std::set<std::string> takers, givers;

  bool holds(ValueId id) const {
    return ids.contains(id);
  }
};

/// A Hole where a layer reads another one's than the last before it.
std::vector<Carried> find_carried(
    Context& context,
    const std::vector<const Frame*>& layers);

/// The variable that a value is of; null for others.
const Carried* carried_of(const Context& context, ValueId id);

/// The variables that a module takes, and those that it answers, in this layer
/// or another.
std::vector<const Carried*> taken_by(
    const Context& context,
    const Frame& frame);
std::vector<const Carried*> given_by(
    const Context& context,
    const Frame& frame);

/// The value of the variable that is made inside; 0 without such.
ValueId
made_inside(const Context& context, const Frame& frame, const Carried& carried);

/// What the variable may be when the module reads it from outside.
std::vector<ValueId> values_around(
    const Context& context,
    const Frame& frame,
    const Carried& carried);

}  // namespace portwright::emit
