#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "trace/trace.h"

namespace portwright::emit {

using trace::Frame;
using trace::ValueId;

class Context;

/// Keys and values that a layer keeps, and to which later layers of its kind
/// attend in place of their own: every layer hands on a pair, where some does.
struct SharedKeys {
  static constexpr const char* kName = "shared_kv";  // all over the file

  std::vector<std::pair<ValueId, ValueId>> pairs;  // keys, values as kept
  /// The modules that hand them on, by path below the layer.
  std::set<std::string> takers;
  /// What the layers that keep keys have below them, and the others lack.
  std::string owner, member;  // "self_attn", "k_proj"

  bool any() const {
    return !takers.empty();
  }
  bool holds(ValueId id) const;
  /// An expression that is true for a layer that keeps keys.
  std::string test() const;
};

/// A Hole where layers share in another way than with the last one of their
/// kind. `like`: what another draft of the file found, which this one follows.
SharedKeys find_shared_keys(
    Context& context,
    const std::vector<const Frame*>& layers,
    const SharedKeys& like);

/// True for a module that hands the keys on, in this layer or another.
bool hands_keys(const Context& context, const Frame& frame);

/// True for keys and values of layers that a forward is given among others, or
/// hands on as a pair.
bool is_given_keys(const Context& context, const Frame& frame, ValueId id);

/// True when the frame attends, be it to the keys of another layer.
bool attends(const Context& context, const Frame& frame);

/// The pair made elsewhere that the frame reads; zeros without such.
std::pair<ValueId, ValueId> foreign_keys(
    const Context& context,
    const Frame& frame);

}  // namespace portwright::emit
