#include "emit/model_writer.h"
#include "emit/backbone_parts.h"
#include "emit/gaps.h"
#include "emit/handed_tables.h"
#include "emit/layer_caches.h"
#include "emit/layer_lists.h"
#include "emit/layer_windows.h"
#include "emit/stacks.h"
#include "emit/wide_states.h"

#include <functional>

namespace portwright::emit {

using eval::Value;
using lift::Flow;

namespace {

bool names_layer_kinds(const Context& context) {
  const Value kinds =
      context.interp.try_getattr(context.evaluation.config, "layer_types");
  return kinds.is(eval::Kind::List);
}

}  // namespace

namespace {

/// Notes which layers keep the keys of an index beside their own. Beside layers
/// that slide, layer_types may call them by a name of their own.
void find_index(Context& context, const Roles& roles, Masks& masks) {
  const auto& layers = roles.layer_frames;
  masks.all_indexed = true;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Frame& layer = *layers[i];
    const bool indexed = lift::updates_index(layer);
    masks.all_indexed = masks.all_indexed && indexed;
    if (!indexed) {
      continue;
    }
    for_each_module(layer, [&](const Frame& f) {
      if (lift::updates_index(f) && !lift::updates_keys(f)) {
        masks.index = f.path.substr(layer.path.size() + 1);
      }
    });
    if (masks.index.empty() || masks.any_chunked || !masks.recurrent.empty()) {
      context.hole(layer.call, "'" + layer.path + "' keeps keys of an index");
    } else if (masks.kinds[i] == "sliding_attention") {
      context.hole(layer.call, "'" + layer.path + "' slides over an index");
    }
    const std::string named = named_kind(context, layer);
    if (masks.any_sliding && !named.empty()) {
      masks.kinds[i] = named;
    }
  }
  masks.first_indexed = lift::updates_index(*layers.front());
}

/// The caches of layers some or all of which have an index.
std::string indexed_caches(Context& context, const Masks& masks) {
  context.imports.insert({"cache:CacheList", "cache:KVCache"});
  const std::string both = "CacheList(KVCache(), KVCache())";
  if (masks.all_indexed) {
    return "def make_cache(self):\n    return [" + both +
           " for _ in self.layers]\n";
  }
  const size_t dot = masks.index.rfind('.');
  const std::string owner = dot == std::string::npos
                                ? "layer"
                                : "layer." + masks.index.substr(0, dot);
  const std::string name =
      dot == std::string::npos ? masks.index : masks.index.substr(dot + 1);
  const std::string indexed =
      both + " if hasattr(" + owner + ", \"" + name + "\")";
  const std::string start = "def make_cache(self):\n    return [\n        ";
  if (!masks.any_sliding) {
    return start + indexed + " else KVCache()\n" +
           "        for layer in self.layers\n    ]\n";
  }
  context.fields.insert("layer_types");
  return start + indexed + "\n        else " + rotating_cache(context) +
         "\n"
         "        if kind == \"sliding_attention\"\n"
         "        else KVCache()\n"
         "        for layer, kind in zip(self.layers, "
         "self.args.layer_types)\n    ]\n";
}

}  // namespace

namespace {

/// Notes whether the keys slide of the layer last added to `masks`, which keeps
/// states too.
void note_sliding(
    Context& context,
    const Frame& layer,
    bool slides,
    Masks& masks) {
  const std::string& kind = masks.kinds.back();
  const bool told = masks.both_slides.emplace(kind, slides).first->second;
  if (told != slides) {
    context.hole(
        layer.call,
        "'" + layer.path + "' has keys that " + (slides ? "" : "do not ") +
            "slide, but layer_types does not tell");
  }
}

}  // namespace

namespace {

/// The last mask that a layer's own operations made; 0 where they make none.
ValueId mask_made_in(const Context& context, const Frame& frame) {
  ValueId out = 0;
  for (const auto& item : frame.items) {
    if (const auto* op = std::get_if<OpNode>(&item)) {
      for (ValueId id : op->outputs) {
        if (context.flows.window_of(id)) {
          out = std::max(out, id);
        }
      }
    } else if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      if (!lift::is_mask_function(**child)) {
        out = std::max(out, mask_made_in(context, **child));
      }
    }
  }
  return out;
}

