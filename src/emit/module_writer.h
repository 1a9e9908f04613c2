#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "emit/attention_writer.h"
#include "emit/context.h"
#include "emit/expression.h"
#include "emit/grouped_writer.h"
#include "emit/members.h"
#include "emit/norm_writer.h"
#include "emit/reassigned.h"
#include "emit/recurrent_writer.h"
#include "emit/row_positions.h"
#include "lift/experts.h"

namespace portwright::emit {

/// Writes the class of one module instance from its traced forward: values are
/// computed where they are needed, once used ones inline.
class ModuleWriter {
 public:
  ModuleWriter(Context& context, const Frame& frame);

  /// The forward of a block: (x[, mask, cache]) -> the outputs.
  ClassText write(const std::vector<ValueId>& outputs);

  // ---- for the writers of whole models ----

  /// The Python of a value; statements it needs are appended first.
  Expression value(ValueId id);
  /// The same, not named unless a statement of its own makes it.
  Expression produce(ValueId id);
  bool is_named(ValueId id) const {
    return names_.contains(id);
  }
  /// How often the outputs read it.
  int uses(ValueId id) const {
    auto it = uses_.find(id);
    return it == uses_.end() ? 0 : it->second;
  }
  std::string house_of(ValueId id) const;
  /// Names a value, so that its uses read the name.
  void bind(ValueId id, std::string name);
  void forget(ValueId id) {
    names_.erase(id);
  }
  /// A variable that holds the value.
  std::string name(ValueId id);
  /// What has just got its name is the variable of the loop from now on, if
  /// this forward makes that anew.
  void save(ValueId id);
  void statement(std::string text);
  /// A statement that makes `name` before all others, once.
  void open_with(const std::string& text, const std::string& name);
  /// Keeps names for what is written by hand.
  void reserve(std::initializer_list<std::string> names) {
    used_names_.insert(names);
  }
  /// `self.<name> = <text>` in __init__, once.
  void initialise(const std::string& name, const std::string& text);
  /// An attribute by its path below the module, containers included.
  Expression member(const std::string& path, const std::string& text);
  /// What a value is in a bfloat16 model.
  std::optional<torch::Dtype> half_dtype(ValueId id) const;
  /// An attribute that __init__ computes as the source's construction made the
  /// constant `id`, then shaped by a method call; how it is read.
  std::string computed_in_init(
      const std::string& attribute,
      ValueId id,
      const std::string& shaped = "");
  /// The same, `made` of what the constant is in Python.
  std::string made_in_init(
      const std::string& attribute,
      ValueId id,
      const std::function<std::string(const Expression&)>& made);
  /// A name not used yet in __call__.
  std::string fresh(std::string name);
  /// The names in use so far, and those again: what was named since is gone.
  const std::set<std::string>& used_names() const {
    return used_names_;
  }
  void use_names(std::set<std::string> names) {
    used_names_ = std::move(names);
  }
  /// Puts every expression that is written by that.
  void write_with(std::function<std::string(std::string)> change) {
    change_ = std::move(change);
  }
  /// How long lists are that hold the same in each place, in terms of
  /// ModelArgs; "" where that is not known.
  void count_lists_by(std::function<std::string(size_t)> count) {
    count_ = std::move(count);
  }
  ClassText take(std::string class_name);
  /// Holds the parameters that lie in the module itself, read or not.
  void make_own_parameters();
  lift::Graph& graph() {
    return graph_;
  }
  /// Counts the uses of the values `outputs` are computed from.
  void count_uses(const std::vector<ValueId>& outputs);
  Context& context() {
    return context_;
  }
  /// Lets a submodule answer a value of its forward too.
  void hand_out(const Frame& call, ValueId id);
  /// `experts` on rows of a value, in a switch layer that stands for a frame.
  Expression call_experts(const Frame& call, const lift::Experts& experts);
  /// A size of experts in terms of ModelArgs, as `holder` or the frames' keep
  /// it.
  std::string
  expert_size(const eval::Value& holder, const Frame& experts, int size);
  /// A scalar as __call__ reads it: a literal, or `self.<attribute>`.
  Expression scalar(const eval::Value& value);
  /// An extent of a shape: B, L, or a scalar; -1 where a reshape can tell.
  Expression extent(const eval::Value& value);
  /// What the extent of a tensor was made with; Undefined where unknown.
  eval::Value told(const eval::Value& extent) const;
  eval::Value told(ValueId id, size_t axis) const;
  std::string told_text(const eval::Provenance* provenance) const;
  eval::Value told_by_shape(const OpNode& op, size_t axis) const;
  eval::Value told_by_split(const OpNode& op, ValueId id, size_t axis) const;
  eval::Value told_by_parts(const OpNode& op, size_t axis) const;
  eval::Value told_by_slice(const OpNode& op, size_t axis) const;
  eval::Value told_by_others(
      ValueId from,
      size_t axis,
      const std::vector<eval::Value>& parts,
      size_t which) const;
  /// What a parameter or buffer was made with, axis by axis; undefined where it
  /// is not known, empty where nothing is.
  std::vector<eval::Value> created_sizes(ValueId id) const;
  /// True when a value is written as its operation, here and now.
  bool is_plain(ValueId id) const {
    return !is_named(id) && uses(id) <= 1 && !attention_.owns(id) &&
           !recurrent_.owns(id);
  }
  /// True for an operation that lifted experts stand for.
  bool covers(const OpNode& op) const {
    return grouped_.covers(op);
  }
  /// Inputs that other forwards of the class are not given, and the names of
  /// their parameters.
  std::map<ValueId, std::string> optional_inputs() const;
  /// True when it attends to the keys of another layer, which kept them.
  bool reads_foreign_keys() const {
    return kept_keys_.first && foreign_keys(context_, frame_).first;
  }
  /// The recurrences of the module's forward.
  const RecurrentWriter& recurrent() const {
    return recurrent_;
  }
  /// The same, never -1.
  Expression size(const eval::Value& value);
  ValueId input_of(const OpNode& op, size_t parameter) const;
  /// The i-th input of an operation, in the dtype the source hands it over.
  Expression read(const OpNode& op, size_t i);
  /// The same of a tensor among its arguments.
  Expression operand_value(const OpNode& op, size_t parameter);
  /// An expression of a value, in the dtype that the source's bfloat16 model
  /// has it in where it is used.
  Expression converted(
      const Expression& e,
      ValueId id,
      std::optional<torch::Dtype> wanted);
  /// The dtype of the first norm's weight, which stays as it was where others
  /// are quantized; "" without one.
  std::string norm_dtype();
  /// In the dtype of the activations.
  Expression narrowed(const Expression& e);
  bool is_wide(ValueId id);
  const lift::Graph& graph() const {
    return graph_;
  }
  size_t rank(ValueId id) const {
    return context_.trace.info(id).shape.size();
  }
  /// Where the positions of the new tokens come from: text of a cache with an
  /// offset, and of the number of new tokens. Blocks read their own cache.
  void read_positions(std::function<std::string()> cache, std::string length) {
    position_cache_ = std::move(cache);
    length_text_ = std::move(length);
  }
  /// Which axis of a value is the batch, before that of the tokens; 0 where
  /// none is.
  size_t batch_axis(ValueId id) const;
  /// Puts other text into the statements since the `from`th.
  void replace_in_statements(
      size_t from,
      const std::string& text,
      const std::string& by);
  /// The statements that `write` writes, which are not added: they compute
  /// `outputs`.
  std::vector<std::string> written_apart(
      const std::vector<ValueId>& outputs,
      const std::function<void()>& write);
  size_t statement_count() const {
    return statements_.size();
  }
  /// The positions of the new tokens, (1 or B, L).
  Expression positions();
  /// How many keys there are; nothing where the module keeps none.
  std::optional<Expression> key_count() {
    return attention_.key_length();
  }
  /// The keys that the cache answers with.
  Expression all_keys() {
    return attention_.all_keys();
  }
  /// The sizes of a parameter or buffer, in terms of ModelArgs.
  std::vector<std::string> size_texts(ValueId id);
  /// True while it writes what __init__ computes.
  bool constructs() const {
    return constructing_;
  }
  /// The dtype that constants take; none while constructing.
  std::string states_dtype = "x.dtype";
  bool needs_shape = false;
  bool needs_depth = false;  // D, the last extent of x
  /// The name under which a weight's module is made as an nn.Linear, when the
  /// weight is that of a submodule whose forward was opened.
  std::optional<std::string> linear_module(const OpNode& op);
  /// The path of the direct submodule whose weight a parameter is, else "".
  std::string owner_of(ValueId weight) const {
    const std::string name = weight_owner(weight);
    return name.empty() || frame_.path.empty() ? name
                                               : frame_.path + "." + name;
  }
  /// The same for an nn.Embedding.
  std::optional<std::string> embedding_module(const OpNode& op);

