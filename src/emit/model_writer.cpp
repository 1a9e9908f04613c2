#include "emit/model_writer.h"

#include <functional>

namespace portwright::emit {

using eval::Value;
using lift::Flow;
using lift::uses_cache;

namespace {

void for_each_module(
    const Frame& frame,
    const std::function<void(const Frame&)>& visit) {
  for (const auto& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      if ((*child)->is_module()) {
        visit(**child);
      }
      for_each_module(**child, visit);
    }
  }
}

/// "model.layers" for "model.layers.3"; "" when not numbered.
std::string list_path(const std::string& path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string::npos || dot + 1 == path.size() ||
      !std::all_of(path.begin() + dot + 1, path.end(), [](char c) {
        return c >= '0' && c <= '9';
      })) {
    return "";
  }
  return path.substr(0, dot);
}

ValueId data_input(const Context& context, const Frame& frame) {
  for (ValueId id : frame.inputs) {
    if (context.flows.of(id) == Flow::Data) {
      return id;
    }
  }
  return 0;
}

}  // namespace

Roles find_roles(Context& context) {
  Roles roles;
  for_each_module(context.trace.root, [&](const Frame& f) {
    if (!roles.root && f.path.empty()) {
      roles.root = &f;
    }
    if (roles.backbone || list_path(f.path).empty() || !uses_cache(f)) {
      return;
    }
    // The enclosing module's forward runs the layers.
    const Frame* around = f.parent;
    while (around && !around->is_module()) {
      around = around->parent;
    }
    roles.backbone = around;
    const std::string list = list_path(f.path);
    roles.layers =
        around->path.empty() ? list : list.substr(around->path.size() + 1);
  });
  if (!roles.root || !roles.backbone || roles.backbone == roles.root) {
    context.hole({}, "no chain of decoder layers was found in the model");
  }
  const std::string list = roles.backbone->path + "." + roles.layers;
  context.layers_path = list;
  for_each_module(*roles.backbone, [&](const Frame& f) {
    if (list_path(f.path) == list) {
      roles.layer_frames.push_back(&f);
    }
  });
  for (size_t i = 1; i < roles.layer_frames.size(); ++i) {
    if (data_input(context, *roles.layer_frames[i]) !=
        roles.layer_frames[i - 1]->outputs.front()) {
      context.hole(
          roles.layer_frames[i]->call,
          "something happens between layer " + std::to_string(i - 1) +
              " and layer " + std::to_string(i));
    }
  }
  return roles;
}

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
      const std::string& name = (*child)->function->name;
      for (ValueId id : (*child)->outputs) {
        if (name == "create_causal_mask") {
          kinds[id] = "full_attention";
        } else if (name == "create_sliding_window_causal_mask") {
          kinds[id] = "sliding_attention";
        } else if (!kinds.contains(id)) {
          kinds[id] = name;
        }
      }
    }
  };
  visit(context.trace.root);
  Masks out;
  for (const Frame* layer : roles.layer_frames) {
    std::string kind;
    for (ValueId id : layer->inputs) {
      if (context.flows.of(id) == Flow::Mask) {
        kind = kinds.contains(id) ? kinds[id] : "unknown";
      }
    }
    if (kind != "full_attention" && kind != "sliding_attention") {
      context.hole(
          layer->call,
          "'" + layer->path + "' attends by a mask of no known kind" +
              (kind.empty() ? "" : " (" + kind + ")"));
    }
    out.any_full = out.any_full || kind == "full_attention";
    out.any_sliding = out.any_sliding || kind == "sliding_attention";
    out.kinds.push_back(kind);
  }
  return out;
}

