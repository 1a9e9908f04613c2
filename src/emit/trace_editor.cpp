#include "emit/trace_editor.h"

#include "torch/torch.h"

namespace portwright::emit {

namespace mx = mlx::core;
using eval::Value;

ValueId TraceEditor::define(ValueId like, const mx::array& array) {
  trace::ValueInfo info = trace_.info(like);
  info.tensor = Value(torch::make_tensor(interp_, array, info.dtype));
  info.shape.assign(array.shape().begin(), array.shape().end());
  info.parameter.clear();
  info.producer = nullptr;
  trace_.values.push_back(std::move(info));
  return static_cast<ValueId>(trace_.values.size() - 1);
}

OpNode TraceEditor::operation(
    const char* name,
    ValueId input,
    const std::vector<Value>& more) {
  OpNode out;
  out.op = torch::find_op(name);
  out.args = {tensor(input)};
  out.args.insert(out.args.end(), more.begin(), more.end());
  out.inputs = {input};
  const Value made = torch::run_op(interp_, *out.op, out.args);
  out.outputs = {define(input, torch::array_of(*torch::as_tensor(made)))};
  out.result = tensor(out.outputs[0]);
  if (const OpNode* before = trace_.info(input).producer) {
    out.span = before->span;
  }
  return out;
}

std::unique_ptr<Frame> TraceEditor::call(
    const char* module,
    const char* name,
    Frame& parent,
    base::Span at) {
  Value function(interp_.import_module(module));
  const std::string path = name;
  for (size_t from = 0; from < path.size();) {
    const size_t dot = std::min(path.find('.', from), path.size());
    const std::string part = path.substr(from, dot - from);
    function = interp_.getattr(function, part.c_str());
    from = dot + 1;
  }
  auto out = std::make_unique<Frame>();
  out->function = eval::Ref<eval::Function>(function.get<eval::Function>());
  out->args.resize(out->function->code->signature.params.size());
  out->parent = &parent;
  out->call = at;
  return out;
}

std::unique_ptr<Frame> TraceEditor::update(
    ValueId keys,
    ValueId values,
    Frame& parent,
    base::Span at) {
  auto out = call("transformers.cache_utils", "Cache.update", parent, at);
  const Value layer = Value::integer(caches_++);
  std::vector<Value> args{Value::none(), tensor(keys), tensor(values), layer};
  std::move(args.begin(), args.end(), out->args.begin());
  out->inputs = {keys, values};
  return out;
}

void TraceEditor::insert(
    Frame& frame,
    const trace::Item& before,
    std::vector<trace::Item> added) {
  std::deque<trace::Item> items;
  std::set<const OpNode*> moved{nullptr};
  for (trace::Item& item : frame.items) {
    if (&item == &before) {
      std::move(added.begin(), added.end(), std::back_inserter(items));
    }
    moved.insert(std::get_if<OpNode>(&item));
    items.push_back(std::move(item));
  }
  frame.items = std::move(items);
  for (const trace::Item& item : frame.items) {
    const auto* op = std::get_if<OpNode>(&item);
    for (ValueId id : op ? op->outputs : std::vector<ValueId>{}) {
      if (moved.contains(trace_.info(id).producer)) {
        trace_.values[id].producer = op;
        trace_.values[id].frame = &frame;
      }
    }
  }
}

ValueId library_mask(
    TraceEditor& editor,
    Trace& trace,
    ValueId like,
    const mx::array& open,
    int64_t batch,
    base::Span at) {
  constexpr float kShut = -3.3895314e38f;  // of bfloat16 too
  const bool known = editor.interp().can_import("transformers.masking_utils");
  auto frame = editor.call(
      known ? "transformers.masking_utils" : "portwright.running",
      "create_causal_mask",
      trace.root,
      at);
  const auto numbers = mx::where(open, mx::array(0.0f), mx::array(kShut));
  const ValueId mask = editor.define(
      like,
      mx::astype(
          mx::broadcast_to(
              numbers,
              {static_cast<int>(batch), 1, open.shape(0), open.shape(1)}),
          torch::to_mlx(trace.info(like).dtype)));
  trace.values[mask].names = {base::Symbol("mask")};
  trace.values[mask].frame = frame.get();
  frame->outputs = {mask};
  frame->result = editor.tensor(mask);
  std::vector<trace::Item> items;
  items.emplace_back(std::move(frame));
  editor.insert(trace.root, trace.root.items.front(), std::move(items));
  return mask;
}

}  // namespace portwright::emit
