#include "emit/guards.h"

#include "emit/variants.h"

#include "emit/config_class.h"
#include "emit/configs.h"
#include "emit/expression.h"
#include "emit/flags.h"
#include "emit/gradients.h"
#include "emit/statements.h"

#include <functional>

namespace portwright::emit {

using eval::Provenance;
using trace::Branch;

void add_guard(std::vector<Guard>& guards, Guard guard) {
  const bool known =
      std::any_of(guards.begin(), guards.end(), [&](const Guard& g) {
        return g.refused == guard.refused;
      });
  if (!known) {
    guards.push_back(std::move(guard));
  }
}

void serve_one_value(
    Context& context,
    const std::string& field,
    const std::string& value) {
  context.fields.insert(field);
  add_guard(
      context.guards,
      {"self." + field + " != " + value,
       "\"" + field + " other than " + value + " is not supported\""});
}

void serve_one_side(Context& context, const std::string& field, bool value) {
  context.fields.insert(field);
  add_guard(
      context.guards,
      {(value ? "not self." : "self.") + field,
       "\"configs with" + std::string(value ? "out " : " ") + field +
           " are not supported\""});
}

bool is_softmax(const trace::Item& item) {
  const auto* op = std::get_if<OpNode>(&item);
  return op && op->op->name == "softmax";
}

namespace {

/// Fields that do not change what an inference computes.
bool is_inert(const std::string& field) {
  static const std::set<std::string> kInert = {
      "use_cache",
      "output_attentions",
      "output_hidden_states",
      "return_dict",
      "torchscript",
      "attention_dropout",
      "hidden_dropout",
      "resid_dropout",
      "embd_dropout",
      "residual_dropout",
      "embedding_dropout",
      "router_jitter_noise",
      "router_aux_loss_coef",
      "output_router_logits",
      "initializer_range",
      "gradient_checkpointing",
      "tie_word_embeddings",
      "is_causal",
      "problem_type",
      "num_labels",
      "pretraining_tp",
      "dtype",
      "max_position_embeddings",
      "vocab_size"};
  return kInert.contains(field);
}

std::string
replaced(std::string text, std::string_view from, std::string_view to) {
  replace_all(text, from, to);
  return text;
}

class GuardFinder {
 public:
  GuardFinder(
      const std::vector<Context*>& drafts,
      const std::set<std::string>& assured)
      : drafts_(drafts), context_(*drafts.front()), assured_(assured) {
    file_ = own_file(context_.evaluation);
  }

  std::vector<Guard> run() {
    for (const Context* draft : drafts_) {
      draft_ = draft;
      note_all(draft->trace);
    }
    guard_layer_kinds();
    for (const auto& decided : decided_) {
      if (!decided.mixed && !is_settled(decided.branch)) {
        consider(decided);
      }
    }
    for (const auto& [field, value] : context_.trace.selectors) {
      if (is_inert(field)) {
        continue;
      }
      if (field.find('.') != std::string::npos) {
        guard_inner(field, value);
        continue;
      }
      context_.fields.insert(field);
      const bool any = context_.looked_up.contains(field) &&
                       !context_.specialised.contains(field);
      add("self." + field +
              (any ? " not in ACTIVATIONS" : " != \"" + value + "\""),
          "f\"" + field + " {self." + field + "} is not supported\"");
      std::erase_if(guards_, [&](const Guard& guard) {  // said by that one
        return guard.refused == "self." + field + " is None";
      });
    }
    return std::move(guards_);
  }

 private:
  struct Decided {
    Branch branch;
    bool mixed;  // both ways: the classes' own conditions decide
    std::set<std::string> kinds;  // of the layers that decided it
  };

  void note_all(const Trace& trace) {
    for (const auto& [path, module] : trace.modules) {
      const auto it = trace.constructions.find(module.object());
      if (it != trace.constructions.end()) {
        for (const Branch& branch : it->second.branches) {
          note(branch, path);
        }
      }
    }
    visit(trace.root, false, "");
  }

