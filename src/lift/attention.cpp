#include "lift/attention.h"

#include <cmath>

#include <fmt/format.h>

#include "lift/attention_proof.h"
#include "lift/memory.h"

namespace portwright::lift {

using eval::Value;

double Attention::scale_value() const {
  double product = 1;
  for (const Factor& f : scale) {
    product *= f.divides ? 1 / f.value.as_double() : f.value.as_double();
  }
  return depth ? product / std::sqrt(static_cast<double>(depth)) : product;
}

namespace {

/// The smallest number of float16, about the largest that hides a score.
constexpr double kOutOfReach = -65504;

/// In-place forms count as their functional ones.
bool named(const OpNode* op, std::initializer_list<std::string_view> names) {
  if (!op) {
    return false;
  }
  const torch::Op* meaning =
      op->op->in_place && op->op->functional ? op->op->functional : op->op;
  return std::find(names.begin(), names.end(), meaning->name) != names.end();
}

/// What a tensor of one element was made of: a number, or the root of one.
std::optional<Value>
made_number(eval::Interpreter& interp, const Trace& trace, ValueId id) {
  const auto& info = trace.info(id);
  const OpNode* op = info.producer;
  const auto* tensor = torch::as_tensor(info.tensor);
  if (!op || !tensor || tensor->numel() != 1) {
    return {};
  }
  if (named(op, {"tensor"}) && op->inputs.empty()) {
    return op->args[0].is_number() ? std::optional(op->args[0]) : std::nullopt;
  }
  if (!named(op, {"sqrt", "to"}) || op->inputs.size() != 1) {
    return {};
  }
  auto number = made_number(interp, trace, op->inputs[0]);
  if (number && named(op, {"sqrt"})) {
    const Value math{interp.import_module("math")};
    return interp.call(interp.getattr(math, "sqrt"), {*number});
  }
  return number;
}

class AttentionSearch {
 public:
  AttentionSearch(
      eval::Interpreter& interp,
      const Trace& trace,
      const Flows& flows,
      const Graph& graph)
      : interp_(interp), trace_(trace), flows_(flows), graph_(graph) {}

  /// torch's own fused form, of all keys that the mask leaves.
  std::optional<Attention> fused(const OpNode& op, bool grouped) {
    grouped_ = grouped;
    const auto argument = [&](const char* name) -> const Value& {
      return op.args[op.op->param(name)];
    };
    const Value& causal = argument("is_causal");
    const Value& scale = argument("scale");
    Attention found;
    found.queries = op.inputs[0];
    found.keys = ungrouped(op.inputs[1]);
    found.values = ungrouped(op.inputs[2]);
    found.output = op.outputs[0];
    found.biases.assign(op.inputs.begin() + 3, op.inputs.end());
    if (scale.is_number()) {
      found.scale.push_back({scale, false});
    } else {
      found.depth = trace_.info(found.queries).shape.back();
    }
    for (ValueId id : {found.queries, found.keys, found.values}) {
      if (trace_.info(id).shape.size() != 4) {
        return {};
      }
    }
    return causal.is_bool() && !causal.as_bool() ? std::optional(found)
                                                 : std::nullopt;
  }

  /// `grouped` looks through the repetition of keys and values.
  std::optional<Attention> from(const OpNode& softmax, bool grouped) {
    grouped_ = grouped;
    Attention found;
    ValueId input = softmax.inputs[0];
    if (!sinks(input, found)) {
      return {};
    }
    const OpNode* product = product_after(softmax, found.sinks != 0);
    if (!product || !scores(input, found, 0)) {
      return {};
    }
    found.values = whole_heads(ungrouped(product->inputs[1]));
    found.output = heads_apart(product->outputs[0]);
    const auto rank = [&](ValueId id) { return trace_.info(id).shape.size(); };
    if (rank(found.queries) != 4 || rank(found.keys) != 4 ||
        rank(found.values) != 4 || rank(found.output) != 4) {
      return {};
    }
    return found;
  }

 private:
  const OpNode* producer(ValueId id) const {
    auto it = graph_.producers.find(id);
    return it == graph_.producers.end() ? nullptr : it->second.op;
  }

  /// The number that a tensor is multiplied with or divided by.
  std::optional<Value> scalar_operand(const OpNode& op) const {
    if (op.inputs.size() == 2 && flows_.of(op.inputs[1]) == Flow::Constant) {
      return made_number(interp_, trace_, op.inputs[1]);
    }
    if (op.inputs.size() != 1) {
      return {};
    }
    const Value& v = torch::as_tensor(op.args[0]) ? op.args[1] : op.args[0];
    return v.is_number() ? std::optional(v) : std::nullopt;
  }

