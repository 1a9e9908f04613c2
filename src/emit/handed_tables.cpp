#include "emit/handed_tables.h"

#include <algorithm>

#include "lift/attention.h"
#include "lift/made_masks.h"

namespace portwright::emit {

using lift::Flow;

namespace {

class Tables {
 public:
  Tables(Trace& trace, const lift::Flows& flows, Evaluation& evaluation)
      : trace_(trace), flows_(flows), evaluation_(evaluation) {}

  void visit(Frame& frame) {
    for (auto& item : frame.items) {
      if (auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        visit(**child);
      }
    }
    if (frame.is_module() && lift::updates_keys(frame)) {
      hand_on(frame);
    }
  }

 private:
  /// The weights of other modules behind what a module that attends reads.
  void hand_on(Frame& frame) {
    const lift::Graph graph = lift::make_graph(trace_, frame);
    std::set<ValueId> tables;
    for (const OpNode* op : graph.ops) {
      for (ValueId id : op->inputs) {
        if (!graph.producers.contains(id)) {
          collect(id, frame.path + ".", tables);
        }
      }
    }
    for (ValueId table : tables) {
      give(frame, table);
    }
  }

  void collect(ValueId id, const std::string& below, std::set<ValueId>& out)
      const {
    const auto& info = trace_.info(id);
    const bool bias =
        flows_.of(id) == Flow::Mask && is_mask_with_bias(trace_, flows_, id);
    if (!info.producer || (flows_.of(id) != Flow::Parameter && !bias)) {
      return;
    }
    for (ValueId input : info.producer->inputs) {
      const std::string& path = trace_.info(input).parameter;
      if (!path.empty() && flows_.of(input) == Flow::Parameter) {
        if (!path.starts_with(below)) {
          out.insert(input);
        }
      } else {
        collect(input, below, out);
      }
    }
  }

  /// Every module around the reading one is given it, up to the one that has
  /// it.
  void give(Frame& frame, ValueId table) {
    const std::string& path = trace_.info(table).parameter;
    evaluation_.handed.insert(table);
    for (Frame* at = &frame; at; at = at->parent) {
      if (!at->is_module() || at->path.empty()) {
        continue;
      }
      if (path.starts_with(at->path + ".")) {
        return;
      }
      if (std::find(at->inputs.begin(), at->inputs.end(), table) ==
          at->inputs.end()) {
        at->inputs.push_back(table);
      }
    }
  }

  Trace& trace_;
  const lift::Flows& flows_;
  Evaluation& evaluation_;
};

}  // namespace

bool is_mask_with_bias(
    const Trace& trace,
    const lift::Flows& flows,
    ValueId id) {
  const OpNode* op = trace.info(id).producer;
  if (flows.of(id) != Flow::Mask || !op || op->op->name != "add" ||
      op->inputs.size() != 2) {
    return false;
  }
  const auto is_added = [&](ValueId bias, ValueId mask) {
    return flows.of(bias) == Flow::Parameter &&
           (lift::whole_mask(trace, flows, mask) ||
            is_mask_with_bias(trace, flows, mask));
  };
  return is_added(op->inputs[0], op->inputs[1]) ||
         is_added(op->inputs[1], op->inputs[0]);
}

void hand_on_tables(
    eval::Interpreter& interp,
    Trace& trace,
    Evaluation& evaluation) {
  if (!lift::updates_keys(trace.root)) {
    return;
  }
  lift::Flows flows(
      trace, evaluation.ids, evaluation.positions, evaluation.mask);
  lift::note_made_masks(interp, trace, evaluation.length, flows);
  Tables(trace, flows, evaluation).visit(trace.root);
}

}  // namespace portwright::emit
