#include "emit/activations.h"
#include "emit/operation_rules.h"

namespace portwright::emit {

using eval::Value;
using torch::Dtype;

namespace {

using Writer = ModuleWriter;

WriteRule infix_rule(std::string_view symbol, bool reversed = false) {
  return [symbol, reversed](Writer& w, const OpNode& op) {
    const Expression a = operand(w, op, 0);
    const Expression b = operand(w, op, 1);
    return reversed ? infix(b, symbol, a) : infix(a, symbol, b);
  };
}

WriteRule function_rule(std::string name) {
  return [name](Writer& w, const OpNode& op) {
    return call(name, {operand(w, op, 0).text});
  };
}

WriteRule binary_rule(std::string name) {
  return [name](Writer& w, const OpNode& op) {
    return call(name, {operand(w, op, 0).text, operand(w, op, 1).text});
  };
}

Expression passed_through(Writer& w, const OpNode& op) {
  return input(w, op);
}

/// a + alpha * b, and the like.
WriteRule sum_rule(std::string_view symbol, bool reversed = false) {
  return [symbol, reversed](Writer& w, const OpNode& op) {
    Expression a = operand(w, op, reversed ? 1 : 0);
    Expression b = operand(w, op, reversed ? 0 : 1);
    if (const Value& alpha = argument(op, "alpha");
        alpha.is_number() && alpha.as_double() != 1) {
      Expression& scaled = reversed ? a : b;
      scaled = infix(scaled, "*", w.scalar(alpha));
    }
    if (b.text == "0") {
      return a;
    }
    return infix(a, symbol, b);
  };
}

Expression divide(Writer& w, const OpNode& op) {
  const Expression a = operand(w, op, 0);
  const Expression b = operand(w, op, 1);
  if (!given(op, "rounding_mode")) {
    return infix(a, "/", b);
  }
  if (argument(op, "rounding_mode").str() == "floor") {
    return infix(a, "//", b);
  }
  w.context().hole(op.span, "division that truncates has no translation");
}

/// silu(a) * b is swiglu(a, b), in either order.
Expression multiply(Writer& w, const OpNode& op) {
  if (op.inputs.size() == 2) {
    for (int gate : {0, 1}) {
      const auto it = w.graph().producers.find(op.inputs[gate]);
      if (it != w.graph().producers.end() && it->second.op &&
          it->second.op->op->name == "silu" &&
          !w.recurrent().convolves(op.inputs[gate])) {
        take_for_good(w.context(), op.inputs[gate]);
        w.context().imports.insert("activations:swiglu");
        const std::string a = w.read(*it->second.op, 0).text;
        return call("swiglu", {a, w.read(op, 1 - gate).text});
      }
    }
  }
  return infix(operand(w, op, 0), "*", operand(w, op, 1));
}

Expression power(Writer& w, const OpNode& op) {
  const Expression base = operand(w, op, 0);
  if (op.args[1].is_int() && op.args[1].as_int() == 2 &&
      !op.args[1].provenance()) {
    return call("mx.square", {base.text});
  }
  return infix(base, "**", operand(w, op, 1));
}

Expression negate(Writer& w, const OpNode& op) {
  return {"-" + operand(w, op, 0).at(kUnary), kUnary};
}

Expression invert(Writer& w, const OpNode& op) {
  return {"~" + operand(w, op, 0).at(kUnary), kUnary};
}

Expression logical_not(Writer& w, const OpNode& op) {
  return call("mx.logical_not", {input(w, op).text});
}

Expression softmax(Writer& w, const OpNode& op) {
  if (given(op, "dtype") && w.answers_wide(op)) {
    return call("mx.softmax", {w.wide_input(op).text, axis_argument(w, op)});
  }
  std::vector<std::string> args{input(w, op).text, axis_argument(w, op)};
  // torch computes in float32 inside, whatever it is given.
  const trace::Twin* half = w.context().evaluation.half;
  if (given(op, "dtype") ||
      (half && half->input_dtype(op, 0) == torch::Dtype::BFloat16)) {
    args.emplace_back("precise=True");
  }
  return call("mx.softmax", std::move(args));
}

Expression log_softmax(Writer& w, const OpNode& op) {
  return call("nn.log_softmax", {input(w, op).text, axis_argument(w, op)});
}

Expression gelu(Writer& w, const OpNode& op) {
  const Value& approximate = argument(op, "approximate");
  const bool tanh = approximate.is_str() && approximate.str() == "tanh";
  return call(tanh ? "nn.gelu_approx" : "nn.gelu", {input(w, op).text});
}

/// log(1 + exp(beta x)) / beta; torch's threshold only spares the overflow.
Expression softplus(Writer& w, const OpNode& op) {
  const Value& beta = argument(op, "beta");
  const Expression x = input(w, op);
  if (!beta.is_number() || beta.as_double() == 1) {
    return call("nn.softplus", {x.text});
  }
  const Expression b = w.scalar(beta);
  return infix(call("nn.softplus", {infix(x, "*", b).text}), "/", b);
}

Expression leaky_relu(Writer& w, const OpNode& op) {
  return call(
      "nn.leaky_relu",
      {input(w, op).text, w.scalar(argument(op, "negative_slope")).text});
}

Expression elu(Writer& w, const OpNode& op) {
  return call(
      "nn.elu", {input(w, op).text, w.scalar(argument(op, "alpha")).text});
}

Expression gated_linear(Writer& w, const OpNode& op) {
  return call("nn.glu", {input(w, op).text, axis_argument(w, op)});
}

std::string bound(Writer& w, const OpNode& op, std::string_view name) {
  if (!given(op, name)) {
    return "None";
  }
  return operand(w, op, static_cast<size_t>(op.op->param(name))).text;
}

Expression clamp(Writer& w, const OpNode& op) {
  return call(
      "mx.clip", {input(w, op).text, bound(w, op, "min"), bound(w, op, "max")});
}

Expression hard_tanh(Writer& w, const OpNode& op) {
  return call(
      "mx.clip",
      {input(w, op).text, bound(w, op, "min_val"), bound(w, op, "max_val")});
}

Expression where(Writer& w, const OpNode& op) {
  if (!given(op, "input")) {
    w.context().hole(op.span, "where() of a condition alone");
  }
  return call(
      "mx.where",
      {operand(w, op, 0).text, operand(w, op, 1).text, operand(w, op, 2).text});
}

/// x.where(condition, other)
Expression where_method(Writer& w, const OpNode& op) {
  return call(
      "mx.where",
      {operand(w, op, 1).text, operand(w, op, 0).text, operand(w, op, 2).text});
}

Expression masked_fill(Writer& w, const OpNode& op) {
  // What a mask leaves out, filled: where(mask, x, value).
  const auto mask = w.graph().producers.find(w.input_of(op, 1));
  if (mask != w.graph().producers.end() && mask->second.op &&
      mask->second.op->op->name == "bitwise_not") {
    return call(
        "mx.where",
        {w.value(mask->second.op->inputs[0]).text,
         operand(w, op, 0).text,
         operand(w, op, 2).text});
  }
  return call(
      "mx.where",
      {operand(w, op, 1).text, operand(w, op, 2).text, operand(w, op, 0).text});
}

Expression lerp(Writer& w, const OpNode& op) {
  const Expression start = operand(w, op, 0);
  const Expression step = infix(operand(w, op, 1), "-", start);
  return infix(start, "+", infix(operand(w, op, 2), "*", step));
}

/// input + value * (tensor1 <symbol> tensor2)
WriteRule combined(std::string_view symbol) {
  return [symbol](Writer& w, const OpNode& op) {
    Expression product = infix(operand(w, op, 1), symbol, operand(w, op, 2));
    const Value& factor = argument(op, "value");
    if (!factor.is_number() || factor.as_double() != 1) {
      product = infix(w.scalar(factor), "*", product);
    }
    return infix(operand(w, op, 0), "+", product);
  };
}

Expression to(Writer& w, const OpNode& op) {
  const ValueId from_id = w.input_of(op, 0);
  const auto from = w.context().trace.info(from_id).dtype;
  const bool counts = !w.constructs() && !torch::is_floating_point(from) &&
                      w.rank(from_id) > 0 &&
                      w.half_dtype(op.outputs[0]) == Dtype::BFloat16;
  const auto into = w.context().trace.info(op.outputs[0]).dtype;
  const bool cuts =
      torch::is_floating_point(from) && !torch::is_floating_point(into);
  if (w.context().flows.of(from_id) == lift::Flow::Constant && !counts &&
      !cuts) {
    return w.value(from_id);  // a Python scalar takes its partner's dtype
  }
  if (from == into) {
    return w.value(from_id);
  }
  const auto name = dtype_text(into);
  if (!name) {
    w.context().hole(op.span, "this conversion of dtypes has no translation");
  }
  // Where the source does not run in bfloat16, counts and choices become what
  // they are multiplied with.
  const trace::Twin* half = w.context().evaluation.half;
  const bool narrow =
      half ? half->dtype(op.outputs[0]) == Dtype::BFloat16
           : into == Dtype::Float32 && !torch::is_floating_point(from);
  if (narrow) {
    return w.narrowed(w.value(from_id));
  }
  return method(w.value(from_id), "astype", {*name});
}

}  // namespace

std::optional<std::string> dtype_text(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool:
      return "mx.bool_";
    case Dtype::Int32:
    case Dtype::Int64:
      return "mx.int32";
    case Dtype::Float16:
      return "mx.float16";
    case Dtype::BFloat16:
      return "mx.bfloat16";
    case Dtype::Float32:
      return "mx.float32";
    default:
      return {};
  }
}

