#include "emit/layer_fields.h"

#include <fmt/format.h>

namespace portwright::emit {

using eval::Provenance;

namespace {

/// True where the config is chosen by a kind of layer, not by an index.
bool by_kind(const Provenance& index) {
  if (index.kind == Provenance::Kind::Constant) {
    return index.text.starts_with('\'') || index.text.starts_with('"');
  }
  return index.kind == Provenance::Kind::Index && index.left &&
         index.left->kind == Provenance::Kind::Config &&
         index.left->name.str() == "layer_types";
}

}  // namespace

std::vector<std::string> layer_fields(const Provenance& p) {
  if (p.kind != Provenance::Kind::Config || !p.left) {
    return {};
  }
  const std::string& path = p.name.str();
  const size_t open = path.find('['), close = path.rfind("].");
  if (open == std::string::npos || close == std::string::npos) {
    return {};
  }
  return {path.substr(close + 2), path.substr(0, open)};
}

std::optional<std::string> of_layer_text(
    Context& context,
    const Provenance& p) {
  const auto names = layer_fields(p);
  if (names.empty()) {
    return {};
  }
  context.fields.insert(names.begin(), names.end());
  context.layer_fields = names[1];
  const bool kind = by_kind(*p.left);
  const bool own =
      kind && p.left->right && p.left->right->kind == Provenance::Kind::Loop;
  // Layers of a kind are alike: a layer's own fields are those of its kind.
  std::string index = context.args_text(own ? p.left->right : p.left);
  if (kind && !own) {
    context.fields.insert("layer_types");
    index = "args.layer_types.index(" + index + ")";
  }
  return "args.of_layer(" + index + ")." + names[0];
}

void name_layer(ClassText& text) {
  const std::string read = "args.of_layer(layer_idx).";
  bool any = false;
  for (std::string& line : text.init) {
    for (size_t at; (at = line.find(read)) != std::string::npos; any = true) {
      line.replace(at, read.size(), "layer.");
    }
  }
  if (any) {
    text.init.insert(text.init.begin(), "layer = args.of_layer(layer_idx)");
  }
}

std::vector<std::string> layer_fields_read(const Context& context) {
  const std::string& name = context.layer_fields;
  return name.empty() ? std::vector<std::string>{}
                      : std::vector<std::string>{fmt::format(
                            "self.{0} = {{int(i): x for i, x in (self.{0} or "
                            "{{}}).items()}}",
                            name)};
}

std::string layer_fields_method(const Context& context) {
  return context.layer_fields.empty()
             ? ""
             : fmt::format(
                   "\n    def of_layer(self, layer_idx):\n"
                   "        layer = copy.copy(self)\n"
                   "        vars(layer).update(self.{}.get(layer_idx, {{}}))\n"
                   "        return layer\n",
                   context.layer_fields);
}

}  // namespace portwright::emit