  /// The value at a path of attributes and then of keys, undefined where there
  /// is none; `keys` gets the latter.
  eval::Value
  inner(eval::Value at, std::string_view path, std::vector<std::string>& keys) {
    while (at.defined() && !path.empty()) {
      const std::string name(path.substr(0, path.find('.')));
      path.remove_prefix(std::min(name.size() + 1, path.size()));
      if (at.is(eval::Kind::Dict)) {
        const eval::Value* item = at.get<eval::Dict>()->find(name);
        at = item ? *item : eval::Value();
        keys.push_back(name);
      } else {
        at = context_.interp.try_getattr(at, name);
      }
    }
    return at;
  }

  /// A text inside a config or a set of the config: "ffn.act", "ffn.act.name".
  void guard_inner(const std::string& path, const std::string& value) {
    std::vector<std::string> keys;
    inner(context_.evaluation.config, path, keys);
    std::string field = path, read = "self." + path;
    if (!keys.empty()) {
      for (const auto& key : keys) {
        field.resize(field.size() - key.size() - 1);
      }
      auto without = context_.evaluation.json;
      nlohmann::json::json_pointer at(
          "/" + replaced(replaced(field, ".", "/"), "~", "~0"));
      if (without.contains(at)) {
        without[at.parent_pointer()].erase(at.back());
      }
      std::vector<std::string> again;
      const auto by_default =
          inner(Configs(context_.interp)(without), path, again);
      read = "(self." + field + " or {})";
      for (const auto& key : keys) {
        const bool last = &key == &keys.back();
        read +=
            ".get(\"" + key + "\", " +
            (last ? by_default.defined() ? literal(context_.interp, by_default)
                                         : "None"
                  : "{}") +
            ")";
      }
    }
    context_.fields.insert(field);
    add(read + " != \"" + value + "\"",
        "\"" + path + " other than " + value + " is not supported\"");
  }

  /// What layer_types calls the layer that a module is part of; "" outside.
  std::string kind_at(const std::string& path) const {
    const std::string list = draft_->layers_path + ".";
    const eval::Value kinds =
        context_.interp.try_getattr(draft_->evaluation.config, "layer_types");
    if (list.size() == 1 || !path.starts_with(list) ||
        !kinds.is(eval::Kind::List)) {
      return "";
    }
    const auto& items = kinds.get<eval::List>()->items;
    const size_t layer = std::strtoul(path.c_str() + list.size(), nullptr, 10);
    return layer < items.size() && items[layer].is_str() ? items[layer].str()
                                                         : "";
  }

  /// True for a field that says what layer_types says.
  bool names_kinds(const std::string& field) const {
    const auto& config = context_.evaluation.config;
    const eval::Value kinds =
        context_.interp.try_getattr(config, "layer_types");
    const eval::Value own = context_.interp.try_getattr(config, field);
    return kinds.is(eval::Kind::List) && own.is(eval::Kind::List) &&
           context_.interp.equal(kinds, own);
  }

  /// Other kinds of layers than those seen would need other masks and caches.
  void guard_layer_kinds() {
    if (context_.layer_kinds.empty()) {
      return;
    }
    context_.fields.insert("layer_types");
    std::vector<std::string> kinds;
    for (const auto& kind : context_.layer_kinds) {
      kinds.push_back("\"" + kind + "\"");
    }
    add("set(self.layer_types) - {" + join(kinds) + "}",
        "f\"layer types {self.layer_types} are not supported\"");
  }

  /// `fused`: below the function that computes attention, whose repetition of
  /// grouped keys the fused form covers.
  void visit(const Frame& frame, bool fused, const std::string& path) {
    const bool attends =
        std::any_of(frame.items.begin(), frame.items.end(), is_softmax);
    for (const auto& item : frame.items) {
      if (const auto* branch = std::get_if<Branch>(&item)) {
        if (!fused && !decides_gradients_alone(frame, *branch)) {
          note(*branch, path);
        }
      } else if (
          const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        visit(
            **child,
            fused || (attends && !(*child)->is_module()),
            (*child)->is_module() ? (*child)->path : path);
      }
    }
  }

