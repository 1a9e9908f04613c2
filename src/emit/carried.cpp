#include "emit/carried.h"

#include "emit/model_writer.h"

namespace portwright::emit {

namespace {

/// "self_attn" of "model.layers.3.self_attn"; nothing outside of layers.
std::optional<std::string> below_layer(
    const Context& context,
    const std::string& path) {
  const std::string list = context.layers_path + ".";
  if (list.size() == 1 || !path.starts_with(list)) {
    return {};
  }
  const size_t dot = path.find('.', list.size());
  return dot == std::string::npos ? "" : path.substr(dot + 1);
}

bool holds_any(const Carried& carried, const std::vector<ValueId>& ids) {
  return std::any_of(
      ids.begin(), ids.end(), [&](ValueId id) { return carried.holds(id); });
}

}  // namespace

Carried find_carried(
    Context& context,
    const std::vector<const Frame*>& layers) {
  Carried out;
  for (size_t i = 1; i < layers.size(); ++i) {
    const auto& before = layers[i - 1]->outputs;
    for (ValueId id : layers[i]->inputs) {
      const auto at = std::find(before.begin(), before.end(), id);
      if (at == before.end() || at == before.begin() ||
          context.flows.of(id) != lift::Flow::Data ||
          context.shared_keys.holds(id)) {
        continue;
      }
      const auto output = static_cast<size_t>(at - before.begin());
      if (!out.ids.empty() && output != out.output) {
        context.hole(
            layers[i]->call, "layers hand several values to the next ones");
      }
      out.output = output;
      out.ids.insert(id);
    }
  }
  if (out.ids.empty()) {
    return out;
  }
  for (const Frame* layer : layers) {
    if (layer->outputs.size() <= out.output) {
      context.hole(layer->call, "'" + layer->path + "' hands on less");
    }
    out.ids.insert(layer->outputs[out.output]);
    if (holds_any(out, layer->inputs)) {
      out.takers.insert("");
    }
    for_each_module(*layer, [&](const Frame& f) {
      if (const auto path = below_layer(context, f.path);
          path && holds_any(out, f.inputs)) {
        out.takers.insert(*path);
      }
    });
  }
  const auto& names = context.trace.info(*out.ids.begin()).names;
  out.name = names.empty() ? "carried" : house_name(names.front().str());
  return out;
}

bool takes_carried(const Context& context, const Frame& frame) {
  if (context.carried.takers.empty() || !frame.is_module()) {
    return false;
  }
  const auto path = below_layer(context, frame.path);
  return path && context.carried.takers.contains(*path);
}

}  // namespace portwright::emit
