#include "emit/kept_keys.h"

#include "emit/model_writer.h"
#include "emit/trace_editor.h"
#include "lift/proof.h"
#include "torch/torch.h"
#include "trace/replay.h"

namespace portwright::emit {

namespace mx = mlx::core;
using eval::Value;
using lift::Flow;
using lift::Flows;
using lift::Graph;
using lift::uses_cache;

namespace {

bool named(const OpNode* op, std::initializer_list<std::string_view> names) {
  return op &&
         std::find(names.begin(), names.end(), op->op->name) != names.end();
}

/// One attention of the source's.
struct CausalAttention {
  const OpNode* scores = nullptr;   // q k^T, (B, H, L, L)
  const OpNode* hiding = nullptr;   // the last operation that hides keys
  ValueId bare = 0;                 // what the first of them reads
  const OpNode* product = nullptr;  // of the weights and the values
};

/// The trace is ours to change.
OpNode& mine(const OpNode& op) {
  return const_cast<OpNode&>(op);
}

class KeyKeeper {
 public:
  KeyKeeper(eval::Interpreter& interp, Trace& trace, const Evaluation& e)
      : interp_(interp), trace_(trace), evaluation_(e) {}

  void run() {
    std::vector<const Frame*> modules;
    for_each_module(
        trace_.root, [&](const Frame& f) { modules.push_back(&f); });
    for (const Frame* module : modules) {
      while (const auto found = next(*module)) {
        keep(*found);
      }
    }
  }

 private:
  std::optional<CausalAttention> next(const Frame& module) const;
  std::optional<CausalAttention>
  find(const Flows& flows, const Graph& graph, const OpNode& softmax) const;
  bool hides_later_keys(const CausalAttention& a) const;
  bool hides_by_flag(const OpNode& op) const;

  bool is_by_heads(ValueId id) const;
  ValueId heads_of(ValueId id) const;

  OpNode turned(ValueId id);
  ValueId
  again(ValueId id, ValueId from, ValueId to, std::vector<trace::Item>& made);
  std::unique_ptr<Frame>
  update(ValueId keys, ValueId values, Frame& parent, const OpNode& at);
  ValueId mask(const CausalAttention& a);
  void keep(const CausalAttention& a);

  const OpNode* producer(ValueId id) const {
    return trace_.info(id).producer;
  }

