#include "emit/row_positions.h"

#include <numeric>

#include "emit/module_writer.h"
#include "emit/operation_rules.h"

namespace portwright::emit {

using eval::Value;

namespace {

bool is_elementwise(const OpNode& op) {
  static const RuleTable rules = [] {
    RuleTable out;
    add_elementwise_rules(out);
    return out;
  }();
  const torch::Op* meaning =
      op.op->in_place && op.op->functional ? op.op->functional : op.op;
  return rules.contains(meaning->name) && meaning->param("dim") < 0;
}

}  // namespace

bool RowPositions::is_offset(const Value& value) const {
  return asks_ && value.is_int() && !value.is_bool() && !value.provenance() &&
         value.as_int() == w_.context().evaluation.offset;
}

/// arange(L)
bool RowPositions::is_range(ValueId id) const {
  const OpNode* op = w_.context().trace.info(id).producer;
  if (!op || op->op->name != "arange") {
    return false;
  }
  const Value& start = argument(*op, "start");
  const Value& end = argument(*op, "end");
  const bool from_zero = !given(*op, "end") || start.as_int() == 0;
  const Value& count = given(*op, "end") ? end : start;
  return from_zero && !given(*op, "step") && count.is_int() &&
         count.as_int() == w_.context().evaluation.length;
}

bool RowPositions::makes_positions(const OpNode& op) const {
  if (op.op->name == "add" && op.inputs.size() == 1) {
    return is_range(op.inputs[0]) &&
           (is_offset(op.args[0]) || is_offset(op.args[1]));
  }
  const auto& e = w_.context().evaluation;
  return op.op->name == "arange" && given(op, "end") && !given(op, "step") &&
         is_offset(argument(op, "start")) && argument(op, "end").is_int() &&
         argument(op, "end").as_int() == e.offset + e.length;
}

/// Computed for each position by itself.
bool RowPositions::follows(const OpNode& op) const {
  const auto& trace = w_.context().trace;
  return is_elementwise(op) && op.outputs.size() == 1 &&
         w_.rank(op.outputs[0]) == 1 &&
         std::all_of(op.inputs.begin(), op.inputs.end(), [&](ValueId id) {
           return rows_.contains(id) || trace.info(id).shape.empty();
         });
}

/// (L,) -> (1, L, ...)
bool RowPositions::leaves(const OpNode& op) const {
  const auto& shape = w_.context().trace.info(op.outputs[0]).shape;
  const int64_t length = w_.context().evaluation.length;
  const auto numel = std::accumulate(
      shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  const std::string& name = op.op->name;
  return (name == "view" || name == "reshape" || name == "unsqueeze" ||
          name == "getitem") &&
         op.inputs.size() == 1 && shape.size() > 1 && shape[0] == 1 &&
         numel == length;
}

void RowPositions::find() {
  const auto& offset = w_.context().evaluation.offset;
  for (const Frame* f : w_.graph().functions) {
    const bool own = f->parent->module_name() != "transformers.cache_utils";
    asks_ = asks_ || (own && f->module_name() == "transformers.cache_utils" &&
                      f->function->name == "get_seq_length" &&
                      f->result.is_int() && f->result.as_int() == offset);
  }
  if (!asks_) {
    return;
  }
  for (const OpNode* op : w_.graph().ops) {
    if (makes_positions(*op)) {
      made_.insert(op->outputs[0]);
      rows_.insert(op->outputs[0]);
      continue;
    }
    const bool reads =
        std::any_of(op->inputs.begin(), op->inputs.end(), [&](ValueId id) {
          return rows_.contains(id);
        });
    if (reads && follows(*op)) {
      rows_.insert(op->outputs[0]);
    } else if (reads && leaves(*op)) {
      leaving_.emplace(op->outputs[0], op);
    } else if (reads) {
      w_.context().hole(
          op->span, "positions of a batch's rows have no translation here");
    }
  }
}

std::vector<ValueId> RowPositions::dependencies(ValueId id) const {
  return made_.contains(id) ? std::vector<ValueId>{} : leaving_.at(id)->inputs;
}

Expression RowPositions::produce(ValueId id) {
  if (made_.contains(id)) {
    // Of padding they are negative, where a function may have no value.
    return call("mx.maximum", {w_.positions().text, "0"});
  }
  const Expression x = w_.value(leaving_.at(id)->inputs[0]);
  const auto& shape = w_.context().trace.info(id).shape;
  if (shape.size() == 2) {
    return x;
  }
  w_.needs_shape = true;
  std::vector<std::string> sizes{"-1"};
  for (size_t i = 1; i < shape.size(); ++i) {
    sizes.emplace_back(shape[i] == 1 ? "1" : "L");
  }
  return method(x, "reshape", sizes);
}

}  // namespace portwright::emit
