#include "lift/grouped_experts.h"

#include <map>
#include <set>

#include "lift/expert_products.h"
#include "lift/experts_proof.h"
#include "trace/replay.h"

namespace portwright::lift {

using eval::Value;

namespace {

const Value* argument(const OpNode& op, const char* name) {
  const int i = op.op->param(name);
  return i < 0 || static_cast<size_t>(i) >= op.args.size() ? nullptr
                                                           : &op.args[i];
}

bool is_number(const OpNode& op, const char* name, int64_t wanted) {
  const Value* v = argument(op, name);
  return v && v->is_int() && v->as_int() == wanted;
}

class GroupedSearch {
 public:
  GroupedSearch(
      eval::Interpreter& interp,
      const Trace& trace,
      const Frame& frame,
      const trace::Twin* half)
      : interp_(interp), trace_(trace), frame_(frame), half_(half) {}

  std::vector<GroupedExperts> run(const std::vector<const OpNode*>& own) {
    std::vector<GroupedExperts> out;
    std::vector<const OpNode*> ends;
    std::copy_if(own.begin(), own.end(), std::back_inserter(ends), [](auto op) {
      return op->op->name == "index_add";
    });
    if (ends.empty()) {
      return out;
    }
    ops_ = all_operations(frame_);
    for (const OpNode* op : ops_) {
      if (auto step = grouped_product(*op)) {
        products_.emplace(step->result, *step);
      }
    }
    for (const OpNode* op : ends) {
      if (auto found = match(*op); found && agrees(*found, *op)) {
        out.push_back(*found);
      }
    }
    return out;
  }

 private:
  const OpNode* producer(ValueId id, const char* name) const {
    const OpNode* op = trace_.info(id).producer;
    return op && op->op->name == name ? op : nullptr;
  }

  /// cat([part[e] weight[e].T for e in experts]) of the parts of one split.
  std::optional<ExpertStep> grouped_product(const OpNode& cat) const {
    if (cat.op->name != "cat" || cat.inputs.size() < 2 ||
        !is_number(cat, "dim", 0)) {
      return {};
    }
    std::optional<ExpertStep> whole;
    const OpNode* split = nullptr;
    for (size_t e = 0; e < cat.inputs.size(); ++e) {
      const OpNode* op = trace_.info(cat.inputs[e]).producer;
      const auto step = op ? product_of(trace_, frame_, *op) : std::nullopt;
      const OpNode* part = step ? producer(step->operand, "split") : nullptr;
      if (!part || (split && part != split) ||
          step->product.sizes[0] != static_cast<int64_t>(cat.inputs.size()) ||
          part->outputs.size() != cat.inputs.size() ||
          part->outputs[e] != step->operand || !selects(*op, e) ||
          !step->product.bias.empty() ||
          (whole && whole->product.weight != step->product.weight)) {
        return {};
      }
      split = part;
      whole = step;
    }
    if (!is_by_data(*split)) {
      return {};
    }
    whole->operand = split->inputs[0];
    whole->result = cat.outputs[0];
    return whole;
  }

  /// True when the weight is that of expert e.
  bool selects(const OpNode& product, size_t e) const {
    ValueId id = operand_of(product, 1);
    while (const OpNode* op = trace_.info(id).producer) {
      if (op->op->name == "getitem" || op->op->name == "select") {
        return is_number(*op, "index", static_cast<int64_t>(e));
      }
      id = op->inputs[0];
    }
    return false;
  }

  /// True when the sizes of the parts come from a tensor's elements.
  static bool is_by_data(const OpNode& split) {
    const Value* sizes = argument(split, "split_size");
    if (!sizes || !sizes->is(eval::Kind::List)) {
      return false;
    }
    const auto& items = sizes->get<eval::List>()->items;
    return std::all_of(items.begin(), items.end(), [](const Value& v) {
      return v.provenance() &&
             v.provenance()->kind == eval::Provenance::Kind::Data;
    });
  }

  /// What was flattened to one row a choice; itself when nothing was.
  ValueId unflattened(ValueId id) const {
    const OpNode* op = trace_.info(id).producer;
    return op && (op->op->name == "flatten" || op->op->name == "view" ||
                  op->op->name == "reshape")
               ? op->inputs[0]
               : id;
  }

