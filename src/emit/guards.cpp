#include "emit/guards.h"

#include <functional>

namespace portwright::emit {

using eval::Provenance;
using trace::Branch;

namespace {

/// Fields that do not change what an inference computes.
bool is_inert(const std::string& field) {
  static const std::set<std::string> kInert = {
      "use_cache",
      "pad_token_id",
      "bos_token_id",
      "eos_token_id",
      "output_attentions",
      "output_hidden_states",
      "return_dict",
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

/// What a condition reads.
struct Reads {
  std::set<std::string> fields;
  bool plain = true;  // config fields, literals and the layer index alone
  bool loop = false;
};

Reads reads_of(const Provenance* p) {
  Reads out;
  out.plain = p != nullptr;
  std::function<void(const Provenance*)> visit = [&](const Provenance* n) {
    if (!n) {
      return;
    }
    switch (n->kind) {
      case Provenance::Kind::Config:
        out.fields.insert(n->name.str());
        return;
      case Provenance::Kind::Default:
        out.fields.insert(n->name.str());
        visit(n->left);
        return;
      case Provenance::Kind::Constant:
        return;
      case Provenance::Kind::Loop:
        out.loop = true;
        return;
      case Provenance::Kind::Dim:
      case Provenance::Kind::Data:
      case Provenance::Kind::Conditional:
        out.plain = false;
        return;
      default:
        visit(n->left);
        visit(n->right);
        visit(n->test);
    }
  };
  visit(p);
  return out;
}

bool is_softmax(const trace::Item& item) {
  const auto* op = std::get_if<OpNode>(&item);
  return op && op->op->name == "softmax";
}

std::string
replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// The opposite of a condition, as a person would write it.
std::string negated(const std::string& text) {
  const std::pair<std::string_view, std::string_view> kOpposites[] = {
      {" is not None", " is None"}, {" is None", " is not None"}};
  for (const auto& [ending, opposite] : kOpposites) {
    if (text.ends_with(ending) && text.find(" and ") == std::string::npos &&
        text.find(" or ") == std::string::npos) {
      return text.substr(0, text.size() - ending.size()) +
             std::string(opposite);
    }
  }
  return text.find(' ') == std::string::npos ? "not " + text
                                             : "not (" + text + ")";
}

class Finder {
 public:
  Finder(Context& context, const std::set<std::string>& assured)
      : context_(context), assured_(assured) {
    file_ = context.evaluation.model.object()->cls->span.file;
  }

  std::vector<Guard> run() {
    for (const auto& [path, module] : context_.trace.modules) {
      const auto it = context_.trace.constructions.find(module.object());
      if (it != context_.trace.constructions.end()) {
        for (const Branch& branch : it->second.branches) {
          note(branch);
        }
      }
    }
    visit(context_.trace.root, false);
    for (const auto& decided : decided_) {
      if (!decided.mixed) {
        consider(decided.branch);
      }
    }
    for (const auto& [field, value] : context_.trace.selectors) {
      if (!is_inert(field) && field.find('.') == std::string::npos) {
        context_.fields.insert(field);
        add("self." + field + " != \"" + value + "\"",
            "f\"" + field + " {self." + field + "} is not supported\"");
      }
    }
    return std::move(guards_);
  }

 private:
  struct Decided {
    Branch branch;
    bool mixed;  // both ways, by layer: the classes' own conditions decide
  };

  /// `fused`: below the function that computes attention, whose repetition of
  /// grouped keys the fused form covers.
  void visit(const Frame& frame, bool fused) {
    const bool attends =
        std::any_of(frame.items.begin(), frame.items.end(), is_softmax);
    for (const auto& item : frame.items) {
      if (const auto* branch = std::get_if<Branch>(&item)) {
        if (!fused) {
          note(*branch);
        }
      } else if (
          const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        visit(**child, fused || (attends && !(*child)->is_module()));
      }
    }
  }

  void note(const Branch& branch) {
    if (branch.span.file != file_ || !branch.condition) {
      return;
    }
    for (auto& d : decided_) {
      if (d.branch.span.begin == branch.span.begin &&
          d.branch.span.end == branch.span.end) {
        d.mixed = d.mixed || d.branch.outcome != branch.outcome;
        return;
      }
    }
    decided_.push_back({branch, false});
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

  void consider(const Branch& branch) {
    const Reads reads = reads_of(branch.condition);
    const bool matters = std::any_of(
        reads.fields.begin(), reads.fields.end(), [](const auto& f) {
          return !is_inert(f) && !f.starts_with("rope_");
        });
    if (!reads.plain || !matters || gives_default(branch)) {
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
    std::string text = context_.args_text(branch.condition);
    std::string message = replaced(replaced(text, "\"", "'"), "args.", "");
    text = replaced(text, "args.", "self.");
    std::string refused = branch.outcome ? negated(text) : text;
    if (reads.loop) {
      context_.fields.insert("num_hidden_layers");
      refused =
          "any(" + refused + " for layer_idx in range(self.num_hidden_layers))";
      message += " for a layer";
    }
    if (message.size() > 90) {
      message = "this choice of " + *reads.fields.begin();
    }
    add(refused,
        branch.outcome ? "\"only configs with " + message + " are supported\""
                       : "\"configs with " + message + " are not supported\"");
  }

  void add(std::string refused, std::string message) {
    for (const Guard& g : guards_) {
      if (g.refused == refused) {
        return;
      }
    }
    guards_.push_back({std::move(refused), std::move(message)});
  }

  Context& context_;
  const std::set<std::string>& assured_;
  const base::SourceFile* file_ = nullptr;
  std::vector<Decided> decided_;
  std::vector<Guard> guards_;
};

}  // namespace

std::vector<Guard> find_guards(
    Context& context,
    const std::set<std::string>& assured) {
  return Finder(context, assured).run();
}

}  // namespace portwright::emit
