#include "emit/layer_caches.h"

#include <fmt/format.h>

#include <utility>

#include "emit/layer_windows.h"
#include "lift/step.h"

namespace portwright::emit {

using eval::Value;

std::string below(const Frame& outer, const Frame& inner) {
  return outer.path.empty() ? inner.path
                            : inner.path.substr(outer.path.size() + 1);
}

namespace {

/// Where a call has the argument of that name; -1 without it.
int argument_index(const Frame& call, std::string_view name) {
  const auto& params = call.function->code->signature.params;
  for (size_t i = 0; i < std::min(params.size(), call.args.size()); ++i) {
    if (params[i].name.str() == name) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

std::string attention_mask(const Context& context, bool sliding) {
  return std::string("create_attention_mask(h, c") +
         (sliding ? ", window_size=self." + window_name(context) : "") +
         (context.needs_mask_array ? ", return_array=True)" : ")");
}

}  // namespace

std::vector<const Frame*> state_updates(const Frame& frame) {
  std::vector<const Frame*> out;
  for (const auto& item : frame.items) {
    const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
    if (!child || lift::is_step(**child)) {
      continue;
    }
    if (lift::is_state_update(**child)) {
      out.push_back(child->get());
      continue;
    }
    const auto inside = state_updates(**child);
    out.insert(out.end(), inside.begin(), inside.end());
  }
  return out;
}

namespace {

/// True when an operation inside reads positions.
bool reads_positions(const Context& context, const Frame& frame) {
  return std::any_of(
      frame.items.begin(), frame.items.end(), [&](const auto& item) {
        if (const auto* op = std::get_if<OpNode>(&item)) {
          return std::any_of(
              op->inputs.begin(), op->inputs.end(), [&](ValueId id) {
                return context.flows.of(id) == lift::Flow::Position;
              });
        }
        const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
        return child && !lift::is_step(**child) &&
               reads_positions(context, **child);
      });
}

bool counts_tokens(const Context& context, const Frame& frame) {
  if (frame.is_module() && lift::keeps_state(frame) &&
      !lift::updates_keys(frame)) {
    return reads_positions(context, frame);
  }
  return std::any_of(
      frame.items.begin(), frame.items.end(), [&](const auto& item) {
        const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
        return child && counts_tokens(context, **child);
      });
}

}  // namespace

int state_arrays(const Context& context, const Frame& layer) {
  return static_cast<int>(state_updates(layer).size()) +
         counts_tokens(context, layer);
}

std::string named_kind(Context& context, const Frame& layer) {
  const Value kinds =
      context.interp.try_getattr(context.evaluation.config, "layer_types");
  const size_t dot = layer.path.rfind('.');
  if (!kinds.is(eval::Kind::List) || dot == std::string::npos) {
    return "";
  }
  const auto& items = kinds.get<eval::List>()->items;
  const size_t index = std::stoul(layer.path.substr(dot + 1));
  return index < items.size() && items[index].is_str() ? items[index].str()
                                                       : "";
}

std::vector<int64_t> layer_indices(const Frame& frame) {
  std::vector<int64_t> out;
  for (const auto& item : frame.items) {
    const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
    if (!child) {
      continue;
    }
    std::vector<int64_t> inside;
    if (!lift::is_cache_update(**child)) {
      inside = layer_indices(**child);
    } else if (const int i = argument_index(**child, "layer_idx");
               i >= 0 && (*child)->args[i].is_int()) {
      inside = {(*child)->args[i].as_int()};
    }
    for (int64_t index : inside) {
      if (std::find(out.begin(), out.end(), index) == out.end()) {
        out.push_back(index);
      }
    }
  }
  return out;
}

void add_recurrent_layer(Context& context, const Frame& layer, Masks& masks) {
  std::string kind = named_kind(context, layer);
  const int states = state_arrays(context, layer);
  const bool both = lift::updates_keys(layer);
  if (!both && (kind == "full_attention" || kind == "sliding_attention")) {
    context.hole(
        layer.call,
        "'" + layer.path + "' keeps states, but layer_types does not tell");
  }
  const bool named = !kind.empty();
  kind = kind.empty() ? "recurrent" : kind;
  if (named && masks.both && !both && kind != masks.recurrent &&
      masks.both_slides.size() == 1) {
    masks.both_kind = std::exchange(masks.recurrent, "");
    masks.both = false;
  }
  const bool apart = named && both && !masks.both && kind != masks.recurrent &&
                     !masks.kinds.empty() &&
                     (masks.both_kind.empty() || masks.both_kind == kind);
  const bool alike = masks.kinds.empty() || both == masks.both;
  if (!apart && (!alike || kind == masks.both_kind)) {
    context.hole(
        layer.call,
        "'" + layer.path +
            "' keeps states, and keys and values, unlike others");
  }
  if (apart && masks.states == states) {
    masks.both_kind = kind;
    masks.kinds.push_back(kind);
    return;
  }
  masks.both = both;
  if (!masks.recurrent.empty() &&
      ((masks.recurrent != kind && !both) || masks.states != states)) {
    context.hole(
        layer.call,
        "'" + layer.path + "' keeps other states than layers before");
  }
  masks.recurrent = masks.recurrent.empty() ? kind : masks.recurrent;
  masks.states = states;
  masks.kinds.push_back(kind);
}

void add_uncached_layer(Context& context, const Frame& layer, Masks& masks) {
  const std::string kind = named_kind(context, layer);
  if (kind.empty() || kind == "full_attention" || kind == "sliding_attention") {
    context.hole(
        layer.call,
        "'" + layer.path + "' keeps nothing, but layer_types does not tell");
  }
  masks.uncached.insert(kind);
  masks.kinds.push_back(kind);
}

namespace {

/// What every layer's attention reads, and what every layer's states do.
void write_masks_of_both(
    ModuleWriter& w,
    const Context& context,
    const Masks& masks) {
  const std::string as_array =
      context.needs_mask_array ? ", return_array=True" : "";
  w.context().imports.insert("base:create_attention_mask");
  const std::string window = masks.some_both(true) ? keep_window(w) : "";
  if (masks.mixed()) {
    w.initialise("layer_types", "args.layer_types");
    w.context().fields.insert("layer_types");
    w.statement("masks = {}");
    w.statement("for kind, c in zip(self.layer_types, cache):");
    w.statement("    if kind not in masks:");
    w.statement(
        "        window = " + (window.empty() ? "None" : window) + " if " +
        masks.sliding_test() + " else None");
    w.statement(
        "        masks[kind] = create_attention_mask(h, c[1], "
        "window_size=window" +
        as_array + ")");
  } else {
    w.statement(
        "mask = create_attention_mask(h, " + masks.first_cache() +
        (masks.some_both(true) ? ", window_size=" + window : "") + as_array +
        ")");
  }
  w.statement("ssm_mask = create_ssm_mask(h, cache[0][0])");
}

}  // namespace

void write_recurrent_masks(
    ModuleWriter& w,
    const Context& context,
    const Masks& masks) {
  w.context().imports.insert("base:create_ssm_mask");
  if (masks.both) {
    write_masks_of_both(w, context, masks);
    return;
  }
  if (!masks.mixed()) {
    w.statement("mask = create_ssm_mask(h, cache[0])");
    return;
  }
  w.initialise("layer_types", "args.layer_types");
  w.context().fields.insert("layer_types");
  if (!masks.both_kind.empty()) {
    w.context().imports.insert("base:create_attention_mask");
    w.statement("masks = {}");
    w.statement("for kind, c in zip(self.layer_types, cache):");
    w.statement("    if kind in masks:");
    w.statement("        continue");
    w.statement("    if kind == \"" + masks.both_kind + "\":");
    w.statement(
        std::string("        mask = create_attention_mask(h, c[1]") +
        (context.needs_mask_array ? ", return_array=True)" : ")"));
    w.statement("        masks[kind] = (mask, create_ssm_mask(h, c[0]))");
    w.statement("    else:");
    w.statement("        masks[kind] = (create_ssm_mask(h, c),)");
    return;
  }
  if (masks.any_sliding) {
    keep_window(w);
  }
  w.statement("masks = {}");
  std::string kinds = "self.layer_types";
  if (!masks.uncached.empty()) {
    kinds = "self.cached_types";
    w.initialise(
        "cached_types",
        "[kind for kind in args.layer_types if kind not in " +
            tuple_of(masks.uncached) + "]");
  }
  w.statement("for kind, c in zip(" + kinds + ", cache):");
  w.statement("    if kind in masks:");
  w.statement("        continue");
  w.statement("    if kind == \"" + masks.recurrent + "\":");
  w.statement("        masks[kind] = create_ssm_mask(h, c)");
  if (masks.any_sliding && masks.any_full) {
    w.statement("    elif kind == \"sliding_attention\":");
    w.statement("        masks[kind] = " + attention_mask(context, true));
  }
  w.statement("    else:");
  w.statement(
      "        masks[kind] = " + attention_mask(context, !masks.any_full));
}

std::string sharing_caches(Context& context, const Masks& masks) {
  const std::string test =
      "        if " + context.shared_keys.test() + "\n    ]\n";
  const std::string start = "def make_cache(self):\n    return [\n";
  std::string made = "KVCache()";
  if (masks.any_sliding) {
    made = rotating_cache(context);
  }
  if (masks.any_full || masks.any_chunked || !masks.any_sliding) {
    context.imports.insert("cache:KVCache");
  }
  if (!masks.any_sliding || (!masks.any_full && !masks.any_chunked)) {
    return start + "        " + made + "\n        for layer in self.layers\n" +
           test;
  }
  context.fields.insert("layer_types");
  return start + "        " + made +
         "\n        if kind == \"sliding_attention\"\n"
         "        else KVCache()\n"
         "        for layer, kind in zip(self.layers, "
         "self.args.layer_types)\n" +
         test;
}

namespace {

/// Of layers that keep states, and keys and values.
std::string caches_of_both(
    Context& context,
    const Masks& masks,
    const std::string& arrays) {
  context.imports.insert("cache:CacheList");
  const std::string rotating =
      masks.some_both(true) ? rotating_cache(context) : "";
  if (masks.some_both(false)) {
    context.imports.insert("cache:KVCache");
  }
  if (!masks.some_both(true) || !masks.some_both(false)) {
    return "def make_cache(self):\n    return [CacheList(" + arrays + ", " +
           (masks.some_both(true) ? rotating : "KVCache()") +
           ") for _ in self.layers]\n";
  }
  context.fields.insert("layer_types");
  return "def make_cache(self):\n"
         "    return [\n"
         "        CacheList(\n"
         "            " +
         arrays +
         ",\n"
         "            " +
         rotating + " if " + masks.sliding_test() +
         " else KVCache(),\n"
         "        )\n"
         "        for kind in self.args.layer_types\n"
         "    ]\n";
}

}  // namespace

std::string recurrent_caches(Context& context, const Masks& masks) {
  context.imports.insert("cache:ArraysCache");
  const std::string arrays = fmt::format("ArraysCache(size={})", masks.states);
  if (masks.both) {
    return caches_of_both(context, masks, arrays);
  }
  if (!masks.mixed()) {
    return "def make_cache(self):\n    return [" + arrays +
           " for _ in self.layers]\n";
  }
  context.fields.insert("layer_types");
  if (!masks.both_kind.empty()) {
    context.imports.insert({"cache:CacheList", "cache:KVCache"});
    return fmt::format(
        "def make_cache(self):\n"
        "    return [\n"
        "        CacheList({0}, KVCache()) if kind == \"{1}\" else {0}\n"
        "        for kind in self.args.layer_types\n"
        "    ]\n",
        arrays,
        masks.both_kind);
  }
  std::string last = "KVCache()";
  if (masks.any_sliding) {
    const std::string rotating = rotating_cache(context);
    last = masks.any_full
               ? rotating + " if kind == \"sliding_attention\" else KVCache()"
               : rotating;
  }
  if (masks.any_full) {
    context.imports.insert("cache:KVCache");
  }
  return fmt::format(
      "def make_cache(self):\n"
      "    return [\n"
      "        {} if kind == \"{}\" else {}\n"
      "        for kind in self.args.layer_types\n"
      "{}"
      "    ]\n",
      arrays,
      masks.recurrent,
      last,
      masks.uncached.empty()
          ? std::string()
          : "        if kind not in " + tuple_of(masks.uncached) + "\n");
}

}  // namespace portwright::emit
