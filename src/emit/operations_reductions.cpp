#include "emit/operation_rules.h"

namespace portwright::emit {

using eval::Value;

namespace {

using Writer = ModuleWriter;

std::vector<std::string> axes(Writer& w, const OpNode& op) {
  std::vector<std::string> args;
  if (given(op, "dim")) {
    args.push_back(axis_argument(w, op));
  }
  if (given(op, "keepdim") && argument(op, "keepdim").as_bool()) {
    args.emplace_back("keepdims=True");
  }
  return args;
}

/// The input, converted first where the op says so.
Expression converted(Writer& w, const OpNode& op) {
  const Expression x = input(w, op);
  const ValueId from = w.input_of(op, 0);
  if (!given(op, "dtype") || w.context().trace.info(from).dtype ==
                                 w.context().trace.info(op.outputs[0]).dtype) {
    return x;
  }
  const auto name = dtype_text(w.context().trace.info(op.outputs[0]).dtype);
  if (!name) {
    w.context().hole(op.span, "a sum in this dtype has no translation");
  }
  return method(x, "astype", {*name});
}

WriteRule reduction(std::string_view name) {
  return [name](Writer& w, const OpNode& op) {
    const Expression x = converted(w, op);
    return method(x, name, axes(w, op));
  };
}

/// max(x, y) of two tensors, max(x) of one; the pair of max(x, dim) is apart.
WriteRule extremum(std::string_view name, std::string_view of_two) {
  return [name, of_two](Writer& w, const OpNode& op) {
    if (given(op, "other") || torch::as_tensor(argument(op, "dim"))) {
      return call(of_two, {input(w, op).text, operand(w, op, 1).text});
    }
    return method(input(w, op), name, axes(w, op));
  };
}

/// Unbiased unless the op says otherwise, as torch's are.
WriteRule spread(std::string_view name) {
  return [name](Writer& w, const OpNode& op) {
    std::string ddof = "1";
    if (given(op, "correction")) {
      ddof = w.scalar(argument(op, "correction")).text;
    } else if (given(op, "unbiased") && !argument(op, "unbiased").as_bool()) {
      ddof = "0";
    }
    auto args = axes(w, op);
    if (ddof != "0") {
      args.push_back("ddof=" + ddof);
    }
    return method(input(w, op), name, std::move(args));
  };
}

WriteRule scan(std::string_view name) {
  return [name](Writer& w, const OpNode& op) {
    const ValueId from = w.input_of(op, 0);
    Expression x = converted(w, op);
    if (w.context().trace.info(from).dtype == torch::Dtype::Bool &&
        !given(op, "dtype")) {
      x = method(x, "astype", {"mx.int32"});
    }
    return call(name, {x.text, axis_argument(w, op)});
  };
}

Expression logsumexp(Writer& w, const OpNode& op) {
  auto args = axes(w, op);
  args.insert(args.begin(), input(w, op).text);
  return call("mx.logsumexp", std::move(args));
}

Expression vector_norm(Writer& w, const OpNode& op) {
  std::vector<std::string> args{input(w, op).text};
  const char* order = op.op->name == "norm" ? "p" : "ord";
  if (given(op, order)) {
    const Value& v = argument(op, order);
    if (!v.is_number()) {
      w.context().hole(op.span, "this norm has no translation");
    }
    if (v.as_double() != 2) {
      args.push_back("ord=" + w.scalar(v).text);
    }
  }
  const auto rest = axes(w, op);
  args.insert(args.end(), rest.begin(), rest.end());
  if (!given(op, "dim")) {  // all elements
    args.front() = input(w, op).at(kPrimary) + ".flatten()";
  }
  return call("mx.linalg.norm", std::move(args));
}

/// x / max(|x|, eps)
Expression normalize(Writer& w, const OpNode& op) {
  const Value& order = argument(op, "p");
  if (!order.is_number() || order.as_double() != 2) {
    w.context().hole(op.span, "this norm has no translation");
  }
  const Expression x = input(w, op);
  const std::string length =
      call("mx.linalg.norm", {x.text, axis_argument(w, op), "keepdims=True"})
          .text;
  return infix(
      x, "/", call("mx.maximum", {length, w.scalar(argument(op, "eps")).text}));
}

Expression difference(Writer& w, const OpNode& op) {
  const Value& dim = argument(op, "dim");
  const size_t rank = w.rank(w.input_of(op, 0));
  if (argument(op, "n").as_int() != 1 || given(op, "prepend") ||
      given(op, "append") ||
      axis_of(dim, rank) + 1 != static_cast<int64_t>(rank)) {
    w.context().hole(op.span, "this difference has no translation");
  }
  const std::string x = input(w, op).at(kPrimary);
  return {x + "[..., 1:] - " + x + "[..., :-1]", kSum};
}

Expression sort(Writer& w, const OpNode& op) {
  const bool down = argument(op, "descending").as_bool();
  const Expression x = input(w, op);
  return call(
      "mx.argsort", {down ? "-" + x.at(kUnary) : x.text, axis_argument(w, op)});
}

}  // namespace

std::string axis_argument(Writer& w, const OpNode& op) {
  const Value& dim = argument(op, "dim");
  if (dim.is_int()) {
    return "axis=" + std::to_string(dim.as_int());
  }
  std::vector<std::string> axes;
  w.context().interp.for_each(
      dim, [&](Value v) { axes.push_back(std::to_string(v.as_int())); });
  return axes.size() == 1 ? "axis=" + axes.front()
                          : "axis=(" + join(axes) + ")";
}

void add_reduction_rules(RuleTable& rules) {
  rules["mean"] = reduction("mean");
  rules["sum"] = reduction("sum");
  rules["prod"] = reduction("prod");
  rules["amax"] = reduction("max");
  rules["amin"] = reduction("min");
  rules["all"] = reduction("all");
  rules["any"] = reduction("any");
  rules["argmax"] = reduction("argmax");
  rules["argmin"] = reduction("argmin");
  rules["max"] = extremum("max", "mx.maximum");
  rules["min"] = extremum("min", "mx.minimum");
  rules["var"] = spread("var");
  rules["std"] = spread("std");
  rules["cumsum"] = scan("mx.cumsum");
  rules["cumprod"] = scan("mx.cumprod");
  rules["logsumexp"] = logsumexp;
  rules["norm"] = vector_norm;
  rules["linalg.vector_norm"] = vector_norm;
  rules["normalize"] = normalize;
  rules["diff"] = difference;
  rules["argsort"] = sort;
}

}  // namespace portwright::emit