  const OpNode* only_user(ValueId id) const {
    auto it = graph_.users.find(id);
    return it != graph_.users.end() && it->second.size() == 1
               ? it->second.front()
               : nullptr;
  }

  /// scores or cat(scores, sinks), less its maximum perhaps, is what softmax
  /// reads.
  bool sinks(ValueId& input, Attention& found) const {
    const OpNode* op = producer(input);
    if (named(op, {"to", "float"})) {
      op = producer(op->inputs[0]);
    }
    if (named(op, {"sub"}) && op->inputs.size() == 2 &&
        is_maximum_of(op->inputs[1], op->inputs[0])) {
      input = op->inputs[0];
      op = producer(input);
    }
    if (!named(op, {"cat"})) {
      return true;
    }
    if (op->inputs.size() != 2) {
      return false;
    }
    ValueId id = op->inputs[1];
    while (const OpNode* shaped = producer(id)) {
      if (!named(
              shaped,
              {"reshape", "view", "expand", "unsqueeze", "getitem", "to"})) {
        return false;
      }
      id = shaped->inputs[0];
    }
    found.sinks = id;
    input = op->inputs[0];
    return flows_.of(id) == Flow::Parameter &&
           trace_.info(id).shape.size() == 1;
  }

  bool is_maximum_of(ValueId id, ValueId of) const {
    const OpNode* op = producer(id);
    if (named(op, {"getitem"})) {
      op = producer(op->inputs[0]);
    }
    return named(op, {"max", "amax"}) && op->inputs[0] == of;
  }

  /// Follows the probabilities to the product with the values.
  const OpNode* product_after(const OpNode& softmax, bool with_sink) const {
    ValueId id = softmax.outputs[0];
    for (int steps = 0; steps < 8; ++steps) {
      auto it = graph_.users.find(id);
      if (it == graph_.users.end()) {
        return nullptr;
      }
      const OpNode* next = nullptr;
      for (const OpNode* user : it->second) {
        if (named(user, {"matmul", "bmm", "einsum"}) &&
            user->inputs.size() == 2 && user->inputs[0] == id) {
          return user;
        }
        if (named(
                user,
                {"dropout",
                 "to",
                 "type_as",
                 "contiguous",
                 "type",
                 "view",
                 "reshape"}) ||
            (with_sink && named(user, {"getitem"}))) {
          next = user;
        }
      }
      if (!next || next->outputs[0] == id) {
        return nullptr;
      }
      id = next->outputs[0];
    }
    return nullptr;
  }

  /// Walks from what softmax reads up to q k^T.
  bool scores(ValueId id, Attention& found, int depth) {
    const OpNode* op = producer(id);
    if (!op || depth > 16) {
      return false;
    }
    if (named(op, {"matmul", "bmm"})) {
      return product(op->inputs[0], op->inputs[1], found);
    }
    if (named(op, {"einsum"}) && op->inputs.size() == 2) {
      // What its letters say is for the proof to judge.
      found_product(op->inputs[0], op->inputs[1], found);
      return true;
    }
    if (named(op, {"baddbmm"}) && op->inputs.size() == 3) {
      return added_product(*op, found);
    }
    if (named(op, {"mul", "div"}) && scalar_operand(*op)) {
      return scaled(*op, found, depth);
    }
    if (named(op, {"add"}) && op->inputs.size() == 2) {
      // Either operand may be what is added.
      for (const bool second : {true, false}) {
        Attention attempt = found;
        attempt.biases.push_back(op->inputs[second]);
        if (scores(op->inputs[!second], attempt, depth + 1)) {
          found = attempt;
          return true;
        }
      }
      return false;
    }
    if (named(op, {"masked_fill"}) && op->inputs.size() == 2 &&
        mask_origin(trace_, flows_, op->inputs[1])) {
      found.biases.push_back(op->inputs[1]);
      return scores(op->inputs[0], found, depth + 1);
    }
    if (named(op, {"where"}) && op->inputs.size() == 2 &&
        mask_origin(trace_, flows_, op->inputs[0])) {
      found.biases.push_back(op->inputs[0]);
      return scores(op->inputs[1], found, depth + 1);
    }
    if (named(op, {"to", "type_as", "float", "dropout", "view", "reshape"}) ||
        only_bounds_hidden(*op)) {
      return scores(op->inputs[0], found, depth + 1);
    }
    return false;
  }

