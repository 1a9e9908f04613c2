#include "emit/row_positions.h"

#include <numeric>

#include "emit/module_writer.h"
#include "emit/operation_rules.h"
#include "emit/shared_keys.h"

namespace portwright::emit {

using eval::Value;

namespace {

bool is_elementwise(const OpNode& op) {
  static const RuleTable rules = [] {
    RuleTable out;
    add_elementwise_rules(out);
    return out;
  }();
  const torch::Op* meaning =
      op.op->in_place && op.op->functional ? op.op->functional : op.op;
  return rules.contains(meaning->name) && meaning->param("dim") < 0;
}

/// x[:, None]: axes added, nothing chosen.
bool adds_axes(const OpNode& op) {
  if (op.op->name != "getitem" || op.inputs.size() != 1) {
    return false;
  }
  const Value& index = argument(op, "index");
  return index.is(eval::Kind::Tuple) &&
         std::all_of(
             index.get<eval::Tuple>()->items.begin(),
             index.get<eval::Tuple>()->items.end(),
             [](const Value& v) {
               const auto* s =
                   v.is(eval::Kind::Slice) ? v.get<eval::Slice>() : nullptr;
               return v.is_none() || (s && s->lower.is_none() &&
                                      s->upper.is_none() && s->step.is_none());
             });
}

/// The numbers that a call of the library's cache answers with, where a
/// forward's own code asks.
std::optional<std::vector<Value>> asked(
    const Frame& call,
    std::string_view name) {
  const std::string& asking = call.parent->module_name();
  if (call.module_name() != "transformers.cache_utils" ||
      call.function->name != name || asking == "transformers.cache_utils" ||
      asking == "transformers.masking_utils") {
    return {};
  }
  auto out = call.result.is(eval::Kind::Tuple)
                 ? call.result.get<eval::Tuple>()->items
                 : std::vector<Value>{call.result};
  const bool numbers = std::all_of(
      out.begin(), out.end(), [](const Value& v) { return v.is_int(); });
  return numbers ? std::optional(std::move(out)) : std::nullopt;
}

class RowFinder {
 public:
  RowFinder(const Context& context, const lift::Graph& graph)
      : context_(context), evaluation_(context.evaluation) {
    for (const Frame* f : graph.functions) {
      for (const char* name : {"get_seq_length", "get_query_offset"}) {
        const auto answer = asked(*f, name);
        found_.asks = found_.asks || (answer && is(answer->front(), offset()));
      }
      if (const auto sizes = asked(*f, "get_mask_sizes");
          sizes && sizes->size() == 2) {
        n_keys_ = sizes->front().as_int();
        first_key_ = sizes->back().as_int();
      }
    }
    if (found_.asks) {
      ops_ = graph.ops;
      for (const Frame* call : graph.calls) {
        if (!attends(context, *call)) {
          add_ops(*call);
        }
      }
    }
  }

  RowValues find() {
    while (!try_find()) {
    }
    return std::move(found_);
  }

 private:
  int64_t offset() const {
    return evaluation_.offset;
  }
  const torch::Sizes& shape(ValueId id) const {
    return context_.trace.info(id).shape;
  }
  bool is_row(ValueId id) const {
    return found_.rows.contains(id);
  }
  static bool is(const Value& v, int64_t number) {
    return v.is_int() && !v.is_bool() && v.as_int() == number;
  }

  void add_ops(const Frame& frame) {
    for (const auto& item : frame.items) {
      if (const auto* op = std::get_if<OpNode>(&item)) {
        ops_.push_back(op);
      } else if (
          const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
        add_ops(**child);
      }
    }
  }

  /// arange(count)
  bool is_range(ValueId id, int64_t count) const {
    const OpNode* op = context_.trace.info(id).producer;
    if (!op || op->op->name != "arange") {
      return false;
    }
    const Value& start = argument(*op, "start");
    const Value& end = argument(*op, "end");
    const bool from_zero = !given(*op, "end") || is(start, 0);
    return from_zero && !given(*op, "step") &&
           is(given(*op, "end") ? end : start, count);
  }

