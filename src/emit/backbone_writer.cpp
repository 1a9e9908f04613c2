#include "emit/backbone_parts.h"
#include "emit/gaps.h"
#include "emit/layer_caches.h"
#include "emit/layer_count.h"
#include "emit/layer_loop.h"
#include "emit/layer_program.h"
#include "emit/layer_windows.h"
#include "emit/operation_rules.h"
#include "emit/stacks.h"

namespace portwright::emit {

using eval::Value;
using lift::Flow;

namespace {

/// True when an operation inside reads the value, or it is handed out.
bool reads(const Frame& frame, ValueId id) {
  const auto contains = [&](const std::vector<ValueId>& ids) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  return contains(frame.outputs) ||
         std::any_of(
             frame.items.begin(), frame.items.end(), [&](const auto& item) {
               if (const auto* op = std::get_if<OpNode>(&item)) {
                 return contains(op->inputs);
               }
               const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
               return child && reads(**child, id);
             });
}

}  // namespace

bool is_layer(const Context& context, const Frame& frame) {
  if (context.more_layers.contains(frame.path) ||
      context.more_layers.contains(list_path(frame.path))) {
    return true;
  }
  const std::string list = context.layers_path + ".";
  return list.size() > 1 && frame.path.starts_with(list) &&
         frame.path.find('.', list.size()) == std::string::npos;
}

bool is_unread(const Context& context, const Frame& layer, ValueId id) {
  if (!is_layer(context, layer) || reads(layer, id) ||
      context.evaluation.handed.contains(id)) {
    return false;
  }
  const auto at = std::find(layer.inputs.begin(), layer.inputs.end(), id) -
                  layer.inputs.begin();
  bool read = false;
  for_each_module(context.trace.root, [&](const Frame& f) {
    // The first layer may be given one value twice: it reads one of the two.
    const bool alike =
        is_layer(context, f) &&
        f.module.object()->cls == layer.module.object()->cls &&
        f.inputs.size() == layer.inputs.size() &&
        std::count(f.inputs.begin(), f.inputs.end(), f.inputs[at]) == 1;
    read = read || (alike && reads(f, f.inputs[at]));
  });
  return !read;
}

std::vector<ValueId> data_inputs(const Context& context, const Frame& frame) {
  std::vector<ValueId> out;
  for (ValueId id : frame.inputs) {
    const bool data = context.flows.of(id) == Flow::Data ||
                      context.evaluation.handed.contains(id);
    if (data && !context.shared_keys.holds(id) &&
        !is_unread(context, frame, id) &&
        std::find(out.begin(), out.end(), id) == out.end()) {
      out.push_back(id);
    }
  }
  return out;
}

std::string
layer_constructor(Context& context, const Roles& roles, const Masks& masks) {
  std::vector<std::pair<std::string, std::string>> made;  // by kind
  for (size_t i = 0; i < roles.layer_frames.size(); ++i) {
    const Frame& layer = *roles.layer_frames[i];
    std::string text =
        constructor_or_gap(context, layer, {layer.outputs.front()});
    std::replace(text.begin(), text.end(), kIndexMark, kLayerMark);
    const auto of_class = [&](const auto& known) {
      return text.compare(
                 0,
                 text.find('(') + 1,
                 known.second,
                 0,
                 known.second.find('(') + 1) == 0;
    };
    const std::string kind = i < masks.kinds.size() ? masks.kinds[i] : "";
    const auto known = std::find_if(made.begin(), made.end(), of_class);
    if (known == made.end()) {
      made.emplace_back(kind, text);
    } else {
      known->second = text;
    }
    const bool told = std::all_of(made.begin(), made.end(), [&](const auto& m) {
      return of_class(m) == (m.first == kind);
    });
    if (made.size() > 1 && !told) {
      context.hole(
          layer.call,
          "no kind of layers tells the class of '" + layer.path + "'");
    }
  }
  std::string out = made.back().second;
  for (size_t i = made.size() - 1; i-- > 0;) {
    context.fields.insert("layer_types");
    out = made[i].second + " if args.layer_types[i] == \"" + made[i].first +
          "\" else " + out;
  }
  return out;
}

namespace {

/// Chunks of the text attend within themselves; their keys are kept all.
void write_chunked_masks(
    ModuleWriter& w,
    const Masks& masks,
    const std::string& as_array) {
  Context& context = w.context();
  context.chunked_masks = true;
  context.fields.insert("attention_chunk_size");
  w.initialise("attention_chunk_size", "args.attention_chunk_size");
  if (!masks.mixed()) {
    w.statement(
        "mask = create_chunked_mask(h, cache[0], self.attention_chunk_size)");
    return;
  }
  context.fields.insert("layer_types");
  w.initialise("layer_types", "args.layer_types");
  w.statement("masks = {}");
  w.statement("for kind, c in zip(self.layer_types, cache):");
  w.statement("    if kind in masks:");
  w.statement("        continue");
  w.statement("    if kind == \"chunked_attention\":");
  w.statement("        masks[kind] = create_chunked_mask(h, c, "
              "self.attention_chunk_size)");
  if (masks.any_sliding) {
    const std::string window = keep_window(w);
    w.statement("    elif kind == \"sliding_attention\":");
    w.statement(
        "        masks[kind] = create_attention_mask(h, c, window_size=" +
        window + as_array + ")");
  }
  w.statement("    else:");
  w.statement(
      "        masks[kind] = create_attention_mask(h, c" + as_array + ")");
}

void write_masks(ModuleWriter& w, const Context& context, const Masks& masks) {
  if (!masks.recurrent.empty()) {
    write_recurrent_masks(w, context, masks);
    return;
  }
  const std::string as_array =
      context.needs_mask_array || context.takes_mask_array
          ? ", return_array=True"
          : "";
  if (masks.any_chunked) {
    write_chunked_masks(w, masks, as_array);
    return;
  }
  if (!masks.any_sliding && !masks.window_or_none) {
    w.statement(
        "mask = create_attention_mask(h, " + masks.first_cache() + as_array +
        ")");
    return;
  }
  const std::string window = keep_window(w);
  if (!masks.any_full || masks.window_or_none) {
    w.statement(
        "mask = create_attention_mask(h, cache[0], window_size=" + window +
        as_array + ")");
    return;
  }
  w.initialise("layer_types", "args.layer_types");
  w.statement("masks = {}");
  w.statement("for kind, c in zip(self.layer_types, cache):");
  w.statement("    if kind not in masks:");
  if (!masks.index.empty()) {
    w.statement("        c = c[0] if isinstance(c, CacheList) else c");
  }
  w.statement(
      "        window = " + window +
      " if kind == \"sliding_attention\" else None");
  w.statement(
      "        masks[kind] = create_attention_mask(h, c, "
      "window_size=window" +
      as_array + ")");
}

/// True for the token ids and reshaped forms of them.
bool is_ids(const Context& context, ValueId id) {
  for (;;) {
    if (id == context.evaluation.ids) {
      return true;
    }
    const OpNode* op = context.trace.info(id).producer;
    if (!op || (op->op->name != "view" && op->op->name != "reshape" &&
                op->op->name != "to" && op->op->name != "contiguous")) {
      return false;
    }
    id = op->inputs.front();
  }
}

bool reads_ids(const Context& context, const Frame& frame) {
  return std::any_of(frame.inputs.begin(), frame.inputs.end(), [&](ValueId id) {
    return is_ids(context, id);
  });
}

/// Where the token ids become vectors.
struct Embedding {
  ValueId output = 0;
  std::string name;  // of the module, below `outer`
  std::string constructor;
  std::string outer;  // the backbone, or a module around it that embeds
};

/// A module around the backbone that embeds, and hands on what that makes.
const Frame* embedding_wrapper(const Context& context, const Roles& roles) {
  for (auto it = roles.wrappers.rbegin(); it != roles.wrappers.rend(); ++it) {
    const lift::Graph graph = lift::make_graph(context.trace, **it);
    for (const Frame* call : graph.calls) {
      if (reads_ids(context, *call) && call->outputs.size() == 1 &&
          !call->path.starts_with(roles.backbone->path + ".") &&
          !roles.backbone->path.starts_with(call->path)) {
        return call;
      }
    }
  }
  return nullptr;
}

Embedding find_embedding(ModuleWriter& w, const Roles& roles) {
  Context& context = w.context();
  const std::string& outer = roles.backbone->path;
  for (const Frame* call : w.graph().calls) {
    if (reads_ids(context, *call)) {
      return {
          call->outputs.front(),
          path_below(outer, call->path),
          constructor_of(context, *call, {call->outputs.front()}),
          outer};
    }
  }
  for (const OpNode* op : w.graph().ops) {
    if (op->op->name == "embedding" && is_ids(context, op->inputs.front())) {
      if (const auto name = w.embedding_module(*op)) {
        return {op->outputs.front(), *name, "", outer};
      }
    }
  }
  if (const Frame* call = embedding_wrapper(context, roles)) {
    const std::string around = module_around(call->parent)->path;
    return {
        data_inputs(context, *roles.backbone).front(),
        path_below(around, call->path),
        "",
        around};
  }
  // A module around the backbone embeds, by an embedding of the backbone.
  Embedding found;
  for_each_module(*roles.root, [&](const Frame& f) {
    if (!found.output && (outer.empty() || f.path.starts_with(outer + ".")) &&
        f.outputs.size() == 1 && reads_ids(context, f)) {
      found = {
          f.outputs.front(),
          path_below(outer, f.path),
          constructor_of(context, f, {f.outputs.front()}),
          outer};
    }
  });
  if (!found.output) {
    context.hole(
        roles.backbone->call, "the model embeds its tokens in no known way");
  }
  return found;
}

}  // namespace

std::vector<std::string> call_parameters() {
  return {
      "inputs: mx.array",
      "cache=None",
      "input_embeddings: Optional[mx.array] = None"};
}

namespace {

/// The layers, one after the other.
void write_layers(
    ModuleWriter& w,
    const Roles& roles,
    const Masks& masks,
    const std::string& layer,
    const std::function<void()>& give_cache) {
  Context& context = w.context();
  const ValueId first =
      data_inputs(context, *roles.layer_frames.front()).front();
  w.count_uses({first});
  const LoopInputs inputs = find_loop_inputs(w, roles, masks);
  if (const Expression h = w.value(first); h.text != "h") {
    w.statement("h = " + h.text);
  }
  w.member(
      roles.layers,
      "[" + layer + " for i in range(" + layer_count(context, roles) + ")]");
  w.statement("");
  give_cache();
  if (masks.any_full || masks.any_sliding || masks.any_chunked) {
    context.imports.insert("base:create_attention_mask");
  }
  const size_t before_masks = w.statement_count();
  write_masks(w, context, masks);
  if (w.batch_axis(first) == 1) {  // layers run on several states at once
    w.replace_in_statements(before_masks, "_mask(h, ", "_mask(h[0], ");
  }
  w.statement("");
  if (!context.wide_states.empty()) {
    w.states_dtype = w.norm_dtype();
    w.statement("h = h.astype(mx.float32)");
  }
  write_layer_loop(w, roles, masks, inputs);
}

/// Stacks of layers, in turns.
void write_turns(
    ModuleWriter& w,
    const Roles& roles,
    const Masks& masks,
    const std::function<void()>& give_cache) {
  StackLoops stacks(w, roles, masks);
  w.initialise("n_caches", stacks.cache_count());
  stacks.write_states();
  w.statement("");
  give_cache();
  w.context().imports.insert("base:create_attention_mask");
  write_masks(w, w.context(), masks);
  w.statement("");
  stacks.write_loops();
}

/// mlx-lm's layers are given rows of tokens, and so is what is lifted of them.
void refuse_tokens_first(const Context& context, const Frame& layer) {
  const auto given = data_inputs(context, layer);
  if (given.empty()) {
    return;
  }
  const auto& shape = context.trace.info(given.front()).shape;
  const Evaluation& e = context.evaluation;
  if (shape.size() == 3 && shape[0] == e.length && shape[1] == e.batch) {
    context.hole(
        layer.call,
        "'" + layer.path + "' is given tokens before the rows of a batch");
  }
}

/// Layers in the source's own loops.
void write_program(
    ModuleWriter& w,
    LayerProgram program,
    const Masks& masks,
    const std::function<void()>& give_cache) {
  w.statement("");
  give_cache();
  w.context().imports.insert("base:create_attention_mask");
  write_masks(w, w.context(), masks);
  w.statement("");
  program.write();
}

}  // namespace

void write_stack(ModuleWriter& w, const Roles& roles, const Masks& masks) {
  Context& context = w.context();
  const bool in_turns = !roles.stack_calls.empty();
  refuse_tokens_first(context, *roles.layer_frames.front());
  const std::string layer =
      roles.counts_caches() ? "" : layer_constructor(context, roles, masks);
  auto lists = roles.program ? write_lists(context, roles, masks)
                             : std::vector<LayerList>{};
  const Embedding embedding = find_embedding(w, roles);
  const std::string& outer = embedding.outer;
  const bool is_given = outer != roles.backbone->path;
  context.embedding = path_in(outer, embedding.name);
  context.embedding_access =
      access_text(path_in("self", outer), embedding.name);
  w.fresh("inputs");
  w.fresh("input_embeddings");
  w.fresh("h");
  for (const Carried& carried : context.carried) {
    w.fresh(carried.name);
  }
  w.bind(context.evaluation.ids, "inputs");
  w.states_dtype = "h.dtype";
  bool has_cache = false;
  auto give_cache = [&] {
    if (!has_cache) {
      w.statement("if cache is None:");
      const std::string none =
          masks.both ? "(None, None)"
          : masks.attentions == 1
              ? "None"
              : tuple_text(std::vector<std::string>(masks.attentions, "None"));
      w.statement(
          roles.counts_caches() ? "    cache = [None] * self.n_caches"
          : masks.both_kind.empty()
              ? "    cache = [" + none + "] * len(" + roles.layers_text() + ")"
              : "    cache = [(None, None) if kind == \"" + masks.both_kind +
                    "\" else None for kind in self.layer_types]");
      has_cache = true;
    }
  };
  w.read_positions(
      [&] {
        give_cache();
        if (!masks.both_kind.empty()) {
          context.hole(
              roles.backbone->call, "positions are read where layers differ");
        }
        if (!masks.index.empty()) {
          context.hole(
              roles.backbone->call,
              "positions are read where layers keep an index");
        }
        return masks.first_cache();
      },
      "h.shape[1]");
  if (is_given) {
    w.statement("h = input_embeddings");
  } else {
    const std::string embed =
        embedding.constructor.empty()
            ? access_text("self", embedding.name)
            : w.member(embedding.name, embedding.constructor).text;
    w.statement("if input_embeddings is not None:");
    w.statement("    h = input_embeddings");
    w.statement("else:");
    w.statement("    h = " + embed + "(inputs)");
  }
  w.bind(embedding.output, "h");
  if (roles.program) {
    write_program(
        w,
        LayerProgram(w, roles, masks, std::move(lists), embedding.output),
        masks,
        give_cache);
  } else if (in_turns) {
    write_turns(w, roles, masks, give_cache);
  } else {
    write_layers(w, roles, masks, layer, give_cache);
  }
  w.statement("");
  if (!roles.program) {
    w.bind(
        in_turns ? roles.stack_calls.back()->outputs.front()
                 : roles.layer_frames.back()->outputs.front(),
        "h");
  }
}

ClassText
write_backbone(Context& context, const Roles& roles, const Masks& masks) {
  ModuleWriter w(context, *roles.backbone);
  write_stack(w, roles, masks);
  const ValueId output = roles.backbone->outputs.front();
  w.count_uses({output});
  const Expression result = w.value(output);
  const bool back = context.narrow_answer == output && w.is_wide(output);
  w.statement("return " + (back ? w.narrowed(result) : result).text);
  const std::string& source = roles.backbone->module.object()->cls->name;
  ClassText out = w.take(source);
  out.call_params = call_parameters();
  return out;
}

std::string
add_wrappers(Context& context, const std::string& outer, const Frame& inner) {
  std::string path = inner.path;
  std::string held = inner.module.object()->cls->name;
  const size_t start = outer.empty() ? 0 : outer.size() + 1;
  for (size_t dot = path.rfind('.'); dot != std::string::npos && dot >= start;
       dot = path.rfind('.')) {
    const std::string name = path.substr(dot + 1);
    path.resize(dot);
    const Value module = context.module(path);
    if (context.interp.try_getattr(module, "__getitem__").defined()) {
      context.hole(inner.call, "'" + inner.path + "' lies in a container");
    }
    ClassText text;
    text.name = module.object()->cls->name;
    text.init_params = {"args: ModelArgs"};
    text.init = {"self." + name + " = " + held + "(args)"};
    text.call_params = call_parameters();
    text.call = {"return self." + name + "(inputs, cache, input_embeddings)"};
    held = text.name;
    context.classes.push_back(std::move(text));
  }
  return held;
}

namespace {

/// Embeds for what is around the layers, which is given what follows from that.
void write_embedding(ModuleWriter& w, const Frame& call, const Frame& inner) {
  Context& context = w.context();
  const ValueId output = call.outputs.front();
  const Expression embed = w.member(
      path_below(w.graph().frame->path, call.path),
      constructor_of(context, call, {output}));
  w.statement("if input_embeddings is None:");
  w.statement("    input_embeddings = " + embed.text + "(inputs)");
  w.bind(output, "input_embeddings");
  const ValueId given = data_inputs(context, inner).front();
  w.count_uses({given});
  if (const Expression made = w.value(given); made.text != "input_embeddings") {
    w.statement("input_embeddings = " + made.text);
  }
}

}  // namespace

ClassText
write_wrapper(Context& context, const Frame& wrapper, const Frame& inner) {
  ModuleWriter w(context, wrapper);
  const std::string held = add_wrappers(context, wrapper.path, inner);
  std::string name = below(wrapper, inner);
  name.resize(std::min(name.find('.'), name.size()));
  for (const char* taken : {"inputs", "input_embeddings", "h"}) {
    w.fresh(taken);
  }
  for (const Frame* call : w.graph().calls) {
    if (call->path == context.embedding) {
      write_embedding(w, *call, inner);
    }
  }
  w.initialise(name, held + "(args)");
  w.statement("h = self." + name + "(inputs, cache, input_embeddings)");
  w.bind(inner.outputs.front(), "h");
  const ValueId output = wrapper.outputs.front();
  w.count_uses({output});
  const Expression result = w.value(output);
  w.statement("return " + result.text);
  ClassText out = w.take(wrapper.module.object()->cls->name);
  out.call_params = call_parameters();
  return out;
}

}  // namespace portwright::emit
