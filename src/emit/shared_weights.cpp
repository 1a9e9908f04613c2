#include "emit/shared_weights.h"

#include <map>
#include <optional>

#include <fmt/format.h>

namespace portwright::emit {

using eval::Value;

namespace {

/// What layers share: a module below some of them.
struct SharedModule {
  std::string path;           // "shared_transf"
  std::string weight;         // some weight in it: "norm.weight"
  std::map<int, int> owners;  // by layer
};

/// "model.layers.4.mlp.up.weight" is the layer 4's "mlp.up.weight".
std::optional<std::pair<int, std::string>> in_layer(
    const Context& context,
    const std::string& name) {
  const std::string prefix = context.layers_path + ".";
  const size_t dot = name.find('.', prefix.size());
  if (!name.starts_with(prefix) || dot == std::string::npos) {
    return {};
  }
  return std::pair(
      std::atoi(name.c_str() + prefix.size()), name.substr(dot + 1));
}

std::optional<SharedModule> shared_module(const Context& context) {
  SharedModule out;
  for (const auto& [name, owner] : context.evaluation.shared) {
    const auto target = in_layer(context, name),
               source = in_layer(context, owner);
    if (!target || !source || target->second != source->second) {
      return {};
    }
    const std::string& own = target->second;
    if (out.weight.empty()) {
      out.weight = own;
      out.path = own.substr(0, own.rfind('.'));
    }
    while (!own.starts_with(out.path + ".")) {
      const size_t dot = out.path.rfind('.');
      if (dot == std::string::npos) {
        return {};
      }
      out.path.resize(dot);
    }
    out.owners[target->first] = source->first;
    out.owners[source->first] = source->first;
  }
  return out;
}

}  // namespace

std::string shared_weights(Context& context) {
  if (context.evaluation.shared.empty()) {
    return "";
  }
  auto shared = shared_module(context);
  const Value kinds =
      context.interp.try_getattr(context.evaluation.config, "layer_types");
  const auto refuse = [&] {
    context.hole({}, "layers share weights in a way that has no translation");
  };
  if (!shared || !kinds.is(eval::Kind::List)) {
    refuse();
  }
  const auto& names = kinds.get<eval::List>()->items;
  const std::string kind = names.at(shared->owners.begin()->first).str();
  std::vector<int> layers, owners;
  for (size_t i = 0; i < names.size(); ++i) {
    const int layer = static_cast<int>(i);
    if (names[i].str() == kind) {
      layers.push_back(layer);
      // Others need not share with it.
      if (shared->owners.try_emplace(layer, layer).first->second == layer) {
        owners.push_back(layer);
      }
    } else if (shared->owners.contains(layer)) {
      refuse();
    }
  }
  for (size_t n = 0; n < layers.size(); ++n) {
    if (shared->owners.at(layers[n]) != owners[n % owners.size()]) {
      refuse();
    }
  }
  context.fields.insert("layer_types");
  const std::string weight = shared->weight.substr(shared->path.size() + 1);
  return fmt::format(
      "    prefixes = [\n"
      "        f\"{0}.{{i}}.{1}.\"\n"
      "        for i, kind in enumerate(self.args.layer_types)\n"
      "        if kind == \"{2}\"\n"
      "    ]\n"
      "    held = [p for p in prefixes if p + \"{3}\" in weights]\n"
      "    for i, prefix in enumerate(prefixes):\n"
      "        own = held[i % len(held)]\n"
      "        for k in [k for k in weights if k.startswith(own)]:\n"
      "            weights.setdefault(prefix + k[len(own):], weights[k])\n",
      context.layers_path,
      shared->path,
      kind,
      weight);
}

}  // namespace portwright::emit
