#include "emit/readers.h"

#include "emit/layer_states.h"

namespace portwright::emit {

void Readers::visit(const Frame& frame) {
  for (const auto& item : frame.items) {
    if (const auto* op = std::get_if<OpNode>(&item)) {
      ++next_;
      for (ValueId id : op->outputs) {
        places_.emplace(id, next_);
      }
      for (ValueId id : op->inputs) {
        readers_[id].push_back({op, &frame, next_});
      }
    } else if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      visit(**child);
    }
  }
}

bool Readers::makes_scores(const Frame& module, ValueId id) const {
  std::vector<ValueId> pending{id};
  std::set<ValueId> seen;
  while (!pending.empty()) {
    const ValueId next = pending.back();
    pending.pop_back();
    if (!seen.insert(next).second) {
      continue;
    }
    for (const auto& [op, frame, place] : of(next)) {
      if (op->op->name == "softmax") {
        return true;
      }
      if (op->op->name == "scaled_dot_product_attention") {
        return op->inputs.size() > 1 && op->inputs[1] == next;
      }
      if (stands_in(frame, module)) {
        pending.insert(pending.end(), op->outputs.begin(), op->outputs.end());
      }
    }
  }
  return false;
}

}  // namespace portwright::emit
