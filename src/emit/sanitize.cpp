#include <algorithm>
#include <cctype>
#include <cstring>
#include <optional>
#include <set>

#include "emit/emit.h"
#include "emit/expert_weights.h"
#include "emit/expression.h"
#include "emit/latents.h"
#include "emit/own_elements.h"
#include "emit/shared_weights.h"

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

/// A rule's patterns as the table has them: kept under another name where the
/// library prepares them for its own matching.
std::vector<std::string> written_patterns(
    eval::Interpreter& interp,
    const Value& rule,
    const std::string& name) {
  const Value kept = interp.try_getattr(rule, "_original_" + name);
  return strings(interp, kept.defined() ? kept : interp.getattr(rule, name));
}

std::vector<KeyRule> conversion_rules(Context& context) {
  std::vector<KeyRule> out;
  eval::Interpreter& interp = context.interp;
  if (!interp.can_import("transformers.conversion_mapping")) {
    return out;  // an older library: checkpoints hold the model's own names
  }
  interp.call(interp.getattr(
      Value(interp.import_module("portwright.conversions")), "fill_table"));
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
    r.sources = written_patterns(interp, rule, "source_patterns");
    r.targets = written_patterns(interp, rule, "target_patterns");
    if (r.converts) {
      interp.for_each(operations, [&](Value op) {
        r.operations.push_back(interp.class_of(op)->name);
        const Value axis = interp.try_getattr(op, "dim");
        r.axis = axis.defined() && axis.is_int() ? axis.as_int() : 0;
      });
    }
    if (auto moved = r.converts ? split_renaming(r) : std::nullopt) {
      const bool known = std::any_of(out.begin(), out.end(), [&](auto& other) {
        return other.sources == moved->sources;
      });
      if (!known) {
        out.push_back(*std::move(moved));
      }
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
  // A name that has been replaced already must stay as it is.
  if (source.starts_with("^")) {
    if (const auto prefix = literal_text(source.substr(1))) {
      const std::string stays =
          target.starts_with(*prefix)
              ? " and not k.startswith(\"" + target + "\")"
              : "";
      return "    weights = {(\"" + target + "\" + k[" +
             std::to_string(prefix->size()) + ":] if k.startswith(\"" +
             *prefix + "\")" + stays +
             " else k): v for k, v in weights.items()}\n";
    }
  }
  if (const auto text = literal_text(source)) {
    const std::string renamed =
        "k.replace(\"" + *text + "\", \"" + target + "\")";
    const bool again = target.find(*text) != target.npos;
    return "    weights = {" +
           (again ? "(k if \"" + target + "\" in k else " + renamed + ")"
                  : renamed) +
           ": v for k, v in weights.items()}\n";
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

/// One tensor that the model holds in equal parts; "" when the rule is
/// something else.
std::string division(const KeyRule& rule) {
  if (rule.operations != std::vector<std::string>{"Chunk"} ||
      rule.sources.size() != 1 || rule.targets.size() < 2) {
    return "";
  }
  const auto source = literal_text(rule.sources[0]);
  std::vector<std::string> names;
  for (const auto& target : rule.targets) {
    const auto text = literal_text(target);
    if (!source || !text) {
      return "";
    }
    names.push_back("\"" + *text + "\"");
  }
  const std::string own = "\"" + *source + "\"";
  return "    for k in [k for k in weights if " + own +
         " in k]:\n"
         "        names = [k.replace(" +
         own + ", n) for n in (" + join(names) +
         ")]\n"
         "        parts = mx.split(weights.pop(k), " +
         std::to_string(names.size()) + ", axis=" + std::to_string(rule.axis) +
         ")\n"
         "        weights.update(zip(names, parts))\n";
}

/// The last two parts of the paths of buffers in checkpoints that classes of
/// the file do not hold: what their forwards do not read.
std::set<std::string> unread_buffers(const Context& context) {
  std::set<std::string> out;
  const auto holds = [](const ClassText& c, const std::string& name) {
    return std::any_of(c.init.begin(), c.init.end(), [&](const auto& line) {
      return line.find("self." + name + " = ") != std::string::npos;
    });
  };
  for (const auto& [path, module] : context.trace.modules) {
    const auto* attributes = module.object()->attrs;
    const Value* buffers =
        attributes ? attributes->find(base::Symbol("_buffers")) : nullptr;
    if (!buffers || !buffers->is(eval::Kind::Dict)) {
      continue;
    }
    const Value* transient =
        attributes->find(base::Symbol("_non_persistent_buffers_set"));
    const auto is_saved = [&](const std::string& name) {
      return !transient || !transient->get<eval::Set>()->items->find(name);
    };
    for (const auto& entry : buffers->get<eval::Dict>()->entries()) {
      const bool saved = entry.key.defined() && torch::as_tensor(entry.value) &&
                         is_saved(entry.key.str());
      if (!saved) {
        continue;
      }
      const bool has_class = std::any_of(
          context.classes.begin(), context.classes.end(), [&](const auto& c) {
            return c.frame && c.frame->module.defined() &&
                   c.frame->module.object()->cls == module.object()->cls;
          });
      // A part of the module around it, which would hold what it reads. What
      // old checkpoints carry of rotary embeddings goes in any case.
      const std::string leaf = path.substr(path.rfind('.') + 1);
      const bool goes = context.fields.contains("rope_theta") &&
                        leaf + "." + entry.key.str() == "rotary_emb.inv_freq";
      if (!has_class && !goes && !path.empty() &&
          std::none_of(
              context.classes.begin(),
              context.classes.end(),
              [&](const ClassText& c) {
                return holds(c, leaf + "." + entry.key.str());
              })) {
        out.insert(leaf + "." + entry.key.str());
      }
      for (const ClassText& c : context.classes) {
        if (c.frame && c.frame->module.defined() &&
            c.frame->module.object()->cls == module.object()->cls &&
            !holds(c, entry.key.str()) && !path.empty()) {
          out.insert(path.substr(path.rfind('.') + 1) + "." + entry.key.str());
        }
      }
    }
  }
  return out;
}

void mark_read(const Frame& frame, std::set<ValueId>& out) {
  for (const auto& item : frame.items) {
    if (const auto* op = std::get_if<OpNode>(&item)) {
      out.insert(op->inputs.begin(), op->inputs.end());
    } else if (
        const auto* inside = std::get_if<std::unique_ptr<Frame>>(&item)) {
      mark_read(**inside, out);
    }
  }
}

/// The same of parameters, by their paths below a layer: what only training
/// reads, in every layer.
std::set<std::string> unread_parameters(const Context& context) {
  std::set<ValueId> read;
  mark_read(context.trace.root, read);
  std::set<std::string> out, wanted;
  const std::string layers = context.layers_path + ".";
  for (ValueId id = 1; id < context.trace.values.size(); ++id) {
    const auto& info = context.trace.info(id);
    const auto* tensor = torch::as_tensor(info.tensor);
    if (!info.parameter.starts_with(layers) || !tensor ||
        !tensor->is_parameter) {
      continue;
    }
    const size_t dot = info.parameter.find('.', layers.size());
    if (dot == std::string::npos) {
      continue;
    }
    const std::string below = info.parameter.substr(dot + 1);
    const bool listed =
        std::any_of(below.begin(), below.end(), [](unsigned char c) {
          return std::isdigit(c) != 0;
        });
    const bool used =
        read.contains(id) || listed || below.find('.') == below.npos;
    (used ? wanted : out).insert(below);
  }
  for (const std::string& path : wanted) {
    out.erase(path);
  }
  // A class may hold it nevertheless.
  std::erase_if(out, [&](const std::string& path) {
    std::string name = path.substr(path.rfind('.') + 1);
    if (name == "weight" || name == "bias") {
      const std::string owner = path.substr(0, path.rfind('.'));
      name = owner.substr(owner.rfind('.') + 1);
    }
    return std::any_of(
        context.classes.begin(), context.classes.end(), [&](const auto& c) {
          return std::any_of(
              c.init.begin(), c.init.end(), [&](const std::string& line) {
                return line.find("self." + name + " = ") != line.npos;
              });
        });
  });
  return out;
}

/// Statements that make one weight of those of a list that the file holds so.
std::string stacked_lists(const Context& context) {
  std::set<std::string> names;
  for (const auto& [path, module] : context.trace.modules) {
    const auto* attributes = module.object()->attrs;
    const Value* lists =
        attributes ? attributes->find(base::Symbol("stacked_lists")) : nullptr;
    if (!lists || !lists->is(eval::Kind::Tuple)) {
      continue;
    }
    const size_t dot = path.rfind('.');
    const std::string owner =
        dot == path.npos ||
                std::isdigit(static_cast<unsigned char>(path.back()))
            ? ""
            : path.substr(dot + 1) + ".";
    for (const Value& name : lists->get<eval::Tuple>()->items) {
      names.insert("." + owner + name.str());
    }
  }
  if (names.empty()) {
    return "";
  }
  return "    lists = " + tuple_of(names) +
         "\n    for k in [k[:-2] for k in weights if k.endswith(\".0\")]:\n"
         "        if k.endswith(lists):\n"
         "            parts = []\n"
         "            while f\"{k}.{len(parts)}\" in weights:\n"
         "                parts.append(weights.pop(f\"{k}.{len(parts)}\"))\n"
         "            weights[k] = mx.stack(parts)\n";
}

/// True where a class of the file makes a member of that name.
bool is_held(const Context& context, const std::string& name) {
  const auto makes = [&](const std::string& line) {
    return line.find("self." + name + " = ") != line.npos;
  };
  return std::any_of(
      context.classes.begin(), context.classes.end(), [&](const ClassText& c) {
        return std::any_of(c.init.begin(), c.init.end(), makes);
      });
}

/// Where the modules lie that a source holds beside its layers and never runs,
/// as layers that predict further tokens: "mtp.", "model.mtp_norm."; and
/// parameters there that nothing reads.
std::set<std::string> unread_modules(const Context& context) {
  std::set<ValueId> read;
  mark_read(context.trace.root, read);
  std::vector<std::string> wanted, unread;
  for (ValueId id = 1; id < context.trace.values.size(); ++id) {
    const auto& info = context.trace.info(id);
    const auto* tensor = torch::as_tensor(info.tensor);
    if (!info.parameter.empty() && tensor && tensor->is_parameter) {
      (read.contains(id) ? wanted : unread).push_back(info.parameter);
    }
  }
  const auto begins = [](const std::vector<std::string>& paths,
                         const std::string& start) {
    return std::any_of(paths.begin(), paths.end(), [&](const auto& path) {
      return path.starts_with(start);
    });
  };
  std::set<std::string> out;
  for (const std::string& path : unread) {
    size_t from = 0, dot = path.find('.');
    while (dot != path.npos && begins(wanted, path.substr(0, dot + 1))) {
      from = dot + 1;
      dot = path.find('.', from);
    }
    const bool whole = dot == path.npos;
    const std::string name = path.substr(from, whole ? dot : dot - from);
    // Of a list some elements may run where others do not.
    if (!std::isdigit(static_cast<unsigned char>(name[0])) &&
        !path.starts_with(context.layers_path + ".") &&
        !is_held(context, name) && !(whole && begins(wanted, path))) {
      out.insert(path.substr(0, whole ? dot : dot + 1));
    }
  }
  return out;
}

/// Statements that drop the layers of a list after the last one that runs.
std::string left_layers(const Context& context) {
  std::string out;
  for (const auto& [list, count] : context.layers_left) {
    const auto at = std::count(list.begin(), list.end(), '.') + 1;
    out += "    weights = {k: v for k, v in weights.items() if not "
           "k.startswith(\"" +
           list + ".\") or int(k.split(\".\")[" + std::to_string(at) +
           "]) < self." + count + "}\n";
  }
  return out;
}

}  // namespace

std::string write_sanitize(Context& context, const std::string& moves) {
  const auto rules = conversion_rules(context);
  std::string body, copied;
  const std::string tied = "    if self.args.tie_word_embeddings:\n";
  const std::string own = "        weights.setdefault(\"" + context.head +
                          ".weight\", weights[\"" + context.embedding +
                          ".weight\"])\n";
  const std::string left =
      "        weights.pop(\"" + context.head + ".weight\", None)\n";
  if (context.head_keeps_weight) {
    copied = tied + own;
  } else if (!context.head_bias.empty()) {
    const std::string biased =
        "    if self.args.tie_word_embeddings and self.args." +
        context.head_bias + ":\n";
    copied = biased + own + "    el" + tied.substr(4) + left;
  } else if (context.fields.contains("tie_word_embeddings")) {
    body += tied + left;
  }
  body += stacked_lists(context);
  for (const KeyRule& r : rules) {
    if (!r.converts && r.sources.size() == 1 && r.targets.size() == 1) {
      body += renaming(context, r);
    } else if (r.converts) {
      body += concatenation(r) + division(r);
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
  body += moves + latent_code(context.latents);
  auto unread = unread_buffers(context);
  unread.merge(unread_parameters(context));
  if (!unread.empty()) {
    body += "    unread = " + tuple_of(unread) +
            "\n    weights = {k: v for k, v in weights.items() if not "
            "k.endswith(unread)}\n";
  }
  if (const auto modules = unread_modules(context); !modules.empty()) {
    body += "    unused = " + tuple_of(modules) +
            "\n    weights = {k: v for k, v in weights.items() if not "
            "k.startswith(unused)}\n";
  }
  body += left_layers(context);
  body += copied;  // under the names that the renamings gave
  body += shared_weights(context);
  body += own_elements(context);
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
