#include "emit/layer_loop.h"

#include <algorithm>

#include "base/pattern.h"
#include "emit/expression.h"

namespace portwright::emit {

namespace {

/// `text` with the number `layer` written as i.
std::string by_index(const std::string& text, size_t layer) {
  const base::Pattern number("\\b" + std::to_string(layer) + "\\b");
  return number.replace(text, "i");
}

/// The hidden states a layer reads, without what the layer before hands on.
std::vector<ValueId> layer_inputs(const Context& context, const Frame& layer) {
  auto out = data_inputs(context, layer);
  std::erase_if(out, [&](ValueId id) { return carried_of(context, id); });
  return out;
}

void check_chain(Context& context, const Roles& roles) {
  const auto& layers = roles.layer_frames;
  for (size_t i = 1; i < layers.size(); ++i) {
    const auto inputs = layer_inputs(context, *layers[i]);
    if (inputs.empty() || inputs.front() != layers[i - 1]->outputs.front()) {
      context.hole(
          layers[i]->call,
          "something happens between layer " + std::to_string(i - 1) +
              " and layer " + std::to_string(i));
    }
  }
}

/// What a value is made anew from that is given a second time.
ValueId given_once(const Context& context, ValueId id) {
  const OpNode* op = context.trace.info(id).producer;
  return op && op->op->name == "detach" ? op->inputs.front() : id;
}

/// The i-th layer's part of what is taken apart along an axis, one for each.
std::optional<std::string> own_part(
    ModuleWriter& w,
    const std::vector<ValueId>& ids) {
  const Context& context = w.context();
  const OpNode* op = context.trace.info(ids.front()).producer;
  if (!op || op->op->name != "unbind" || op->outputs != ids) {
    return {};
  }
  const auto rank = static_cast<int64_t>(w.rank(op->inputs.front()));
  const int64_t dim = op->args[op->op->param("dim")].as_int();
  std::string index;
  for (int64_t axis = 0; axis < (dim < 0 ? dim + rank : dim); ++axis) {
    index += ":, ";
  }
  w.count_uses({op->inputs.front(), op->inputs.front()});
  return w.name(op->inputs.front()) + "[" + index + "i]";
}

/// Of `layers`, which are called alike.
LayerInputs find_layer_inputs(
    ModuleWriter& w,
    const std::vector<const Frame*>& layers) {
  Context& context = w.context();
  LayerInputs out;
  if (layers.empty()) {
    return out;
  }
  const auto first = layer_inputs(context, *layers.front());
  for (size_t i = 1; i < layers.size(); ++i) {
    if (layer_inputs(context, *layers[i]).size() != first.size()) {
      context.hole(
          layers[i]->call,
          "'" + layers[i]->path + "' is given other states than '" +
              layers.front()->path + "'");
    }
  }
  for (size_t slot = 1; slot < first.size(); ++slot) {
    std::vector<ValueId> ids;
    for (const Frame* layer : layers) {
      ids.push_back(given_once(context, layer_inputs(context, *layer)[slot]));
    }
    if (auto part = own_part(w, ids)) {
      out.by_index = true;
      out.extra.push_back(std::move(*part));
      continue;
    }
    w.count_uses(ids);  // read in the loop, so more than once: it has a name
    if (std::all_of(
            ids.begin(), ids.end(), [&](ValueId id) { return id == ids[0]; })) {
      std::string text = w.value(ids[0]).text;
      if (text == "h") {  // which the loop assigns
        text = w.fresh("embeddings");
        w.statement(text + " = h");
        w.bind(ids[0], text);
      }
      out.extra.push_back(std::move(text));
      continue;
    }
    out.by_index = true;
    for (size_t i = 0; i < layers.size(); ++i) {
      const std::string text = by_index(w.value(ids[i]).text, i);
      if (i == 0) {
        out.extra.push_back(text);
      } else if (text != out.extra.back()) {
        context.hole(
            layers[i]->call,
            "'" + layers[i]->path + "' is given other states than '" +
                layers.front()->path + "'");
      }
    }
  }
  return out;
}

/// The loop over layers of which some attend to the keys that the last one of
/// their kind has kept: they are given its cache too.
void write_sharing_loop(
    ModuleWriter& w,
    const Roles& roles,
    const Masks& masks,
    const LayerInputs& inputs) {
  Context& context = w.context();
  if (!context.carried.empty() || !masks.recurrent.empty() ||
      !masks.both_kind.empty() || !masks.uncached.empty()) {
    context.hole(
        roles.backbone->call, "layers share keys, and keep something else");
  }
  const std::string layers = roles.layers_text();
  const std::string names = masks.mixed() ? "layer, kind" : "layer";
  const std::string lists =
      masks.mixed() ? "zip(" + layers + ", self.layer_types)" : layers;
  w.statement("caches = iter(cache)");
  if (masks.mixed()) {
    w.statement("kept = {}");
  }
  w.statement(
      inputs.by_index ? "for i, (" + names + ") in enumerate(" + lists + "):"
                      : "for " + names + " in " + lists + ":");
  const std::string pair = std::string(SharedKeys::kName) + ", c";
  const std::string kept = masks.mixed() ? "kept[kind]" : pair;
  w.statement("    if " + context.shared_keys.test() + ":");
  w.statement("        " + kept + " = None, next(caches)");
  std::vector<std::string> args{"h"};
  args.insert(args.end(), inputs.extra.begin(), inputs.extra.end());
  args.insert(
      args.end(),
      {SharedKeys::kName, masks.mixed() ? "masks[kind]" : "mask", "c"});
  if (masks.mixed()) {
    w.statement("    " + pair + " = kept[kind]");
  }
  w.statement(
      std::string("    h, ") + SharedKeys::kName + " = layer(" + join(args) +
      ")");
  if (masks.mixed()) {
    w.statement("    kept[kind] = " + pair);
  }
}

/// The loop over layers that are all called alike.
void write_loop(
    ModuleWriter& w,
    const Roles& roles,
    const Masks& masks,
    const LayerInputs& inputs) {
  std::string names = "layer, c", lists = roles.layers_text() + ", cache";
  std::string mask = "mask";
  if (masks.mixed()) {
    names += ", kind";
    lists += ", self.layer_types";
    mask = "masks[kind]";
  }
  std::string own_cache = "c";
  for (const Carried& carried : w.context().carried) {
    w.statement(carried.name + " = None");
  }
  if (!masks.uncached.empty()) {
    names = "layer, kind";
    lists = roles.layers_text() + ", self.layer_types";
    mask = "masks.get(kind)";
    own_cache = "next(caches) if kind in masks else None";
    w.statement("caches = iter(cache)");
  }
  w.statement(
      inputs.by_index
          ? "for i, (" + names + ") in enumerate(zip(" + lists + ")):"
          : "for " + names + " in zip(" + lists + "):");
  std::vector<std::string> args{"h"};
  args.insert(args.end(), inputs.extra.begin(), inputs.extra.end());
  std::string answers = "h";
  for (const Carried& carried : w.context().carried) {
    args.push_back(carried.name);
    answers += ", " + carried.name;
  }
  args.push_back(mask);
  if (masks.both) {
    args.emplace_back("ssm_mask");
  }
  args.push_back(own_cache);
  w.statement("    " + answers + " = layer(" + join(args) + ")");
}

/// The loop over layers of which some keep states alone, some keys and values
/// too.
void write_mixed_loop(
    ModuleWriter& w,
    const Roles& roles,
    const Masks& masks,
    const LoopInputs& inputs) {
  const auto call = [&](const LayerInputs& given) {
    if (given.by_index || !w.context().carried.empty()) {
      w.context().hole(
          roles.backbone->call, "layers that differ read states by index");
    }
    std::vector<std::string> args{"h"};
    args.insert(args.end(), given.extra.begin(), given.extra.end());
    args.insert(args.end(), {"*masks[kind]", "c"});
    return "h = layer(" + join(args) + ")";
  };
  const std::string with_keys = call(inputs.both), without = call(inputs.usual);
  w.statement(
      "for layer, c, kind in zip(" + roles.layers_text() +
      ", cache, self.layer_types):");
  if (with_keys == without) {
    w.statement("    " + with_keys);
    return;
  }
  w.statement("    if kind == \"" + masks.both_kind + "\":");
  w.statement("        " + with_keys);
  w.statement("    else:");
  w.statement("        " + without);
}

}  // namespace

LoopInputs
find_loop_inputs(ModuleWriter& w, const Roles& roles, const Masks& masks) {
  check_chain(w.context(), roles);
  std::vector<const Frame*> usual, both;
  for (size_t i = 0; i < roles.layer_frames.size(); ++i) {
    const bool apart =
        !masks.both_kind.empty() && masks.kinds[i] == masks.both_kind;
    (apart ? both : usual).push_back(roles.layer_frames[i]);
  }
  return {find_layer_inputs(w, usual), find_layer_inputs(w, both)};
}

void write_layer_loop(
    ModuleWriter& w,
    const Roles& roles,
    const Masks& masks,
    const LoopInputs& inputs) {
  if (w.context().shared_keys.any()) {
    write_sharing_loop(w, roles, masks, inputs.usual);
  } else if (masks.both_kind.empty()) {
    write_loop(w, roles, masks, inputs.usual);
  } else {
    write_mixed_loop(w, roles, masks, inputs);
  }
}

}  // namespace portwright::emit
