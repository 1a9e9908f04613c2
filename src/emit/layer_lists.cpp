#include "emit/layer_lists.h"

#include <algorithm>
#include <set>

#include "emit/backbone_parts.h"
#include "emit/layer_count.h"

namespace portwright::emit {

using eval::Value;

namespace {

/// The list that a layer lies in, or its own path.
std::string home(const std::string& path) {
  const std::string list = list_path(path);
  return list.empty() ? path : list;
}

std::vector<std::string> lists_of(const Roles& roles) {
  std::vector<std::string> out;
  for (const Frame* layer : roles.layer_frames) {
    const std::string list = home(layer->path);
    if (std::find(out.begin(), out.end(), list) == out.end()) {
      out.push_back(list);
    }
  }
  return out;
}

}  // namespace

int64_t index_in_list(const std::string& path) {
  return std::stoll(path.substr(path.rfind('.') + 1));
}

int64_t length_of(const Context& context, const std::string& path) {
  const auto has = [&](int64_t n) {
    return context.module(path + "." + std::to_string(n)).defined();
  };
  const Value list = context.module(path);
  if (!has(0) || !context.interp.try_getattr(list, "__getitem__").defined()) {
    return -1;
  }
  int64_t out = 0;
  while (has(out)) {
    ++out;
  }
  return out;
}

std::vector<ValueId> states_of(const Context& context, const Frame& layer) {
  auto out = data_inputs(context, layer);
  std::erase_if(out, [&](ValueId id) { return carried_of(context, id); });
  return out;
}

namespace {

/// True where an operation outside of the layers reads one of the values.
bool reads_outside(
    const Frame& frame,
    const std::set<const Frame*>& layers,
    const std::set<ValueId>& values) {
  return std::any_of(
      frame.items.begin(), frame.items.end(), [&](const auto& item) {
        if (const auto* op = std::get_if<OpNode>(&item)) {
          return std::any_of(
              op->inputs.begin(), op->inputs.end(), [&](ValueId id) {
                return values.contains(id);
              });
        }
        const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
        return child && !layers.contains(child->get()) &&
               reads_outside(**child, layers, values);
      });
}

}  // namespace

bool runs_a_program(const Context& context, const Roles& roles) {
  const auto& layers = roles.layer_frames;
  for (size_t k = 0; k < layers.size(); ++k) {
    const bool next =
        list_path(layers[k]->path) == list_path(layers[0]->path) &&
        !list_path(layers[k]->path).empty() &&
        index_in_list(layers[k]->path) == static_cast<int64_t>(k);
    if (!next) {
      return true;
    }
  }
  // Of more layers than run, a number picks each.
  if (layers[0]->picked &&
      length_of(context, list_path(layers[0]->path)) > std::ssize(layers)) {
    return true;
  }
  for (size_t k = 1; k < layers.size(); ++k) {
    const auto given = states_of(context, *layers[k]);
    if (!given.empty() && given.front() != layers[k - 1]->outputs.front()) {
      return true;
    }
  }
  // What layers answer is read again, beside the next one.
  std::set<ValueId> answered;
  for (size_t k = 0; k + 1 < layers.size(); ++k) {
    answered.insert(layers[k]->outputs.front());
  }
  return reads_outside(
      *roles.backbone, {layers.begin(), layers.end()}, answered);
}

std::vector<LayerList>
write_lists(Context& context, const Roles& roles, const Masks& masks) {
  std::vector<LayerList> out;
  for (const std::string& path : lists_of(roles)) {
    Roles own = roles;
    std::erase_if(own.layer_frames, [&](const Frame* f) {
      return home(f->path) != path;
    });
    const int64_t length = length_of(context, path);
    out.push_back(
        {path,
         layer_constructor(context, own, masks),
         length < 0 ? "1" : layer_count(context, own)});
  }
  return out;
}

std::string program_layers(const Context& context, const Roles& roles) {
  std::string out;
  for (const std::string& path : lists_of(roles)) {
    const std::string& outer = roles.backbone->path;
    const std::string text =
        access_text(path_in("self", outer), path_below(outer, path));
    out += (out.empty() ? "" : " + ") +
           (length_of(context, path) < 0 ? "[" + text + "]" : text);
  }
  return out;
}

}  // namespace portwright::emit
