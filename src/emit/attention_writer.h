#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "emit/context.h"
#include "emit/expression.h"
#include "lift/idioms.h"

namespace portwright::emit {

class ModuleWriter;

/// Emits what attention is made of, each at its place in a module's data flow:
/// rotations, the cache's update, fused attention, masks. Everything between
/// them is left to the operations.
class AttentionWriter {
 public:
  explicit AttentionWriter(ModuleWriter& writer) : w_(writer) {}

  /// Lifts the idioms of the module's forward.
  void find();

  bool owns(ValueId id) const;
  /// What an owned value is computed from.
  std::vector<ValueId> dependencies(ValueId id) const;
  Expression produce(ValueId id);

  /// How many keys there are: an expression. Nothing without a cache.
  std::optional<Expression> key_length();
  /// True for the axis along which the cache keeps a value.
  bool counts_keys(ValueId id, int64_t axis) const {
    const lift::CacheUpdate* update = found_.update_of(id);
    return update && update->values && axis == 2;
  }
  /// All keys, of the first update; throws a Hole without one.
  Expression all_keys();
  Expression additive_mask();
  /// True for the keys that the mask shows, which are all without one.
  Expression shown_keys();
  Expression positions();

 private:
  struct Masked {
    ValueId scores = 0, mask = 0;
    bool without_heads = false;  // (B, L, S)
    eval::Value before;          // how many keys stand before all, and show
  };

  void find_masked(const OpNode& op);
  eval::Value shown_before(ValueId& mask) const;
  void refuse_choices_by_length(const Frame& frame);
  bool after_update(ValueId id) const;
  std::optional<ValueId> dropped(ValueId bias) const;
  bool adjacent(const lift::Attention& a) const;
  int moved_mask_rank(bool shown) const;

  std::string offset();
  std::string queries_text(const lift::Attention& a);
  std::string scale_text(const lift::Attention& a);
  std::string sinks_text(const lift::Attention& a);
  std::string mask_text(const lift::Attention& a);
  void add_mask(
      const std::string& scores,
      bool without_heads = false,
      const eval::Value& before = {});
  std::string padded_mask(const eval::Value& before);
  Expression key_bias(const lift::KeyBias& bias);
  Expression rope_input(const lift::Rope& rope);

  void write_rope_call(const lift::Rope& rope);
  void write_update(const lift::CacheUpdate& update);
  void write_index_update(const lift::CacheUpdate& update);
  void write_adjacent(const lift::Attention& a);
  void write_fused(const lift::Attention& a, const std::string& output);
  void write_capped(const lift::Attention& a, const std::string& output);

  ModuleWriter& w_;
  lift::Idioms found_;
  std::map<ValueId, Masked> masked_;  // scores + mask, by output
  std::string additive_mask_;         // its variable
  std::string shown_keys_;
};

}  // namespace portwright::emit