namespace {

/// The layers' own class, made once for all of them.
std::string layer_constructor(Context& context, const Roles& roles) {
  Constructor made;
  // Which classes need the layer index shows only when all layers are seen.
  size_t known = 0;
  do {
    known = context.indexed.size();
    context.classes.clear();
    try {
      for (const Frame* layer : roles.layer_frames) {
        made = constructor_of(context, *layer, {layer->outputs.front()});
      }
    } catch (const Hole&) {
      if (context.indexed.size() == known) {
        throw;
      }
    }
  } while (context.indexed.size() != known);
  const size_t open = made.text.find('(');
  return made.text.substr(0, open) +
         (made.needs_layer_index ? "(args, layer_idx=i)" : "(args)");
}

void write_masks(ModuleWriter& w, const Context& context, const Masks& masks) {
  const std::string as_array =
      context.needs_mask_array ? ", return_array=True" : "";
  if (!masks.any_sliding) {
    w.statement("mask = create_attention_mask(h, cache[0]" + as_array + ")");
    return;
  }
  w.initialise("sliding_window", "args.sliding_window");
  if (!masks.any_full) {
    w.statement(
        "mask = create_attention_mask(h, cache[0], "
        "window_size=self.sliding_window" +
        as_array + ")");
    return;
  }
  w.initialise("layer_types", "args.layer_types");
  w.statement("masks = {}");
  w.statement("for kind, c in zip(self.layer_types, cache):");
  w.statement("    if kind not in masks:");
  w.statement("        window_size = self.sliding_window if kind == "
              "\"sliding_attention\" else None");
  w.statement(
      "        masks[kind] = create_attention_mask(h, c, "
      "window_size=window_size" +
      as_array + ")");
}

/// Where the token ids become vectors.
struct Embedding {
  ValueId output = 0;
  std::string name;  // of the module, below the backbone
  std::string constructor;
};

Embedding find_embedding(ModuleWriter& w, const Roles& roles) {
  Context& context = w.context();
  const size_t prefix = roles.backbone->path.size() + 1;
  for (const Frame* call : w.graph().calls) {
    if (std::find(
            call->inputs.begin(), call->inputs.end(), context.evaluation.ids) !=
        call->inputs.end()) {
      return {
          call->outputs.front(),
          call->path.substr(prefix),
          constructor_of(context, *call, {call->outputs.front()}).text};
    }
  }
  for (const OpNode* op : w.graph().ops) {
    if (op->op->name == "embedding" &&
        op->inputs.front() == context.evaluation.ids) {
      if (const auto name = w.embedding_module(*op)) {
        return {op->outputs.front(), *name, ""};
      }
    }
  }
  context.hole(
      roles.backbone->call, "the model embeds its tokens in no known way");
}

ClassText
write_backbone(Context& context, const Roles& roles, const Masks& masks) {
  const std::string layer = layer_constructor(context, roles);
  ModuleWriter w(context, *roles.backbone);
  const Embedding embedding = find_embedding(w, roles);
  context.embedding = roles.backbone->path + "." + embedding.name;
  w.fresh("inputs");
  w.fresh("input_embeddings");
  w.fresh("h");
  w.bind(context.evaluation.ids, "inputs");
  const std::string& embed = embedding.name;
  if (!embedding.constructor.empty()) {
    w.initialise(embed, embedding.constructor);
  }
  w.statement("if input_embeddings is not None:");
  w.statement("    h = input_embeddings");
  w.statement("else:");
  w.statement("    h = self." + embed + "(inputs)");
  w.bind(embedding.output, "h");
  const ValueId first = data_input(context, *roles.layer_frames.front());
  w.count_uses({first});
  if (const Expression h = w.value(first); h.text != "h") {
    w.statement("h = " + h.text);
  }
  context.fields.insert("num_hidden_layers");
  w.initialise(
      roles.layers, "[" + layer + " for i in range(args.num_hidden_layers)]");
  w.statement("");
  w.statement("if cache is None:");
  w.statement("    cache = [None] * len(self." + roles.layers + ")");
  context.imports.insert("base:create_attention_mask");
  write_masks(w, context, masks);
  w.statement("");
  if (masks.any_sliding && masks.any_full) {
    w.statement(
        "for layer, c, kind in zip(self." + roles.layers +
        ", cache, self.layer_types):");
    w.statement("    h = layer(h, masks[kind], c)");
  } else {
    w.statement("for layer, c in zip(self." + roles.layers + ", cache):");
    w.statement("    h = layer(h, mask, c)");
  }
  w.statement("");
  w.bind(roles.layer_frames.back()->outputs.front(), "h");
  const ValueId output = roles.backbone->outputs.front();
  w.count_uses({output});
  const Expression result = w.value(output);
  w.statement("return " + result.text);
  const std::string& source = roles.backbone->module.object()->cls->name;
  ClassText out = w.take(source);
  out.call_params = {
      "inputs: mx.array",
      "cache=None",
      "input_embeddings: Optional[mx.array] = None"};
  return out;
}

bool can_tie(Context& context) {
  const Value keys = context.interp.try_getattr(
      context.evaluation.model, "_tied_weights_keys");
  return keys.defined() && context.interp.truthy(keys);
}

void write_make_cache(ClassText& model, const Masks& masks, Context& context) {
  if (!masks.any_sliding) {
    return;
  }
  context.fields.insert("sliding_window");
  context.imports.insert("cache:RotatingKVCache");
  if (!masks.any_full) {
    model.methods.push_back(
        "def make_cache(self):\n"
        "    return [RotatingKVCache(max_size=self.args.sliding_window) for _ "
        "in self.layers]\n");
    return;
  }
  context.fields.insert("layer_types");
  context.imports.insert("cache:KVCache");
  model.methods.push_back(
      "def make_cache(self):\n"
      "    return [\n"
      "        RotatingKVCache(max_size=self.args.sliding_window)\n"
      "        if kind == \"sliding_attention\"\n"
      "        else KVCache()\n"
      "        for kind in self.args.layer_types\n"
      "    ]\n");
}

/// The linear map to the vocabulary; its weight may be the embedding's.
struct Head {
  const Frame* frame = nullptr;
  ValueId input = 0, output = 0;
};

Head find_head(ModuleWriter& w, const Roles& roles) {
  Context& context = w.context();
  Head head;
  auto consider = [&](const Frame* f) {
    if (f != roles.backbone && f->is_module() && f->outputs.size() == 1 &&
        context.flows.of(f->outputs.front()) == Flow::Data) {
      head = {f, data_input(context, *f), f->outputs.front()};
    }
  };
  for (const Frame* f : w.graph().functions) {  // a tied one holds no weights
    consider(f);
  }
  for (const Frame* f : w.graph().calls) {
    consider(f);
  }
  if (!head.frame) {
    context.hole(roles.root->call, "the model has no known head");
  }
  return head;
}

ClassText write_root(Context& context, const Roles& roles, const Masks& masks) {
  ModuleWriter w(context, *roles.root);
  const std::string backbone = roles.backbone->path;
  if (backbone.find('.') != std::string::npos) {
    context.hole(roles.root->call, "the layers lie deeper than one module");
  }
  w.initialise("args", "args");
  w.initialise("model_type", "args.model_type");
  w.initialise(backbone, roles.backbone->module.object()->cls->name + "(args)");
  w.fresh("inputs");
  w.fresh("out");
  w.bind(context.evaluation.ids, "inputs");
  w.statement("out = self." + backbone + "(inputs, cache, input_embeddings)");
  w.bind(roles.backbone->outputs.front(), "out");
  const Head head = find_head(w, roles);
  w.count_uses({head.input});
  const std::string input = w.value(head.input).text;
  const std::string name = head.frame->path;
  const std::string constructor =
      constructor_of(context, *head.frame, {head.frame->outputs.front()}).text;
  const bool may_tie = can_tie(context);
  if (may_tie) {
    context.fields.insert("tie_word_embeddings");
    w.statement("if self.args.tie_word_embeddings:");
    w.statement(
        "    out = self." + context.embedding + ".as_linear(" + input + ")");
    w.statement("else:");
    w.statement("    out = self." + name + "(" + input + ")");
  } else {
    w.initialise(name, constructor);
    w.statement("out = self." + name + "(" + input + ")");
  }
  w.bind(head.output, "out");
  const ValueId logits = context.evaluation.logits;
  w.count_uses({logits});
  const Expression result = w.value(logits);
  w.statement("return " + result.text);
  ClassText out = w.take("Model");
  if (may_tie) {
    out.init.emplace_back("if not args.tie_word_embeddings:");
    out.init.push_back("    self." + name + " = " + constructor);
  }
  out.call_params = {
      "inputs: mx.array",
      "cache=None",
      "input_embeddings: Optional[mx.array] = None"};
  out.methods.push_back(
      "@property\ndef layers(self):\n    return self." + backbone + "." +
      roles.layers + "\n");
  write_make_cache(out, masks, context);
  return out;
}

}  // namespace

namespace {

/// Other kinds of layers than those seen would need other masks and caches.
void guard_layer_kinds(Context& context, const Masks& masks) {
  const Value kinds =
      context.interp.try_getattr(context.evaluation.config, "layer_types");
  if (!kinds.is(eval::Kind::List)) {
    return;
  }
  context.fields.insert("layer_types");
  std::string seen;
  if (masks.any_full && masks.any_sliding) {
    seen = "kind not in (\"full_attention\", \"sliding_attention\")";
  } else {
    seen = masks.any_full ? "kind != \"full_attention\""
                          : "kind != \"sliding_attention\"";
  }
  context.guards.push_back(
      {"any(" + seen + " for kind in self.layer_types)",
       "f\"layer types {self.layer_types} are not supported\""});
}

}  // namespace

void write_model(Context& context) {
  const Roles roles = find_roles(context);
  const Masks masks = find_masks(context, roles);
  guard_layer_kinds(context, masks);
  context.classes.push_back(write_backbone(context, roles, masks));
  context.classes.push_back(write_root(context, roles, masks));
}

}  // namespace portwright::emit
