#include "emit/far_rotation.h"

#include "emit/compile.h"
#include "lift/graph.h"
#include "lift/memory.h"
#include "lift/rope_proof.h"

namespace portwright::emit {

using nlohmann::json;

namespace {

/// Past the first positions at which rotations are read off.
constexpr int kThreshold = 48;
constexpr const char* kLongest = "max_position_embeddings";

/// A number or a list of numbers, each larger.
json raised(const json& value) {
  if (value.is_array()) {
    json out = json::array();
    for (const json& item : value) {
      out.push_back(raised(item));
    }
    return out;
  }
  return value.is_number() ? json(value.get<double>() * 1.25) : value;
}

bool has_numbers(const json& value) {
  return value.is_number_float() ||
         (value.is_array() && !value.empty() && value.front().is_number());
}

class FarReader {
 public:
  FarReader(Context& context, const lift::Rope& rope)
      : context_(context), rope_(rope), config_(context.evaluation.json) {
    const json& all = config_;
    name_ = all.value("rope_parameters", json()).is_object() ? "rope_parameters"
                                                             : "rope_scaling";
    if (config_.value(kLongest, json()).is_number_integer()) {
      config_[kLongest] = 2 * kThreshold;
    }
    if (has_set()) {
      for (json& value : config_[name_]) {
        if (value.is_number_integer() && value.get<int64_t>() > kThreshold) {
          value = kThreshold;
        }
      }
    }
  }

  std::optional<std::vector<FarNumber>> read() {
    if (!turns_alike(config_)) {
      return {};
    }
    std::vector<FarNumber> out;
    if (!has_set()) {
      return out;
    }
    const json set = config_[name_];
    for (const auto& [key, value] : set.items()) {
      if (value.is_object()) {
        return {};  // a set for each kind of layer
      }
      if (has_numbers(value) && !turns_alike(with(key, raised(value)))) {
        out.push_back({key, equal_to(key, out)});
      }
    }
    // The first of those that are equal is what the others must be.
    std::erase_if(out, [&](const FarNumber& a) {
      return a.other.empty() &&
             std::any_of(out.begin(), out.end(), [&](const FarNumber& b) {
               return b.other == a.key;
             });
    });
    return out;
  }

 private:
  bool has_set() const {
    return config_.value(name_, json()).is_object();
  }

  json with(const std::string& key, const json& value) const {
    json out = config_;
    out[name_][key] = value;
    return out;
  }

  std::string equal_to(
      const std::string& key,
      const std::vector<FarNumber>& found) const {
    const json& set = config_[name_];
    for (const FarNumber& one : found) {
      if (one.other.empty() && set[one.key] == set[key]) {
        return one.key;
      }
    }
    return "";
  }

  /// True when the same rotation of a model of that config is found, and turns
  /// far positions as it does near ones.
  bool turns_alike(const json& config) const {
    auto recorded = record(context_.interp, config);
    if (!recorded) {
      return false;
    }
    Evaluation& evaluation = recorded->evaluation;
    const Trace& trace = *recorded->trace;
    evaluation.trace = &trace;
    if (rope_.output >= trace.values.size() ||
        trace.info(rope_.output).shape !=
            context_.trace.info(rope_.output).shape) {
      return false;
    }
    const Frame* frame = trace.info(rope_.output).frame;
    while (frame && !frame->is_module()) {
      frame = frame->parent;
    }
    if (!frame) {
      return false;
    }
    const lift::Flows flows(
        trace, evaluation.ids, evaluation.positions, evaluation.mask);
    const auto found = lift::lift_rope(
        context_.interp,
        trace,
        flows,
        lift::make_graph(trace, *frame),
        evaluation.positions,
        rope_.output);
    return found && found->steady && found->input == rope_.input;
  }

  Context& context_;
  const lift::Rope& rope_;
  json config_;  // with thresholds within reach
  std::string name_;
};

}  // namespace

std::optional<std::vector<FarNumber>> far_numbers(
    Context& context,
    const lift::Rope& rope) {
  lift::RopeSource source(
      context.interp, context.trace, context.evaluation.positions, rope);
  if (!source.evaluates_anew()) {
    return std::vector<FarNumber>();
  }
  // Layers turn by one module, as a rule.
  using Answer = std::optional<std::vector<FarNumber>>;
  return lift::Memory::of(context.interp)
      .once<Answer>(
          "far:" + std::to_string(rope.output) + context.evaluation.json.dump(),
          [&] { return FarReader(context, rope).read(); });
}

}  // namespace portwright::emit