  void note(const Branch& branch, const std::string& path) {
    if (branch.span.file != file_) {
      return;
    }
    if (!branch.condition) {
      settled_.insert({branch.span.begin, branch.span.end, branch.outcome});
      return;
    }
    for (auto& d : decided_) {
      if (d.branch.span.begin == branch.span.begin &&
          d.branch.span.end == branch.span.end) {
        d.mixed = d.mixed || d.branch.outcome != branch.outcome;
        d.kinds.insert(kind_at(path));
        return;
      }
    }
    decided_.push_back({branch, false, {kind_at(path)}});
  }

  /// `config.x if config.x is not None else y`: ModelArgs gives x its default,
  /// so that the file has both sides.
  bool gives_default(const Branch& branch) const {
    const Provenance* test = branch.condition;
    if (test->kind != Provenance::Kind::Binary ||
        (test->name.str() != "is" && test->name.str() != "is not") ||
        test->left->kind != Provenance::Kind::Config ||
        test->right->text != "None" ||
        !context_.defaults.contains(test->left->name.str())) {
      return false;
    }
    const std::string_view rest =
        branch.span.file->text().substr(branch.span.end);
    const size_t next = rest.find_first_not_of(" \t\n)");
    return next != rest.npos && rest.substr(next).starts_with("else ");
  }

  /// The source itself refuses what the branch did not take.
  static bool other_side_raises(const Branch& branch) {
    const std::string_view rest =
        branch.span.file->text().substr(branch.span.end);
    const size_t colon = rest.find_first_not_of(" \t\n)");
    if (branch.outcome || colon == rest.npos || rest[colon] != ':') {
      return false;
    }
    const size_t body = rest.find_first_not_of(" \t\n", colon + 1);
    return body != rest.npos && rest.substr(body).starts_with("raise ");
  }

  /// The `[None] * n` that stands for what no layer is given.
  static bool repeats_none(const Provenance* list) {
    return list && list->kind == Provenance::Kind::Binary && list->left &&
           list->left->kind == Provenance::Kind::Constant &&
           list->left->text == "[None]";
  }

  /// `x is None` of what is computed, or declared never to be None.
  bool never_otherwise(const Branch& branch) const {
    const Provenance* test = branch.condition;
    if (test->kind != Provenance::Kind::Binary ||
        !test->name.str().starts_with("is") || test->right->text != "None") {
      return false;
    }
    if (test->left->kind == Provenance::Kind::Loop) {
      return true;  // an index is a number
    }
    if (test->left->kind == Provenance::Kind::Index &&
        repeats_none(test->left->left)) {
      return true;
    }
    if (test->left->kind != Provenance::Kind::Config) {
      return test->left->kind == Provenance::Kind::Binary;
    }
    return is_always_given(
        *context_.evaluation.config.object()->cls, test->left->name.str());
  }

  /// `a and <never>`: where a was false it decided, where it was true the rest
  /// did, to the same end.
  bool is_settled(const Branch& test) const {
    return settled_.contains({test.span.begin, test.span.end, test.outcome}) &&
           std::any_of(decided_.begin(), decided_.end(), [&](const auto& d) {
             const Branch& part = d.branch;
             return d.mixed && part.operand &&
                    part.span.begin >= test.span.begin &&
                    part.span.end <= test.span.end &&
                    eval::to_string(part.condition) ==
                        eval::to_string(test.condition);
           });
  }

  /// `method == "b"`, which was asked of what is no "a": the texts that the
  /// drafts have. Empty for other conditions.
  std::set<std::string> served_texts(const Branch& branch) const {
    const Provenance& test = *branch.condition;
    std::set<std::string> out;
    if (!branch.outcome || test.kind != Provenance::Kind::Binary ||
        test.name.str() != "==" ||
        test.left->kind != Provenance::Kind::Config) {
      return out;
    }
    for (const Context* draft : drafts_) {
      const eval::Value value = context_.interp.try_getattr(
          draft->evaluation.config, test.left->name.str());
      if (!value.is_str()) {
        return {};
      }
      out.insert(value.str());
    }
    return out;
  }