  /// The (N, K) indices by which `id` orders all choices; 0 for other values.
  ValueId ordered_by(ValueId id) const {
    const OpNode* sort = trace_.info(id).producer;
    if (!sort || (sort->op->name != "sort" && sort->op->name != "argsort") ||
        sort->outputs.back() != id) {
      return 0;
    }
    const Value* descending = argument(*sort, "descending");
    const ValueId indices = unflattened(sort->inputs[0]);
    return trace_.info(indices).shape.size() == 2 &&
                   !(descending && descending->is_bool() &&
                     descending->as_bool())
               ? indices
               : 0;
  }

  /// The order whose choices' tokens `id` names: order // K.
  ValueId tokens_of(ValueId id) const {
    const OpNode* op = trace_.info(id).producer;
    if (!op || (op->op->name != "div" && op->op->name != "floor_divide")) {
      return 0;
    }
    const ValueId indices = ordered_by(op->inputs[0]);
    const Value* rounding = argument(*op, "rounding_mode");
    const bool whole =
        op->op->name == "floor_divide" || (rounding && rounding->is_str());
    return indices && whole &&
                   is_number(*op, "other", trace_.info(indices).shape[1])
               ? op->inputs[0]
               : 0;
  }

  /// The (N, K) weights that `id` is in the order of the groups, (N * K, 1).
  ValueId weights_of(ValueId id, ValueId order) const {
    const OpNode* column = producer(id, "getitem");
    column = column ? column : producer(id, "unsqueeze");
    const OpNode* rows =
        column ? producer(column->inputs[0], "getitem") : nullptr;
    if (!rows || rows->inputs.size() != 2 || rows->inputs[1] != order) {
      return 0;
    }
    const ValueId weights = unflattened(rows->inputs[0]);
    return trace_.info(weights).shape.size() == 2 ? weights : 0;
  }

  std::optional<GroupedExperts> match(const OpNode& add) const {
    GroupedExperts out;
    const OpNode* zeros = producer(add.inputs[0], "zeros");
    if (add.inputs.size() != 3 || !zeros || !is_number(add, "dim", 0)) {
      return {};
    }
    ValueId order = tokens_of(add.inputs[1]);
    out.sums = order != 0;
    order = order ? order : add.inputs[1];
    out.indices = ordered_by(order);
    ValueId rows = add.inputs[2];
    if (const OpNode* mul = producer(rows, "mul");
        mul && mul->inputs.size() == 2) {
      const bool second = weights_of(mul->inputs[1], order) != 0;
      out.weights = weights_of(mul->inputs[second], order);
      rows = mul->inputs[!second];
    }
    const auto last = products_.find(rows);
    if (!out.indices || last == products_.end()) {
      return {};
    }
    out.output = add.outputs[0];
    if (take_rows(last->second.operand, order, out)) {
      out.experts.last = last->second.product;
      return out;
    }
    return match_several(last->second, order, out) ? std::optional(out)
                                                   : std::nullopt;
  }

  /// The rows a product is given: by token, or by choice.
  bool take_rows(ValueId id, ValueId order, GroupedExperts& out) const {
    const OpNode* gather = producer(id, "getitem");
    if (!gather || gather->inputs.size() != 2) {
      return false;
    }
    out.each_choice = gather->inputs[1] == order;
    out.input = gather->inputs[0];
    return (out.each_choice || tokens_of(gather->inputs[1]) == order) &&
           trace_.info(out.input).shape.size() == 2;
  }