bool is_read_in(const Frame& frame, ValueId id) {
  return std::any_of(
      frame.items.begin(), frame.items.end(), [&](const auto& item) {
        if (const auto* op = std::get_if<OpNode>(&item)) {
          return std::find(op->inputs.begin(), op->inputs.end(), id) !=
                 op->inputs.end();
        }
        const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
        return child && is_read_in(**child, id);
      });
}

/// The masks that a layer is given; of several those that it reads, where the
/// source lets each layer choose.
std::vector<ValueId> masks_given(const Context& context, const Frame& layer) {
  std::vector<ValueId> out;
  for (ValueId id : layer.inputs) {
    if (context.flows.of(id) == Flow::Mask) {
      out.push_back(id);
    }
  }
  if (out.size() > 1) {
    std::erase_if(out, [&](ValueId id) { return !is_read_in(layer, id); });
  }
  return out;
}

/// Refuses what the source lets tokens see besides what a mask of the library's
/// has: later ones, which mlx_lm's masks hide.
void refuse_more_seen(const Context& context, const Frame& mask) {
  const auto& params = mask.function->code->signature.params;
  for (size_t i = 0; i < std::min(params.size(), mask.args.size()); ++i) {
    if (params[i].name.str() == "or_mask_function" && mask.args[i].defined() &&
        !mask.args[i].is_none()) {
      context.hole(
          mask.call,
          "tokens see more than the mask of '" + mask.function->name +
              "': it is given an or_mask_function");
    }
  }
}

}  // namespace

