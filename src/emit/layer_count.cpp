#include "emit/layer_count.h"

#include "emit/backbone_parts.h"
#include "emit/layer_lists.h"
#include "library/guarded.h"

namespace portwright::emit {

using eval::Value;

namespace {

constexpr const char* kUsual = "num_hidden_layers";

/// What the loop ran to in which a layer was given its number.
const eval::Provenance* looped_to(const Context& context, const Roles& roles) {
  const auto it = context.trace.constructions.find(
      roles.layer_frames.front()->module.object());
  if (it == context.trace.constructions.end()) {
    return nullptr;
  }
  for (const Value& arg : it->second.args) {
    const eval::Provenance* p = arg.provenance();
    if (p && p->kind == eval::Provenance::Kind::Loop && p->left) {
      return p->left;
    }
  }
  return nullptr;
}

/// True where a model has as many layers in the list as the field says.
bool counts(
    Context& context,
    const std::string& list,
    const std::string& field,
    int64_t number) {
  eval::Interpreter& interp = context.interp;
  nlohmann::json other = context.evaluation.json;
  other[field] = number;
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
  return layers && *layers == number;
}

/// The field that is the number of layers by its value, and stays so where
/// others have the same by chance; "" where that is not told.
std::string counting_field(Context& context, const std::string& list) {
  const int64_t number = length_of(context, list);
  std::vector<std::string> fields;
  const auto& attributes = *context.evaluation.config.object()->attrs;
  for (const auto& [name, value] : attributes.entries()) {
    if (value.is_int() && !value.is_bool() && value.as_int() == number) {
      fields.push_back(name.str());
    }
  }
  if (fields.size() > 1) {
    std::erase_if(fields, [&](const std::string& field) {
      return !counts(context, list, field, 2 * number);
    });
  }
  return fields.size() == 1 ? fields.front() : "";
}

}  // namespace

std::string layer_count(Context& context, const Roles& roles) {
  if (const auto* bound = looped_to(context, roles)) {
    return context.args_text(bound);
  }
  std::string field = kUsual;
  const Value usual =
      context.interp.try_getattr(context.evaluation.config, kUsual);
  if (!usual.is_int()) {
    const Frame& first = *roles.layer_frames.front();
    field = counting_field(context, list_path(first.path));
    if (field.empty()) {
      context.hole(first.call, "no field of the config counts the layers");
    }
  }
  context.fields.insert(field);
  return "args." + field;
}

}  // namespace portwright::emit
