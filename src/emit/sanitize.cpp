#include <cstring>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "emit/emit.h"
#include "emit/expert_weights.h"
#include "emit/expression.h"

namespace portwright::emit {

using eval::Value;

namespace {

std::vector<std::string> strings(eval::Interpreter& interp, const Value& v) {
  std::vector<std::string> out;
  if (v.is_str()) {
    return {v.str()};
  }
  interp.for_each(v, [&](Value item) { out.push_back(item.str()); });
  return out;
}

std::vector<KeyRule> conversion_rules(Context& context) {
  std::vector<KeyRule> out;
  eval::Interpreter& interp = context.interp;
  if (!interp.can_import("transformers.conversion_mapping")) {
    return out;  // an older library: checkpoints hold the model's own names
  }
  const Value function = interp.getattr(
      Value(interp.import_module("transformers.conversion_mapping")),
      "get_model_conversion_mapping");
  eval::CallArgs args{{context.evaluation.model}, {}};
  args.keywords.emplace_back(base::Symbol("add_legacy"), Value::boolean(false));
  const Value rules = interp.call(function, std::move(args));
  interp.for_each(rules, [&](Value rule) {
    KeyRule r;
    const Value operations = interp.try_getattr(rule, "operations");
    r.converts = operations.defined();
    r.sources =
        strings(interp, interp.getattr(rule, "_original_source_patterns"));
    r.targets =
        strings(interp, interp.getattr(rule, "_original_target_patterns"));
    if (r.converts) {
      interp.for_each(operations, [&](Value op) {
        r.operations.push_back(interp.class_of(op)->name);
        const Value axis = interp.try_getattr(op, "dim");
        r.axis = axis.defined() && axis.is_int() ? axis.as_int() : 0;
      });
    }
    out.push_back(std::move(r));
  });
  return out;
}

/// "w." for the pattern "w\."; nothing when it is more than a literal text.
std::optional<std::string> literal_text(std::string pattern) {
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size() && pattern[i + 1] == '.') {
      out += pattern[++i];
    } else if (std::strchr("^$*+?()[]{}|\\", pattern[i])) {
      return {};
    } else {
      out += pattern[i];
    }
  }
  return out;
}

/// One renaming of all keys, as a statement; "" when it has no translation.
std::string renaming(Context& context, const KeyRule& rule) {
  const std::string& source = rule.sources[0];
  const auto literal_target = literal_text(rule.targets[0]);
  if (!literal_target) {
    return "";
  }
  const std::string& target = *literal_target;
  if (source.starts_with("^")) {
    if (const auto prefix = literal_text(source.substr(1))) {
      return "    weights = {(\"" + target + "\" + k[" +
             std::to_string(prefix->size()) + ":] if k.startswith(\"" +
             *prefix + "\") else k): v for k, v in weights.items()}\n";
    }
  }
  if (const auto text = literal_text(source)) {
    return "    weights = {k.replace(\"" + *text + "\", \"" + target +
           "\"): v for k, v in weights.items()}\n";
  }
  context.imports.insert("re");
  return "    weights = {re.sub(r\"" + source + "\", \"" + target +
         "\", k, count=1): v for k, v in weights.items()}\n";
}

/// Tensors that the model holds as one; "" when the rule is something else.
std::string concatenation(const KeyRule& rule) {
  if (rule.operations != std::vector<std::string>{"Concatenate"} ||
      rule.sources.size() < 2 || rule.targets.size() != 1) {
    return "";
  }
  std::vector<std::string> parts;
  for (const auto& source : rule.sources) {
    const auto text = literal_text(source);
    if (!text) {
      return "";
    }
    parts.push_back("\"" + *text + "\"");
  }
  const auto target = literal_text(rule.targets[0]);
  return !target ? ""
                 : "    for k in [k for k in weights if " + parts[0] +
                       " in k]:\n"
                       "        parts = [weights.pop(k.replace(" +
                       parts[0] + ", n)) for n in (" + join(parts) +
                       ")]\n"
                       "        weights[k.replace(" +
                       parts[0] + ", \"" + *target +
                       "\")] = mx.concatenate(parts, axis=" +
                       std::to_string(rule.axis) + ")\n";
}

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

/// Layers of one kind share a module of the first ones, in turns: checkpoints
/// hold it once.
std::string shared_weights(Context& context) {
  if (context.evaluation.shared.empty()) {
    return "";
  }
  const auto shared = shared_module(context);
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
    const auto owner = shared->owners.find(static_cast<int>(i));
    if ((owner != shared->owners.end()) != (names[i].str() == kind)) {
      refuse();
    }
    if (owner != shared->owners.end()) {
      layers.push_back(owner->first);
      if (owner->first == owner->second) {
        owners.push_back(owner->first);
      }
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

}  // namespace

std::string write_sanitize(Context& context) {
  const auto rules = conversion_rules(context);
  std::string body, copied;
  const std::string tied = "    if self.args.tie_word_embeddings:\n";
  if (context.head_keeps_weight) {
    copied = tied + "        weights.setdefault(\"" + context.head +
             ".weight\", weights[\"" + context.embedding + ".weight\"])\n";
  } else if (context.fields.contains("tie_word_embeddings")) {
    body +=
        tied + "        weights.pop(\"" + context.head + ".weight\", None)\n";
  }
  for (const KeyRule& r : rules) {
    if (!r.converts && r.sources.size() == 1 && r.targets.size() == 1) {
      body += renaming(context, r);
    } else if (r.converts) {
      body += concatenation(r);
    }
  }
  for (const auto& experts : context.experts) {
    body += expert_code(context, rules, experts);
  }
  for (const auto& name : context.convolutions) {
    // (C, 1, K), as torch has it, becomes (C, K, 1).
    body += "    weights = {k: v.moveaxis(2, 1) if k.endswith(\"." + name +
            ".weight\") and v.shape[-1] != 1 else v for k, v in "
            "weights.items()}\n";
  }
  body += copied;  // under the names that the renamings gave
  body += shared_weights(context);
  if (context.fields.contains("rope_theta")) {
    // Old checkpoints carry the frequencies, which are computed here.
    body += "    return {k: v for k, v in weights.items() if "
            "\"rotary_emb.inv_freq\" not in k}\n";
  } else if (!body.empty()) {
    body += "    return weights\n";
  }
  return body.empty() ? "" : "def sanitize(self, weights):\n" + body;
}

}  // namespace portwright::emit
