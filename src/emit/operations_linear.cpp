#include "emit/operation_rules.h"

namespace portwright::emit {

using eval::Value;

namespace {

using Writer = ModuleWriter;

Expression matmul(Writer& w, const OpNode& op) {
  return infix(operand(w, op, 0), "@", operand(w, op, 1));
}

Expression linear(Writer& w, const OpNode& op) {
  if (const auto name = w.linear_module(op)) {
    return call("self." + *name, {operand(w, op, 0).text});
  }
  // A weight joins products of float32 as it is.
  const Expression product =
      infix(operand(w, op, 0), "@", attribute(w.value(w.input_of(op, 1)), "T"));
  return given(op, "bias") ? infix(product, "+", operand(w, op, 2)) : product;
}

/// beta * input + alpha * (a @ b)
Expression added_product(Writer& w, const OpNode& op) {
  auto scaled = [&](std::string_view name, const Expression& e) {
    const Value& factor = argument(op, name);
    const Expression text = w.scalar(factor);
    const bool one = factor.is_number() && factor.as_double() == 1;
    // An attribute may be one in the first layer, or in this variant, alone.
    return one && !text.text.starts_with("self.")
               ? e
               : infix(text, "*", {e.at(kProduct + 1), kPrimary});
  };
  const Expression product = infix(operand(w, op, 1), "@", operand(w, op, 2));
  const Value& beta = argument(op, "beta");
  if (beta.is_number() && beta.as_double() == 0) {
    return scaled("alpha", product);
  }
  return infix(
      scaled("alpha", product), "+", scaled("beta", operand(w, op, 0)));
}

Expression einsum(Writer& w, const OpNode& op) {
  std::vector<std::string> args{
      w.context().interp.repr(argument(op, "equation"))};
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    args.push_back(w.read(op, i).text);
  }
  std::replace(args[0].begin(), args[0].end(), '\'', '"');
  return call("mx.einsum", std::move(args));
}

/// Axes as a number of them, or by their places in both.
Expression tensordot(Writer& w, const OpNode& op) {
  const Value& dims = argument(op, "dims");
  std::string axes;
  if (dims.is_int()) {
    axes = w.scalar(dims).text;
  } else {
    for (const Value& side : w.context().interp.to_vector(dims)) {
      std::vector<std::string> places;
      for (const Value& axis : w.context().interp.to_vector(side)) {
        places.push_back(w.scalar(axis).text);
      }
      axes += (axes.empty() ? "[[" : ", [") + join(places) + "]";
    }
    axes += "]";
  }
  return call(
      "mx.tensordot",
      {operand(w, op, 0).text, operand(w, op, 1).text, "axes=" + axes});
}

Expression outer(Writer& w, const OpNode& op) {
  return call("mx.outer", {operand(w, op, 0).text, operand(w, op, 1).text});
}

/// One integer of an int or a tuple of one.
Expression first(Writer& w, const Value& v) {
  return v.is_int() ? w.extent(v)
                    : w.extent(w.context().interp.to_vector(v).front());
}

/// torch has channels before positions, in inputs and weights.
Expression conv1d(Writer& w, const OpNode& op) {
  if (argument(op, "padding").is_str()) {
    w.context().hole(op.span, "padding named by a word has no translation");
  }
  std::vector<std::string> args{
      method(operand(w, op, 0), "swapaxes", {"1", "2"}).text,
      method(operand(w, op, 1), "swapaxes", {"1", "2"}).text};
  const std::pair<const char*, const char*> options[] = {
      {"stride", "1"}, {"padding", "0"}, {"dilation", "1"}, {"groups", "1"}};
  for (const auto& [name, by_default] : options) {
    const std::string text = first(w, argument(op, name)).text;
    if (text != by_default) {
      args.push_back(std::string(name) + "=" + text);
    }
  }
  Expression out = call("mx.conv1d", std::move(args));
  if (given(op, "bias")) {
    out = infix(
        out, "+", operand(w, op, static_cast<size_t>(op.op->param("bias"))));
  }
  return method(out, "swapaxes", {"1", "2"});
}

/// (x - mean) / sqrt(var + eps) over the last axes, and its like.
Expression norm(Writer& w, const OpNode& op) {
  if (w.context().interp.to_vector(argument(op, "normalized_shape")).size() !=
      1) {
    w.context().hole(op.span, "a norm over several axes has no translation");
  }
  const bool rms = op.op->name == "rms_norm";
  std::vector<std::string> args{input(w, op).text};
  auto optional = [&](std::string_view name) {
    args.push_back(
        given(op, name)
            ? operand(w, op, static_cast<size_t>(op.op->param(name))).text
            : "None");
  };
  optional("weight");
  if (!rms) {
    optional("bias");
  }
  // Without one it is that of the dtype computed in, which is float32.
  args.push_back(
      given(op, "eps") ? w.scalar(argument(op, "eps")).text
                       : "mx.finfo(mx.float32).eps");
  return call(rms ? "mx.fast.rms_norm" : "mx.fast.layer_norm", std::move(args));
}

Expression solve_triangular(Writer& w, const OpNode& op) {
  if (!argument(op, "left").as_bool()) {
    w.context().hole(op.span, "this solve has no translation");
  }
  // MLX solves on the CPU alone.
  std::vector<std::string> args{
      operand(w, op, 0).text,
      operand(w, op, 1).text,
      argument(op, "upper").as_bool() ? "upper=True" : "upper=False",
      "stream=mx.cpu"};
  return call("mx.linalg.solve_triangular", std::move(args));
}

}  // namespace

void add_linear_rules(RuleTable& rules) {
  for (const char* name : {"matmul", "bmm", "mm", "mv"}) {
    rules[name] = matmul;
  }
  rules["rmatmul"] = [](Writer& w, const OpNode& op) {
    return infix(operand(w, op, 1), "@", operand(w, op, 0));
  };
  rules["linear"] = linear;
  rules["addmm"] = added_product;
  rules["baddbmm"] = added_product;
  rules["einsum"] = einsum;
  rules["outer"] = outer;
  rules["tensordot"] = tensordot;
  rules["conv1d"] = conv1d;
  rules["layer_norm"] = norm;
  rules["rms_norm"] = norm;
  rules["linalg.solve_triangular"] = solve_triangular;
}

}  // namespace portwright::emit