  void consider(const Decided& decided) {
    const Branch& branch = decided.branch;
    const Reads reads = reads_of(branch.condition);
    if (!reads.plain || !matters(reads) || gives_default(branch) ||
        other_side_raises(branch) || never_otherwise(branch)) {
      return;
    }
    // `a or b`: a falsy operand leaves both in the value's own expression; a
    // true one stands for it where ModelArgs always has it.
    const bool assured = std::all_of(
        reads.fields.begin(), reads.fields.end(), [&](const auto& f) {
          return assured_.contains(f);
        });
    if (branch.operand && (!branch.outcome || assured)) {
      return;
    }
    if (const auto texts = served_texts(branch); texts.size() > 1) {
      const std::string field = *reads.fields.begin();
      context_.fields.insert(field);
      add("self." + field + " not in " + tuple_of(texts),
          "f\"" + field + " {self." + field + "} is not supported\"");
      return;
    }
    std::string text = context_.args_text(branch.condition);
    std::string message = replaced(replaced(text, "\"", "'"), "args.", "");
    text = replaced(text, "args.", "self.");
    std::string refused = branch.outcome ? negated(text) : text;
    // What a layer's construction decides is part of the model's as well.
    auto kinds = decided.kinds;
    kinds.erase("");
    const bool of_kinds =
        !kinds.empty() && kinds.size() < context_.layer_kinds.size();
    if (reads.loop && !context_.layer_kinds.empty() &&
        std::all_of(
            reads.fields.begin(), reads.fields.end(), [&](const auto& f) {
              return names_kinds(f);
            })) {
      return;  // the kinds of layers are guarded
    }
    if (reads.loop) {
      if (of_kinds) {
        refused = "self.layer_types[layer_idx] in " + tuple_of(kinds) +
                  " and (" + refused + ")";
      }
      const std::string count = declared_name(context_, "num_hidden_layers");
      context_.fields.insert(count);
      refused =
          "any(" + refused + " for layer_idx in range(self." + count + "))";
      message += " for a layer";
    }
    if (message.size() > 90) {
      message = "this choice of " +
                (reads.fields.empty() ? "layers" : *reads.fields.begin());
    }
    add(refused,
        branch.outcome ? "\"only configs with " + message + " are supported\""
                       : "\"configs with " + message + " are not supported\"");
  }

  void add(std::string refused, std::string message) {
    add_guard(guards_, {std::move(refused), std::move(message)});
  }

  const std::vector<Context*>& drafts_;
  Context& context_;
  const Context* draft_ = nullptr;  // whose conditions are noted
  const std::set<std::string>& assured_;
  const base::SourceFile* file_ = nullptr;
  std::vector<Decided> decided_;
  /// Tests that no config had a part in: where they stand, and their outcome.
  std::set<std::tuple<uint32_t, uint32_t, bool>> settled_;
  std::vector<Guard> guards_;
};

}  // namespace

bool matters(const Reads& reads) {
  // What rope's own class reads is held against initialize_rope instead.
  static const std::set<std::string> kRope = {
      "rope_theta", "rope_scaling", "rope_parameters", "rope_type"};
  if (reads.fields.empty()) {
    return reads.loop;  // another depth may decide it for the first time
  }
  if (reads.fields.contains("rope_parameters")) {
    return false;  // a set of it by the kind of a layer
  }
  return std::any_of(
      reads.fields.begin(), reads.fields.end(), [](const auto& f) {
        return !is_inert(f) && !kRope.contains(f);
      });
}

std::vector<Guard> find_guards(
    const std::vector<Context*>& drafts,
    const std::set<std::string>& assured) {
  return GuardFinder(drafts, assured).run();
}

}  // namespace portwright::emit
