#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "lift/graph.h"

namespace portwright::emit {

using trace::OpNode;
using trace::ValueId;

class ModuleWriter;
struct Expression;

/// Positions that a forward makes itself, of as many new tokens as there are
/// and the length of its cache: arange(L) + cache.get_seq_length(). The rows of
/// a batch in mlx-lm are offset differently, so these are (1 or B, L), and what
/// is computed from them has that axis more until the source adds one in front.
class RowPositions {
 public:
  explicit RowPositions(ModuleWriter& writer) : w_(writer) {}

  /// Throws a Hole where an axis more does not do.
  void find();
  bool owns(ValueId id) const {
    return made_.contains(id) || leaving_.contains(id);
  }
  std::vector<ValueId> dependencies(ValueId id) const;
  Expression produce(ValueId id);
  /// True for a number that is the cache's length.
  bool is_offset(const eval::Value& value) const;

 private:
  bool makes_positions(const OpNode& op) const;
  bool is_range(ValueId id) const;
  bool follows(const OpNode& op) const;
  bool leaves(const OpNode& op) const;

  ModuleWriter& w_;
  bool asks_ = false;       // the forward asks its cache for its length
  std::set<ValueId> made_;  // positions
  std::set<ValueId> rows_;  // with an axis more than in the source
  std::map<ValueId, const OpNode*> leaving_;  // made of those, and without it
};

}  // namespace portwright::emit