  bool match_several(const ExpertStep& last, ValueId order, GroupedExperts& out)
      const {
    std::set<ValueId> seen;
    std::vector<ValueId> pending{last.operand};
    std::map<ValueId, ExpertStep> first;
    while (!pending.empty()) {
      const ValueId id = pending.back();
      pending.pop_back();
      if (const auto it = products_.find(id); it != products_.end()) {
        first.insert(*it);
      } else if (const OpNode* op = trace_.info(id).producer;
                 op && seen.insert(id).second) {
        pending.insert(pending.end(), op->inputs.begin(), op->inputs.end());
      }
    }
    std::vector<ExpertStep> steps;
    for (const auto& [id, step] : first) {
      if (!take_rows(step.operand, order, out)) {
        return false;
      }
      steps.push_back(step);
    }
    steps.push_back(last);
    Experts& e = out.experts;
    if (!match_products(ops_, steps, e) || out.each_choice || !out.sums ||
        !out.weights) {
      return false;
    }
    e.input = out.input;
    e.indices = out.indices;
    e.weights = out.weights;
    name_activation(interp_, trace_, e);
    return true;
  }

  /// Computes the recorded rows anew, with other weights and numbers.
  bool agrees(const GroupedExperts& g, const OpNode& add) const {
    const ValueId tokens = tokens_of(add.inputs[1]);
    const ValueId order = tokens ? tokens : add.inputs[1];
    const auto index = recorded(g.indices);
    const auto form = [&](const Given& given) {
      const auto& x = given.at(g.input);
      const auto weight =
          g.weights ? given.at(g.weights) : mx::ones(index.shape(), x.dtype());
      return g.is_single()
                 ? of_single(g, x, index, weight)
                 : apply_experts(
                       interp_, trace_, frame_, g.experts, x, index, weight);
    };
    Given given = random_weights(g);
    given.insert_or_assign(order, recorded(order));  // follows from input too
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
               routed_alike(order) ? half_ : nullptr,
               given,
               g.output,
               [&](const Given& narrow) {
                 RandomParameters rounded(interp_, frame_.module, mx::bfloat16);
                 return form(narrow);
               });
  }

  /// The sizes of the groups are those of the recording.
  bool routed_alike(ValueId order) const {
    const Value* tensor = nullptr;
    if (half_ && half_->ids[order]) {
      tensor = &half_->trace->info(half_->ids[order]).tensor;
    }
    const auto* other = tensor ? torch::as_tensor(*tensor) : nullptr;
    return other && mx::array_equal(recorded(order), torch::array_of(*other))
                        .item<bool>();
  }

  mx::array recorded(ValueId id) const {
    return torch::array_of(*torch::as_tensor(trace_.info(id).tensor));
  }

  /// What the weights are while the module's are random.
  Given random_weights(const GroupedExperts& g) const {
    RandomParameters randomised(interp_, frame_.module);
    std::vector<Experts::Product> products = g.experts.first;
    products.push_back(g.experts.last);
    Given out;
    for (const auto& product : products) {
      const std::string path = frame_.path.empty()
                                   ? product.weight
                                   : frame_.path + "." + product.weight;
      for (ValueId id = 1; id < trace_.values.size(); ++id) {
        if (trace_.info(id).parameter == path) {
          out.insert_or_assign(
              id, parameter(interp_, frame_.module, product.weight));
        }
      }
    }
    return out;
  }

  mx::array of_single(
      const GroupedExperts& g,
      const mx::array& x,
      const mx::array& index,
      const mx::array& weight) const {
    const int n = index.shape(0), k = index.shape(1), h = x.shape(1);
    const auto each = g.each_choice
                          ? mx::reshape(x, {n, k, h})
                          : mx::broadcast_to(mx::expand_dims(x, 1), {n, k, h});
    const auto y = mx::multiply(
        through(interp_, frame_.module, g.experts.last, each, index),
        mx::expand_dims(weight, -1));
    return g.sums ? mx::sum(y, 1) : mx::flatten(y, 0, 1);
  }

  eval::Interpreter& interp_;
  const Trace& trace_;
  const Frame& frame_;
  const trace::Twin* half_;
  std::vector<const OpNode*> ops_;
  std::map<ValueId, ExpertStep> products_;  // by result
};

}  // namespace

std::vector<GroupedExperts> lift_grouped_experts(
    eval::Interpreter& interp,
    const Trace& trace,
    const Graph& graph,
    const trace::Twin* half) {
  return graph.frame->is_module()
             ? GroupedSearch(interp, trace, *graph.frame, half).run(graph.ops)
             : std::vector<GroupedExperts>{};
}

}  // namespace portwright::lift
