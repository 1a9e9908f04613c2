#include "lift/routed_experts.h"

#include <algorithm>
#include <set>

#include "lift/expert_products.h"
#include "lift/experts_proof.h"
#include "trace/replay.h"

namespace portwright::lift {

using eval::Value;

namespace {

class RoutedSearch {
 public:
  RoutedSearch(
      eval::Interpreter& interp,
      const Trace& trace,
      const Graph& graph,
      const trace::Twin* half)
      : interp_(interp),
        trace_(trace),
        graph_(graph),
        frame_(*graph.frame),
        half_(half) {}

  std::vector<GroupedExperts> run() {
    ops_ = all_operations(frame_);
    GroupedExperts g;
    if (!match_products(ops_, steps_of(trace_, frame_, ops_), g.experts) ||
        !is_own(g.experts)) {
      return {};
    }
    name_activation(interp_, trace_, g.experts);
    mark_results(g.experts);
    for (const ValueId output : outputs(g.experts)) {
      if (auto found = complete(g, output)) {
        return {*found};
      }
    }
    return {};
  }

 private:
  const torch::Sizes& shape(ValueId id) const {
    return trace_.info(id).shape;
  }
  bool is_integer(ValueId id) const {
    return trace_.info(id).dtype == torch::Dtype::Int64;
  }
  bool is_floating(ValueId id) const {
    return torch::is_floating_point(trace_.info(id).dtype);
  }

  /// True when the forward itself goes from expert to expert.
  bool is_own(const Experts& e) const {
    const std::string list = e.list();
    if (list.empty()) {
      return std::none_of(
          graph_.calls.begin(), graph_.calls.end(), [&](const Frame* call) {
            const auto inside = all_operations(*call);
            return !steps_of(trace_, frame_, inside).empty();
          });
    }
    const std::string prefix =
        (frame_.path.empty() ? list : frame_.path + "." + list) + ".";
    return std::any_of(
        graph_.calls.begin(), graph_.calls.end(), [&](const Frame* call) {
          return call->path.starts_with(prefix) &&
                 call->path.find('.', prefix.size()) == std::string::npos;
        });
  }

  void mark_results(const Experts& e) {
    const bool listed = !e.list().empty();
    for (const OpNode* op : ops_) {
      const std::string own = listed ? listed_weight(trace_, frame_, *op) : "";
      if (listed && own == e.last.weight) {
        results_.insert(op->outputs[0]);
      } else if (const auto step =
                     listed ? std::nullopt : product_of(trace_, frame_, *op);
                 step && step->product.weight == e.last.weight) {
        results_.insert(step->result);
      }
    }
  }

  using Values = std::set<ValueId>;

  /// The values that `output` is computed from, itself included, back to
  /// `ends` and to the forward's inputs.
  Values cone(ValueId output, const Values& ends = {}) const {
    Values out;
    std::vector<ValueId> pending{output};
    while (!pending.empty()) {
      const ValueId id = pending.back();
      pending.pop_back();
      const OpNode* op = trace_.info(id).producer;
      if (out.insert(id).second && !ends.contains(id) && !is_input(id) && op) {
        pending.insert(pending.end(), op->inputs.begin(), op->inputs.end());
      }
    }
    return out;
  }
  bool is_input(ValueId id) const {
    return std::find(frame_.inputs.begin(), frame_.inputs.end(), id) !=
           frame_.inputs.end();
  }

  /// Rows of the right width that all experts' answers are in, the last first.
  std::vector<ValueId> outputs(const Experts& e) const {
    std::vector<ValueId> out;
    for (const OpNode* op : graph_.ops) {
      const ValueId id = op->outputs.size() == 1 ? op->outputs[0] : 0;
      if (!id || id <= *results_.rbegin() || !is_floating(id) ||
          (shape(id).size() != 2 && shape(id).size() != 3) ||
          shape(id).back() != e.hidden_size) {
        continue;
      }
      const auto from = cone(id);
      if (std::includes(
              from.begin(), from.end(), results_.begin(), results_.end())) {
        out.insert(out.begin(), id);
      }
    }
    return out;
  }

  /// Values that rows, choices and weights may be, the likeliest first.
  struct Candidates {
    std::vector<ValueId> rows, choices, weights;
  };
  Candidates candidates(const Experts& e, ValueId output) const {
    Candidates out;
    std::vector<ValueId> single;
    const torch::Sizes tokens(shape(output).begin(), shape(output).end() - 1);
    for (ValueId id : cone(output)) {
      const auto& own = shape(id);
      if (own.size() < tokens.size() || own.size() > tokens.size() + 1 ||
          !std::equal(tokens.begin(), tokens.end(), own.begin()) ||
          has_answers(id)) {
        continue;
      }
      const int64_t each = own.size() == tokens.size() ? 1 : own.back();
      if (is_integer(id) && own.size() == tokens.size()) {
        single.push_back(id);  // or numbers of all rows
      } else if (is_integer(id) && each <= e.experts) {
        out.choices.insert(out.choices.begin(), id);
      } else if (
          is_floating(id) && own.size() > tokens.size() &&
          each == e.hidden_size) {
        out.rows.push_back(id);
      } else if (is_floating(id)) {
        out.weights.insert(out.weights.begin(), id);
      }
    }
    out.choices.insert(out.choices.end(), single.begin(), single.end());
    out.weights.push_back(0);  // the answers as they are
    return out;
  }

