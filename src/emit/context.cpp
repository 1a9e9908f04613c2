#include "emit/context.h"

#include "emit/config_class.h"
#include "emit/layer_fields.h"
#include "lift/key_bias.h"
#include "lift/made_masks.h"

namespace portwright::emit {

using eval::Provenance;
using eval::Value;

Context::Context(eval::Interpreter& interp, const Evaluation& evaluation)
    : interp(interp),
      evaluation(evaluation),
      trace(*evaluation.trace),
      flows(trace, evaluation.ids, evaluation.positions, evaluation.mask) {
  lift::note_made_masks(interp, trace, evaluation.length, flows);
  lift::note_biased_masks(interp, trace, evaluation.length, flows);
  for (const auto& [path, object] : trace.modules) {
    modules_[path] = object;
  }
  const std::string& root = evaluation.model.object()->cls->name;
  const size_t end = root.find("For");
  own_elements = evaluation.own_elements;
  family = end == std::string::npos ? "" : root.substr(0, end);
}

Value Context::module(const std::string& path) const {
  auto it = modules_.find(path);
  return it == modules_.end() ? Value() : it->second;
}

namespace {

/// config.rope_parameters["rope_theta"]: ModelArgs takes this one and the
/// partial factor out of either form of the config, the rest stays in
/// rope_scaling.
std::optional<std::string> rope_field(
    const Provenance& p,
    std::set<std::string>& fields) {
  if (p.kind != Provenance::Kind::Index || !p.left ||
      p.left->kind != Provenance::Kind::Config || !p.right ||
      p.right->kind != Provenance::Kind::Constant) {
    return {};
  }
  const std::string& path = p.left->name.str();
  const bool flat = path == "rope_scaling";
  if ((!flat && !path.ends_with("rope_parameters")) ||
      p.right->text.size() < 3) {
    return {};
  }
  const std::string key = p.right->text.substr(1, p.right->text.size() - 2);
  if (!flat && (key == "rope_theta" || key == "partial_rotary_factor")) {
    fields.insert(key);
    return "args." + key;
  }
  fields.insert({"rope_theta", "rope_scaling"});
  return "args.rope_scaling[\"" + key + "\"]";
}

}  // namespace

std::string declared_name(const Context& context, const std::string& name) {
  return declared_name(*context.evaluation.config.object()->cls, name);
}

namespace {

/// What a class declares its configs never lack: there getattr's default says
/// nothing, and gives way to another. So does None anywhere, as of
/// `getattr(config, "x", None) or y` where x is given. False where both would
/// count.
bool settle(
    FieldDefault& known,
    const FieldDefault& found,
    const eval::Class& cls,
    const std::string& name) {
  const auto declared = declared_fields(cls);
  const bool there =
      std::find(declared.begin(), declared.end(), name) != declared.end();
  const auto gives_way = [&](const FieldDefault& one,
                             const FieldDefault& other) {
    return one.by_lack && (one.text == "None" || (there && !other.by_lack));
  };
  if (gives_way(found, known)) {
    return true;
  }
  if (gives_way(known, found)) {
    known = found;
    return true;
  }
  return false;
}

}  // namespace

/// `getattr(config, "x", y)`, `config.x if config.x is not None else y` and
/// `config.x or y` are the field x of ModelArgs, to which __post_init__ gives
/// its default.
std::optional<std::string> Context::default_field(const Provenance& p) {
  const Provenance* field = nullptr;
  const Provenance* otherwise = nullptr;
  const auto is_field = [](const Provenance* n) {
    return n && n->kind == Provenance::Kind::Config;
  };
  bool zero_too = false;
  if (p.kind == Provenance::Kind::Default) {
    field = &p;
    otherwise = p.left;
  } else if (p.kind == Provenance::Kind::Binary && p.name.str() == "or") {
    if (p.left && p.left->kind == Provenance::Kind::Default && p.left->left &&
        p.left->left->text == "None") {
      field = p.left;
    } else if (is_field(p.left)) {
      field = p.left;
    }
    otherwise = p.right;
    zero_too = true;
  } else if (
      p.kind == Provenance::Kind::Conditional && p.left && p.right && p.test &&
      p.test->kind == Provenance::Kind::Binary && p.test->right &&
      p.test->right->text == "None") {
    const bool present = p.test->name.str() == "is not";
    const Provenance* kept = present ? p.left : p.right;
    if ((present || p.test->name.str() == "is") && is_field(kept) &&
        is_field(p.test->left) && kept->name == p.test->left->name) {
      field = kept;
      otherwise = present ? p.right : p.left;
    }
  }
  if (const auto names =
          field ? emit::layer_fields(*field) : std::vector<std::string>{};
      !names.empty() &&
      is_always_given(*evaluation.config.object()->cls, names[0])) {
    return of_layer_text(*this, *field);
  }
  if (!field || !otherwise || eval::depends_on_loop(otherwise) ||
      field->name.str().find('.') != std::string::npos) {
    return {};
  }
  const std::string name = declared_name(*this, field->name.str());
  if (zero_too && interp.try_getattr(evaluation.config, name).is_bool()) {
    return {};  // one of two truths, and no default of the other
  }
  if (is_always_given(*evaluation.config.object()->cls, name)) {
    fields.insert(name);
    return "args." + name;
  }
  std::string text = args_text(otherwise);
  for (size_t at = 0; (at = text.find("args.", at)) != std::string::npos;) {
    text.replace(at, 5, "self.");
  }
  fields.insert(name);
  const FieldDefault found{text, zero_too, field == &p};
  FieldDefault& known = defaults.try_emplace(name, found).first->second;
  if (known.text != text &&
      !settle(known, found, *evaluation.config.object()->cls, name)) {
    hole(
        {},
        "the config field '" + name + "' has two defaults, " + known.text +
            " and " + text);
  }
  known.zero_too = known.zero_too || zero_too;
  return "args." + name;
}

std::string Context::args_text(const Provenance* provenance) {
  return eval::to_string(
      provenance, [&](const Provenance& p) -> std::optional<std::string> {
        if (auto field = rope_field(p, fields)) {
          return field;
        }
        if (auto field = default_field(p)) {
          return field;
        }
        if (auto field = of_layer_text(*this, p)) {
          return field;
        }
        switch (p.kind) {
          case Provenance::Kind::Config:
            fields.insert(p.name.str());
            return "args." + p.name.str();
          case Provenance::Kind::Loop:
            return "layer_idx";
          case Provenance::Kind::Conditional:
            if (!p.left || !p.right) {
              // Only one side is known: the file is for that side.
              const std::string text = args_text(p.left ? p.left : p.right);
              const bool atom = std::all_of(text.begin(), text.end(), is_word);
              return atom ? text : "(" + text + ")";
            }
            return {};
          case Provenance::Kind::Binary:
            // size * (2 if wide else 1), where it is 1
            if (p.name.str() == "*" && p.right &&
                p.right->kind == Provenance::Kind::Conditional &&
                p.left->kind == Provenance::Kind::Config &&
                args_text(p.right) == "1") {
              return args_text(p.left);
            }
            return {};
          default:
            return {};
        }
      });
}

std::string Context::args_text(const Value& value) {
  if (value.provenance()) {
    std::string text = args_text(value.provenance());
    // A conditional with one known side comes in parentheses of its own.
    if (value.provenance()->kind == Provenance::Kind::Conditional &&
        !(value.provenance()->left && value.provenance()->right) &&
        text.front() == '(') {
      return text.substr(1, text.size() - 2);
    }
    return text;
  }
  return literal(interp, value);
}

std::string Context::kept_integer(const Value& module, int64_t value) {
  if (module.object()->attrs) {
    for (const auto& [name, v] : module.object()->attrs->entries()) {
      if (v.is_int() && v.as_int() == value && v.provenance() &&
          !eval::depends_on_loop(v.provenance())) {
        return args_text(v);
      }
    }
  }
  return value == 1 ? "1" : "";
}

std::string Context::integer_text(const Value& module, int64_t value) {
  if (std::string kept = kept_integer(module, value); !kept.empty()) {
    return kept;
  }
  // Not kept by the module: the field of the config with that value, if there
  // is only one.
  std::vector<std::string> fields_with;
  for (const auto& [name, v] : evaluation.config.object()->attrs->entries()) {
    if (v.is_int() && !v.is_bool() && v.as_int() == value) {
      fields_with.push_back(name.str());
    }
  }
  if (fields_with.size() != 1) {
    hole(
        {},
        "the size " + std::to_string(value) + " is that of " +
            (fields_with.empty() ? std::string("no")
                                 : std::to_string(fields_with.size())) +
            " fields of the config");
  }
  fields.insert(fields_with[0]);
  return "args." + fields_with[0];
}

void Context::hole(
    const base::Span& span,
    std::string message,
    std::string hint) const {
  throw Hole{
      {diagnostics::Kind::UnsupportedStructure,
       std::move(message),
       span,
       hint.empty() ? "write this part by hand in the draft, then verify it"
                    : std::move(hint),
       "",
       {}}};
}

std::string Context::short_name(const std::string& class_name) const {
  return !family.empty() && class_name.starts_with(family) &&
                 class_name.size() > family.size()
             ? class_name.substr(family.size())
             : class_name;
}

std::string house_name(const std::string& source_name) {
  static const std::map<std::string, std::string> kNames = {
      {"hidden_states", "h"},
      {"query_states", "queries"},
      {"query", "queries"},
      {"q", "queries"},
      {"key_states", "keys"},
      {"key", "keys"},
      {"k", "keys"},
      {"value_states", "values"},
      {"value", "values"},
      {"v", "values"},
      {"attn_output", "output"},
      {"attn_weights", "scores"},
      {"residual", "r"},
      {"router_logits", "gates"},
      {"routing_weights", "scores"},
      {"top_k_weights", "scores"},
      {"router_scores", "scores"},
      {"router_top_value", "scores"},
      {"selected_experts", "inds"},
      {"top_k_index", "inds"},
      {"router_indices", "inds"},
      {"inputs_embeds", "h"},
      {"logits", "out"},
      {"up_states", "up"},
      {"hidden_states_reshaped", "x"},
  };
  auto it = kNames.find(source_name);
  return it == kNames.end() ? source_name : it->second;
}

std::string house_attribute(const std::string& source_name) {
  static const std::map<std::string, std::string> kNames = {
      {"scaling", "scale"},
      {"num_heads", "n_heads"},
      {"num_attention_heads", "n_heads"},
      {"num_key_value_heads", "n_kv_heads"},
      {"num_experts_per_tok", "top_k"},
      {"attn_logit_softcapping", "softcap"},
  };
  auto it = kNames.find(source_name);
  return it == kNames.end() ? source_name : it->second;
}

std::string literal(eval::Interpreter& interp, const Value& value) {
  if (value.is_float()) {
    const double v = value.as_double();
    if (std::isinf(v)) {
      return v > 0 ? "mx.inf" : "-mx.inf";
    }
  }
  return interp.repr(value);
}

}  // namespace portwright::emit
