#include <fmt/format.h>

#include "emit/operation_rules.h"

namespace portwright::emit {

using eval::Value;

namespace {

using Writer = ModuleWriter;

/// The first tensor under a name, to be read more than once.
Expression named_input(Writer& w, const OpNode& op) {
  return {w.name(w.input_of(op, 0)), kPrimary};
}

/// A rule of text: {0}, {1}, ... are the operands, each read once.
WriteRule by_pattern(std::string pattern, int precedence = kPrimary) {
  return [pattern, precedence](Writer& w, const OpNode& op) {
    std::string text = pattern;
    for (size_t i = 0; i < op.args.size(); ++i) {
      const std::string place = "{" + std::to_string(i) + "}";
      if (const size_t at = text.find(place); at != std::string::npos) {
        text.replace(at, place.size(), operand(w, op, i).text);
      }
    }
    return Expression{text, precedence};
  };
}

/// The same of one input that is read several times, as {0}.
WriteRule of_name(const std::string& pattern, int precedence = kPrimary) {
  return [pattern, precedence](Writer& w, const OpNode& op) {
    const std::string x = named_input(w, op).text;
    return Expression{fmt::format(fmt::runtime(pattern), x), precedence};
  };
}

WriteRule along_axis(std::string_view name) {
  return [name](Writer& w, const OpNode& op) {
    return call(name, {input(w, op).text, axis_argument(w, op)});
  };
}

Expression threshold(Writer& w, const OpNode& op) {
  const Expression x = named_input(w, op);
  return call(
      "mx.where",
      {infix(x, ">", operand(w, op, 1)).text, x.text, operand(w, op, 2).text});
}

Expression not_a_number(Writer& w, const OpNode& op) {
  std::vector<std::string> args{input(w, op).text};
  for (const char* name : {"nan", "posinf", "neginf"}) {
    if (given(op, name)) {
      args.push_back(
          std::string(name) + "=" + w.scalar(argument(op, name)).text);
    }
  }
  return call("mx.nan_to_num", std::move(args));
}

/// x . y / (max(|x|, eps) max(|y|, eps))
Expression cosine_similarity(Writer& w, const OpNode& op) {
  const std::string axis = axis_argument(w, op);
  const std::string eps = w.scalar(argument(op, "eps")).text;
  const Expression x = named_input(w, op);
  const Expression y{w.name(w.input_of(op, 1)), kPrimary};
  const auto length = [&](const Expression& e) {
    const Expression norm = call("mx.linalg.norm", {e.text, axis});
    return call("mx.maximum", {norm.text, eps});
  };
  const Expression lengths = infix(length(x), "*", length(y));
  return infix(method(infix(x, "*", y), "sum", {axis}), "/", lengths);
}

Expression count_nonzero(Writer& w, const OpNode& op) {
  const Expression x = infix(input(w, op), "!=", {"0", kPrimary});
  return given(op, "dim") ? method(x, "sum", {axis_argument(w, op)})
                          : method(x, "sum", {});
}

/// Groups of channels, the second axis, are normalised together with all
/// places.
Expression group_norm(Writer& w, const OpNode& op) {
  const Expression x = named_input(w, op);
  const size_t rank = w.rank(w.input_of(op, 0));
  const std::string groups = w.scalar(argument(op, "num_groups")).text;
  const Expression grouped =
      method(x, "reshape", {x.text + ".shape[0]", groups, "-1"});
  Expression out = method(
      call(
          "mx.fast.layer_norm",
          {grouped.text, "None", "None", w.scalar(argument(op, "eps")).text}),
      "reshape",
      {x.text + ".shape"});
  const auto shaped = [&](std::string_view name) {
    const Expression weight =
        operand(w, op, static_cast<size_t>(op.op->param(name)));
    std::string index = ":";
    for (size_t axis = 2; axis < rank; ++axis) {
      index += ", None";
    }
    return rank > 2
               ? Expression{weight.at(kPrimary) + "[" + index + "]", kPrimary}
               : weight;
  };
  if (given(op, "weight")) {
    out = infix(out, "*", shaped("weight"));
  }
  return given(op, "bias") ? infix(out, "+", shaped("bias")) : out;
}

/// Windows of an axis, which become the last one.
Expression unfold(Writer& w, const OpNode& op) {
  const ValueId id = w.input_of(op, 0);
  const auto rank = static_cast<int64_t>(w.rank(id));
  const int64_t axis = axis_of(argument(op, "dimension"), w.rank(id));
  const Expression x = named_input(w, op);
  const std::string size = w.scalar(argument(op, "size")).text;
  const Value& step = argument(op, "step");
  const bool one = step.is_int() && step.as_int() == 1 && !step.provenance();
  const bool known = size.find_first_not_of("0123456789") == size.npos;
  const std::string count = fmt::format("{}.shape[{}]", x.text, axis) +
                            (known ? fmt::format(" - {}", std::stoi(size) - 1)
                                   : " - " + size + " + 1");
  const std::string starts =
      one ? fmt::format("mx.arange({})", count)
          : fmt::format("mx.arange(0, {}, {})", count, w.scalar(step).text);
  const std::string places =
      fmt::format("{}[:, None] + mx.arange({})", starts, size);
  const Expression windows =
      call("mx.take", {x.text, places, "axis=" + std::to_string(axis)});
  return axis + 1 == rank ? windows
                          : call(
                                "mx.moveaxis",
                                {windows.text,
                                 std::to_string(axis + 1),
                                 std::to_string(rank)});
}

/// unbind() of an axis of one element; of more, each is apart.
Expression only_part(Writer& w, const OpNode& op) {
  const auto axis = axis_of(argument(op, "dim"), w.rank(w.input_of(op, 0)));
  return method(input(w, op), "squeeze", {std::to_string(axis)});
}

/// How many boundaries, in order, are less than each number.
WriteRule places_among(size_t numbers, size_t boundaries) {
  return [=](Writer& w, const OpNode& op) {
    const bool right = argument(op, "right").as_bool();
    if (w.rank(w.input_of(op, boundaries)) != 1) {
      w.context().hole(op.span, "boundaries of each row have no translation");
    }
    const Expression each{
        operand(w, op, numbers).at(kPrimary) + "[..., None]", kPrimary};
    return method(
        infix(each, right ? ">=" : ">", operand(w, op, boundaries)),
        "sum",
        {"axis=-1"});
  };
}

Expression is_in(Writer& w, const OpNode& op) {
  if (argument(op, "invert").as_bool() || op.inputs.size() != 2 ||
      w.rank(op.inputs[1]) != 1) {
    w.context().hole(op.span, "this isin() has no translation");
  }
  const Expression each{
      operand(w, op, 0).at(kPrimary) + "[..., None]", kPrimary};
  return method(infix(each, "==", operand(w, op, 1)), "any", {"axis=-1"});
}

/// The tensors of the one argument, after one another along an axis.
WriteRule stacked(int64_t axis) {
  return [axis](Writer& w, const OpNode& op) {
    std::vector<std::string> items;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      if (w.rank(op.inputs[i]) < 2) {
        w.context().hole(op.span, "'" + op.op->name + "' of vectors");
      }
      items.push_back(w.read(op, i).text);
    }
    return call(
        "mx.concatenate",
        {"[" + join(items) + "]", "axis=" + std::to_string(axis)});
  };
}

/// Attention that no cache is part of, over axes (..., heads, tokens, dims).
Expression attention(Writer& w, const OpNode& op) {
  const auto refuse = [&](const std::string& why) {
    w.context().hole(op.span, "this attention " + why);
  };
  const auto& shape = w.context().trace.info(op.inputs[0]).shape;
  const auto& keys = w.context().trace.info(op.inputs[1]).shape;
  if (shape.size() != 4 || keys.size() != 4) {
    refuse("is not over four axes");
  }
  const Value& rate = argument(op, "dropout_p");
  if (rate.is_number() && rate.as_double() != 0) {
    refuse("drops scores");
  }
  const bool causal = argument(op, "is_causal").as_bool();
  if (causal && shape[2] != keys[2]) {
    refuse("is causal over more keys than queries");
  }
  const Expression queries = named_input(w, op);
  const std::string scale = given(op, "scale")
                                ? w.scalar(argument(op, "scale")).text
                                : queries.text + ".shape[-1] ** -0.5";
  std::vector<std::string> args{
      queries.text,
      operand(w, op, 1).text,
      operand(w, op, 2).text,
      "scale=" + scale};
  if (causal) {
    args.emplace_back("mask=\"causal\"");
  } else if (given(op, "attn_mask")) {
    args.push_back(
        "mask=" +
        operand(w, op, static_cast<size_t>(op.op->param("attn_mask"))).text);
  }
  return call("mx.fast.scaled_dot_product_attention", std::move(args));
}

}  // namespace

