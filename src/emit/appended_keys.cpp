#include "emit/appended_keys.h"

#include <numeric>
#include <optional>

#include "emit/layer_states.h"
#include "emit/merged_keys.h"
#include "emit/model_writer.h"
#include "emit/readers.h"
#include "emit/trace_editor.h"
#include "torch/torch.h"

namespace portwright::emit {

using eval::Value;
using trace::Item;

namespace {

/// torch.cat([before, added], dim) along which the tokens lie.
struct Append {
  Frame* frame = nullptr;  // in which it stands
  ValueId before = 0, added = 0, all = 0;
  size_t axis = 0;
  bool is_scored = false;  // keys, not values
};

/// How a layout becomes (B, H, S, D), and back.
struct Layout {
  std::vector<size_t> there, back;

  bool is_same() const {
    return std::is_sorted(there.begin(), there.end());
  }
};

Value dims(const std::vector<size_t>& order) {
  std::vector<Value> out;
  for (size_t axis : order) {
    out.push_back(Value::integer(static_cast<int64_t>(axis)));
  }
  return eval::tuple(std::move(out));
}

/// The order in which an operation puts axes; empty for one that does not.
std::vector<size_t> order_of(const OpNode* op, size_t rank) {
  std::vector<size_t> out;
  const auto axis = [&](const Value& v) {
    const auto n = static_cast<int64_t>(rank);
    return static_cast<size_t>((v.as_int() + n) % n);
  };
  if (op && op->op->name == "permute") {
    for (const Value& v : op->args[1].get<eval::Tuple>()->items) {
      out.push_back(axis(v));
    }
  } else if (op && op->op->name == "transpose") {
    out.resize(rank);
    std::iota(out.begin(), out.end(), size_t{0});
    std::swap(out[axis(op->args[1])], out[axis(op->args[2])]);
  }
  return out;
}

void collect_frames(Frame& frame, std::vector<Frame*>& out) {
  out.push_back(&frame);
  for (Item& item : frame.items) {
    if (auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      collect_frames(**child, out);
    }
  }
}

class AppendTaker {
 public:
  AppendTaker(eval::Interpreter& interp, Trace& trace, const Evaluation& e)
      : interp_(interp),
        trace_(trace),
        evaluation_(e),
        flows_(trace, e.ids, e.positions, e.mask) {}

  std::set<ValueId> run() {
    collect_frames(trace_.root, frames_);
    std::vector<std::pair<const Frame*, std::vector<Append>>> found;
    for (Frame* frame : frames_) {
      const Frame* module = module_around(frame);
      for (const Item& item : frame->items) {
        const auto* op = std::get_if<OpNode>(&item);
        auto append = op && module ? appended(*op) : std::nullopt;
        if (!append) {
          continue;
        }
        append->frame = frame;
        append->is_scored = readers_.makes_scores(*module, append->all);
        if (found.empty() || found.back().first != module) {
          found.emplace_back(module, std::vector<Append>());
        }
        found.back().second.push_back(*append);
      }
    }
    for (const auto& [module, appends] : found) {
      take_pairs(*module, appends);
    }
    return std::move(taken_);
  }

 private:
  bool is_kept_before(ValueId id) const;
  std::optional<Append> appended(const OpNode& op) const;
  void take_pairs(const Frame& module, const std::vector<Append>& appends);
  bool take(const Append& keys, const Append& values);
  std::optional<Layout> layout_of(const Append& append) const;
  ValueId laid_out(ValueId id, const Layout& layout, std::vector<Item>& made);
  bool is_read_between(ValueId id, size_t from, size_t to) const;
  void hide(const Frame& module, const Append& append);