  /// max(scores, m) of an m that no key's score that is read comes near.
  bool only_bounds_hidden(const OpNode& op) const {
    std::optional<Value> bound;
    if (named(&op, {"max", "maximum"}) && op.inputs.size() == 2) {
      bound = made_number(interp_, trace_, op.inputs[1]);
    } else if (named(&op, {"clamp", "clamp_min"}) && op.inputs.size() == 1) {
      const int max = op.op->param("max");
      const Value& min = op.args[op.op->param("min")];
      if (min.is_number() && (max < 0 || op.args[max].is_none())) {
        bound = min;
      }
    }
    return bound && bound->as_double() <= kOutOfReach;
  }

  /// scores * factor, or cap * tanh(scores / cap).
  bool scaled(const OpNode& op, Attention& found, int depth) {
    const Value factor = *scalar_operand(op);
    const bool divides = named(&op, {"div"});
    const OpNode* inner = producer(op.inputs[0]);
    if (!divides && named(inner, {"tanh"})) {
      const OpNode* over = producer(inner->inputs[0]);
      const auto cap =
          named(over, {"div"}) ? scalar_operand(*over) : std::nullopt;
      if (!cap || cap->as_double() != factor.as_double()) {
        return false;
      }
      found.softcap = factor;
      return scores(over->inputs[0], found, depth + 1);
    }
    found.scale.push_back({factor, divides});
    return scores(op.inputs[0], found, depth + 1);
  }

  /// bias + alpha * q k^T, with beta 1
  bool added_product(const OpNode& op, Attention& found) {
    const Value& beta = op.args[op.op->param("beta")];
    const Value& alpha = op.args[op.op->param("alpha")];
    if (!beta.is_number() || beta.as_double() != 1 || !alpha.is_number()) {
      return false;
    }
    const OpNode* bias = producer(op.inputs[0]);
    if (!named(bias, {"zeros", "zeros_like", "new_zeros"})) {
      found.biases.push_back(op.inputs[0]);
    }
    found.scale.push_back({alpha, false});
    return product(op.inputs[1], op.inputs[2], found);
  }

  bool product(ValueId left, ValueId right, Attention& found) {
    const OpNode* transposed = producer(right);
    if (!named(transposed, {"transpose", "swapaxes", "mT", "permute"})) {
      return false;
    }
    found_product(left, transposed->inputs[0], found);
    return true;
  }

  /// Queries, perhaps scaled, and keys of a product.
  void found_product(ValueId left, ValueId right, Attention& found) {
    found.keys = whole_heads(ungrouped(right));
    found.queries = left;
    if (const OpNode* factor = producer(left);
        named(factor, {"mul", "div"}) && scalar_operand(*factor)) {
      found.scale.push_back({*scalar_operand(*factor), named(factor, {"div"})});
      found.queries = factor->inputs[0];
    }
    found.queries = whole_heads(found.queries);
  }

  /// (B, H, S, D) of what was made (B H, S, D) for bmm.
  ValueId whole_heads(ValueId id) const {
    const OpNode* op = producer(id);
    return named(op, {"view", "reshape"}) &&
                   trace_.info(id).shape.size() == 3 &&
                   trace_.info(op->inputs[0]).shape.size() == 4
               ? op->inputs[0]
               : id;
  }

  /// The same for the output, which is made (B, H, L, D) afterwards.
  ValueId heads_apart(ValueId id) const {
    const OpNode* op = only_user(id);
    return named(op, {"view", "reshape"}) && trace_.info(id).shape.size() == 3
               ? op->outputs[0]
               : id;
  }

  /// Looks through the repetition of grouped keys or values.
  ValueId ungrouped(ValueId id) const {
    if (!grouped_) {
      return id;
    }
    const OpNode* reshape = producer(id);
    if (named(reshape, {"repeat_interleave"})) {
      return reshape->inputs[0];
    }
    if (!named(reshape, {"reshape", "view", "contiguous"})) {
      return id;
    }
    const OpNode* expand = producer(reshape->inputs[0]);
    if (!named(expand, {"expand", "repeat"})) {
      return id;
    }
    const OpNode* insert = producer(expand->inputs[0]);
    return named(insert, {"__getitem__", "getitem", "unsqueeze"})
               ? insert->inputs[0]
               : id;
  }

