#include "emit/hidden_scores.h"

#include "emit/layer_states.h"
#include "emit/model_writer.h"
#include "emit/trace_editor.h"
#include "lift/made_masks.h"
#include "lift/proof.h"
#include "torch/torch.h"
#include "trace/replay.h"

namespace portwright::emit {

namespace mx = mlx::core;
using eval::Value;
using lift::Flow;
using lift::Flows;
using lift::Graph;

namespace {

/// Scores of an attention, and what hides keys from them.
struct Hiding {
  ValueId bare = 0;    // (B, H, L, S)
  ValueId hidden = 0;  // what the softmax reads, or is converted from
};

bool is_product(const OpNode& op) {
  return op.op->name == "matmul" || op.op->name == "bmm" ||
         op.op->name == "baddbmm";
}

class ScoreHider {
 public:
  ScoreHider(eval::Interpreter& interp, Trace& trace, const Evaluation& e)
      : interp_(interp),
        trace_(trace),
        evaluation_(e),
        flows_(trace, e.ids, e.positions, e.mask) {
    lift::note_made_masks(interp, trace, e.length, flows_);
  }

  void run() {
    std::vector<Hiding> found;
    for_each_module(trace_.root, [&](const Frame& f) { find(f, found); });
    for (const Hiding& hiding : found) {
      rewrite(hiding);
    }
    if (!found.empty()) {
      forget_given(trace_.root);
    }
  }

 private:
  const OpNode* producer(ValueId id) const {
    return trace_.info(id).producer;
  }

  bool is_of_library(ValueId id) const {
    const Frame* f = trace_.info(id).frame;
    while (f && !lift::is_mask_function(*f)) {
      f = f->parent;
    }
    return f;
  }

  /// The attention mask itself, or what is made of it here.
  bool is_own(ValueId id) const {
    if (flows_.of(id) == Flow::Constant || id == evaluation_.mask) {
      return true;
    }
    const OpNode* op = producer(id);
    return op && flows_.of(id) == Flow::Mask && !flows_.window_of(id) &&
           !is_of_library(id) &&
           std::all_of(op->inputs.begin(), op->inputs.end(), [&](ValueId in) {
             return is_own(in);
           });
  }

  void find(const Frame& module, std::vector<Hiding>& out) const {
    if (!lift::updates_keys(module)) {
      return;
    }
    const Graph graph = lift::make_graph(trace_, module);
    for (const OpNode* op : graph.ops) {
      if (op->op->name != "softmax") {
        continue;
      }
      const auto hiding = around(graph, op->inputs[0]);
      const bool known =
          hiding && std::any_of(out.begin(), out.end(), [&](const Hiding& h) {
            return h.hidden == hiding->hidden;
          });
      if (hiding && !known && hides_others(*hiding)) {
        out.push_back(*hiding);
      }
    }
  }

  /// What lies between the product of queries and keys and a softmax.
  std::optional<Hiding> around(const Graph& graph, ValueId id) const {
    const OpNode* product = nullptr;
    bool reads_mask = false;
    std::set<ValueId> seen;
    std::vector<ValueId> pending{id};
    while (!pending.empty()) {
      const ValueId next = pending.back();
      pending.pop_back();
      if (!seen.insert(next).second) {
        continue;
      }
      const OpNode* op = producer(next);
      if (!op || (product && is_product(*op) && op != product)) {
        return {};
      }
      if (is_product(*op)) {
        product = op;
        continue;
      }
      for (ValueId input : op->inputs) {
        if (flows_.of(input) == Flow::Data) {
          pending.push_back(input);
        } else if (!is_own(input)) {
          return {};
        }
        reads_mask = reads_mask || flows_.of(input) == Flow::Mask;
      }
    }
    if (!product || !reads_mask) {
      return {};
    }
    Hiding out{product->outputs[0], id};
    while (const OpNode* next = only_user(graph, out.bare)) {
      out.bare = next->outputs[0];
    }
    const auto& shape = trace_.info(out.bare).shape;
    const bool scores = shape.size() == 4 && shape[2] == evaluation_.length &&
                        shape == trace_.info(out.hidden).shape;
    return scores && out.bare != out.hidden ? std::optional(out) : std::nullopt;
  }

  /// What scales or views all scores alike: it has no other tensor.
  static const OpNode* only_user(const Graph& graph, ValueId id) {
    const auto it = graph.users.find(id);
    const OpNode* op = nullptr;
    for (const OpNode* user :
         it == graph.users.end() ? std::vector<const OpNode*>{} : it->second) {
      if (user->outputs[0] == id) {  // hands it on
        continue;
      }
      if (op) {
        return nullptr;
      }
      op = user;
    }
    static constexpr std::string_view kAlike[] = {
        "mul", "div", "view", "reshape", "to", "float"};
    const bool alike =
        op && op->inputs.size() == 1 &&
        std::find(std::begin(kAlike), std::end(kAlike), op->op->name) !=
            std::end(kAlike);
    return alike ? op : nullptr;
  }