Masks find_masks(Context& context, const Roles& roles) {
  std::map<ValueId, std::string> kinds;
  std::function<void(const Frame&)> visit = [&](const Frame& f) {
    for (const auto& item : f.items) {
      const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
      if (!child) {
        continue;
      }
      if (!lift::is_mask_function(**child)) {
        visit(**child);
        continue;
      }
      refuse_more_seen(context, **child);
      const std::string& name = (*child)->function->name;
      for (ValueId id : (*child)->outputs) {
        if (name == "create_causal_mask") {
          kinds[id] = "full_attention";
        } else if (name == "create_sliding_window_causal_mask") {
          kinds[id] = "sliding_attention";
        } else if (name == "create_chunked_causal_mask") {
          kinds[id] = "chunked_attention";
        } else if (!kinds.contains(id)) {
          kinds[id] = name;
        }
      }
    }
  };
  visit(context.trace.root);
  // A mask may be inverted or converted on the way: it is of the same kind.
  const Value window =
      context.interp.try_getattr(context.evaluation.config, "sliding_window");
  std::string windows;  // those of masks that the source makes, all the same
  std::function<std::string(ValueId)> kind_of = [&](ValueId id) -> std::string {
    if (const auto it = kinds.find(id); it != kinds.end()) {
      return it->second;
    }
    if (context.flows.is_biased_mask(id)) {
      return "full_attention";
    }
    if (const auto made = context.flows.window_of(id)) {
      if (*made == 0) {
        return "full_attention";
      }
      const bool usual = window.is_int() && window.as_int() == *made;
      const std::string text =
          usual ? "args.sliding_window" : window_text(context, id, *made);
      const bool same = windows.empty() || windows == text;
      if (text.empty() || !same) {
        return "window of " + std::to_string(*made);
      }
      context.window = windows = text;
      return "sliding_attention";
    }
    const OpNode* op = context.trace.info(id).producer;
    if (is_mask_with_bias(context.trace, context.flows, id)) {
      const bool first = context.flows.of(op->inputs[0]) == Flow::Mask;
      return kind_of(op->inputs[first ? 0 : 1]);
    }
    return op && op->inputs.size() == 1 ? kind_of(op->inputs.front())
                                        : "unknown";
  };
  Masks out;
  for (const Frame* layer : roles.layer_frames) {
    if (!attends(context, *layer)) {
      add_uncached_layer(context, *layer, out);
      continue;
    }
    if (lift::keeps_state(*layer)) {
      add_recurrent_layer(context, *layer, out);
    }
    const bool both = lift::keeps_state(*layer) && lift::updates_keys(*layer);
    if (lift::keeps_state(*layer) && !both) {
      continue;
    }
    std::string kind;
    for (ValueId id : masks_given(context, *layer)) {
      kind = kind_of(id);
    }
    if (const ValueId made = mask_made_in(context, *layer)) {
      kind = kind_of(made);
    }
    if (kind != "full_attention" && kind != "sliding_attention" &&
        kind != "chunked_attention") {
      context.hole(
          layer->call,
          "'" + layer->path + "' attends by a mask of no known kind" +
              (kind.empty() ? "" : " (" + kind + ")"));
    }
    const int attentions = std::max<int>(1, layer_indices(*layer).size());
    if (attentions != out.attentions && layer != roles.layer_frames.front()) {
      context.hole(
          layer->call,
          "'" + layer->path + "' has other caches than layers before");
    }
    out.attentions = attentions;
    if (attentions > 1 && (both || kind != "full_attention")) {
      context.hole(
          layer->call, "'" + layer->path + "' has several caches that differ");
    }
    if (both) {
      if (kind == "chunked_attention") {
        context.hole(layer->call, "'" + layer->path + "' chunks over states");
      }
      note_sliding(context, *layer, kind == "sliding_attention", out);
      continue;
    }
    out.any_full = out.any_full || kind == "full_attention";
    out.any_sliding = out.any_sliding || kind == "sliding_attention";
    out.any_chunked = out.any_chunked || kind == "chunked_attention";
    out.kinds.push_back(kind);
  }
  find_index(context, roles, out);
  if (out.mixed() && out.recurrent.empty() && !out.any_chunked &&
      !names_layer_kinds(context)) {
    context.kinds_text = kinds_text(context, roles, out);
    if (context.kinds_text.empty()) {
      context.hole(
          roles.backbone->call,
          "nothing of the config tells which layers slide");
    }
  }
  if (!out.both_kind.empty() && (out.any_full || out.any_sliding)) {
    context.hole(
        roles.backbone->call, "layers keep states, keys, and both of them");
  }
  const auto slides = [](const auto& kind) { return kind.second; };
  if (!out.both &&
      std::any_of(out.both_slides.begin(), out.both_slides.end(), slides)) {
    context.hole(
        roles.backbone->call,
        "layers slide over states beside layers that keep states alone");
  }
  if (!out.recurrent.empty() && out.any_chunked) {
    context.hole(roles.backbone->call, "layers keep states beside chunks");
  }
  if ((!out.recurrent.empty() || out.any_chunked) && out.mixed() &&
      !names_layer_kinds(context)) {
    const bool apart = !out.any_chunked && !out.both && out.both_kind.empty() &&
                       out.uncached.empty();
    context.kinds_text = apart ? kinds_text(context, roles, out) : "";
    if (context.kinds_text.empty()) {
      context.hole(
          roles.backbone->call, "the config does not name the kinds of layers");
    }
  }
  return out;
}

