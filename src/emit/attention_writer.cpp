#include "emit/attention_writer.h"

#include "emit/module_writer.h"
#include "emit/operations.h"

namespace portwright::emit {

using eval::Value;
using lift::Flow;

namespace {

template <typename Items>
auto find_output(Items& items, ValueId id) {
  return std::find_if(items.begin(), items.end(), [&](const auto& item) {
    return item.output == id;
  });
}

/// Operations that name axes of what they read.
const std::set<std::string_view> kMoving{
    "transpose",
    "permute",
    "swapaxes",
    "movedim",
    "unsqueeze",
    "squeeze"};

std::string mask_of_rank(int rank) {
  return rank == 4   ? "mask.reshape(-1, 1, *mask.shape[-2:])"
         : rank == 3 ? "mask.reshape(-1, *mask.shape[-2:])"
                     : "mask";
}

std::string ones(int rank) {
  return rank == 4 ? "(1, 1, 1, 1)" : "(1, 1, 1)";
}

/// (B, H, L, D), as mx.fast.rope reads it.
Expression laid_out(const lift::Rope& rope, const Expression& x) {
  return rope.heads_last ? method(x, "transpose", {"0", "2", "1", "3"}) : x;
}

}  // namespace

void AttentionWriter::find() {
  Context& context = w_.context();
  refuse_choices_by_length(*w_.graph().frame);
  const base::Stopwatch lifting(context.lift_ms);
  found_ = lift::find_idioms(
      context.interp,
      context.trace,
      context.flows,
      w_.graph(),
      context.evaluation.positions,
      context.evaluation.half);
  if (!found_.ropes.empty()) {
    auto first = [](const std::vector<lift::Rope>& side) {
      return side.empty() ? std::nullopt : std::optional(side.front());
    };
    write_rope(
        w_, *w_.graph().frame, first(found_.queries), first(found_.keys));
  }
  std::erase_if(found_.attentions, [&](const lift::Attention& a) {
    return a.softcap.defined() &&
           std::any_of(a.biases.begin(), a.biases.end(), [&](ValueId id) {
             return !lift::whole_mask(context.trace, context.flows, id);
           });
  });
  for (const OpNode* op : w_.graph().ops) {
    find_masked(*op);
  }
}

bool AttentionWriter::owns(ValueId id) const {
  return find_output(found_.attentions, id) != found_.attentions.end() ||
         found_.update_of(id) || found_.ropes.contains(id) ||
         found_.key_biases.contains(id) || masked_.contains(id);
}

std::vector<ValueId> AttentionWriter::dependencies(ValueId id) const {
  if (auto a = find_output(found_.attentions, id);
      a != found_.attentions.end()) {
    std::vector<ValueId> out{a->queries, a->keys, a->values};
    for (ValueId bias : a->biases) {
      if (w_.context().flows.of(bias) == Flow::Data) {
        out.push_back(dropped(bias).value_or(bias));
      }
    }
    return out;
  }
  if (const auto* u = found_.update_of(id)) {
    return u->all_keys == id ? std::vector<ValueId>{u->keys}
                             : std::vector<ValueId>{u->values};
  }
  if (auto r = found_.ropes.find(id); r != found_.ropes.end()) {
    return {r->second.input};
  }
  if (found_.key_biases.contains(id)) {
    return {};
  }
  return {masked_.at(id).scores};
}

/// Rotations come before the update, which moves the offset on.
bool AttentionWriter::after_update(ValueId id) const {
  std::set<ValueId> seen;
  std::vector<ValueId> pending{id};
  while (!pending.empty()) {
    const ValueId v = pending.back();
    pending.pop_back();
    if (found_.update_of(v)) {
      return true;
    }
    if (seen.insert(v).second) {
      for (ValueId input : lift::inputs_of(found_, w_.graph(), v)) {
        pending.push_back(input);
      }
    }
  }
  return false;
}

/// True when rotations, update and attention follow each other directly.
bool AttentionWriter::adjacent(const lift::Attention& a) const {
  if (found_.attentions.size() != 1 || found_.updates.size() != 1) {
    return false;
  }
  const lift::CacheUpdate& u = found_.updates.front();
  // A name is reused: nothing else may read what it held.
  auto mine = [&](ValueId id) { return w_.uses(id) <= 1; };
  const auto heads = [&](ValueId id) {
    return w_.context().trace.info(id).shape[1];
  };
  const bool fed = u.values && a.keys == u.all_keys &&
                   a.values == u.all_values && mine(a.keys) && mine(a.values) &&
                   mine(a.queries) && mine(u.keys) && mine(u.values) &&
                   heads(a.keys) == heads(a.values);
  return fed && !w_.is_named(u.all_keys) && !w_.is_named(u.all_values) &&
         std::all_of(
             found_.ropes.begin(), found_.ropes.end(), [&](const auto& r) {
               return (r.first == a.queries || r.first == u.keys) &&
                      !w_.is_named(r.first) && mine(r.second.input);
             });
}

Expression AttentionWriter::produce(ValueId id) {
  if (auto a = find_output(found_.attentions, id);
      a != found_.attentions.end()) {
    std::string output = "output";
    if (adjacent(*a)) {
      write_adjacent(*a);
    } else {
      output = w_.fresh(output);
    }
    a->softcap.defined() ? write_capped(*a, output) : write_fused(*a, output);
    w_.bind(a->output, output);
  } else if (const auto* u = found_.update_of(id)) {
    write_update(*u);
  } else if (auto r = found_.ropes.find(id); r != found_.ropes.end()) {
    write_rope_call(r->second);
  } else if (found_.key_biases.contains(id)) {
    return key_bias(found_.key_biases.at(id));
  } else {
    const Masked& m = masked_.at(id);
    const std::string scores = w_.fresh(w_.house_of(id));
    const bool once = w_.uses(m.scores) <= 1 && !w_.is_named(m.scores);
    const Expression made = once ? w_.produce(m.scores) : w_.value(m.scores);
    w_.statement(scores + " = " + made.text);
    add_mask(scores, m.without_heads, m.before);
    w_.bind(id, scores);
  }
  return w_.value(id);
}

std::optional<Expression> AttentionWriter::key_length() {
  if (w_.reads_foreign_keys()) {
    return Expression{"keys.shape[2]", kPrimary};
  }
  if (found_.updates.empty()) {
    return {};
  }
  const lift::CacheUpdate& u = found_.updates.front();
  return Expression{
      w_.value(u.all_keys).text + (u.values ? ".shape[2]" : ".shape[1]"),
      kPrimary};
}

Expression AttentionWriter::all_keys() {
  if (found_.updates.empty() || !found_.updates.front().values) {
    const Frame& frame = *w_.graph().frame;
    w_.context().hole(
        frame.call, "'" + frame.path + "' reads positions of keys it lacks");
  }
  return w_.value(found_.updates.front().all_keys);
}

/// The mask as the source has it, added to scores: 0 or the smallest number.
Expression AttentionWriter::additive_mask() {
  if (additive_mask_.empty()) {
    w_.context().needs_mask_array = true;
    additive_mask_ = w_.fresh("bias");
    const int rank = moved_mask_rank(false);
    w_.statement(
        additive_mask_ + " = " +
        (rank ? "mx.zeros(" + ones(rank) + ", dtype=x.dtype)"
              : "mx.array(0.0)"));
    w_.statement("if mask is not None:");
    w_.statement(
        "    " + additive_mask_ + " = mx.where(" + mask_of_rank(rank) +
        ", 0.0, mx.finfo(x.dtype).min)" + (rank ? ".astype(x.dtype)" : ""));
  }
  return {additive_mask_, kPrimary};
}

Expression AttentionWriter::shown_keys() {
  if (shown_keys_.empty()) {
    w_.context().needs_mask_array = true;
    shown_keys_ = w_.fresh("shown");
    const int rank = moved_mask_rank(true);
    w_.statement(
        shown_keys_ + " = " + mask_of_rank(rank) +
        " if mask is not None else " +
        (rank ? "mx.ones(" + ones(rank) + ", dtype=mx.bool_)"
              : "mx.array(True)"));
  }
  return {shown_keys_, kPrimary};
}

/// The axes of a mask that the source moves, as for scores (B, L, H, S): those
/// of mlx-lm's masks are (L, S) or (B, 1, L, S). 0 where it only broadcasts.
int AttentionWriter::moved_mask_rank(bool shown) const {
  const Context& context = w_.context();
  for (const OpNode* op : w_.graph().ops) {
    const torch::Op* meaning =
        op->op->in_place && op->op->functional ? op->op->functional : op->op;
    if (!kMoving.contains(meaning->name)) {
      continue;
    }
    const ValueId whole =
        lift::whole_mask(context.trace, context.flows, op->inputs[0]);
    const auto& info = context.trace.info(op->inputs[0]);
    const auto rank = static_cast<int>(info.shape.size());
    if (whole && (info.dtype == torch::Dtype::Bool) == shown &&
        (rank == 3 || rank == 4)) {
      return rank;
    }
  }
  return 0;
}

/// (H, 1, S): slopes times the places of the keys. Where the source measures
/// distances, (B, H, L, S): those nearby stay small, and exact in bfloat16.
Expression AttentionWriter::key_bias(const lift::KeyBias& bias) {
  const auto keys = key_length();
  const auto& frame = *w_.graph().frame;
  if (!keys) {
    w_.context().hole(
        frame.call, "'" + frame.path + "' adds a bias by key, but has no keys");
  }
  const std::string slopes =
      w_.computed_in_init("_slopes", bias.slopes, "reshape(-1, 1, 1)");
  Expression places = call("mx.arange", {keys->text});
  if (bias.by_distance) {
    const Expression queries = positions();
    places = infix(
        places, "-", {queries.at(kPrimary) + "[:, None, :, None]", kPrimary});
  }
  return infix({slopes, kPrimary}, "*", places);
}

/// (1, L), or (B, L) where the rows of a batch are offset differently.
Expression AttentionWriter::positions() {
  w_.needs_shape = true;
  const std::string from = offset();
  w_.open_with(
      "positions = mx.array(" + from + ").reshape(-1, 1) + mx.arange(L)",
      "positions");
  return {"positions", kPrimary};
}

std::string AttentionWriter::offset() {
  const bool moved = w_.reads_foreign_keys();  // by the layer that kept them
  w_.needs_shape = w_.needs_shape || moved;
  w_.open_with(
      std::string("offset = cache.offset") + (moved ? " - L" : "") +
          " if cache is not None else 0",
      "offset");
  return "offset";
}

Expression AttentionWriter::rope_input(const lift::Rope& rope) {
  return laid_out(rope, w_.value(rope.input));
}

void AttentionWriter::write_rope_call(const lift::Rope& rope) {
  const std::string x = rope_input(rope).text;
  const std::string from = offset();
  const std::string name = w_.fresh(w_.house_of(rope.output));
  w_.statement(
      name + " = self.rope(" + x + ", offset=" + from + ")" +
      (rope.output_heads_last ? ".transpose(0, 2, 1, 3)" : ""));
  w_.bind(rope.output, name);
}

void AttentionWriter::write_index_update(const lift::CacheUpdate& u) {
  if (w_.rank(u.keys) != 3) {
    w_.context().hole(
        w_.graph().frame->call,
        "'" + w_.graph().frame->path + "' keeps keys of no known layout");
  }
  const std::string keys = w_.fresh("index_keys");
  w_.statement(keys + " = " + w_.value(u.keys).text);
  w_.statement("if cache is not None:");
  w_.statement("    " + keys + " = " + keys + "[:, None]");
  w_.statement(
      "    " + keys + " = cache.update_and_fetch(" + keys + ", " + keys +
      ")[0][:, 0]");
  w_.statement(
      "    # Nobody reads the values, so they would never be computed.");
  w_.statement("    cache.values = mx.zeros_like(cache.keys)");
  w_.bind(u.all_keys, keys);
}

void AttentionWriter::write_update(const lift::CacheUpdate& u) {
  for (const auto& [output, rope] : found_.ropes) {
    if (!after_update(output)) {
      w_.value(output);
    }
  }
  if (!u.values) {
    write_index_update(u);
    return;
  }
  const auto& keys_shape = w_.context().trace.info(u.keys).shape;
  const auto& values_shape = w_.context().trace.info(u.values).shape;
  const bool heads = keys_shape.size() == 4 && values_shape.size() == 4 &&
                     keys_shape[1] > 0 && values_shape[1] > 0;
  if (!heads || (keys_shape[1] % values_shape[1] != 0 &&
                 values_shape[1] % keys_shape[1] != 0)) {
    w_.context().hole(
        w_.graph().frame->call,
        "'" + w_.graph().frame->path +
            "' caches tensors that are not keys and values of heads that go "
            "together");
  }
  auto prepared = [&](ValueId before) {
    const std::string own = w_.name(before);
    if (w_.uses(before) <= 1) {
      return own;
    }
    // The value before the update is read elsewhere too.
    const std::string copy = w_.fresh(own);
    w_.statement(copy + " = " + own);
    return copy;
  };
  const std::string keys = prepared(u.keys);
  const std::string values = prepared(u.values);
  const std::string both = keys + ", " + values;
  std::string repeats;
  const bool fewer_keys = keys_shape[1] < values_shape[1];
  const std::string& fewer = fewer_keys ? keys : values;
  if (keys_shape[1] != values_shape[1]) {
    // A cache has one number of heads: the fewer ones are kept several times.
    const std::string& more = fewer_keys ? values : keys;
    repeats = w_.fresh("repeats");
    w_.statement(
        repeats + " = " + more + ".shape[1] // " + fewer + ".shape[1]");
    w_.statement(
        fewer + " = mx.repeat(" + fewer + ", " + repeats + ", axis=1)");
  }
  w_.statement("if cache is not None:");
  w_.statement("    " + both + " = cache.update_and_fetch(" + both + ")");
  if (!repeats.empty()) {
    w_.statement(fewer + " = " + fewer + "[:, ::" + repeats + "]");
  }
  w_.bind(u.all_keys, keys);
  w_.bind(u.all_values, values);
}

/// The house's layout: both are rotated and cached in one go.
void AttentionWriter::write_adjacent(const lift::Attention& a) {
  const lift::CacheUpdate& u = found_.updates.front();
  w_.reserve({"queries", "keys", "values", "output"});
  const auto query_rope = found_.ropes.find(a.queries);
  const auto key_rope = found_.ropes.find(u.keys);
  auto prepare = [&](ValueId id, const std::string& name) {
    const auto rope = found_.ropes.find(id);
    const ValueId from = rope == found_.ropes.end() ? id : rope->second.input;
    Expression e = w_.is_named(from) ? w_.value(from) : w_.produce(from);
    if (w_.is_named(from)) {  // with its siblings, by produce
      e = w_.value(from);
    }
    if (rope != found_.ropes.end()) {
      e = laid_out(rope->second, e);
    }
    if (e.text != name) {
      w_.statement(name + " = " + e.text);
    }
    w_.bind(from, name);
    w_.bind(id, name);
    w_.save(id);
  };
  prepare(a.queries, "queries");
  prepare(u.keys, "keys");
  prepare(u.values, "values");
  w_.statement("");
  w_.statement("if cache is not None:");
  const bool turns_queries = query_rope != found_.ropes.end();
  const bool turns_keys = key_rope != found_.ropes.end();
  if (turns_queries) {
    w_.statement("    queries = self.rope(queries, offset=cache.offset)");
  }
  if (turns_keys) {
    w_.statement("    keys = self.rope(keys, offset=cache.offset)");
  }
  w_.statement("    keys, values = cache.update_and_fetch(keys, values)");
  if (turns_queries || turns_keys) {
    w_.statement("else:");
  }
  if (turns_queries) {
    w_.statement("    queries = self.rope(queries)");
  }
  if (turns_keys) {
    w_.statement("    keys = self.rope(keys)");
  }
  w_.statement("");
  w_.bind(u.all_keys, "keys");
  w_.bind(u.all_values, "values");
}

/// The queries, by a name where their shape is read of an expression.
std::string AttentionWriter::queries_text(const lift::Attention& a) {
  const Expression queries = w_.value(a.queries);
  const bool simple = queries.at(kPrimary) == queries.text;
  return simple || !a.depth ? queries.text : w_.name(a.queries);
}

/// The product of the factors as the source has them.
std::string AttentionWriter::scale_text(const lift::Attention& a) {
  std::string scale;
  for (const auto& f : a.scale) {
    const Expression e = w_.scalar(f.value);
    if (scale.empty()) {
      scale = f.divides ? "1 / " + e.at(kUnary) : e.text;
    } else {
      scale += (f.divides ? " / " : " * ") + e.at(kUnary);
    }
  }
  if (a.depth) {
    scale = queries_text(a) + ".shape[-1] ** -0.5";
  }
  return scale.empty() ? "1.0" : scale;
}

/// The mask of the keys that stand before all others, and of those.
std::string AttentionWriter::padded_mask(const Value& before) {
  w_.context().needs_mask_array = true;
  const std::string out = w_.fresh("shown");
  w_.statement(out + " = mask");
  w_.statement("if mask is not None:");
  w_.statement(
      "    pads = [(0, 0)] * (mask.ndim - 1) + [(" + w_.scalar(before).text +
      ", 0)]");
  w_.statement("    " + out + " = mx.pad(mask, pads, constant_values=True)");
  return out;
}

void AttentionWriter::add_mask(
    const std::string& scores,
    bool without_heads,
    const Value& before) {
  w_.context().needs_mask_array = true;
  const std::string whole = before.defined() ? padded_mask(before) : "mask";
  w_.statement("if mask is not None:");
  const std::string mask =
      without_heads ? "mask[:, 0] if mask.ndim == 4 else mask" : whole;
  w_.statement(
      "    " + scores + " = mx.where(" + mask + ", " + scores + ", mx.finfo(" +
      scores + ".dtype).min)");
}

/// The mask as it is, or the sum of what else is added to the scores.
std::string AttentionWriter::mask_text(const lift::Attention& a) {
  Context& context = w_.context();
  if (a.biases.size() == 1) {
    if (const auto places = dropped(a.biases[0])) {
      context.needs_mask_array = true;
      const std::string kept = w_.fresh("kept");
      w_.statement(kept + " = ~" + w_.value(*places).at(kUnary));
      w_.statement("if mask is not None:");
      w_.statement("    " + kept + " = " + kept + " & mask");
      return kept;
    }
  }
  if (a.biases.size() == 1) {
    ValueId whole = a.biases[0];
    if (const Value before = shown_before(whole); before.defined()) {
      return padded_mask(before);
    }
  }
  std::optional<Expression> sum;
  bool masks = false;
  for (ValueId id : a.biases) {
    if (lift::mask_origin(context.trace, context.flows, id) ||
        lift::whole_mask(context.trace, context.flows, id)) {
      masks = true;
      continue;
    }
    if (const auto it = found_.key_biases.find(id);
        it != found_.key_biases.end()) {
      masks = masks || it->second.masks;
    }
    Expression e = w_.value(id);
    const auto& shape = context.trace.info(id).shape;
    const bool of_rows = shape.size() == 3 &&
                         shape[0] == context.evaluation.batch *
                                         context.trace.info(a.queries).shape[1];
    if (of_rows && !found_.key_biases.contains(id)) {
      e = call("mx.unflatten", {e.text, "0", "(B, -1)"});
      w_.needs_shape = true;
    }
    sum = sum ? infix(*sum, "+", e) : e;
  }
  if (!sum) {
    return masks ? "mask" : "None";
  }
  const std::string bias = w_.fresh("bias");
  w_.statement(bias + " = " + sum->text);
  if (masks) {
    add_mask(bias);
  }
  return bias + ".astype(" + w_.name(a.queries) + ".dtype)";
}

/// In the dtype of the output, as the fused form wants them.
std::string AttentionWriter::sinks_text(const lift::Attention& a) {
  const Expression sinks = w_.value(a.sinks);
  return w_.is_wide(a.sinks)
             ? method(sinks, "astype", {w_.name(a.queries) + ".dtype"}).text
             : sinks.text;
}

void AttentionWriter::write_fused(
    const lift::Attention& a,
    const std::string& output) {
  w_.context().imports.insert("base:scaled_dot_product_attention");
  const std::string sinks =
      a.sinks ? ", sinks=" + sinks_text(a) : std::string();
  const std::string queries = queries_text(a);
  const std::string keys = w_.value(a.keys).text;
  const std::string values = w_.value(a.values).text;
  const std::string scale = scale_text(a);
  const std::string mask = mask_text(a);
  w_.statement(
      output + " = scaled_dot_product_attention(" + queries + ", " + keys +
      ", " + values + ", cache=cache, scale=" + scale + ", mask=" + mask +
      sinks + ")");
}

void AttentionWriter::write_capped(
    const lift::Attention& a,
    const std::string& output) {
  const std::string queries = queries_text(a);
  const std::string keys = w_.value(a.keys).text;
  const std::string values = w_.value(a.values).text;
  const std::string scale = scale_text(a);
  const std::string cap = w_.scalar(a.softcap).text;
  w_.context().needs_mask_array = true;
  auto line = [&](const std::string& text) { w_.statement(text); };
  line("B, n_heads, L, D = " + queries + ".shape");
  line("n_kv_heads = " + keys + ".shape[1]");
  line(
      "queries = (" + queries + " * " + scale +
      ").reshape(B, n_kv_heads, -1, L, D)");
  line("scores = queries @ mx.expand_dims(" + keys + ", 2).swapaxes(-1, -2)");
  line("scores = mx.tanh(scores / " + cap + ") * " + cap);
  line("if mask is not None:");
  line("    if mask.ndim == 4:");
  line("        mask = mx.expand_dims(mask, 2)");
  line("    if mask.dtype == mx.bool_:");
  line("        scores = mx.where(mask, scores, mx.finfo(scores.dtype).min)");
  line("    else:");
  line("        scores = scores + mask");
  line("scores = mx.softmax(scores, axis=-1, precise=True)");
  line(output + " = scores @ mx.expand_dims(" + values + ", 2)");
  line(output + " = " + output + ".reshape(B, n_heads, L, -1)");
}

}  // namespace portwright::emit
