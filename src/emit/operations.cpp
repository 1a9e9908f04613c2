#include "emit/operations.h"

#include "emit/operation_rules.h"

namespace portwright::emit {

using eval::Value;

const Value& argument(const OpNode& op, std::string_view name) {
  const int i = op.op->param(name);
  PW_CHECK(i >= 0, op.op->name + " has no parameter " + std::string(name));
  return op.args[i];
}

bool given(const OpNode& op, std::string_view name) {
  const int i = op.op->param(name);
  return i >= 0 && op.args[i].defined() && !op.args[i].is_none();
}

Expression operand(ModuleWriter& w, const OpNode& op, size_t i) {
  if (torch::as_tensor(op.args[i])) {
    return w.operand_value(op, i);
  }
  return w.scalar(op.args[i]);
}

Expression input(ModuleWriter& w, const OpNode& op) {
  return w.operand_value(op, 0);
}

namespace {

const RuleTable& rules() {
  static const RuleTable all = [] {
    RuleTable out;
    add_elementwise_rules(out);
    add_shape_rules(out);
    add_reduction_rules(out);
    add_indexing_rules(out);
    add_creation_rules(out);
    add_linear_rules(out);
    add_rare_rules(out);
    return out;
  }();
  return all;
}

}  // namespace

Expression Operations::translate(const OpNode& op) {
  const torch::Op* meaning =
      op.op->in_place && op.op->functional ? op.op->functional : op.op;
  auto it = rules().find(meaning->name);
  if (it == rules().end()) {
    w_.context().hole(
        op.span, "torch's '" + op.op->name + "' has no translation yet");
  }
  return it->second(w_, op);
}

/// Into how many equal parts chunk(), split() and tensor_split() cut, or where
/// they begin.
std::string Operations::sections(const OpNode& op) {
  const std::string count = std::to_string(op.outputs.size());
  const auto& trace = w_.context().trace;
  const auto& first = trace.info(op.outputs[0]).shape;
  const bool even =
      std::all_of(op.outputs.begin(), op.outputs.end(), [&](ValueId id) {
        return trace.info(id).shape == first;
      });
  if (op.op->name == "tensor_split") {
    const Value& places = argument(op, "indices_or_sections");
    if (!places.is_int()) {
      std::vector<std::string> starts;
      for (const Value& place : w_.context().interp.to_vector(places)) {
        starts.push_back(w_.scalar(place).text);
      }
      return "[" + join(starts) + "]";
    }
  }
  if (op.op->name != "split") {
    if (!even) {
      w_.context().hole(op.span, "chunks of unequal size");
    }
    return count;
  }
  const Value& sizes = argument(op, "split_size");
  if (!sizes.is(eval::Kind::List) && !sizes.is(eval::Kind::Tuple)) {
    return count;
  }
  const auto items = w_.context().interp.to_vector(sizes);
  const bool same =
      even && std::all_of(items.begin(), items.end(), [&](const Value& v) {
        return eval::to_string(v.provenance()) ==
               eval::to_string(items[0].provenance());
      });
  if (same) {
    return count;
  }
  // Each a sum of the sizes before it.
  std::vector<std::string> starts;
  Value sum = Value::integer(0);
  for (size_t i = 0; i + 1 < items.size(); ++i) {
    sum = i == 0 ? items[0] : w_.context().interp.binary("+", sum, items[i]);
    starts.push_back(w_.scalar(sum).text);
  }
  return "[" + join(starts) + "]";
}

std::vector<std::string> Operations::translate_many(const OpNode& op) {
  const std::string& name = op.op->name;
  if (name == "chunk" || name == "split" || name == "tensor_split") {
    const ValueId input = w_.input_of(op, 0);
    const int64_t rank = static_cast<int64_t>(w_.rank(input));
    int64_t dim = argument(op, "dim").as_int();
    if (dim == rank - 1) {
      dim = -1;
    }
    return {call(
                "mx.split",
                {w_.operand_value(op, 0).text,
                 sections(op),
                 "axis=" + std::to_string(dim)})
                .text};
  }
  if (name == "unbind") {
    const ValueId input = w_.input_of(op, 0);
    std::vector<std::string> out;
    const Expression x = w_.operand_value(op, 0);
    const int64_t rank = static_cast<int64_t>(w_.rank(input));
    int64_t dim = argument(op, "dim").as_int();
    dim = dim < 0 ? dim + rank : dim;
    for (size_t i = 0; i < op.outputs.size(); ++i) {
      std::string index;
      for (int64_t axis = 0; axis < dim; ++axis) {
        index += ":, ";
      }
      out.push_back(x.at(kPrimary) + "[" + index + std::to_string(i) + "]");
    }
    return out;
  }
  if (name == "topk") {
    return topk(op);
  }
  if (name == "max" || name == "min") {  // along an axis: values, indices
    const Expression x = w_.operand_value(op, 0);
    std::vector<std::string> args{axis_argument(w_, op)};
    if (argument(op, "keepdim").as_bool()) {
      args.emplace_back("keepdims=True");
    }
    const std::string places = x.at(kPrimary) + ".arg" + name;
    return {
        method(x, name, args).text,
        call(places, args).text,
    };
  }
  if (name == "sort") {  // values, indices
    const Expression x = w_.operand_value(op, 0);
    const std::string axis = axis_argument(w_, op);
    if (argument(op, "descending").as_bool()) {
      const std::string down = "-" + x.at(kUnary);
      return {
          "-" + call("mx.sort", {down, axis}).text,
          call("mx.argsort", {down, axis}).text};
    }
    return {
        call("mx.sort", {x.text, axis}).text,
        call("mx.argsort", {x.text, axis}).text};
  }
  if ((name == "cummax" || name == "cummin") &&
      !w_.uses_.contains(op.outputs[1])) {
    const std::string x = w_.operand_value(op, 0).text;
    return {call("mx." + name, {x, axis_argument(w_, op)}).text, ""};
  }
  if (name == "meshgrid" || name == "broadcast_tensors") {
    std::vector<std::string> args;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      args.push_back(w_.read(op, i).text);
    }
    if (name == "broadcast_tensors") {
      return {call("mx.broadcast_arrays", std::move(args)).text};
    }
    const Value& order = argument(op, "indexing");
    args.push_back(
        std::string("indexing=\"") + (order.is_none() ? "ij" : order.str()) +
        "\"");
    return {call("mx.meshgrid", std::move(args)).text};
  }
  w_.context().hole(op.span, "torch's '" + name + "' has no translation yet");
}

