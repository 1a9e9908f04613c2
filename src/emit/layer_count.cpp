#include "emit/layer_count.h"

#include <algorithm>
#include <set>

#include "emit/backbone_parts.h"
#include "emit/layer_lists.h"
#include "library/guarded.h"

namespace portwright::emit {

using eval::Value;

namespace {

constexpr const char* kUsual = "num_hidden_layers";

/// The loops that a number is computed from.
void collect_loops(
    const eval::Provenance* p,
    std::vector<const eval::Provenance*>& out) {
  if (!p) {
    return;
  }
  if (p->kind == eval::Provenance::Kind::Loop) {
    out.push_back(p);
    return;
  }
  for (const eval::Provenance* part : {p->left, p->right, p->test}) {
    collect_loops(part, out);
  }
}

/// What the loop ran to in which a layer was given its number, which may be
/// counted from another list's end.
const eval::Provenance* looped_to(const Context& context, const Roles& roles) {
  const auto it = context.trace.constructions.find(
      roles.layer_frames.front()->module.object());
  if (it == context.trace.constructions.end()) {
    return nullptr;
  }
  for (const Value& arg : it->second.args) {
    std::vector<const eval::Provenance*> loops;
    collect_loops(arg.provenance(), loops);
    if (loops.size() == 1 && loops.front()->left) {
      return loops.front()->left;
    }
  }
  return nullptr;
}

/// True where the list of a model grows as the field does.
bool counts(
    Context& context,
    const std::string& list,
    const std::string& field,
    int64_t more) {
  eval::Interpreter& interp = context.interp;
  nlohmann::json other = context.evaluation.json;
  other[field] =
      context.interp.getattr(context.evaluation.config, field.c_str())
          .as_int() +
      more;
  const auto layers = library::guarded(interp, [&]() -> int64_t {
    const auto config = library::load_config(interp, other);
    const auto model =
        config ? library::build_model(interp, *config, torch::Dtype::Float32)
               : config;
    if (!model) {
      return -1;
    }
    const Value held =
        interp.call_method(*model, "get_submodule", {eval::str(list)});
    return interp.call_method(held, "__len__").as_int();
  });
  return layers && *layers == length_of(context, list) + more;
}

/// The field that is a number of layers by its value, and stays so where others
/// have the same by chance or the list holds more; "" where that is not told.
std::string
counting_field(Context& context, const std::string& list, int64_t number) {
  std::vector<std::string> fields;
  const auto& attributes = *context.evaluation.config.object()->attrs;
  for (const auto& [name, value] : attributes.entries()) {
    if (value.is_int() && !value.is_bool() && value.as_int() == number) {
      fields.push_back(name.str());
    }
  }
  if (fields.size() > 1 || number != length_of(context, list)) {
    std::erase_if(fields, [&](const std::string& field) {
      return !counts(context, list, field, number);
    });
  }
  return fields.size() == 1 ? fields.front() : "";
}

/// How many layers of a list run, where those are its first; else all.
int64_t layers_run(
    const Context& context,
    const Roles& roles,
    const std::string& list) {
  const int64_t length = length_of(context, list);
  std::set<int64_t> run;
  for (const Frame* layer : roles.layer_frames) {
    if (layer->picked) {
      return length;
    }
    if (list_path(layer->path) == list) {
      run.insert(index_in_list(layer->path));
    }
  }
  const bool first = !run.empty() && *run.rbegin() + 1 == std::ssize(run);
  return first ? std::ssize(run) : length;
}

}  // namespace

std::string layer_count(Context& context, const Roles& roles) {
  const Frame& first = *roles.layer_frames.front();
  const std::string list = list_path(first.path);
  const int64_t length = length_of(context, list);
  const int64_t run = layers_run(context, roles, list);
  const bool all = length < 0 || run == length;
  if (const auto* bound = all ? looped_to(context, roles) : nullptr) {
    return context.args_text(bound);
  }
  std::string field = kUsual;
  const Value usual =
      context.interp.try_getattr(context.evaluation.config, kUsual);
  const bool known = usual.is_int() && (length < 0 || usual.as_int() == length);
  if (!known) {
    field = counting_field(context, list, all ? length : run);
    if (field.empty()) {
      context.hole(first.call, "no field of the config counts the layers");
    }
  }
  context.fields.insert(field);
  if (!all) {
    context.layers_left[list] = "args." + field;
  }
  return "args." + field;
}

}  // namespace portwright::emit