  eval::Interpreter& interp_;
  Trace& trace_;
  const Evaluation& evaluation_;
  lift::Flows flows_;
  TraceEditor editor_{interp_, trace_};
  std::vector<Frame*> frames_;
  Readers readers_{trace_};
  std::set<ValueId> taken_;
};

/// A tensor of a forward before, or a part of one.
bool AppendTaker::is_kept_before(ValueId id) const {
  const OpNode* op = trace_.info(id).producer;
  if (op) {
    return op->inputs.size() == 1 && !op->op->in_place &&
           is_kept_before(op->inputs[0]);
  }
  const auto& info = trace_.info(id);
  const auto* tensor = torch::as_tensor(info.tensor);
  return info.parameter.empty() && tensor && !tensor->is_parameter &&
         !tensor->is_buffer && flows_.of(id) == lift::Flow::Constant;
}

std::optional<Append> AppendTaker::appended(const OpNode& op) const {
  if (op.op->name != "cat" || op.inputs.size() != 2) {
    return {};
  }
  const auto& before = trace_.info(op.inputs[0]).shape;
  const auto& added = trace_.info(op.inputs[1]).shape;
  const Value& dim = op.args[static_cast<size_t>(op.op->param("dim"))];
  if (before.size() != 4 || !dim.is_int() ||
      flows_.of(op.inputs[1]) != lift::Flow::Data ||
      !is_kept_before(op.inputs[0])) {
    return {};
  }
  Append out;
  out.before = op.inputs[0];
  out.added = op.inputs[1];
  out.all = op.outputs[0];
  out.axis = static_cast<size_t>((dim.as_int() + 4) % 4);
  const bool by_tokens = before[out.axis] == evaluation_.offset &&
                         added[out.axis] == evaluation_.length;
  return by_tokens ? std::optional(out) : std::nullopt;
}

/// Keys and values that were appended one after the other.
void AppendTaker::take_pairs(
    const Frame& module,
    const std::vector<Append>& appends) {
  for (size_t i = 0; i + 1 < appends.size(); ++i) {
    const Append &a = appends[i], &b = appends[i + 1];
    if (a.is_scored != b.is_scored && (a.is_scored ? take(a, b) : take(b, a))) {
      hide(module, a);
      hide(module, b);
      ++i;
    }
  }
}

/// The axes other than the tokens' and the batch's are heads and their numbers.
std::optional<Layout> AppendTaker::layout_of(const Append& append) const {
  const auto& shape = trace_.info(append.added).shape;
  std::vector<size_t> order;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis != append.axis && shape[axis] == evaluation_.batch) {
      order.push_back(axis);
    }
  }
  if (order.size() != 1) {
    return {};
  }
  const size_t batch = order[0];
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis != append.axis && axis != batch) {
      order.push_back(axis);
    }
  }
  order.insert(order.begin() + 2, append.axis);
  Layout out;
  out.back.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    out.back[order[i]] = i;
  }
  out.there = std::move(order);
  return out;
}

/// (B, H, S, D) of a value; what else only put its axes in order is skipped.
ValueId AppendTaker::laid_out(
    ValueId id,
    const Layout& layout,
    std::vector<Item>& made) {
  if (layout.is_same()) {
    return id;
  }
  std::vector<size_t> order = layout.there;
  const auto names = trace_.info(id).names;
  const OpNode* op = trace_.info(id).producer;
  const auto before = order_of(op, order.size());
  if (!before.empty() && readers_.of(id).size() == 1) {
    for (size_t& axis : order) {
      axis = before[axis];
    }
    id = op->inputs[0];
    if (std::is_sorted(order.begin(), order.end())) {
      return id;
    }
  }
  made.emplace_back(editor_.operation("permute", id, {dims(order)}));
  const ValueId out = std::get<OpNode>(made.back()).outputs[0];
  trace_.values[out].names = names;
  return out;
}

bool AppendTaker::is_read_between(ValueId id, size_t from, size_t to) const {
  const auto& readers = readers_.of(id);
  return std::any_of(readers.begin(), readers.end(), [&](const auto& r) {
    return r.place > from && r.place < to;
  });
}

/// The item of its frame that appends.
std::deque<Item>::iterator item_of(const Append& append) {
  auto& items = append.frame->items;
  return std::find_if(items.begin(), items.end(), [&](const Item& item) {
    const auto* op = std::get_if<OpNode>(&item);
    return op && op->op->name == "cat" && op->outputs[0] == append.all;
  });
}