  eval::Interpreter& interp_;
  const Trace& trace_;
  const Flows& flows_;
  const Graph& graph_;
  bool grouped_ = true;
};

bool proven_attention(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Attention& a,
    const trace::Twin* half) {
  Labels given{{a.queries, "q"}};
  given[a.keys] += "k";
  given[a.values] += "v";
  for (size_t i = 0; i < a.biases.size(); ++i) {
    const ValueId origin = mask_origin(trace, flows, a.biases[i]);
    given[origin ? origin : a.biases[i]] +=
        (origin ? "mask" : "bias") + std::to_string(i);
  }
  if (a.sinks) {
    given[a.sinks] += "s";
  }
  Memory& memory = Memory::of(interp);
  return memory.once<bool>(
      fmt::format(
          "attention:{:a},{:a},",
          a.scale_value(),
          a.softcap.defined() ? a.softcap.as_double() : 0) +
          form_text(memory, trace, half, given, a.output),
      [&] { return equals_fused(interp, trace, flows, a, half); });
}

}  // namespace

std::vector<Attention> lift_attentions(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Graph& graph,
    const trace::Twin* half) {
  AttentionSearch search(interp, trace, flows, graph);
  std::vector<Attention> out;
  for (const OpNode* op : graph.ops) {
    const bool fused = named(op, {"scaled_dot_product_attention"});
    if (!fused && !named(op, {"softmax"})) {
      continue;
    }
    for (const bool grouped : {true, false}) {
      auto found =
          fused ? search.fused(*op, grouped) : search.from(*op, grouped);
      if (found && proven_attention(interp, trace, flows, *found, half)) {
        out.push_back(*found);
        break;
      }
    }
  }
  return out;
}

std::vector<CacheUpdate> find_cache_updates(const Graph& graph) {
  std::vector<CacheUpdate> out;
  for (const Frame* f : graph.functions) {
    // Cache.update calls the update of one layer's cache.
    const bool inner = f->parent && is_cache_update(*f->parent);
    if (!inner && is_cache_update(*f) && f->inputs.size() >= 2 &&
        f->outputs.size() >= 2) {
      out.push_back({f->inputs[0], f->inputs[1], f->outputs[0], f->outputs[1]});
    }
    const bool of_layer = f->parent && is_index_update(*f->parent);
    if (!of_layer && is_index_update(*f) && f->inputs.size() == 1 &&
        f->outputs.size() == 1) {
      out.push_back({.keys = f->inputs[0], .all_keys = f->outputs[0]});
    }
  }
  return out;
}

namespace {

bool is_made_mask(const Trace& trace, const Flows& flows, ValueId id) {
  if (flows.window_of(id)) {
    return true;
  }
  for (const Frame* f = trace.info(id).frame; f; f = f->parent) {
    if (is_mask_function(*f)) {
      return true;
    }
  }
  return false;
}

}  // namespace

ValueId whole_mask(const Trace& trace, const Flows& flows, ValueId id) {
  while (flows.of(id) == Flow::Mask) {
    if (is_made_mask(trace, flows, id)) {
      return id;
    }
    const auto& info = trace.info(id);
    const bool unchanged =
        named(info.producer, {"getitem", "to", "contiguous"}) &&
        trace.info(info.producer->inputs[0]).shape == info.shape &&
        // 0 is what is read, and false.
        (info.dtype != torch::Dtype::Bool ||
         trace.info(info.producer->inputs[0]).dtype == info.dtype);
    if (!unchanged) {
      return 0;
    }
    id = info.producer->inputs[0];
  }
  return 0;
}

ValueId mask_without_heads(const Trace& trace, const Flows& flows, ValueId id) {
  const OpNode* op = trace.info(id).producer;
  if (!named(op, {"getitem", "squeeze", "select"}) || op->inputs.size() != 1) {
    return 0;
  }
  const ValueId whole = whole_mask(trace, flows, op->inputs[0]);
  auto shape = whole ? trace.info(whole).shape : torch::Sizes{};
  if (shape.size() != 4 || shape[1] != 1) {
    return 0;
  }
  shape.erase(shape.begin() + 1);
  return trace.info(id).shape == shape ? whole : 0;
}

ValueId mask_origin(const Trace& trace, const Flows& flows, ValueId id) {
  const auto& shape = trace.info(id).shape;
  while (flows.of(id) == Flow::Mask && trace.info(id).shape == shape) {
    if (is_made_mask(trace, flows, id)) {
      return id;
    }
    const OpNode* op = trace.info(id).producer;
    if (!op || op->inputs.size() != 1) {
      return 0;
    }
    id = op->inputs[0];
  }
  return 0;
}

}  // namespace portwright::lift
