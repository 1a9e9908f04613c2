#include <limits>

#include "emit/attention_writer.h"
#include "emit/module_writer.h"

namespace portwright::emit {

using eval::Value;
using lift::Flow;

namespace {

bool mentions(const eval::Provenance* p, eval::Provenance::Kind kind) {
  return p && (p->kind == kind || mentions(p->left, kind) ||
               mentions(p->right, kind) || mentions(p->test, kind));
}

/// The smallest number of float32, or less.
bool is_lowest(const Value& v) {
  return v.is_number() && v.as_double() <= std::numeric_limits<float>::lowest();
}

}  // namespace

/// A choice by how many keys there are, against a number of the config, was
/// made for the few keys that were traced.
void AttentionWriter::refuse_choices_by_length(const Frame& frame) {
  for (const auto& item : frame.items) {
    if (const auto* branch = std::get_if<trace::Branch>(&item)) {
      const eval::Provenance* c = branch->condition;
      if (c && c->kind == eval::Provenance::Kind::Binary &&
          (c->name.str().starts_with("<") || c->name.str().starts_with(">")) &&
          mentions(c, eval::Provenance::Kind::Dim) &&
          mentions(c, eval::Provenance::Kind::Config)) {
        w_.context().hole(
            branch->span,
            "'" + frame.path + "' computes something else past a length");
      }
    }
    const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
    if (child && !(*child)->is_module() && !lift::is_cache_update(**child) &&
        !lift::is_mask_function(**child) && !lift::is_state_update(**child) &&
        !w_.recurrent().covers(**child)) {
      refuse_choices_by_length(**child);
    }
  }
}

/// How many keys before all others are shown by a mask that begins with zeros
/// for them: F.pad(mask, (n, 0)), or a part of it that is the whole. `mask` is
/// then what was padded.
Value AttentionWriter::shown_before(ValueId& mask) const {
  const Context& context = w_.context();
  const OpNode* op = context.trace.info(mask).producer;
  while (op && op->op->name == "getitem" &&
         context.trace.info(op->inputs[0]).shape ==
             context.trace.info(op->outputs[0]).shape) {
    op = context.trace.info(op->inputs[0]).producer;
  }
  if (!op || op->op->name != "pad" ||
      context.trace.info(op->outputs[0]).dtype == torch::Dtype::Bool) {
    return {};
  }
  const Value& value = op->args[op->op->param("value")];
  const Value& mode = op->args[op->op->param("mode")];
  const auto widths = context.interp.to_vector(op->args[op->op->param("pad")]);
  const bool zeros = (!value.is_number() || value.as_double() == 0) &&
                     (!mode.is_str() || mode.str() == "constant");
  const ValueId whole =
      lift::whole_mask(context.trace, context.flows, op->inputs[0]);
  if (!whole || !zeros || widths.size() != 2 || widths[1].as_int() != 0) {
    return {};
  }
  mask = whole;
  return widths[0];
}

/// Scores to which the mask is added, or of which it fills what it hides.
void AttentionWriter::find_masked(const OpNode& op) {
  const Context& context = w_.context();
  if (op.op->name == "masked_fill" && op.inputs.size() == 2) {
    // What is filled is what the mask, true for keys that are read, is not.
    const OpNode* hidden = context.trace.info(op.inputs[1]).producer;
    const bool inverted = hidden && (hidden->op->name == "bitwise_not" ||
                                     hidden->op->name == "logical_not");
    const ValueId mask =
        inverted
            ? lift::whole_mask(context.trace, context.flows, hidden->inputs[0])
            : 0;
    if (mask && context.trace.info(mask).dtype == torch::Dtype::Bool &&
        context.flows.of(op.inputs[0]) == Flow::Data &&
        is_lowest(op.args[op.op->param("value")])) {
      masked_[op.outputs[0]] = {op.inputs[0], mask, false, {}};
    }
    return;
  }
  if (op.op->name != "add" || op.inputs.size() != 2) {
    return;
  }
  const auto note = [&](ValueId scores, ValueId added) {
    ValueId mask = added;
    if (const Value before = shown_before(mask); before.defined()) {
      masked_[op.outputs[0]] = {scores, mask, false, before};
      return;
    }
    mask = lift::whole_mask(context.trace, context.flows, added);
    const bool bare = !mask;
    if (bare) {
      mask = lift::mask_without_heads(context.trace, context.flows, added);
    }
    if (mask && context.flows.of(scores) == Flow::Data &&
        w_.rank(scores) == w_.rank(added)) {
      if (context.trace.info(added).dtype == torch::Dtype::Bool) {
        w_.context().hole(
            op.span, "a mask of truths is added to scores, and hides nothing");
      }
      masked_[op.outputs[0]] = {scores, mask, bare, {}};
    }
  };
  note(op.inputs[0], op.inputs[1]);
  note(op.inputs[1], op.inputs[0]);
}

/// What is given no weight, where a bias is the mask with the smallest number
/// in such places.
std::optional<ValueId> AttentionWriter::dropped(ValueId bias) const {
  const auto& trace = w_.context().trace;
  const OpNode* op = trace.info(bias).producer;
  if (!op || op->op->name != "masked_fill" || op->inputs.size() != 2 ||
      !lift::whole_mask(trace, w_.context().flows, op->inputs[0])) {
    return {};
  }
  return is_lowest(op->args[op->op->param("value")])
             ? std::optional(op->inputs[1])
             : std::nullopt;
}

}  // namespace portwright::emit
