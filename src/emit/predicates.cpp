#include "emit/predicates.h"

#include <functional>

#include "emit/layer_fields.h"

namespace portwright::emit {

using eval::Provenance;
using eval::Value;

Reads reads_of(const Provenance* p) {
  Reads out;
  out.plain = p != nullptr;
  std::function<void(const Provenance*)> visit = [&](const Provenance* n) {
    if (!n) {
      return;
    }
    switch (n->kind) {
      case Provenance::Kind::Config:
        if (const auto names = layer_fields(*n); !names.empty()) {
          out.fields.insert(names.begin(), names.end());
          visit(n->left);
          return;
        }
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

std::string Predicates::spelling(const Provenance* condition) {
  return eval::to_string(
      condition, [](const Provenance& p) -> std::optional<std::string> {
        return p.kind == Provenance::Kind::Loop
                   ? std::optional<std::string>("layer_idx")
                   : std::nullopt;
      });
}

int Predicates::index_of(const Provenance* condition) {
  Reads reads = reads_of(condition);
  if (!reads.plain || (reads.fields.empty() && !reads.loop)) {
    return -1;
  }
  std::string text = spelling(condition);
  if (text.find("<constant>") != std::string::npos) {
    return -1;
  }
  const auto [it, fresh] =
      by_text_.try_emplace(text, static_cast<int>(all_.size()));
  if (fresh) {
    all_.push_back({std::move(text), condition, std::move(reads)});
  }
  return it->second;
}

int Predicates::of_parameter(const std::string& name) {
  const std::string text = name + " is None";
  const auto [it, fresh] =
      by_text_.try_emplace(text, static_cast<int>(all_.size()));
  if (fresh) {
    all_.push_back({text, nullptr, {{}, false, false}});
  }
  return it->second;
}

Truth Predicates::truth(int index, const Value& config, int64_t layer) {
  const Predicate& predicate = all_[index];
  if (!predicate.condition || (predicate.reads.loop && layer < 0)) {
    return Truth::Unknown;
  }
  Value& function = functions_[index];
  try {
    if (!function.defined()) {
      const auto module = interp_.run_source(
          "portwright_predicate_" + std::to_string(index),
          "<predicate>",
          "import math\n\ndef holds(config, layer_idx):\n    return bool(" +
              predicate.text + ")\n");
      function = interp_.getattr(Value(module), "holds");
    }
    const Value v = interp_.call(
        function, {config, Value::integer(std::max<int64_t>(layer, 0))});
    return interp_.truthy(v) ? Truth::True : Truth::False;
  } catch (const eval::PythonError&) {
    return Truth::Unknown;  // None < 3
  } catch (const eval::Refusal&) {
    return Truth::Unknown;
  }
}

}  // namespace portwright::emit