  /// arange(count) + first, or arange(first, first + count)
  bool makes_range(const OpNode& op, int64_t first, int64_t count) const {
    if (op.op->name == "add" && op.inputs.size() == 1) {
      return is_range(op.inputs[0], count) &&
             (is(op.args[0], first) || is(op.args[1], first));
    }
    return op.op->name == "arange" && given(op, "end") && !given(op, "step") &&
           is(argument(op, "start"), first) &&
           is(argument(op, "end"), first + count);
  }

  /// Computed for each position by itself, or for each pair of positions.
  bool follows(const OpNode& op) const {
    const size_t rank =
        op.outputs.size() == 1 ? shape(op.outputs[0]).size() : 0;
    return is_elementwise(op) && rank > 0 &&
           std::all_of(op.inputs.begin(), op.inputs.end(), [&](ValueId id) {
             return is_row(id) ? shape(id).size() == rank : shape(id).empty();
           });
  }

  /// (L,) -> (1, L, ...), and (L, S) -> (1, ..., L, S)
  bool leaves(const OpNode& op) const {
    const auto& to = shape(op.outputs[0]);
    const std::string& name = op.op->name;
    const auto numel =
        std::accumulate(to.begin(), to.end(), int64_t{1}, std::multiplies<>());
    if ((name != "view" && name != "reshape" && name != "unsqueeze" &&
         name != "getitem") ||
        op.inputs.size() != 1 || to.size() < 2 || to[0] != 1) {
      return false;
    }
    const auto& from = shape(op.inputs[0]);
    return (from.size() == 1 && numel == evaluation_.length &&
            numel == from[0]) ||
           (to.size() > from.size() &&
            std::equal(from.rbegin(), from.rend(), to.rbegin()) &&
            std::all_of(
                to.begin(),
                to.end() - static_cast<int64_t>(from.size()),
                [](int64_t n) { return n == 1; }));
  }

  /// One pass over all operations; false where it is to be done anew.
  bool try_find() {
    found_ = {.asks = found_.asks};
    for (const OpNode* op : ops_) {
      const ValueId out = op->outputs.empty() ? 0 : op->outputs[0];
      if (makes_range(*op, offset(), evaluation_.length)) {
        found_.queries.insert(out);
        found_.rows.insert(out);
      } else if (n_keys_ && makes_range(*op, first_key_, *n_keys_)) {
        found_.keys.insert(out);
        found_.rows.insert(out);
      } else if (std::any_of(op->inputs.begin(), op->inputs.end(), [&](auto v) {
                   return is_row(v);
                 })) {
        if (!add(*op, out)) {
          return false;
        }
      }
    }
    return true;
  }

  bool add(const OpNode& op, ValueId out) {
    const bool leading = op.outputs.size() == 1 && leaves(op);
    if (adds_axes(op) && (!leading || kept_.contains(out))) {
      found_.rows.insert(out);
      found_.axes.emplace(out, &op);
    } else if (follows(op)) {
      found_.rows.insert(out);
    } else if (leading) {
      found_.leaving.emplace(out, &op);
    } else {
      // x[:, None] - y[None]: the axis in front is not that of the rows.
      const size_t known = kept_.size();
      for (ValueId id : op.inputs) {
        const auto left = found_.leaving.find(id);
        if (left != found_.leaving.end() && adds_axes(*left->second)) {
          kept_.insert(id);
        }
      }
      if (kept_.size() == known) {
        context_.hole(
            op.span, "positions of a batch's rows have no translation here");
      }
      return false;
    }
    return true;
  }