namespace {

/// True for an index that picks some of what lies on its tensor's last axis, or
/// may.
bool picks_last(const Value& index) {
  const Value& last = index.is(eval::Kind::Tuple)
                          ? index.get<eval::Tuple>()->items.back()
                          : index;
  const auto* slice =
      last.is(eval::Kind::Slice) ? last.get<eval::Slice>() : nullptr;
  const bool full = slice && slice->lower.is_none() && slice->upper.is_none() &&
                    slice->step.is_none();
  return !full && !last.is_none() && last.tag() != eval::Tag::Ellipsis;
}

}  // namespace

/// True when something sees in which order a value lies on its last axis.
bool Operations::minds_order(ValueId id) const {
  static const std::set<std::string_view> kKeeping{
      "to", "float", "type_as", "softmax", "sigmoid", "div", "mul", "add"};
  static const std::set<std::string_view> kMinding{
      "cumsum", "chunk", "split", "unbind", "narrow"};
  const auto users = w_.graph().users.find(id);
  return users != w_.graph().users.end() &&
         std::any_of(
             users->second.begin(),
             users->second.end(),
             [&](const OpNode* user) {
               const std::string& name = user->op->name;
               const bool read = std::any_of(
                   user->outputs.begin(), user->outputs.end(), [&](ValueId v) {
                     return v != id && w_.uses_.contains(v);
                   });
               if (!read || w_.covers(*user) || user->inputs[0] != id) {
                 return false;
               }
               if (name == "getitem" || name == "select") {
                 return picks_last(argument(*user, "index"));
               }
               return kMinding.contains(name) ||
                      (kKeeping.contains(name) && user->outputs.size() == 1 &&
                       w_.rank(user->outputs[0]) == w_.rank(id) &&
                       minds_order(user->outputs[0]));
             });
}

/// The largest, in no order where nothing that follows minds.
std::vector<std::string> Operations::topk(const OpNode& op) {
  const bool sorted =
      std::any_of(op.outputs.begin(), op.outputs.end(), [&](ValueId id) {
        return minds_order(id);
      });
  const bool least =
      argument(op, "largest").is_bool() && !argument(op, "largest").as_bool();
  const Expression x = w_.operand_value(op, 0);
  std::string k = w_.scalar(argument(op, "k")).text;
  if (k.find('(') != std::string::npos) {  // as min(top_k, length)
    const std::string name = w_.fresh("k");
    w_.statement(name + " = " + k);
    k = name;
  }
  const std::string falling = least ? x.text : "-" + x.at(kUnary);
  if (!w_.uses_.contains(op.outputs[1])) {
    if (sorted || least) {
      const std::string all = "mx.sort(" + falling + ", axis=-1)[..., :" + k;
      return {(least ? "" : "-") + all + "]", ""};
    }
    return {"mx.topk(" + x.text + ", " + k + ", axis=-1)", ""};
  }
  const std::string inds = w_.fresh("inds");
  const std::string all =
      sorted ? "mx.argsort(" + falling + ", axis=-1)"
             : "mx.argpartition(" + falling + ", kth=" + k + " - 1, axis=-1)";
  w_.statement(inds + " = mx.stop_gradient(" + all + "[..., :" + k + "])");
  Expression taken = call("mx.take_along_axis", {x.text, inds, "axis=-1"});
  if (w_.narrows(op.outputs[0]) && w_.is_made_wide(op.outputs[0])) {
    taken = w_.narrowed(taken);
  }
  return {taken.text, inds};
}

}  // namespace portwright::emit