void add_elementwise_rules(RuleTable& rules) {
  rules["add"] = sum_rule("+");
  rules["sub"] = sum_rule("-");
  rules["rsub"] = sum_rule("-", true);
  rules["mul"] = multiply;
  rules["div"] = divide;
  rules["rdiv"] = infix_rule("/", true);
  rules["floor_divide"] = infix_rule("//");
  rules["rfloordiv"] = infix_rule("//", true);
  rules["remainder"] = infix_rule("%");
  rules["pow"] = power;
  rules["rpow"] = infix_rule("**", true);
  rules["eq"] = infix_rule("==");
  rules["ne"] = infix_rule("!=");
  rules["lt"] = infix_rule("<");
  rules["le"] = infix_rule("<=");
  rules["gt"] = infix_rule(">");
  rules["ge"] = infix_rule(">=");
  rules["bitwise_and"] = infix_rule("&");
  rules["bitwise_or"] = infix_rule("|");
  rules["bitwise_xor"] = infix_rule("^");
  rules["bitwise_not"] = invert;
  rules["logical_not"] = logical_not;
  rules["logical_and"] = binary_rule("mx.logical_and");
  rules["logical_or"] = binary_rule("mx.logical_or");
  rules["maximum"] = binary_rule("mx.maximum");
  rules["minimum"] = binary_rule("mx.minimum");
  rules["clamp_min"] = binary_rule("mx.maximum");
  rules["clamp_max"] = binary_rule("mx.minimum");
  rules["logaddexp"] = binary_rule("mx.logaddexp");
  rules["neg"] = negate;
  for (const char* name :
       {"contiguous",
        "dropout",
        "detach",
        "alias",
        "clone",
        "positive",
        "cpu"}) {
    rules[name] = passed_through;
  }
  for (const char* name :
       {"to",
        "type_as",
        "float",
        "type",
        "long",
        "int",
        "bool",
        "half",
        "bfloat16"}) {
    rules[name] = to;
  }
  for (const char* name :
       {"tanh",  "sigmoid", "exp",    "expm1",      "log",   "log2", "log10",
        "log1p", "sqrt",    "rsqrt",  "square",     "abs",   "sin",  "cos",
        "tan",   "erf",     "erfinv", "reciprocal", "floor", "ceil", "round",
        "sign",  "sinh",    "cosh",   "isnan",      "isinf", "real", "imag"}) {
    rules[name] = function_rule(std::string("mx.") + name);
  }
  for (const char* name :
       {"silu", "relu", "relu6", "mish", "hardswish", "selu"}) {
    rules[name] = function_rule(std::string("nn.") + name);
  }
  rules["asin"] = function_rule("mx.arcsin");
  rules["acos"] = function_rule("mx.arccos");
  rules["atan"] = function_rule("mx.arctan");
  rules["logsigmoid"] = function_rule("nn.log_sigmoid");
  rules["gelu"] = gelu;
  rules["softplus"] = softplus;
  rules["leaky_relu"] = leaky_relu;
  rules["elu"] = elu;
  rules["glu"] = gated_linear;
  rules["softmax"] = softmax;
  rules["log_softmax"] = log_softmax;
  rules["clamp"] = clamp;
  rules["hardtanh"] = hard_tanh;
  rules["where"] = where;
  rules["where_method"] = where_method;
  rules["masked_fill"] = masked_fill;
  rules["lerp"] = lerp;
  rules["addcmul"] = combined("*");
  rules["addcdiv"] = combined("/");
}

}  // namespace portwright::emit
