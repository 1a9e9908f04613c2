#include "emit/channels_last.h"

#include "emit/module_writer.h"
#include "emit/operation_rules.h"
#include "emit/operations.h"

namespace portwright::emit {

namespace {

bool is_pointwise(const OpNode& op) {
  static const std::set<std::string_view> kNames = {
      "mul",
      "add",
      "sub",
      "div",
      "silu",
      "sigmoid",
      "tanh",
      "relu",
      "gelu",
      "softplus",
      "neg",
      "to",
      "float",
      "contiguous"};
  return kNames.contains(op.op->name) && op.outputs.size() == 1;
}

/// Swaps the last two of three axes.
bool is_swap(const ModuleWriter& w, const OpNode& op) {
  if (op.op->name != "transpose" || w.rank(op.inputs[0]) != 3) {
    return false;
  }
  const int64_t a = axis_of(argument(op, "dim0"), 3);
  const int64_t b = axis_of(argument(op, "dim1"), 3);
  return std::min(a, b) == 1 && std::max(a, b) == 2;
}

/// Splits the channels of (B, C, L).
bool is_split(const ModuleWriter& w, const OpNode& op) {
  const std::string& name = op.op->name;
  return (name == "chunk" || name == "split" || name == "tensor_split") &&
         w.rank(op.inputs[0]) == 3 && axis_of(argument(op, "dim"), 3) == 1;
}

}  // namespace

const OpNode* ChannelsLast::producer(ValueId id) const {
  const auto it = w_.graph().producers.find(id);
  return it == w_.graph().producers.end() ? nullptr : it->second.op;
}

void ChannelsLast::start(ValueId id) {
  starts_.insert(id);
  last_.insert(id);
  spread();
}

void ChannelsLast::bind(ValueId id, std::string name) {
  names_[id] = std::move(name);
}

void ChannelsLast::spread() {
  for (const OpNode* op : w_.graph().ops) {
    const bool reads =
        std::any_of(op->inputs.begin(), op->inputs.end(), [&](ValueId id) {
          return last_.contains(id);
        });
    if (!reads) {
      continue;
    }
    if (is_swap(w_, *op)) {
      back_[op->outputs[0]] = op->inputs[0];
    } else if (
        is_split(w_, *op) ||
        (is_pointwise(*op) && w_.rank(op->outputs[0]) == 3)) {
      last_.insert(op->outputs.begin(), op->outputs.end());
    }
  }
}

bool ChannelsLast::reads(ValueId id, ValueId start) const {
  if (id == start) {
    return true;
  }
  const OpNode* op = last_.contains(id) ? producer(id) : nullptr;
  return op &&
         std::any_of(op->inputs.begin(), op->inputs.end(), [&](ValueId v) {
           return reads(v, start);
         });
}

Expression ChannelsLast::of(ValueId id) {
  if (const auto it = names_.find(id); it != names_.end()) {
    return {it->second, kPrimary};
  }
  const OpNode* op = producer(id);
  const bool apart = starts_.contains(id) || w_.is_named(id) || !op;
  if (!apart && is_swap(w_, *op)) {
    return w_.value(op->inputs[0]);
  }
  if (!apart && is_split(w_, *op)) {
    split(*op);
    return {names_.at(id), kPrimary};
  }
  if (!apart && is_pointwise(*op)) {
    const Expression e = elementwise(*op);
    if (w_.uses(id) <= 1) {
      return e;
    }
    names_[id] = w_.fresh(w_.house_of(id));
    w_.statement(names_[id] + " = " + e.text);
    return {names_[id], kPrimary};
  }
  return method(w_.value(id), "swapaxes", {"-1", "-2"});
}

/// The operation over operands with their channels last.
Expression ChannelsLast::elementwise(const OpNode& op) {
  std::map<ValueId, std::string> lent;  // with the name it had
  std::vector<ValueId> operands = op.inputs;
  for (ValueId id : op.inputs) {
    const OpNode* before = producer(id);
    if (before && before->op->name == "silu" && !starts_.contains(id)) {
      operands.push_back(before->inputs[0]);  // swiglu takes what is before it
    }
  }
  for (ValueId id : operands) {
    if (w_.rank(id) == 3 && !lent.contains(id)) {
      const std::string name = w_.is_named(id) ? w_.value(id).text : "";
      const Expression e = of(id);
      lent[id] = name;
      w_.bind(id, e.at(kPrimary));
    }
  }
  const Expression e = Operations(w_).translate(op);
  for (const auto& [id, name] : lent) {
    name.empty() ? w_.forget(id) : w_.bind(id, name);
  }
  return e;
}

void ChannelsLast::split(const OpNode& op) {
  const std::string x = of(op.inputs[0]).text;
  std::vector<std::string> targets;
  for (ValueId id : op.outputs) {
    targets.push_back(names_[id] = w_.fresh(w_.house_of(id)));
  }
  w_.statement(
      join(targets) + " = mx.split(" + x + ", " + Operations(w_).sections(op) +
      ", axis=-1)");
}

}  // namespace portwright::emit