/// False where the source does it in an order that no single update has.
bool AppendTaker::take(const Append& keys, const Append& values) {
  const auto keys_layout = layout_of(keys), values_layout = layout_of(values);
  if (!keys_layout || !values_layout) {
    return false;
  }
  const bool keys_first = readers_.place(keys.all) < readers_.place(values.all);
  const Append& first = keys_first ? keys : values;
  const Append& second = keys_first ? values : keys;
  // Where both new ones are known, before anything reads all of either.
  const bool at_first =
      readers_.place(second.added) < readers_.place(first.all);
  const Append& at = at_first ? first : second;
  if (!at_first &&
      is_read_between(
          first.all, readers_.place(first.all), readers_.place(second.all))) {
    return false;
  }
  const base::Span span = std::get<OpNode>(*item_of(at)).span;
  std::vector<Item> items;
  const ValueId new_keys = laid_out(keys.added, *keys_layout, items);
  const ValueId new_values = laid_out(values.added, *values_layout, items);
  auto update = editor_.update(new_keys, new_values, *at.frame, span);
  std::vector<Item> back;
  const auto append = [&](const Append& a, const Layout& layout, ValueId id) {
    std::vector<Item> past;
    const ValueId before = laid_out(a.before, layout, past);
    std::move(past.begin(), past.end(), std::back_inserter(update->items));
    OpNode cat = std::get<OpNode>(*item_of(a));
    ValueId all = a.all;
    if (!layout.is_same()) {
      cat.inputs = {before, id};
      cat.args[static_cast<size_t>(cat.op->param("dim"))] = Value::integer(2);
      cat.args[static_cast<size_t>(cat.op->param("tensors"))] =
          eval::tuple({editor_.tensor(before), editor_.tensor(id)});
      cat.result = torch::run_op(interp_, *cat.op, cat.args);
      all =
          editor_.define(a.all, torch::array_of(*torch::as_tensor(cat.result)));
      cat.result = editor_.tensor(all);
      cat.outputs = {all};
      OpNode turns = editor_.operation("permute", all, {dims(layout.back)});
      turns.outputs = {a.all};
      turns.result = editor_.tensor(a.all);
      turns.span = span;
      back.emplace_back(std::move(turns));
    }
    update->items.emplace_back(std::move(cat));
    update->outputs.push_back(all);
    taken_.insert({all, a.all});
  };
  append(keys, *keys_layout, new_keys);
  append(values, *values_layout, new_values);
  update->result = eval::tuple(
      {editor_.tensor(update->outputs[0]), editor_.tensor(update->outputs[1])});
  items.emplace_back(std::move(update));
  std::move(back.begin(), back.end(), std::back_inserter(items));
  editor_.insert(*at.frame, *item_of(at), std::move(items));
  return true;
}

/// What was appended to is no more among what modules are given; nor, where
/// only the module itself reads it, is all of it among what they answer.
void AppendTaker::hide(const Frame& module, const Append& append) {
  append.frame->items.erase(item_of(append));
  find_producers(trace_, 1);
  std::set<ValueId> gone;
  for (ValueId id = append.before; id;) {
    gone.insert(id);
    const OpNode* op = trace_.info(id).producer;
    id = op ? op->inputs[0] : 0;
  }
  const auto& readers = readers_.of(append.all);
  if (std::all_of(readers.begin(), readers.end(), [&](const auto& reader) {
        return stands_in(reader.frame, module);
      })) {
    gone.insert(append.all);
  }
  for (Frame* f = const_cast<Frame*>(&module); f; f = f->parent) {
    take_out(interp_, *f, gone);
  }
}

}  // namespace

std::set<ValueId> take_appended_keys(
    eval::Interpreter& interp,
    Trace& trace,
    const Evaluation& evaluation) {
  auto out = keep_heads_apart(interp, trace, evaluation);
  out.merge(AppendTaker(interp, trace, evaluation).run());
  return out;
}

}  // namespace portwright::emit