  /// Random scores come through where a key is no padding and no later than the
  /// query, and have no weight at all in float32 elsewhere.
  bool hides_others(const Hiding& h) const {
    const auto& info = trace_.info(h.bare);
    const auto& mask = trace_.info(evaluation_.mask);
    const int rows = static_cast<int>(mask.shape[0]);
    const int keys = static_cast<int>(mask.shape[1]);
    const int length = static_cast<int>(evaluation_.length);
    if (info.shape[0] != rows || info.shape[3] != keys) {
      return false;
    }
    const auto at = mx::reshape(mx::arange(keys), {1, 1, 1, keys});
    const auto query =
        mx::reshape(mx::arange(keys - length, keys), {1, 1, length, 1});
    const auto pads = mx::reshape(
        mx::multiply(mx::arange(rows), mx::array(2)), {rows, 1, 1, 1});
    const auto shown =
        mx::logical_and(mx::greater_equal(at, pads), mx::less_equal(at, query));
    trace::Replay replay(interp_, trace_);
    const auto given = mx::astype(
        lift::random(lift::shape_of(trace_, h.bare), 23, 4), mx::float32);
    replay.replace(h.bare, mx::astype(given, torch::to_mlx(info.dtype)));
    replay.replace(
        evaluation_.mask,
        mx::astype(
            mx::reshape(mx::greater_equal(at, pads), {rows, keys}),
            torch::to_mlx(mask.dtype)));
    try {
      const auto rounded =
          mx::astype(mx::astype(given, torch::to_mlx(info.dtype)), mx::float32);
      const auto hidden = mx::astype(replay.compute(h.hidden), mx::float32);
      // exp(-104) is 0 in float32. What padding itself reads is of no matter.
      const auto holds = mx::where(
          shown,
          mx::equal(hidden, rounded),
          mx::less(hidden, mx::subtract(mx::min(rounded), mx::array(104.0f))));
      return mx::all(mx::logical_or(holds, mx::less(query, pads))).item<bool>();
    } catch (const eval::PythonError&) {
      return false;
    }
  }

  /// (B, 1, L, S): 0, or the smallest number for a key that is later.
  ValueId mask(const Hiding& h) {
    if (mask_) {
      return mask_;
    }
    const auto& shape = trace_.info(h.bare).shape;
    const int keys = static_cast<int>(shape[3]);
    const int length = static_cast<int>(evaluation_.length);
    mask_ = library_mask(
        editor_,
        trace_,
        h.bare,
        mx::tri(length, keys, keys - length, mx::bool_),
        evaluation_.batch,
        producer(h.bare)->span);
    return mask_;
  }

  /// softmax(bare + mask)
  void rewrite(const Hiding& h) {
    const ValueId all = mask(h);
    auto& op = const_cast<OpNode&>(*producer(h.hidden));
    op.op = torch::find_op("add");
    op.args = {editor_.tensor(h.bare), editor_.tensor(all), Value::integer(1)};
    op.inputs = {h.bare, all};
    for (const Frame* at = trace_.info(h.hidden).frame; at; at = at->parent) {
      auto& f = const_cast<Frame&>(*at);
      const bool known =
          std::find(f.inputs.begin(), f.inputs.end(), all) != f.inputs.end();
      if (f.is_module() && !f.path.empty() && !known) {
        f.inputs.push_back(all);
      }
    }
  }

  /// No layer is given the attention mask that nothing in it reads any more.
  void forget_given(Frame& frame) {
    for (auto& item : frame.items) {
      auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
      if (!child) {
        continue;
      }
      forget_given(**child);
      if ((*child)->is_module() && !(*child)->path.empty() &&
          lift::updates_keys(**child)) {
        take_out(interp_, **child, {evaluation_.mask});
      }
    }
  }

  eval::Interpreter& interp_;
  Trace& trace_;
  const Evaluation& evaluation_;
  Flows flows_;
  ValueId mask_ = 0;
  TraceEditor editor_{interp_, trace_};
};

}  // namespace

void hide_by_library_masks(
    eval::Interpreter& interp,
    Trace& trace,
    const Evaluation& evaluation) {
  if (evaluation.mask && lift::updates_keys(trace.root)) {
    ScoreHider(interp, trace, evaluation).run();
  }
}

}  // namespace portwright::emit