  /// Finds those that make it agree.
  std::optional<GroupedExperts> complete(GroupedExperts g, ValueId output) {
    const Candidates all = candidates(g.experts, output);
    g.output = output;
    g.sums = true;
    for (ValueId index : all.choices) {
      if (!count_identities(g.experts, index)) {
        continue;
      }
      g.experts.single = shape(index).size() < shape(output).size();
      if (g.experts.single && g.experts.identities > 0) {
        continue;
      }
      for (ValueId weight : all.weights) {
        g.experts.weighs_all = weight && shape(weight) != shape(index);
        if (g.experts.weighs_all &&
            (shape(weight).size() != shape(output).size() ||
             shape(weight).back() != g.experts.experts)) {
          continue;
        }
        for (ValueId x : all.rows) {
          g.input = g.experts.input = x;
          g.indices = g.experts.indices = index;
          g.weights = g.experts.weights = weight;
          if (follows(g) && trials_-- > 0 && agrees(g)) {
            return g;
          }
        }
      }
    }
    return {};
  }

  /// True when it is computed from these alone, and what lies between.
  bool follows(GroupedExperts& g) const {
    Values ends{g.input, g.indices};
    if (g.weights) {
      ends.insert(g.weights);
    }
    g.inside.clear();
    for (ValueId id : cone(g.output, ends)) {
      const auto& info = trace_.info(id);
      if (ends.contains(id) || !info.parameter.empty()) {
        continue;
      }
      if (is_input(id) || !info.producer) {
        return false;
      }
      g.inside.push_back(info.producer);
    }
    return true;
  }

  /// How many indices past the experts there are. Only where some were chosen
  /// do the numbers show what they stand for: else false.
  bool count_identities(Experts& e, ValueId index) const {
    const OpNode* op = trace_.info(index).producer;
    const bool is_topk = op && op->op->name == "topk";
    const auto classes = is_topk ? static_cast<int>(shape(op->inputs[0]).back())
                                 : classes_of(ops_);
    e.identities = std::max(0, classes - e.experts);
    return e.identities == 0 ||
           mx::max(recorded(trace_, index)).item<int64_t>() >= e.experts;
  }

  /// True when any expert's answer is in it.
  bool has_answers(ValueId id) const {
    const auto from = cone(id);
    return std::any_of(results_.begin(), results_.end(), [&](ValueId result) {
      return from.contains(result);
    });
  }

  bool agrees(const GroupedExperts& g) const {
    try {
      return agrees_by_numbers(g);
    } catch (const eval::PythonError&) {
      return false;  // other choices than those that its shapes came from
    }
  }

  bool agrees_by_numbers(const GroupedExperts& g) const {
    const auto index = recorded(trace_, g.indices);
    const int tokens = static_cast<int>(
        index.size() /
        (g.experts.single ? 1 : static_cast<size_t>(shape(g.indices).back())));
    const auto in_rows = [&](const mx::array& a) {
      return mx::reshape(a, {tokens, -1});
    };
    const auto form = [&](const Given& given) {
      const auto& x = given.at(g.input);
      const auto weight =
          g.weights ? given.at(g.weights) : mx::ones(index.shape(), x.dtype());
      return mx::reshape(
          apply_experts(
              interp_,
              trace_,
              frame_,
              g.experts,
              in_rows(x),
              in_rows(index),
              in_rows(weight)),
          x.shape());
    };
    Given given = random_weights();
    given.insert_or_assign(g.indices, index);  // follows from the rows too
    given.insert_or_assign(g.input, random(shape_of(trace_, g.input), 51, 3));
    if (g.weights) {
      given.insert_or_assign(
          g.weights, random(shape_of(trace_, g.weights), 52));
    }
    trace::Replay replay(interp_, trace_);
    for (const auto& [id, array] : given) {
      replay.replace(id, array);
    }
    RandomParameters randomised(interp_, frame_.module);
    return relative_error(form(given), replay.compute(g.output)) < kTolerance &&
           agree_in_half(
               interp_,
               trace_,
               routed_alike(g.indices) ? half_ : nullptr,
               given,
               g.output,
               [&](const Given& narrow) {
                 RandomParameters rounded(interp_, frame_.module, mx::bfloat16);
                 return form(narrow);
               });
  }

  static mx::array recorded(const Trace& trace, ValueId id) {
    return torch::array_of(*torch::as_tensor(trace.info(id).tensor));
  }

  bool routed_alike(ValueId indices) const {
    return half_ && half_->ids[indices] &&
           mx::array_equal(
               recorded(trace_, indices),
               recorded(*half_->trace, half_->ids[indices]))
               .item<bool>();
  }

  /// What the weights are while the module's are random.
  Given random_weights() const {
    RandomParameters randomised(interp_, frame_.module);
    const std::string prefix = frame_.path.empty() ? "" : frame_.path + ".";
    Given out;
    for (ValueId id = 1; id < trace_.values.size(); ++id) {
      const auto& info = trace_.info(id);
      const auto* tensor = torch::as_tensor(info.tensor);
      if (tensor && tensor->is_parameter && !info.parameter.empty() &&
          info.parameter.starts_with(prefix)) {
        out.insert_or_assign(
            id,
            parameter(
                interp_, frame_.module, info.parameter.substr(prefix.size())));
      }
    }
    return out;
  }

  eval::Interpreter& interp_;
  const Trace& trace_;
  const Graph& graph_;
  const Frame& frame_;
  const trace::Twin* half_;
  std::vector<const OpNode*> ops_;
  std::set<ValueId> results_;  // of the last products
  int trials_ = 40;            // proofs left
};

}  // namespace

std::vector<GroupedExperts> lift_routed_experts(
    eval::Interpreter& interp,
    const Trace& trace,
    const Graph& graph,
    const trace::Twin* half) {
  return graph.frame->is_module()
             ? RoutedSearch(interp, trace, graph, half).run()
             : std::vector<GroupedExperts>{};
}

}  // namespace portwright::lift