namespace {

bool can_tie(Context& context) {
  const Value keys = context.interp.try_getattr(
      context.evaluation.model, "_tied_weights_keys");
  return keys.defined() && context.interp.truthy(keys);
}

void write_make_cache(ClassText& model, const Masks& masks, Context& context) {
  if (!masks.recurrent.empty()) {
    model.methods.push_back(recurrent_caches(context, masks));
    return;
  }
  if (!masks.index.empty()) {
    model.methods.push_back(indexed_caches(context, masks));
    return;
  }
  if (masks.attentions > 1) {
    context.imports.insert({"cache:CacheList", "cache:KVCache"});
    const std::vector<std::string> caches(masks.attentions, "KVCache()");
    model.methods.push_back(
        "def make_cache(self):\n    return [CacheList(" + join(caches) +
        ") for _ in self.layers]\n");
    return;
  }
  if (context.shared_keys.any()) {
    model.methods.push_back(sharing_caches(context, masks));
    return;
  }
  if (!masks.any_sliding) {
    return;
  }
  const std::string rotating = rotating_cache(context);
  if (!masks.any_full && !masks.any_chunked) {
    model.methods.push_back(
        "def make_cache(self):\n    return [" + rotating +
        " for _ in self.layers]\n");
    return;
  }
  context.fields.insert("layer_types");
  context.imports.insert("cache:KVCache");
  model.methods.push_back(
      "def make_cache(self):\n"
      "    return [\n"
      "        " +
      rotating +
      "\n"
      "        if kind == \"sliding_attention\"\n"
      "        else KVCache()\n"
      "        for kind in self.args.layer_types\n"
      "    ]\n");
}

/// The linear map to the vocabulary; its weight may be the embedding's. Without
/// a frame it is an operation on that weight.
struct Head {
  const Frame* frame = nullptr;
  ValueId input = 0, output = 0;
};

/// h @ embedding.weight.T in words of the source's own.
Head find_head_operation(ModuleWriter& w) {
  const Context& context = w.context();
  const std::string weight = context.embedding + ".weight";
  const auto turned = [&](ValueId id) {
    const OpNode* op = context.trace.info(id).producer;
    static constexpr std::string_view kTurns[] = {"T", "t", "mT", "transpose"};
    const bool turns =
        op && std::find(std::begin(kTurns), std::end(kTurns), op->op->name) !=
                  std::end(kTurns);
    return turns ? op->inputs[0] : 0;
  };
  for (const OpNode* op : w.graph().ops) {
    const bool linear = op->op->name == std::string_view("linear");
    const bool product = op->op->name == std::string_view("matmul");
    if ((!linear && !product) || op->inputs.size() != 2) {
      continue;
    }
    const ValueId held = linear ? op->inputs[1] : turned(op->inputs[1]);
    if (held && context.trace.info(held).parameter == weight) {
      return {nullptr, op->inputs[0], op->outputs[0]};
    }
  }
  return {};
}

/// The module that the backbone's answer is given to last.
Head find_head_module(
    const Context& context,
    const lift::Graph& graph,
    const Frame* inner) {
  Head head;
  auto consider = [&](const Frame* f) {
    if (f != inner && f->is_module() && f->outputs.size() == 1 &&
        context.flows.of(f->outputs.front()) == Flow::Data &&
        f->outputs.front() > head.output) {
      head = {f, data_inputs(context, *f).front(), f->outputs.front()};
    }
  };
  for (const Frame* f : graph.functions) {  // a tied one holds no weights
    consider(f);
  }
  for (const Frame* f : graph.calls) {
    consider(f);
  }
  return head;
}

/// The part of the model below its root that holds the layers.
const Frame* inner_of(const Roles& roles) {
  return roles.is_flat()          ? nullptr
         : roles.wrappers.empty() ? roles.backbone
                                  : roles.wrappers.front();
}

/// Lets the backbone convert its answer where the head reads it converted: it
/// has a norm whose dtype tells to what.
void narrow_for_head(Context& context, const Roles& roles) {
  const Head head = find_head_module(
      context, lift::make_graph(context.trace, *roles.root), inner_of(roles));
  if (head.frame && context.evaluation.half->input_dtype(*head.frame, 0) ==
                        torch::Dtype::BFloat16) {
    context.narrow_answer = roles.backbone->outputs.front();
  }
}

Head find_head(ModuleWriter& w, const Roles& roles, const Frame* inner) {
  Context& context = w.context();
  Head head = find_head_module(context, w.graph(), inner);
  if (!head.frame) {
    head = find_head_operation(w);
  }
  if (!head.input) {
    context.hole(roles.root->call, "the model has no known head");
  }
  return head;
}

/// All layers, each once.
std::string layers_text(const Context& context, const Roles& roles) {
  if (roles.program) {
    return program_layers(context, roles);
  }
  if (roles.stack_calls.empty()) {
    return roles.layers_text(path_in("self", roles.backbone->path));
  }
  std::string out;
  std::set<std::string> paths;
  for (const Frame* call : roles.stack_calls) {
    if (paths.insert(call->path).second) {
      out += (out.empty() ? "self." : " + self.") + call->path + "." +
             list_of(*call);
    }
  }
  return out;
}

/// The field of the config by which a layer has a bias; "" where none decides.
std::string bias_field(const std::string& constructor) {
  static const base::Pattern kBias(R"(\bbias=args\.(\w+)\))");
  const auto found = kBias.all(constructor);
  return found.empty() ? "" : std::string(found.front()[1]);
}

ClassText write_root(Context& context, const Roles& roles, const Masks& masks) {
  ModuleWriter w(context, *roles.root);
  w.initialise("args", "args");
  w.initialise("model_type", "args.model_type");
  const Frame* inner = inner_of(roles);
  if (inner) {
    const std::string held = add_wrappers(context, "", *inner);
    const std::string backbone = inner->path.substr(0, inner->path.find('.'));
    w.initialise(backbone, held + "(args)");
    w.fresh("inputs");
    w.fresh("out");
    w.bind(context.evaluation.ids, "inputs");
    w.statement("out = self." + backbone + "(inputs, cache, input_embeddings)");
    w.bind(inner->outputs.front(), "out");
  } else {
    w.fresh("out");
    write_stack(w, roles, masks);
  }
  const Head head = find_head(w, roles, inner);
  w.count_uses({head.input});
  const std::string input = w.value(head.input).text;
  const std::string name = head.frame ? head.frame->path : "";
  const std::string constructor =
      head.frame
          ? constructor_of(context, *head.frame, {head.frame->outputs.front()})
          : "";
  const bool may_tie = head.frame && can_tie(context);
  const std::string by_embedding =
      "out = " + context.embedding_access + ".as_linear(" + input + ")";
  context.head = name;
  const Value bias =
      head.frame ? context.interp.try_getattr(head.frame->module, "bias")
                 : Value();
  context.head_keeps_weight = may_tie && bias.defined() && !bias.is_none();
  if (may_tie && !context.head_keeps_weight) {
    context.head_bias = bias_field(constructor);
  }
  const std::string tied =
      context.head_bias.empty()
          ? "self.args.tie_word_embeddings"
          : "self.args.tie_word_embeddings and not self.args." +
                context.head_bias;
  if (may_tie) {
    context.fields.insert("tie_word_embeddings");
  }
  if (may_tie && !context.head_keeps_weight) {
    w.statement("if " + tied + ":");
    w.statement("    " + by_embedding);
    w.statement("else:");
    w.statement("    out = self." + name + "(" + input + ")");
  } else if (!head.frame) {
    w.statement(by_embedding);
  } else {
    const Expression called = w.member(name, constructor);
    w.statement("out = " + called.text + "(" + input + ")");
  }
  w.bind(head.output, "out");
  const ValueId logits = context.evaluation.logits;
  w.count_uses({logits});
  const Expression result = w.value(logits);
  w.statement("return " + result.text);
  ClassText out = w.take("Model");
  if (may_tie && !context.head_keeps_weight) {
    if (name.find('.') != std::string::npos) {
      context.hole(head.frame->call, "'" + name + "' lies in a container");
    }
    out.init.push_back(
        "if not args.tie_word_embeddings" +
        (context.head_bias.empty() ? "" : " or args." + context.head_bias) +
        ":");
    out.init.push_back("    self." + name + " = " + constructor);
  }
  out.call_params = call_parameters();
  if (const std::string text = layers_text(context, roles);
      text != "self.layers") {
    out.methods.push_back(
        "@property\ndef layers(self):\n    return " + text + "\n");
  }
  if (!roles.counts_caches()) {
    write_make_cache(out, masks, context);
  } else {
    const std::string made =
        masks.any_sliding ? rotating_cache(context) : "KVCache()";
    if (!masks.any_sliding) {
      context.imports.insert("cache:KVCache");
    }
    out.methods.push_back(
        "def make_cache(self):\n    return [" + made + " for _ in range(" +
        path_in(path_in("self", roles.backbone->path), "n_caches") + ")]\n");
  }
  return out;
}

}  // namespace

