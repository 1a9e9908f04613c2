#include "emit/expert_weights.h"

#include <cstring>

#include <fmt/format.h>

#include "emit/expression.h"

namespace portwright::emit {

using lift::Experts;

namespace {

/// "w1" of ".experts.*.w1.weight".
std::string expert_part(const std::string& pattern) {
  const size_t star = pattern.find("*.");
  const size_t end = pattern.rfind(".weight");
  return star == std::string::npos || end == std::string::npos || end < star + 2
             ? ""
             : pattern.substr(star + 2, end - star - 2);
}

/// The layers of the switch layer: the gate or only one, the up part, the last.
struct Names {
  std::string gate, up, last;
};

Names target_names(const Experts& experts) {
  return experts.gating == Experts::Gating::None
             ? Names{"fc1", "", "fc2"}
             : Names{"gate_proj", "up_proj", "down_proj"};
}

/// The names of single experts' modules in checkpoints, "" where the mapping
/// tells none.
Names single_names(const std::vector<KeyRule>& rules, const Experts& experts) {
  Names out;
  if (!experts.list().empty()) {
    if (experts.gating == Experts::Gating::Halves ||
        experts.gating == Experts::Gating::Interleaved) {
      return out;  // one module makes both
    }
    out.gate = expert_part(experts.first[0].weight);
    out.up = expert_part(experts.first.back().weight);
    out.last = expert_part(experts.last.weight);
    return out;
  }
  auto merges = [](const KeyRule& r, size_t sources) {
    return r.converts && r.targets.size() == 1 && r.sources.size() == sources &&
           r.operations.size() == sources &&
           r.operations[0] == "MergeModulelist" &&
           (sources == 1 || r.operations[1] == "Concatenate");
  };
  auto is_for = [](const KeyRule& r, const Experts::Product& product) {
    return r.targets[0].ends_with("." + product.weight);
  };
  const bool fused = experts.gating == Experts::Gating::Halves;
  for (const KeyRule& r : rules) {
    if (fused && merges(r, 2) && is_for(r, experts.first[0])) {
      out.gate = expert_part(r.sources[experts.ups_first ? 1 : 0]);
      out.up = expert_part(r.sources[experts.ups_first ? 0 : 1]);
    } else if (merges(r, 1) && is_for(r, experts.last)) {
      out.last = expert_part(r.sources[0]);
    } else if (merges(r, 1) && !fused && is_for(r, experts.first[0])) {
      out.gate = expert_part(r.sources[0]);
    } else if (
        merges(r, 1) && experts.first.size() == 2 &&
        is_for(r, experts.first[1])) {
      out.up = expert_part(r.sources[0]);
    }
  }
  return out;
}

class ExpertSanitizer {
 public:
  ExpertSanitizer(const Context& context, const ExpertWeights& weights)
      : weights_(weights), experts_(weights.experts) {
    const bool counted = context.fields.contains("num_hidden_layers");
    line(
        1,
        fmt::format(
            "for l in range({}):",
            counted ? "self.args.num_hidden_layers" : "len(self.layers)"));
    line(2, fmt::format("prefix = f\"{}.{{l}}\"", context.layers_path));
  }

  void from_single(const Names& from) {
    const Names to = target_names(experts_);
    std::vector<std::string> names, pairs;
    bool renamed = false;
    const auto add = [&](const std::string& source, const std::string& target) {
      if (!target.empty()) {
        names.push_back("\"" + source + "\"");
        pairs.push_back("(\"" + source + "\", \"" + target + "\")");
        renamed = renamed || source != target;
      }
    };
    add(from.gate, to.gate);
    add(from.up, to.up);
    add(from.last, to.last);
    line(
        2,
        renamed ? "for n, m in [" + join(pairs) + "]:"
                : "for n in [" + join(names) + "]:");
    line(
        3,
        fmt::format(
            "for k in [\"weight\", {}\"scales\", \"biases\"]:",
            experts_.last.bias.empty() || experts_.list().empty()
                ? ""
                : "\"bias\", "));
    line(4, fmt::format("if {} in weights:", source("0.{n}.{k}")));
    line(5, "experts = [");
    line(6, fmt::format("weights.pop({})", source("{e}.{n}.{k}")));
    line(6, fmt::format("for e in range({})", count()));
    line(5, "]");
    line(
        5,
        fmt::format(
            "weights[{}] = mx.stack(experts)",
            target(renamed ? "{m}.{k}" : "{n}.{k}")));
  }

  /// Modules of a list whose parameters are stacked under the list's name.
  void stack() {
    std::vector<std::string> names;
    const auto take = [&](std::string& name) {
      if (!name.empty()) {
        name = name.substr(name.find(".*.") + 3);
        names.push_back("\"" + name + "\"");
      }
    };
    for (auto* product : products()) {
      take(product->weight);
      take(product->bias);
    }
    line(2, fmt::format("for n in [{}]:", join(names)));
    line(3, fmt::format("if {} in weights:", source("0.{n}")));
    line(4, "experts = [");
    line(5, fmt::format("weights.pop({})", source("{e}.{n}")));
    line(5, fmt::format("for e in range({})", count()));
    line(4, "]");
    line(4, fmt::format("weights[{}] = mx.stack(experts)", source("{n}")));
  }

  void from_stacked() {
    const Names to = target_names(experts_);
    line(2, fmt::format("if {} in weights:", source(experts_.first[0].weight)));
    first(to, false);
    if (!experts_.first[0].bias.empty()) {
      first(to, true);
    }
    put(to.last + ".weight", popped(experts_.last));
    if (!experts_.last.bias.empty()) {
      put(to.last + ".bias", popped_bias(experts_.last));
    }
  }

