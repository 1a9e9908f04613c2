#pragma once

#include <map>
#include <set>

#include "emit/context.h"

namespace portwright::emit {

/// Values to which the source gives a name that an `if` may give anew, where
/// drafts of one file decide it differently: `if config.cap is not None: logits
/// = ...`. They are statements of their own, so that the drafts differ there
/// and nowhere else.
struct Reassigned {
  std::set<ValueId> values;
  /// What the name stood for before it was given anew.
  std::map<ValueId, ValueId> before;
};

Reassigned find_reassigned(const Context& context, const lift::Graph& graph);

}  // namespace portwright::emit
