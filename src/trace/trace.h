#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/source.h"
#include "eval/code.h"
#include "eval/objects.h"
#include "torch/torch.h"

namespace portwright::trace {

namespace mx = mlx::core;

/// A tensor value in single static assignment; 0 is none.
using ValueId = uint32_t;

struct Frame;

/// One tensor operation.
struct OpNode {
  const torch::Op* op;
  /// One per parameter of the op's signature. The tensors in it (also inside
  /// tuples, lists and slices), in order, were `inputs` at that time.
  std::vector<eval::Value> args;
  eval::Value result;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  base::Span span;
};

/// A condition with provenance that was decided.
struct Branch {
  base::Span span;
  const eval::Provenance* condition;
  bool outcome;
  bool operand = false;  // of and/or; the whole test, if any, comes after it
};

using Item = std::variant<OpNode, Branch, std::unique_ptr<Frame>>;

/// One turn of a `for` statement that a module's forward runs.
struct LoopTurn {
  uint32_t loop = 0;   // which run of a loop, from 1 on
  uint32_t outer = 0;  // the run of the loop around it; 0 without
  int64_t index = 0;
  /// What a range from 0 on runs to; null for others and literals.
  const eval::Provenance* bound = nullptr;
  ValueId begin = 0, end = 0;  // of the values that were made in it
};

/// One call of a function of the source, in the order of evaluation.
struct Frame {
  eval::Ref<eval::Function> function;  // null for the root
  /// The nn.Module whose forward this is; null for plain functions.
  eval::Value module;
  std::string path;               // of the module: "model.layers.0.self_attn"
  std::vector<eval::Value> args;  // one per parameter
  std::vector<ValueId> inputs;    // the tensors in args
  eval::Value result;
  std::vector<ValueId> outputs;  // the tensors in result
  base::Span call;
  std::deque<Item> items;       // addresses stay
  std::vector<LoopTurn> turns;  // of a module's forward, as they began
  /// By what number the module was picked out of a list just before; null for
  /// others.
  const eval::Provenance* picked = nullptr;
  Frame* parent = nullptr;

  bool is_module() const {
    return module.defined();
  }
  /// "transformers.cache_utils" and "Cache.update" of the function.
  const std::string& module_name() const;
  std::string qualname() const;
};

/// What is known of a value.
struct ValueInfo {
  eval::Value tensor;  // as it was made
  torch::Sizes shape;
  torch::Dtype dtype;
  std::vector<base::Symbol> names;  // it was bound to, in order
  std::string parameter;  // path of the parameter or buffer, if it is one
  const OpNode* producer = nullptr;
  const Frame* frame = nullptr;  // where it was made
};

/// How a module object was constructed: its outermost __init__.
struct Construction {
  eval::Ref<eval::Function> function;
  std::vector<eval::Value> args;  // one per parameter, self first
  std::vector<Branch> branches;   // decided in __init__ and what it calls
};

/// What a config field's text picked out of a mapping.
struct Selection {
  std::string field;     // by path
  std::string text;      // its value
  eval::Value registry;  // the mapping
};

/// One evaluation of a model, recorded.
struct Trace {
  Frame root;
  std::deque<ValueInfo> values;  // by id; index 0 is unused
  /// Module objects by path, as named_modules() lists them.
  std::vector<std::pair<std::string, eval::Value>> modules;
  /// By module object, when the construction was recorded too.
  std::unordered_map<const eval::Object*, Construction> constructions;
  /// Config fields (by path) whose text picked something out of a mapping, as
  /// in ACT2FN[config.hidden_act], with that text.
  std::map<std::string, std::string> selectors;
  /// The objects that they picked.
  std::unordered_map<const eval::Object*, Selection> selected;

  const ValueInfo& info(ValueId id) const {
    return values[id];
  }
};

/// The tensors inside a value (tuples, lists, dicts, slices and instances'
/// attributes included), in order.
std::vector<torch::Tensor*> tensors_in(const eval::Value& value);

/// Readable text: the tree of frames with their operations.
std::string print(const Trace& trace, bool with_library = false);

/// Violations of the trace's own rules (every input defined before its use,
/// outputs unique, ...); empty when it is sound.
std::vector<std::string> check(const Trace& trace);

}  // namespace portwright::trace