  /// The activation that the file looks up by a field of the config, whose
  /// output a value is; null for anything else.
  const Frame* activation(ValueId id);

  /// Whether the source's bfloat16 model keeps the answer of an operation that
  /// is told a dtype in float32.
  bool answers_wide(const OpNode& op) const {
    return half_dtype(op.outputs.front()) == torch::Dtype::Float32;
  }
  /// The first input, converted to float32 where it is not.
  Expression wide_input(const OpNode& op);

  /// What a recurrence of this forward calls its cache, and the mask of the
  /// tokens that are no padding.
  std::string state_cache() const {
    return splits_states() ? "state_cache" : "cache";
  }
  std::string state_mask() const {
    return splits_states() ? "ssm_mask" : "mask";
  }

 private:
  bool splits_states() const;
  friend class Operations;

  bool is_named_inside(ValueId id) const;
  bool is_read_wide(const OpNode& op, size_t i);
  bool narrows(ValueId id) const;
  Expression make(ValueId id);
  bool is_made_wide(ValueId id);

  void classify_inputs();
  void takes_shared_keys();
  bool takes(const Carried* carried) const;
  bool is_saved(ValueId id) const;
  std::string given_text(const Carried& carried);
  void keep_unread_parameters();
  void order_init();
  Expression call_module(const Frame& call, size_t index);
  Expression unpacked(
      const Expression& answer,
      const std::vector<ValueId>& ids,
      ValueId wanted,
      const std::vector<std::string>& more);
  Expression call_activation(const Frame& call);
  std::string expert_activation(const Frame& call, const lift::Experts&);
  void keep_expert_weights(
      const Frame& call,
      const lift::Experts& experts,
      const std::string& count);
  Expression operation(const OpNode& op, size_t index);
  void outputs_together(const OpNode& op);
  std::optional<Expression> of_shapes(const eval::Provenance* provenance);
  Expression own_extent(const eval::Provenance& dim);
  std::string attribute_for(const eval::Value& value);
  std::string constant_text(const eval::Value& value);
  Expression parameter(ValueId id);
  /// True for parameters and persistent buffers.
  bool in_checkpoint(ValueId id) const;
  /// A buffer: loaded where checkpoints hold it, else computed in __init__.
  Expression buffer(ValueId id);
  Expression shared_positions();
  std::string shape_text(ValueId id);
  Expression made_outside(ValueId id);
  std::string child_name(const std::string& path);
  std::string weight_owner(ValueId weight) const;
  eval::Value buffer_scalar(ValueId id) const;
  bool is_beside(ValueId id, const Frame& call) const;
  std::vector<ValueId> dependencies(ValueId id);
  std::string name_for(ValueId id);