  const Context& context_;
  const Evaluation& evaluation_;
  std::vector<const OpNode*> ops_;
  std::optional<int64_t> n_keys_;
  int64_t first_key_ = 0;
  std::set<ValueId> kept_;
  RowValues found_;
};

bool lies_in(const Frame* frame, const Frame& outer) {
  while (frame && frame != &outer) {
    frame = frame->parent;
  }
  return frame;
}

}  // namespace

RowValues find_rows(const Context& context, const lift::Graph& graph) {
  return RowFinder(context, graph).find();
}

std::vector<ValueId> rows_given(const Context& context, const Frame& frame) {
  const auto made = [&](ValueId id) {
    const auto& info = context.trace.info(id);
    return context.flows.of(id) == lift::Flow::Constant && info.producer &&
           info.shape.size() == 1;
  };
  if (!frame.is_module() || attends(context, frame) ||
      std::none_of(frame.inputs.begin(), frame.inputs.end(), made)) {
    return {};
  }
  const Frame* around = frame.parent;
  while (around && !around->is_module()) {
    around = around->parent;
  }
  if (!around || !attends(context, *around)) {
    return {};
  }
  std::vector<ValueId> out;
  const auto found =
      find_rows(context, lift::make_graph(context.trace, *around));
  for (const auto& [id, op] : found.leaving) {
    if (lies_in(context.trace.info(id).frame, frame)) {
      out.push_back(id);
    }
  }
  return out;
}

void RowPositions::find() {
  found_ = find_rows(w_.context(), w_.graph());
}

bool RowPositions::is_offset(const Value& value) const {
  return found_.asks && value.is_int() && !value.is_bool() &&
         !value.provenance() &&
         value.as_int() == w_.context().evaluation.offset;
}

bool RowPositions::owns(ValueId id) const {
  return found_.queries.contains(id) || found_.keys.contains(id) ||
         found_.axes.contains(id) || found_.leaving.contains(id);
}

std::vector<ValueId> RowPositions::dependencies(ValueId id) const {
  if (const auto it = found_.leaving.find(id); it != found_.leaving.end()) {
    return it->second->inputs;
  }
  const auto it = found_.axes.find(id);
  return it == found_.axes.end() ? std::vector<ValueId>{} : it->second->inputs;
}

Expression RowPositions::produce(ValueId id) {
  if (found_.queries.contains(id)) {
    // Of padding they are negative, where a function may have no value.
    return call("mx.maximum", {w_.positions().text, "0"});
  }
  if (found_.keys.contains(id)) {
    w_.context().key_positions = true;
    const std::string positions = w_.positions().text;
    return call("positions_of_keys", {positions, w_.all_keys().text, "cache"});
  }
  if (const auto it = found_.axes.find(id); it != found_.axes.end()) {
    const ValueId from = it->second->inputs[0];
    const Expression x =
        found_.queries.contains(from) ? w_.positions() : w_.value(from);
    const Value& index = argument(*it->second, "index");
    return {
        x.at(kPrimary) + "[:, " + index_text(w_, *it->second, index) + "]",
        kPrimary};
  }
  return leave(id);
}

Expression RowPositions::leave(ValueId id) {
  const ValueId from = found_.leaving.at(id)->inputs[0];
  const Expression x = w_.value(from);
  const auto& shape = w_.context().trace.info(id).shape;
  const size_t more = shape.size() - w_.rank(from);
  if (more == 1) {
    return x;
  }
  const auto& inner = w_.context().trace.info(from).shape;
  if (inner.size() > 1 || inner[0] != w_.context().evaluation.length) {
    std::string index = ":";
    for (size_t i = 1; i < more; ++i) {
      index += ", None";
    }
    return {x.at(kPrimary) + "[" + index + "]", kPrimary};
  }
  w_.needs_shape = true;
  std::vector<std::string> sizes{"-1"};
  for (size_t i = 1; i < shape.size(); ++i) {
    sizes.emplace_back(shape[i] == 1 ? "1" : "L");
  }
  return method(x, "reshape", sizes);
}

}  // namespace portwright::emit