namespace {

/// Adds the kinds that other drafts read, where one text serves them as well:
/// the config names each layer's kind, or None is the window of no window.
void widen(Context& context, Masks& masks) {
  const bool named = names_layer_kinds(context);
  if (named || !context.kinds_text.empty()) {
    if (named) {
      context.layer_kinds.insert(masks.kinds.begin(), masks.kinds.end());
    }
    if (named && !masks.mixed()) {  // whatever the config calls them
      const Value kinds =
          context.interp.getattr(context.evaluation.config, "layer_types");
      for (const Value& kind : kinds.get<eval::List>()->items) {
        if (kind.is_str()) {
          context.layer_kinds.insert(kind.str());
        }
      }
    }
    masks.any_full =
        masks.any_full || context.mask_kinds.contains("full_attention");
    masks.any_sliding =
        masks.any_sliding || context.mask_kinds.contains("sliding_attention");
    masks.any_chunked =
        masks.any_chunked || context.mask_kinds.contains("chunked_attention");
    if (masks.recurrent.empty()) {
      masks.recurrent = context.recurrent_kind;
      masks.states = context.recurrent_states;
    }
    masks.both_slides.insert(
        context.both_slides.begin(), context.both_slides.end());
    masks.both_kind = context.both_kind;
    if (!masks.both_kind.empty()) {
      masks.recurrent = context.recurrent_kind;
      masks.both = false;
    }
    masks.uncached = context.uncached_kinds;
    return;
  }
  const Value window = context.interp.try_getattr(
      context.evaluation.config, window_name(context));
  masks.window_or_none = masks.any_full && !masks.any_sliding &&
                         window.is_none() &&
                         context.mask_kinds.contains("sliding_attention");
}

}  // namespace