  /// Single modules of what is no expert have weights that nothing reads.
  void drop_spare() {
    if (std::any_of(
            experts_.first.begin(), experts_.first.end(), [&](const auto& p) {
              return has_spare_rows(p);
            })) {
      line(
          2,
          "spare = [k for k in weights if k.startswith(" + source("") + ")]");
      line(2, "for k in spare:");
      line(3, "weights.pop(k)");
    }
  }

  std::string take() {
    return std::move(text_);
  }

 private:
  std::vector<Experts::Product*> products() {
    std::vector<Experts::Product*> out;
    for (auto& product : experts_.first) {
      out.push_back(&product);
    }
    out.push_back(&experts_.last);
    return out;
  }
  bool has_spare_rows(const Experts::Product& product) const {
    return product.sizes[0] > experts_.experts;
  }
  void line(int depth, const std::string& text) {
    text_ += std::string(static_cast<size_t>(depth) * 4, ' ') + text + "\n";
  }
  std::string source(std::string_view name) const {
    return fmt::format("f\"{{prefix}}.{}.{}\"", weights_.source, name);
  }
  std::string target(std::string_view name) const {
    return fmt::format("f\"{{prefix}}.{}.{}\"", weights_.target, name);
  }
  std::string count() const {
    std::string text = weights_.count;
    for (size_t at = 0; (at = text.find("args.", at)) != std::string::npos;
         at += std::strlen("self.args.")) {
      text.insert(at, "self.");
    }
    return text;
  }
  void put(const std::string& name, const std::string& value) {
    line(3, fmt::format("weights[{}] = {}", target(name), value));
  }
  std::string popped_bias(const Experts::Product& product) const {
    return fmt::format("weights.pop({})", source(product.bias));
  }
  /// A product's weights as (E, out, in).
  std::string popped(const Experts::Product& product) const {
    std::string text = fmt::format("weights.pop({})", source(product.weight));
    if (product.flat) {
      text = fmt::format("mx.unflatten({}, 0, ({}, -1))", text, count());
    }
    if (has_spare_rows(product)) {
      text += fmt::format("[: {}]", count());
    }
    return product.transposed ? text + ".swapaxes(-1, -2)" : text;
  }

  void first(const Names& to, bool bias) {
    const std::string leaf = bias ? ".bias" : ".weight";
    auto whole = [&](const Experts::Product& product) {
      return bias ? popped_bias(product) : popped(product);
    };
    if (experts_.gating == Experts::Gating::None) {
      put(to.gate + leaf, whole(experts_.first[0]));
      return;
    }
    if (experts_.gating == Experts::Gating::Separate) {
      put(to.gate + leaf, whole(experts_.first[0]));
      put(to.up + leaf, whole(experts_.first[1]));
      return;
    }
    line(3, fmt::format("gate_up = {}", whole(experts_.first[0])));
    line(
        3,
        fmt::format(
            "{} = {}",
            experts_.ups_first ? "up, gate" : "gate, up",
            experts_.gating == Experts::Gating::Interleaved
                ? "gate_up[:, ::2], gate_up[:, 1::2]"
            : bias ? "mx.split(gate_up, 2, axis=-1)"
                   : "mx.split(gate_up, 2, axis=-2)"));
    put(to.gate + leaf, "gate");
    put(to.up + leaf, "up");
  }

  const ExpertWeights& weights_;
  Experts experts_;
  std::string text_;
};

/// "mlp.experts" of "mlp.experts.*.w1.weight" and of "mlp.experts.gate_up".
std::string module_path(const std::string& pattern) {
  const size_t star = pattern.find(".*.");
  return pattern.substr(0, star == pattern.npos ? pattern.rfind('.') : star);
}

}  // namespace

std::optional<KeyRule> split_renaming(KeyRule& rule) {
  if (rule.targets.size() != 1 || rule.sources.empty() ||
      rule.sources[0].find(".*.") == std::string::npos) {
    return {};
  }
  const std::string from = module_path(rule.sources[0]);
  const std::string to = module_path(rule.targets[0]);
  const auto last = [](const std::string& path) {
    return path.substr(path.rfind('.') + 1);
  };
  if (from == to || last(from) != last(to) ||
      !std::all_of(
          rule.sources.begin(), rule.sources.end(), [&](const auto& source) {
            return module_path(source) == from;
          })) {
    return {};
  }
  for (std::string& source : rule.sources) {
    source.replace(0, from.size(), to);
  }
  KeyRule out;
  out.sources = {"." + from + "."};
  out.targets = {"." + to + "."};
  return out;
}

std::string expert_code(
    const Context& context,
    const std::vector<KeyRule>& rules,
    const ExpertWeights& weights) {
  ExpertSanitizer writer(context, weights);
  const Names single = single_names(rules, weights.experts);
  const bool gated = weights.experts.gating != Experts::Gating::None;
  if (!single.gate.empty() && !single.last.empty() &&
      (!gated || !single.up.empty())) {
    writer.from_single(single);
    if (!weights.experts.list().empty()) {
      return writer.take();
    }
    writer.from_stacked();
    writer.drop_spare();
    return writer.take();
  }
  if (!weights.experts.list().empty()) {
    writer.stack();
  }
  writer.from_stacked();
  return writer.take();
}

}  // namespace portwright::emit
