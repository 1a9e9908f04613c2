#include "emit/position_tables.h"

#include "emit/model_writer.h"
#include "emit/range_positions.h"
#include "emit/trace_editor.h"
#include "torch/torch.h"

namespace portwright::emit {

namespace mx = mlx::core;
using eval::Value;
using lift::Flow;

namespace {

bool is(const Value& value, int64_t number) {
  return value.is_int() && !value.is_bool() && value.as_int() == number;
}

bool is_whole(const Value& index) {
  const auto* s =
      index.is(eval::Kind::Slice) ? index.get<eval::Slice>() : nullptr;
  return s && s->lower.is_none() && s->upper.is_none() && s->step.is_none();
}

class TableReader {
 public:
  TableReader(eval::Interpreter& interp, Trace& trace, Evaluation& e)
      : trace_(trace),
        evaluation_(e),
        flows_(trace, e.ids, e.positions, e.mask),
        editor_(interp, trace) {}

  void run() {
    visit(trace_.root);
  }

 private:
  /// [offset : offset + L]
  bool is_of_new_tokens(const Value& index) const {
    const auto* s =
        index.is(eval::Kind::Slice) ? index.get<eval::Slice>() : nullptr;
    const int64_t first = evaluation_.offset;
    return s && s->step.is_none() &&
           (is(s->lower, first) || (first == 0 && s->lower.is_none())) &&
           is(s->upper, first + evaluation_.length);
  }

  /// table[offset : offset + L], with any further axes whole.
  bool reads_rows(const OpNode& op) const {
    if (op.op->name != "getitem" || op.inputs.size() != 1 ||
        flows_.of(op.inputs[0]) != Flow::Constant ||
        trace_.info(op.inputs[0]).shape.size() < 2) {
      return false;
    }
    const Value& at = op.args[static_cast<size_t>(op.op->param("index"))];
    if (!at.is(eval::Kind::Tuple)) {
      return is_of_new_tokens(at);
    }
    const auto& items = at.get<eval::Tuple>()->items;
    return !items.empty() && is_of_new_tokens(items[0]) &&
           std::all_of(items.begin() + 1, items.end(), is_whole);
  }

  void visit(Frame& frame) {
    for (trace::Item& item : frame.items) {
      if (auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        visit(**child);
      }
    }
    while (trace::Item* item = next(frame)) {
      read(frame, *item);
    }
  }

  trace::Item* next(Frame& frame) const {
    for (trace::Item& item : frame.items) {
      const auto* op = std::get_if<OpNode>(&item);
      if (op && reads_rows(*op)) {
        return &item;
      }
    }
    return nullptr;
  }

  /// table[positions[0]]
  void read(Frame& frame, trace::Item& item) {
    auto& op = std::get<OpNode>(item);
    OpNode row = editor_.operation(
        "getitem", evaluation_.positions, {Value::integer(0)});
    row.span = op.span;
    const ValueId positions = row.outputs[0];
    op.args[static_cast<size_t>(op.op->param("index"))] =
        editor_.tensor(positions);
    op.inputs.push_back(positions);
    std::vector<trace::Item> added;
    added.emplace_back(std::move(row));
    editor_.insert(frame, item, std::move(added));
  }

  Trace& trace_;
  Evaluation& evaluation_;
  lift::Flows flows_;
  TraceEditor editor_;
};

}  // namespace

void read_tables_by_position(
    eval::Interpreter& interp,
    Trace& trace,
    Evaluation& evaluation) {
  if (!evaluation.positions) {  // the forward takes none
    const auto& shape = trace.info(evaluation.ids).shape;
    const auto first = static_cast<double>(evaluation.offset);
    const auto last = first + static_cast<double>(evaluation.length);
    evaluation.positions =
        TraceEditor(interp, trace)
            .define(
                evaluation.ids,
                mx::broadcast_to(
                    mx::arange(first, last, mx::int64),
                    {static_cast<int>(shape[0]), static_cast<int>(shape[1])}));
  }
  if (!evaluation.cached) {
    take_ranges_for_positions(interp, trace, evaluation);
  }
  TableReader(interp, trace, evaluation).run();
}

}  // namespace portwright::emit
