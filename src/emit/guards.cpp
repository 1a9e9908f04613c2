#include "emit/guards.h"

#include <functional>

namespace portwright::emit {

using eval::Provenance;
using eval::Value;
using trace::Branch;

namespace {

/// Fields that do not change what an inference computes.
bool is_inert(const std::string& field) {
  static const std::set<std::string> kInert = {
      "use_cache", "pad_token_id", "bos_token_id", "eos_token_id",
      "output_attentions", "output_hidden_states", "return_dict",
      "attention_dropout", "hidden_dropout", "resid_dropout", "embd_dropout",
      "residual_dropout", "embedding_dropout", "router_jitter_noise",
      "router_aux_loss_coef", "output_router_logits", "initializer_range",
      "gradient_checkpointing", "tie_word_embeddings", "is_causal",
      "problem_type", "num_labels", "pretraining_tp", "dtype",
      "max_position_embeddings", "vocab_size"};
  return kInert.contains(field);
}

/// The fields of a condition that reads nothing but config fields; nothing
/// when it reads more, or only inert ones.
std::optional<std::set<std::string>> fields_of(const Provenance* p) {
  std::set<std::string> out;
  bool plain = p != nullptr, matters = false;
  std::function<void(const Provenance*)> visit = [&](const Provenance* n) {
    if (!n || !plain) {
      return;
    }
    switch (n->kind) {
      case Provenance::Kind::Config:
        out.insert(n->name.str());
        matters = matters || !is_inert(n->name.str());
        return;
      case Provenance::Kind::Constant:
        return;
      case Provenance::Kind::Loop:
      case Provenance::Kind::Dim:
      case Provenance::Kind::Data:
      case Provenance::Kind::Conditional:
        plain = false;
        return;
      default:
        visit(n->left);
        visit(n->right);
        visit(n->test);
    }
  };
  visit(p);
  return plain && matters ? std::optional(out) : std::nullopt;
}

class Finder {
 public:
  explicit Finder(Context& context) : context_(context) {
    const auto* cls = context.evaluation.model.object()->cls;
    file_ = cls->span.file;
  }

  std::vector<Guard> run() {
    for (const auto& [object, construction] : context_.trace.constructions) {
      for (const Branch& branch : construction.branches) {
        consider(branch);
      }
    }
    visit(context_.trace.root);
    for (const auto& [field, value] : context_.trace.selectors) {
      if (!is_inert(field) && field.find('.') == std::string::npos) {
        context_.fields.insert(field);
        add("self." + field + " == \"" + value + "\"",
            field + " {self." + field + "} is not supported");
      }
    }
    return std::move(guards_);
  }

 private:
  void visit(const Frame& frame) {
    for (const auto& item : frame.items) {
      if (const auto* branch = std::get_if<Branch>(&item)) {
        consider(*branch);
      } else if (
          const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        visit(**child);
      }
    }
  }

  void consider(const Branch& branch) {
    if (branch.span.file != file_ || !fields_of(branch.condition)) {
      return;
    }
    std::string text = context_.args_text(branch.condition);
    for (size_t at = 0; (at = text.find("args.", at)) != std::string::npos;) {
      text.replace(at, 5, "self.");
      at += 5;
    }
    if (text.find("rope_") != std::string::npos) {
      return; // the rope's own guard
    }
    std::string message = text;
    for (char& c : message) {
      c = c == '"' ? '\'' : c;
    }
    for (size_t at = 0; (at = message.find("self.", at)) != std::string::npos;) {
      message.erase(at, 5);
    }
    if (branch.outcome) {
      add(text, "only configs with " + message + " are supported");
    } else {
      add("not (" + text + ")", "configs with " + message + " are not supported");
    }
  }

  void add(std::string condition, std::string message) {
    for (const Guard& g : guards_) {
      if (g.condition == condition) {
        return;
      }
    }
    guards_.push_back({std::move(condition), std::move(message)});
  }

  Context& context_;
  const base::SourceFile* file_ = nullptr;
  std::vector<Guard> guards_;
};

} // namespace

std::vector<Guard> find_guards(Context& context) {
  return Finder(context).run();
}

} // namespace portwright::emit
