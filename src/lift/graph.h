#pragma once

#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "trace/trace.h"

namespace portwright::lift {

using trace::Frame;
using trace::OpNode;
using trace::Trace;
using trace::ValueId;

/// What a value depends on, the strongest first wins.
enum class Flow : uint8_t {
  Constant,   // literals, buffers, shapes
  Parameter,  // weights alone
  Position,   // position ids
  Mask,       // the attention mask, or what a mask function made
  Data,       // the hidden states
};

/// The flow of every value of a trace. `ids`, `positions` and `mask` are the
/// inputs of the evaluation (0 where absent).
class Flows {
 public:
  Flows(const Trace& trace, ValueId ids, ValueId positions, ValueId mask);
  Flow of(ValueId id) const {
    return flows_[id];
  }
  /// The attention mask of the evaluation, (B, S).
  ValueId mask() const {
    return mask_;
  }
  /// A value stands for a whole mask: the last `window` tokens, or with 0 all
  /// tokens so far.
  void note_mask(ValueId id, int64_t window) {
    made_[id] = window;
  }
  /// A value hides what a mask of all tokens so far does, and adds a bias.
  void note_biased_mask(ValueId id) {
    biased_.insert(id);
  }
  bool is_biased_mask(ValueId id) const {
    return biased_.contains(id);
  }
  /// What was noted.
  std::optional<int64_t> window_of(ValueId id) const {
    const auto it = made_.find(id);
    return it == made_.end() ? std::nullopt : std::optional(it->second);
  }

 private:
  void visit(const Frame& frame);
  std::vector<Flow> flows_;
  ValueId mask_ = 0;
  std::unordered_map<ValueId, int64_t> made_;
  std::set<ValueId> biased_;
};

/// True for a call into the library's masks or caches, which is one construct.
bool is_mask_function(const Frame& frame);
bool is_cache_update(const Frame& frame);
/// True for a call into the library's caches, or one that stands for it.
bool is_kept_by_cache(const Frame& frame);
/// ... that writes a recurrent layer's states.
bool is_state_update(const Frame& frame);
/// ... that keeps the keys of an index, which chooses what to attend to.
bool is_index_update(const Frame& frame);
/// True when the frame writes such states, calls inside included.
bool keeps_state(const Frame& frame);
/// ... keys and values.
bool updates_keys(const Frame& frame);
/// ... the keys of an index.
bool updates_index(const Frame& frame);
/// True when the frame updates the cache, calls inside included.
bool uses_cache(const Frame& frame);

/// Where a value comes from inside one module's forward: an operation or a call
/// of a submodule.
struct Producer {
  const OpNode* op = nullptr;
  const Frame* call = nullptr;
  size_t index = 0;  // which output of it
};

/// One module's forward with plain function calls, and submodules that hold no
/// parameters, opened up.
struct Graph {
  const Frame* frame = nullptr;
  std::vector<const OpNode*> ops;       // in order
  std::vector<const Frame*> calls;      // submodules kept, in order
  std::vector<const Frame*> functions;  // opened calls, in order
  std::unordered_map<ValueId, Producer> producers;
  std::unordered_map<ValueId, std::vector<const OpNode*>> users;
};

Graph make_graph(const Trace& trace, const Frame& frame);

/// True where a module holds parameters, submodules included.
bool has_parameters(const Trace& trace, const std::string& path);

}  // namespace portwright::lift
