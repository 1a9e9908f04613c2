#include "emit/range_positions.h"

#include "emit/trace_editor.h"
#include "torch/torch.h"

namespace portwright::emit {

using eval::Value;
using lift::Flow;

namespace {

bool is_count(const Value& value, int64_t number) {
  return value.is_int() && !value.is_bool() && value.as_int() == number;
}

class RangeTaker {
 public:
  RangeTaker(eval::Interpreter& interp, Trace& trace, const Evaluation& e)
      : trace_(trace),
        evaluation_(e),
        flows_(trace, e.ids, e.positions, e.mask),
        editor_(interp, trace) {}

  void run() {
    find_users(trace_.root);
    look_up_by_positions(trace_.root);
    users_.clear();
    find_users(trace_.root);
    take_positions(trace_.root);
  }

 private:
  /// arange(L), where nothing was before.
  bool is_range(const OpNode& op) const {
    const auto argument = [&](const char* name) {
      return op.args[static_cast<size_t>(op.op->param(name))];
    };
    if (op.op->name != "arange" ||
        trace_.info(op.outputs[0]).shape != torch::Sizes{evaluation_.length} ||
        torch::is_floating_point(trace_.info(op.outputs[0]).dtype)) {
      return false;
    }
    const Value start = argument("start"), end = argument("end");
    const bool whole =
        end.is_none() || !end.defined()
            ? is_count(start, evaluation_.length)
            : is_count(start, 0) && is_count(end, evaluation_.length);
    std::set<ValueId> seen;
    return whole && reads_alone(op.outputs[0], seen);
  }

  inline static const std::set<std::string_view> kAlike{
      "getitem",
      "unsqueeze",
      "view",
      "reshape",
      "expand",
      "to",
      "float",
      "type_as",
      "repeat",
      "contiguous",
      "squeeze"};

  /// True where positions are read one by one: rows are looked up by them, or
  /// they are multiplied. Those that are compared measure distances.
  bool reads_alone(ValueId id, std::set<ValueId>& seen) const {
    static const std::set<std::string_view> kReading{
        "embedding", "index_select", "mul", "outer", "einsum", "matmul"};
    if (!seen.insert(id).second) {
      return true;
    }
    const auto [first, last] = users_.equal_range(id);
    return std::all_of(first, last, [&](const auto& user) {
      const OpNode& op = *user.second;
      if (kReading.contains(op.op->name)) {
        return true;
      }
      const bool looks_up = op.op->name == "getitem" && op.inputs[0] != id;
      return looks_up ||
             (kAlike.contains(op.op->name) &&
              std::all_of(
                  op.outputs.begin(), op.outputs.end(), [&](ValueId out) {
                    return reads_alone(out, seen);
                  }));
    });
  }

  void find_users(const Frame& frame) {
    for (const trace::Item& item : frame.items) {
      if (const auto* op = std::get_if<OpNode>(&item)) {
        for (ValueId id : op->inputs) {
          users_.emplace(id, op);
        }
      } else if (
          const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        find_users(**child);
      }
    }
  }

  /// Where rows of weights are looked up by a range, those of all rows'
  /// positions are: (B, L, D), to which what reads them is broadcast anyway.
  void look_up_by_positions(Frame& frame) {
    for (trace::Item& item : frame.items) {
      if (auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        look_up_by_positions(**child);
        continue;
      }
      auto* op = std::get_if<OpNode>(&item);
      const ValueId from = op && op->op->name == "embedding" &&
                                   flows_.of(op->inputs[1]) == Flow::Parameter
                               ? range_of(op->inputs[0])
                               : 0;
      if (!from || !is_broadcast(op->outputs[0])) {
        continue;
      }
      for (Frame* f = &frame; f; f = f->parent) {
        give(*f, op->inputs[0]);
      }
      op->args[0] = editor_.tensor(evaluation_.positions);
      op->inputs[0] = evaluation_.positions;
      auto& info = trace_.values[op->outputs[0]];
      info.tensor = torch::run_op(editor_.interp(), *op->op, op->args);
      torch::as_tensor(info.tensor)->value_id = op->outputs[0];
      info.shape = torch::as_tensor(info.tensor)->sizes;
      op->result = info.tensor;
    }
  }

  /// The range that a value is, axes of one added; 0 for others.
  ValueId range_of(ValueId id) const {
    while (const OpNode* op = trace_.info(id).producer) {
      if (is_range(*op)) {
        return id;
      }
      const auto& shape = trace_.info(id).shape;
      const bool alike = op->inputs.size() == 1 && shape.size() <= 2 &&
                         shape.back() == evaluation_.length &&
                         (shape.size() == 1 || shape[0] == 1 ||
                          shape[0] == evaluation_.batch) &&
                         kAlike.contains(op->op->name);
      if (!alike) {
        return 0;
      }
      id = op->inputs[0];
    }
    return 0;
  }

  bool is_broadcast(ValueId id) const {
    const auto [first, last] = users_.equal_range(id);
    return std::all_of(first, last, [&](const auto& user) {
      const auto& shape = trace_.info(user.second->outputs[0]).shape;
      return (user.second->op->name == "add" ||
              user.second->op->name == "add_") &&
             shape.size() == 3 && shape[0] == evaluation_.batch;
    });
  }

  /// A module that is given a range is given the positions.
  void give(Frame& frame, ValueId range) const {
    const Value& tensor = editor_.tensor(evaluation_.positions);
    for (Value& arg : frame.args) {
      const auto* t = torch::as_tensor(arg);
      if (t && frame.is_module() && t->value_id == range) {
        arg = tensor;
      }
    }
    for (ValueId& id : frame.inputs) {
      id = frame.is_module() && id == range ? evaluation_.positions : id;
    }
  }

  /// Positions of the first row, in the place of a range.
  void take_positions(Frame& frame) {
    for (trace::Item& item : frame.items) {
      if (auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        take_positions(**child);
      } else if (auto* op = std::get_if<OpNode>(&item); op && is_range(*op)) {
        OpNode row = editor_.operation(
            "getitem", evaluation_.positions, {Value::integer(0)});
        op->op = row.op;
        op->args = std::move(row.args);
        op->inputs = std::move(row.inputs);
      }
    }
  }

  Trace& trace_;
  const Evaluation& evaluation_;
  lift::Flows flows_;
  TraceEditor editor_;
  std::multimap<ValueId, const OpNode*> users_;
};

}  // namespace

void take_ranges_for_positions(
    eval::Interpreter& interp,
    Trace& trace,
    const Evaluation& evaluation) {
  RangeTaker(interp, trace, evaluation).run();
}

}  // namespace portwright::emit
