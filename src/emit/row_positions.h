#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "lift/graph.h"

namespace portwright::emit {

using trace::Frame;
using trace::OpNode;
using trace::ValueId;

class ModuleWriter;
class Context;
struct Expression;

/// Positions that a forward makes itself: of as many new tokens as there are
/// and the length of its cache, arange(L) + cache.get_seq_length(), and those
/// of the keys the cache will answer with. The rows of a batch in mlx-lm are
/// offset differently, so these are (1 or B, L), and what is computed from them
/// has that axis more until the source adds one in front.
struct RowValues {
  bool asks = false;          // the forward asks its cache for its length
  std::set<ValueId> queries;  // positions of the new tokens
  std::set<ValueId> keys;     // ... of all keys
  std::set<ValueId> rows;     // those, and what has an axis more
  std::map<ValueId, const OpNode*> axes;     // of these, made by an index alone
  std::map<ValueId, const OpNode*> leaving;  // made of those, and without it
};

/// Of a forward and the modules it calls that keep nothing. Throws a Hole where
/// an axis more does not do.
RowValues find_rows(const Context& context, const lift::Graph& graph);

/// What a module without a cache is given of the positions of the one around
/// it: the first values without the axis.
std::vector<ValueId> rows_given(const Context& context, const Frame& frame);

/// Writes them, in the forward that asks.
class RowPositions {
 public:
  explicit RowPositions(ModuleWriter& writer) : w_(writer) {}

  /// Throws a Hole where an axis more does not do.
  void find();
  bool owns(ValueId id) const;
  std::vector<ValueId> dependencies(ValueId id) const;
  Expression produce(ValueId id);
  /// True for a number that is the cache's length.
  bool is_offset(const eval::Value& value) const;

 private:
  Expression leave(ValueId id);

  ModuleWriter& w_;
  RowValues found_;
};

}  // namespace portwright::emit