  eval::Interpreter& interp_;
  Trace& trace_;
  const Evaluation& evaluation_;
  ValueId mask_ = 0;
  TraceEditor editor_{interp_, trace_};
};

std::optional<CausalAttention> KeyKeeper::next(const Frame& module) const {
  const Flows flows(
      trace_, evaluation_.ids, evaluation_.positions, evaluation_.mask);
  const Graph graph = lift::make_graph(trace_, module);
  for (const OpNode* op : graph.ops) {
    if (named(op, {"scaled_dot_product_attention"}) && hides_by_flag(*op)) {
      return CausalAttention{op, op, op->inputs[0], op};
    }
    if (named(op, {"softmax"})) {
      if (auto found = find(flows, graph, *op)) {
        return found;
      }
    }
  }
  return {};
}

/// torch's fused form, over as many keys as there are tokens.
bool KeyKeeper::hides_by_flag(const OpNode& op) const {
  const Value& causal = op.args[op.op->param("is_causal")];
  return causal.is_bool() && causal.as_bool() && op.inputs.size() == 3 &&
         heads_of(op.inputs[1]) && heads_of(op.inputs[2]);
}

/// The product that reads what the softmax answers.
const OpNode* product_after(const Graph& graph, ValueId id) {
  for (int steps = 0; steps < 8; ++steps) {
    const auto users = graph.users.find(id);
    ValueId next = 0;
    for (const OpNode* user : users == graph.users.end()
                                  ? std::vector<const OpNode*>{}
                                  : users->second) {
      if (named(user, {"matmul"}) && user->inputs[0] == id) {
        return user;
      }
      if (named(user, {"dropout", "to", "type_as", "contiguous"}) &&
          user->outputs[0] != id) {
        next = user->outputs[0];
      }
    }
    id = next;
  }
  return nullptr;
}

std::optional<CausalAttention> KeyKeeper::find(
    const Flows& flows,
    const Graph& graph,
    const OpNode& softmax) const {
  CausalAttention out;
  ValueId id = softmax.inputs[0];
  for (int steps = 0; steps < 16 && !out.scores; ++steps) {
    const OpNode* op = producer(id);
    std::vector<ValueId> data;
    for (ValueId input : op ? op->inputs : std::vector<ValueId>{}) {
      if (flows.of(input) == Flow::Data) {
        data.push_back(input);
      } else if (flows.of(input) != Flow::Constant) {
        return {};
      }
    }
    if (named(op, {"matmul"}) && data.size() == 2) {
      out.scores = op;
    } else if (data.size() != 1) {
      return {};
    } else if (op->inputs.size() > 1) {
      out.hiding = out.hiding ? out.hiding : op;
      out.bare = data.front();
    }
    id = data.front();
  }
  if (!out.scores || !out.hiding) {
    return {};
  }
  out.product = product_after(graph, softmax.outputs[0]);
  const ValueId keys = out.scores->inputs[1];
  const bool plain = out.product && trace_.info(keys).shape.size() == 4 &&
                     heads_of(out.product->inputs[1]) &&
                     out.product->inputs[1] < out.scores->outputs[0];
  return plain && hides_later_keys(out) ? std::optional(out) : std::nullopt;
}

/// Random scores come through where a key is no later than the query, and have
/// no weight at all in float32 elsewhere.
bool KeyKeeper::hides_later_keys(const CausalAttention& a) const {
  const auto& info = trace_.info(a.bare);
  const int64_t length = evaluation_.length;
  const auto& shape = info.shape;
  if (shape.size() != 4 || shape[2] != length || shape[3] != length ||
      trace_.info(a.hiding->outputs[0]).shape != shape) {
    return false;
  }
  const auto scores = mx::astype(
      lift::random(lift::shape_of(trace_, a.bare), 21, 4),
      torch::to_mlx(info.dtype));
  trace::Replay replay(interp_, trace_);
  replay.replace(a.bare, scores);
  const auto given = mx::astype(scores, mx::float32);
  const auto hidden =
      mx::astype(replay.compute(a.hiding->outputs[0]), mx::float32);
  const auto earlier =
      mx::tri(static_cast<int>(length), static_cast<int>(length), 0, mx::bool_);
  // exp(-104) is 0 in float32.
  auto holds = mx::all(mx::where(
      earlier,
      mx::equal(hidden, given),
      mx::less(hidden, mx::min(given) - mx::array(104.0f))));
  return holds.item<bool>();
}

/// (B, H, S, D)
bool KeyKeeper::is_by_heads(ValueId id) const {
  const auto& shape = trace_.info(id).shape;
  return shape.size() == 4 && shape[0] == evaluation_.batch &&
         shape[1] != evaluation_.length && shape[2] == evaluation_.length;
}

/// The keys or values by head of which `id` was made, before they are repeated
/// for grouped queries; none where the source lays them out otherwise.
ValueId KeyKeeper::heads_of(ValueId id) const {
  ValueId found = 0;
  while (id) {
    found = is_by_heads(id) ? id : found;
    const OpNode* op = producer(id);
    const bool shapes = named(
        op,
        {"transpose",
         "swapaxes",
         "mT",
         "view",
         "reshape",
         "contiguous",
         "expand",
         "getitem",
         "unsqueeze",
         "repeat_interleave"});
    id = shapes && op->inputs.size() == 1 ? op->inputs[0] : 0;
  }
  return found;
}

/// Keys (B, H, S, D) of those that are made (B, H, D, S).
OpNode KeyKeeper::turned(ValueId id) {
  const OpNode* op = producer(id);
  if (!named(op, {"permute"})) {
    return editor_.operation(
        "transpose", id, {Value::integer(-2), Value::integer(-1)});
  }
  std::vector<Value> dims = op->args[1].get<eval::Tuple>()->items;
  std::swap(dims.at(2), dims.at(3));
  return editor_.operation(
      "permute", op->inputs[0], {eval::tuple(std::move(dims))});
}

/// What the source made of `from`, made of `to`.
ValueId KeyKeeper::again(
    ValueId id,
    ValueId from,
    ValueId to,
    std::vector<trace::Item>& made) {
  if (id == from) {
    return to;
  }
  OpNode copy = *producer(id);
  const ValueId input = again(copy.inputs[0], from, to, made);
  copy.args[0] = editor_.tensor(input);
  copy.inputs = {input};
  copy.outputs = {editor_.define(id, editor_.array(id))};
  copy.result = editor_.tensor(copy.outputs[0]);
  const ValueId out = copy.outputs[0];
  made.emplace_back(std::move(copy));
  return out;
}

std::unique_ptr<Frame> KeyKeeper::update(
    ValueId keys,
    ValueId values,
    Frame& parent,
    const OpNode& at) {
  auto out = editor_.update(keys, values, parent, at.span);
  for (ValueId id : out->inputs) {
    const auto& item =
        out->items.emplace_back(editor_.operation("clone", id, {}));
    const auto& op = std::get<OpNode>(item);
    out->outputs.push_back(op.outputs[0]);
    trace_.values[op.outputs[0]].producer = &op;
    trace_.values[op.outputs[0]].frame = out.get();
  }
  out->result = eval::tuple(
      {editor_.tensor(out->outputs[0]), editor_.tensor(out->outputs[1])});
  return out;
}

/// The mask of the library's that all attentions read, (B, 1, L, L): 0, or the
/// smallest number for a key that is later than the query.
ValueId KeyKeeper::mask(const CausalAttention& a) {
  if (mask_) {
    return mask_;
  }
  const int length = static_cast<int>(evaluation_.length);
  mask_ = library_mask(
      editor_,
      trace_,
      a.bare,
      mx::tri(length, length, 0, mx::bool_),
      evaluation_.batch,
      a.scores->span);
  return mask_;
}

/// The frame in which an operation stands, and as which of its items.
std::pair<Frame*, const trace::Item*> place_of(Frame& frame, const OpNode& op) {
  for (trace::Item& item : frame.items) {
    if (std::get_if<OpNode>(&item) == &op) {
      return {&frame, &item};
    }
    if (auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      if (const auto found = place_of(**child, op); found.first) {
        return found;
      }
    }
  }
  return {};
}

/// Lets an attention read what a cache answers, and the mask.
void KeyKeeper::keep(const CausalAttention& a) {
  const ValueId all = mask(a);
  const auto [frame, at] = place_of(trace_.root, *a.scores);
  OpNode& scores = mine(*a.scores);
  OpNode& product = mine(*a.product);
  std::vector<trace::Item> items;
  ValueId keys = heads_of(scores.inputs[1]);
  const bool turns = !keys;
  if (turns) {
    items.emplace_back(turned(scores.inputs[1]));
    keys = std::get<OpNode>(items.back()).outputs[0];
  }
  const bool fused = a.scores == a.product;  // queries, keys, values
  const size_t second = fused ? 2 : 1;
  const ValueId values = heads_of(product.inputs[second]);
  auto kept = update(keys, values, *frame, scores);
  const ValueId all_keys = kept->outputs[0], all_values = kept->outputs[1];
  items.emplace_back(std::move(kept));
  if (turns) {
    items.emplace_back(editor_.operation(
        "transpose", all_keys, {Value::integer(-2), Value::integer(-1)}));
    scores.inputs[1] = std::get<OpNode>(items.back()).outputs[0];
  } else {
    scores.inputs[1] = again(scores.inputs[1], keys, all_keys, items);
  }
  product.inputs[second] =
      again(product.inputs[second], values, all_values, items);
  scores.args[1] = editor_.tensor(scores.inputs[1]);
  product.args[second] = editor_.tensor(product.inputs[second]);
  OpNode& hiding = mine(*a.hiding);
  if (fused) {
    hiding.args[hiding.op->param("attn_mask")] = editor_.tensor(all);
    hiding.args[hiding.op->param("is_causal")] = Value::boolean(false);
    hiding.inputs.push_back(all);
  } else {
    hiding.op = torch::find_op("add");
    hiding.args = {
        editor_.tensor(a.bare), editor_.tensor(all), Value::integer(1)};
    hiding.inputs = {a.bare, all};
  }
  for (Frame* f = frame; f; f = f->parent) {
    const bool known =
        std::find(f->inputs.begin(), f->inputs.end(), all) != f->inputs.end();
    if (f->is_module() && !f->path.empty() && !known) {
      f->inputs.push_back(all);
    }
  }
  editor_.insert(*frame, *at, std::move(items));
}

}  // namespace

namespace {

/// True for numbers summed up along the tokens.
bool adds_up_tokens(const Trace& trace, const OpNode& op, int64_t length) {
  if (!named(&op, {"cumsum", "cumprod", "logcumsumexp"})) {
    return false;
  }
  const auto& info = trace.info(op.outputs[0]);
  const Value& dim = op.args[static_cast<size_t>(op.op->param("dim"))];
  const auto rank = static_cast<int64_t>(info.shape.size());
  const int64_t axis = dim.is_int() ? (dim.as_int() + rank) % rank : 0;
  return torch::is_floating_point(info.dtype) &&
         info.shape[static_cast<size_t>(axis)] == length;
}

/// What computes a token from others before it, attention apart, needs what it
/// has read of those: a source that keeps nothing does not tell what that is.
void refuse_other_mixing(
    const Trace& trace,
    const Frame& frame,
    int64_t length) {
  for (const auto& item : frame.items) {
    const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
    if (child) {
      refuse_other_mixing(trace, **child, length);
      continue;
    }
    const auto* op = std::get_if<OpNode>(&item);
    if (!op) {
      continue;
    }
    const bool slides =
        named(op, {"conv1d"}) && trace.info(op->inputs[1]).shape.back() > 1;
    if (!slides && !adds_up_tokens(trace, *op, length)) {
      continue;
    }
    const Frame* module = module_around(&frame);
    throw eval::Refusal{
        {diagnostics::Kind::UnsupportedStructure,
         "'" + (module ? module->path : std::string()) + "' mixes tokens by " +
             op->op->name + "(), and keeps nothing of those before",
         op->span,
         "a forward that takes and answers what it keeps would show that",
         "",
         {}}};
  }
}

}  // namespace

void keep_keys(
    eval::Interpreter& interp,
    Trace& trace,
    const Evaluation& evaluation) {
  if (uses_cache(trace.root)) {
    return;
  }
  KeyKeeper(interp, trace, evaluation).run();
  if (!evaluation.cached && uses_cache(trace.root)) {
    refuse_other_mixing(trace, trace.root, evaluation.length);
  }
}

}  // namespace portwright::emit
