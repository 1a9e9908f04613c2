#include "emit/grouped_writer.h"

#include <fmt/format.h>

#include "emit/module_writer.h"
#include "lift/routed_experts.h"

namespace portwright::emit {

using lift::GroupedExperts;

void GroupedWriter::find() {
  Context& context = w_.context();
  const auto lift_all = [&](auto lift) {
    return lift(
        context.interp, context.trace, w_.graph(), context.evaluation.half);
  };
  auto all = lift_all(lift::lift_grouped_experts);
  if (all.empty()) {
    all = lift_all(lift::lift_routed_experts);
  }
  for (const auto& g : all) {
    const auto& product = g.experts.last;
    const bool plain = product.weight.ends_with(".weight") && !product.flat &&
                       !product.transposed;
    if ((g.is_single() && !plain) || !reaches(g.input) || !reaches(g.indices) ||
        (g.weights && !reaches(g.weights))) {
      continue;
    }
    found_.emplace(g.output, g);
  }
}

/// True when the value is at hand in the forward, if need be as a further
/// answer of the submodule that makes it.
bool GroupedWriter::reaches(ValueId id) {
  const auto& inputs = w_.graph().frame->inputs;
  if (w_.graph().producers.contains(id) ||
      std::find(inputs.begin(), inputs.end(), id) != inputs.end()) {
    return true;
  }
  for (const Frame* call : w_.graph().calls) {
    if (lift::make_graph(w_.context().trace, *call).producers.contains(id)) {
      w_.hand_out(*call, id);
      return true;
    }
  }
  return false;
}

bool GroupedWriter::covers(const OpNode& op) const {
  return std::any_of(found_.begin(), found_.end(), [&](const auto& known) {
    const auto& inside = known.second.inside;
    return std::find(inside.begin(), inside.end(), &op) != inside.end();
  });
}

std::vector<ValueId> GroupedWriter::dependencies(ValueId id) const {
  const GroupedExperts& g = found_.at(id);
  std::vector<ValueId> out{g.input, g.indices, g.indices};
  if (g.weights) {
    out.push_back(g.weights);
  }
  return out;
}

Expression GroupedWriter::produce(ValueId id) {
  const GroupedExperts& g = found_.at(id);
  return g.is_single() ? single(g)
                       : w_.call_experts(*w_.graph().frame, g.experts);
}

/// x as (N, 1, 1, H), or (N, K, 1, H).
Expression GroupedWriter::rows(
    const GroupedExperts& g,
    const std::string& inds) {
  if (!g.each_choice) {
    return call("mx.expand_dims", {w_.value(g.input).text, "(-2, -3)"});
  }
  ValueId id = g.input;  // as it was before it was brought to rows
  const OpNode* op = w_.context().trace.info(id).producer;
  if (op && w_.uses(id) <= 1 &&
      (op->op->name == "reshape" || op->op->name == "view")) {
    id = op->inputs[0];
  }
  return method(w_.value(id), "reshape", {"*" + inds + ".shape", "1", "-1"});
}

Expression GroupedWriter::single(const GroupedExperts& g) {
  Context& context = w_.context();
  const auto& product = g.experts.last;
  const std::string path =
      product.weight.substr(0, product.weight.size() - 7);  // ".weight"
  const Frame& frame = *w_.graph().frame;
  const auto holder =
      context.module(frame.path.empty() ? path : frame.path + "." + path);
  auto size = [&](int n) { return w_.expert_size(holder, frame, n); };
  context.imports.insert("switch_layers:SwitchLinear");
  const Expression layer = w_.member(
      path,
      call(
          "SwitchLinear",
          {size(product.inputs()),
           size(product.outputs()),
           size(static_cast<int>(product.sizes[0])),
           "bias=False"})
          .text);
  const std::string inds = w_.name(g.indices);
  Expression y = call(layer.text, {rows(g, inds).text, inds});
  if (g.weights) {
    const Expression scores = w_.value(g.weights);
    y = infix(
        method(y, "squeeze", {"-2"}),
        "*",
        {scores.at(kPrimary) + "[..., None]", kPrimary});
  }
  if (g.sums) {
    y = method(
        g.weights ? y : method(y, "squeeze", {"-2"}), "sum", {"axis=-2"});
    return w_.context().evaluation.half && g.weights && w_.is_wide(g.weights)
               ? method(y, "astype", {w_.states_dtype})
               : y;
  }
  // Rows of any layout do where they are reshaped next.
  const auto users = w_.graph().users.find(g.output);
  const bool reshaped =
      users != w_.graph().users.end() &&
      std::all_of(
          users->second.begin(), users->second.end(), [](const OpNode* op) {
            return op->op->name == "view" || op->op->name == "reshape";
          });
  return reshaped ? y : method(y, "flatten", {"0", g.weights ? "1" : "2"});
}

}  // namespace portwright::emit