  Context& context_;
  const Frame& frame_;
  lift::Graph graph_;
  std::vector<std::string> statements_;
  std::set<std::string> opened_;
  std::ptrdiff_t opening_ = 0;  // statements of open_with
  std::vector<std::pair<std::string, std::string>> init_;
  std::set<std::string> init_names_;
  std::set<std::string> used_names_;
  std::map<ValueId, std::string> names_;
  std::map<ValueId, int> uses_;
  std::vector<ValueId> outputs_;  // what was counted from
  Reassigned reassigned_;
  std::map<ValueId, bool> wide_;  // what is_wide() knows
  Members members_;
  std::vector<std::string> late_init_;  // after all attributes
  std::vector<ValueId> optional_inputs_;
  std::vector<ValueId> data_inputs_;
  std::vector<const Carried*> taken_, given_;  // variables of the loop
  std::set<const Carried*> saved_;
  std::function<std::string()> position_cache_;
  std::string length_text_;
  std::function<std::string(std::string)> change_;
  std::function<std::string(size_t)> count_;
  bool takes_mask_ = false;
  bool takes_cache_ = false;
  bool hands_keys_ = false;                // that layers share
  std::pair<ValueId, ValueId> kept_keys_;  // ... and attends to them itself
  bool takes_both_ = false;                // of a recurrence, and of attention
  bool splits_cache_ = false;              // of attention, and of its index
  bool constructing_ = false;  // writes __init__, where fields are args.x

  /// What submodules answer beside their outputs.
  std::map<const Frame*, std::vector<ValueId>> handed_out_;

  AttentionWriter attention_;
  RecurrentWriter recurrent_;
  GroupedWriter grouped_;
  RowPositions rows_;
  NormWriter norms_;
};

/// How a module is made in its parent's __init__: nn.Linear(...),
/// nn.RMSNorm(...), or a class of the file, which comes to exist. `outputs`:
/// what of its answer is used.
std::string constructor_of(
    Context& context,
    const Frame& call,
    const std::vector<ValueId>& outputs);

/// nn.Linear(...) for an instance of exactly torch's class, else "".
std::string linear_constructor(Context& context, const eval::Value& module);

/// True when the frame reads the mask, calls inside included.
bool uses_mask(const Context& context, const Frame& frame);

}  // namespace portwright::emit