void add_rare_rules(RuleTable& rules) {
  rules["asinh"] = by_pattern("mx.arcsinh({0})");
  rules["acosh"] = by_pattern("mx.arccosh({0})");
  rules["atanh"] = by_pattern("mx.arctanh({0})");
  rules["atan2"] = by_pattern("mx.arctan2({0}, {1})");
  rules["isfinite"] = by_pattern("mx.isfinite({0})");
  rules["exp2"] = by_pattern("mx.power(2.0, {0})");
  rules["erfc"] = by_pattern("1 - mx.erf({0})", kSum);
  rules["logical_xor"] = by_pattern("mx.not_equal({0}, {1})");
  rules["dot"] = by_pattern("mx.inner({0}, {1})");
  rules["softsign"] = by_pattern("nn.softsign({0})");
  rules["celu"] = by_pattern("nn.celu({0}, {1})");
  rules["hardsigmoid"] = of_name("mx.clip({0} + 3, 0, 6) / 6", kProduct);
  rules["prelu"] = by_pattern("nn.prelu({0}, {1})");
  rules["tanhshrink"] = of_name("{0} - mx.tanh({0})", kSum);
  rules["trunc"] = of_name("mx.sign({0}) * mx.floor(mx.abs({0}))", kProduct);
  rules["logcumsumexp"] = along_axis("mx.logcumsumexp");
  rules["threshold"] = threshold;
  rules["nan_to_num"] = not_a_number;
  rules["cosine_similarity"] = cosine_similarity;
  rules["count_nonzero"] = count_nonzero;
  rules["group_norm"] = group_norm;
  rules["unfold"] = unfold;
  rules["unbind"] = only_part;
  rules["bucketize"] = places_among(0, 1);
  rules["searchsorted"] = places_among(1, 0);
  rules["isin"] = is_in;
  rules["hstack"] = stacked(1);
  rules["vstack"] = stacked(0);
  rules["scaled_dot_product_attention"] = attention;
}

}  // namespace portwright::emit