void share_mask_kinds(const std::vector<Context*>& drafts) {
  std::set<std::string> kinds;
  Masks recurrent;
  std::set<std::string> uncached;
  std::string both_kind;
  std::map<std::string, bool> both_slides;
  SharedKeys shared;
  std::string kinds_text, window;
  for (Context* draft : drafts) {
    try {
      const Roles roles = find_roles(*draft);
      draft->shared_keys = find_shared_keys(*draft, roles.layer_frames, {});
      if (draft->shared_keys.any()) {
        shared = draft->shared_keys;
      }
      const Masks masks = find_masks(*draft, roles);
      kinds.insert(masks.kinds.begin(), masks.kinds.end());
      if (!masks.recurrent.empty() &&
          (recurrent.recurrent.empty() || !masks.both)) {
        recurrent = masks;
      }
      both_kind = both_kind.empty() ? masks.both_kind : both_kind;
      both_slides.insert(masks.both_slides.begin(), masks.both_slides.end());
      uncached.insert(masks.uncached.begin(), masks.uncached.end());
      if (!draft->kinds_text.empty()) {
        kinds_text = draft->kinds_text;
      }
      if (masks.any_sliding) {
        window = draft->window;
      }
    } catch (const Hole&) {
      continue;  // it will not be written
    }
  }
  for (Context* draft : drafts) {
    draft->mask_kinds = kinds;
    draft->recurrent_kind = recurrent.recurrent;
    draft->recurrent_states = recurrent.states;
    draft->both_kind = both_kind;
    draft->both_slides = both_slides;
    draft->uncached_kinds = uncached;
    draft->shares_like = shared;
    draft->kinds_text = kinds_text;
    draft->window = window.empty() ? draft->window : window;
  }
}

void write_model(Context& context) {
  Roles roles = find_roles(context);
  context.shared_keys =
      find_shared_keys(context, roles.layer_frames, context.shares_like);
  context.carried = find_carried(context, roles.layer_frames);
  roles.program = roles.program ||
                  (roles.stack_calls.empty() && runs_a_program(context, roles));
  context.runs_program = roles.program;
  find_wide_states(context, roles);
  if (!context.wide_states.empty() && !roles.is_flat()) {
    narrow_for_head(context, roles);
  }
  Masks masks = find_masks(context, roles);
  widen(context, masks);
  if (!roles.is_flat()) {
    context.classes.push_back(write_backbone(context, roles, masks));
  }
  const Frame* inner = roles.backbone;
  for (auto it = roles.wrappers.rbegin(); it != roles.wrappers.rend(); ++it) {
    context.classes.push_back(write_wrapper(context, **it, *inner));
    inner = *it;
  }
  context.classes.push_back(write_root(context, roles, masks));
}

void write_layers_alone(Context& context) {
  try {
    for (const Frame* layer : find_roles(context).layer_frames) {
      constructor_or_gap(context, *layer, {layer->outputs.front()});
    }
  } catch (const Hole&) {
    return;  // the stub of the model says what was in the way
  }
}

}  // namespace portwright::emit
