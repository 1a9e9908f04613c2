#pragma once

#include <map>
#include <set>
#include <string>

#include "emit/context.h"
#include "emit/expression.h"

namespace portwright::emit {

class ModuleWriter;

/// Values that the source holds as (B, C, L), written as (B, L, C): torch's
/// convolutions have the channels first, MLX's have them last.
class ChannelsLast {
 public:
  explicit ChannelsLast(ModuleWriter& writer) : w_(writer) {}

  /// A value is at hand under this name, channels last; what is computed of it
  /// element by element is then written so too.
  void start(ValueId id);
  void bind(ValueId id, std::string name);

  /// True for what is computed from a start, element by element, for its
  /// transposes, and for what has a name already.
  bool owns(ValueId id) const {
    return last_.contains(id) || back_.contains(id) || names_.contains(id);
  }
  /// An owned value as the source has it. `make` names a start.
  template <typename Make>
  Expression produce(ValueId id, const Make& make) {
    const auto it = back_.find(id);
    const ValueId from = it == back_.end() ? id : it->second;
    for (ValueId start : starts_) {
      if (!names_.contains(start) && reads(from, start)) {
        make(start);
      }
    }
    const Expression e = of(from);
    return it == back_.end() ? method(e, "swapaxes", {"-1", "-2"}) : e;
  }

  /// (B, L, C) of any value (B, C, L).
  Expression of(ValueId id);

 private:
  void spread();
  bool reads(ValueId id, ValueId start) const;
  const OpNode* producer(ValueId id) const;
  Expression elementwise(const OpNode& op);
  void split(const OpNode& op);

  ModuleWriter& w_;
  std::set<ValueId> starts_;
  std::set<ValueId> last_;           // computed from a start
  std::map<ValueId, ValueId> back_;  // transposes of those
  std::map<ValueId, std::string> names_;
};

}  // namespace portwright::emit
