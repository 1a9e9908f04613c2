#include "emit/operations.h"

#include <functional>

namespace portwright::emit {

using eval::Value;

struct Operations::Rule {
  std::function<Expression(ModuleWriter&, const OpNode&)> write;
};

namespace {

using Writer = ModuleWriter;
using WriteRule = std::function<Expression(Writer&, const OpNode&)>;

/// The value of a parameter by its name in the op's signature.
const Value& argument(const OpNode& op, std::string_view name) {
  const int i = op.op->param(name);
  PW_CHECK(i >= 0, op.op->name + " has no parameter " + std::string(name));
  return op.args[i];
}

bool given(const OpNode& op, std::string_view name) {
  const int i = op.op->param(name);
  return i >= 0 && op.args[i].defined() && !op.args[i].is_none();
}

/// A parameter that is a tensor or a scalar.
Expression operand(Writer& w, const OpNode& op, size_t i) {
  if (torch::as_tensor(op.args[i])) {
    return w.value(w.input_of(op, i));
  }
  return w.scalar(op.args[i]);
}

WriteRule infix_rule(std::string_view symbol, bool reversed = false) {
  return [symbol, reversed](Writer& w, const OpNode& op) {
    const Expression a = operand(w, op, 0);
    const Expression b = operand(w, op, 1);
    return reversed ? infix(b, symbol, a) : infix(a, symbol, b);
  };
}

WriteRule function_rule(std::string_view name) {
  return [name](Writer& w, const OpNode& op) {
    return call(name, {operand(w, op, 0).text});
  };
}

Expression passed_through(Writer& w, const OpNode& op) {
  return w.value(w.input_of(op, 0));
}

/// silu(a) * b is swiglu(a, b), in either order.
Expression multiply(Writer& w, const OpNode& op) {
  if (op.inputs.size() == 2) {
    for (int gate : {0, 1}) {
      const auto it = w.graph().producers.find(op.inputs[gate]);
      if (it != w.graph().producers.end() && it->second.op &&
          it->second.op->op->name == "silu") {
        w.context().imports.insert("activations:swiglu");
        const std::string a = w.value(it->second.op->inputs[0]).text;
        return call("swiglu", {a, w.value(op.inputs[1 - gate]).text});
      }
    }
  }
  return infix(operand(w, op, 0), "*", operand(w, op, 1));
}

/// The sizes of view(*shape), reshape(*shape): one tuple.
std::vector<std::string> extents(Writer& w, const Value& sizes) {
  std::vector<std::string> out;
  int unknown = 0;
  for (const Value& v : sizes.get<eval::Tuple>()->items) {
    out.push_back(w.extent(v).text);
    unknown += out.back() == "-1";
  }
  if (unknown > 1) {
    // Say the ones that are plain numbers of the configuration.
    for (size_t i = 0; i < out.size() && unknown > 1; ++i) {
      const Value& v = sizes.get<eval::Tuple>()->items[i];
      if (out[i] == "-1" && v.as_int() != -1) {
        out[i] = w.scalar(v.with(nullptr)).text;
        --unknown;
      }
    }
  }
  return out;
}

Expression reshape(Writer& w, const OpNode& op) {
  const Expression x = w.value(w.input_of(op, 0));
  return method(x, "reshape", extents(w, argument(op, "shape")));
}

int64_t axis_of(const Value& v, size_t rank) {
  return v.as_int() < 0 ? v.as_int() + static_cast<int64_t>(rank) : v.as_int();
}

Expression transpose(Writer& w, const OpNode& op) {
  const ValueId input = w.input_of(op, 0);
  const size_t rank = w.rank(input);
  const int64_t a = axis_of(argument(op, "dim0"), rank);
  const int64_t b = axis_of(argument(op, "dim1"), rank);
  const Expression x = w.value(input);
  if (rank == 4) {
    std::vector<std::string> order{"0", "1", "2", "3"};
    std::swap(order[a], order[b]);
    return method(x, "transpose", order);
  }
  auto text = [&](int64_t axis) {
    const auto from_end = axis - static_cast<int64_t>(rank);
    return std::to_string(from_end >= -2 ? from_end : axis);
  };
  return method(x, "swapaxes", {text(a), text(b)});
}

Expression permute(Writer& w, const OpNode& op) {
  std::vector<std::string> order;
  for (const Value& v : argument(op, "dims").get<eval::Tuple>()->items) {
    order.push_back(std::to_string(v.as_int()));
  }
  return method(w.value(w.input_of(op, 0)), "transpose", order);
}

Expression unsqueeze(Writer& w, const OpNode& op) {
  const ValueId input = w.input_of(op, 0);
  const int64_t dim = argument(op, "dim").as_int();
  const Expression x = w.value(input);
  if (dim == -1) {
    return {x.at(kPrimary) + "[..., None]", kPrimary};
  }
  return call("mx.expand_dims", {x.text, std::to_string(dim)});
}

Expression squeeze(Writer& w, const OpNode& op) {
  const Expression x = w.value(w.input_of(op, 0));
  return given(op, "dim")
             ? method(x, "squeeze", {w.scalar(argument(op, "dim")).text})
             : method(x, "squeeze", {});
}

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

WriteRule reduction(std::string_view name) {
  return [name](Writer& w, const OpNode& op) {
    std::vector<std::string> args;
    if (given(op, "dim")) {
      args.push_back(axis_argument(w, op));
    }
    if (given(op, "keepdim") && argument(op, "keepdim").as_bool()) {
      args.emplace_back("keepdims=True");
    }
    return method(w.value(w.input_of(op, 0)), name, std::move(args));
  };
}

Expression softmax(Writer& w, const OpNode& op) {
  std::vector<std::string> args{
      w.value(w.input_of(op, 0)).text, axis_argument(w, op)};
  if (given(op, "dtype")) {
    args.emplace_back("precise=True");
  }
  return call("mx.softmax", std::move(args));
}

Expression gelu(Writer& w, const OpNode& op) {
  const Value& approximate = argument(op, "approximate");
  const bool tanh = approximate.is_str() && approximate.str() == "tanh";
  return call(
      tanh ? "nn.gelu_approx" : "nn.gelu", {w.value(w.input_of(op, 0)).text});
}

Expression power(Writer& w, const OpNode& op) {
  const Expression base = operand(w, op, 0);
  if (op.args[1].is_int() && op.args[1].as_int() == 2 &&
      !op.args[1].provenance()) {
    return call("mx.square", {base.text});
  }
  return infix(base, "**", operand(w, op, 1));
}

Expression concatenate(Writer& w, const OpNode& op) {
  std::vector<std::string> parts;
  for (ValueId id : op.inputs) {
    parts.push_back(w.value(id).text);
  }
  return call(
      "mx.concatenate", {"[" + join(parts) + "]", axis_argument(w, op)});
}

Expression stack(Writer& w, const OpNode& op) {
  std::vector<std::string> parts;
  for (ValueId id : op.inputs) {
    parts.push_back(w.value(id).text);
  }
  return call("mx.stack", {"[" + join(parts) + "]", axis_argument(w, op)});
}

bool is_full(const Value& v) {
  if (!v.is(eval::Kind::Slice)) {
    return false;
  }
  const auto* s = v.get<eval::Slice>();
  const bool from_start =
      s->lower.is_none() || (s->lower.is_int() && s->lower.as_int() == 0);
  return from_start && s->upper.is_none() &&
         (s->step.is_none() || s->step.as_int() == 1);
}

std::string index_text(Writer& w, const OpNode& op, const Value& v) {
  if (v.is_none()) {
    return "None";
  }
  if (v.tag() == eval::Tag::Ellipsis) {
    return "...";
  }
  if (v.is(eval::Kind::Slice)) {
    const auto* s = v.get<eval::Slice>();
    auto part = [&](const Value& p) {
      return p.is_none() ? std::string() : w.extent(p).text;
    };
    std::string text = part(s->lower) + ":" + part(s->upper);
    return s->step.is_none() ? text : text + ":" + part(s->step);
  }
  if (v.is_int()) {
    return w.scalar(v).text;
  }
  w.context().hole(op.span, "this index has no translation");
}

Expression getitem(Writer& w, const OpNode& op) {
  const Expression x = w.value(w.input_of(op, 0));
  const Value& index = op.args[1];
  std::vector<Value> items = index.is(eval::Kind::Tuple)
                                 ? index.get<eval::Tuple>()->items
                                 : std::vector<Value>{index};
  if (std::all_of(items.begin(), items.end(), is_full)) {
    return x;
  }
  std::vector<std::string> parts;
  for (const Value& v : items) {
    if (torch::as_tensor(v)) {
      w.context().hole(op.span, "indexing by a tensor has no translation");
    }
    parts.push_back(index_text(w, op, v));
  }
  return {x.at(kPrimary) + "[" + join(parts) + "]", kPrimary};
}

Expression linear(Writer& w, const OpNode& op) {
  if (const auto name = w.linear_module(op)) {
    return call("self." + *name, {operand(w, op, 0).text});
  }
  const Expression product =
      infix(operand(w, op, 0), "@", attribute(operand(w, op, 1), "T"));
  return given(op, "bias") ? infix(product, "+", operand(w, op, 2)) : product;
}

Expression embedding(Writer& w, const OpNode& op) {
  const auto name = w.embedding_module(op);
  if (!name) {
    w.context().hole(op.span, "this embedding has no translation");
  }
  return call("self." + *name, {operand(w, op, 0).text});
}

Expression clamp(Writer& w, const OpNode& op) {
  auto bound = [&](std::string_view name) {
    return given(op, name) ? w.scalar(argument(op, name)).text
                           : std::string("None");
  };
  return call(
      "mx.clip", {w.value(w.input_of(op, 0)).text, bound("min"), bound("max")});
}

Expression negate(Writer& w, const OpNode& op) {
  return {"-" + operand(w, op, 0).at(kUnary), kUnary};
}

Expression where(Writer& w, const OpNode& op) {
  return call(
      "mx.where",
      {operand(w, op, 0).text, operand(w, op, 1).text, operand(w, op, 2).text});
}

Expression masked_fill(Writer& w, const OpNode& op) {
  return call(
      "mx.where",
      {operand(w, op, 1).text, operand(w, op, 2).text, operand(w, op, 0).text});
}

Expression gather(Writer& w, const OpNode& op) {
  return call(
      "mx.take_along_axis",
      {w.value(w.input_of(op, 0)).text,
       w.value(w.input_of(op, 2)).text,
       axis_argument(w, op)});
}

Expression to(Writer& w, const OpNode& op) {
  static const std::map<torch::Dtype, std::string> kNames = {
      {torch::Dtype::Float32, "mx.float32"},
      {torch::Dtype::Int64, "mx.int32"},
      {torch::Dtype::Int32, "mx.int32"},
      {torch::Dtype::Bool, "mx.bool_"}};
  const ValueId input = w.input_of(op, 0);
  if (w.context().flows.of(input) == lift::Flow::Constant) {
    return w.value(input);  // a Python scalar takes the dtype of its partner
  }
  const auto from = w.context().trace.info(input).dtype;
  const auto into = w.context().trace.info(op.outputs[0]).dtype;
  if (from == into) {
    return w.value(input);
  }
  auto name = kNames.find(into);
  if (name == kNames.end()) {
    w.context().hole(op.span, "this conversion of dtypes has no translation");
  }
  return method(w.value(input), "astype", {name->second});
}

}  // namespace

struct OperationRules {
  static std::map<std::string_view, Operations::Rule> make() {
    std::map<std::string_view, Operations::Rule> rules;
    auto add = [&](std::string_view name, WriteRule write) {
      rules[name] = {std::move(write)};
    };
    add("add", infix_rule("+"));
    add("sub", infix_rule("-"));
    add("rsub", infix_rule("-", true));
    add("mul", multiply);
    add("div", infix_rule("/"));
    add("rdiv", infix_rule("/", true));
    add("floor_divide", infix_rule("//"));
    add("matmul", infix_rule("@"));
    add("bmm", infix_rule("@"));
    add("eq", infix_rule("=="));
    add("ne", infix_rule("!="));
    add("lt", infix_rule("<"));
    add("le", infix_rule("<="));
    add("gt", infix_rule(">"));
    add("ge", infix_rule(">="));
    add("neg", negate);
    add("pow", power);
    for (auto name : {"contiguous", "dropout", "detach", "alias", "clone"}) {
      add(name, passed_through);
    }
    for (auto name : {"to", "type_as", "float", "type"}) {
      add(name, to);
    }
    for (auto name :
         {"tanh",
          "sigmoid",
          "exp",
          "log",
          "sqrt",
          "rsqrt",
          "square",
          "abs",
          "sin",
          "cos",
          "erf",
          "log1p",
          "reciprocal"}) {
      static std::map<std::string, std::string> spelled;
      auto& text = spelled[name] = std::string("mx.") + name;
      add(name, function_rule(text));
    }
    add("silu", function_rule("nn.silu"));
    add("relu", function_rule("nn.relu"));
    add("relu6", function_rule("nn.relu6"));
    add("mish", function_rule("nn.mish"));
    add("gelu", gelu);
    add("view", reshape);
    add("reshape", reshape);
    add("transpose", transpose);
    add("permute", permute);
    add("unsqueeze", unsqueeze);
    add("squeeze", squeeze);
    add("mean", reduction("mean"));
    add("sum", reduction("sum"));
    add("amax", reduction("max"));
    add("amin", reduction("min"));
    add("softmax", softmax);
    add("cat", concatenate);
    add("stack", stack);
    add("getitem", getitem);
    add("linear", linear);
    add("embedding", embedding);
    add("clamp", clamp);
    add("where", where);
    add("masked_fill", masked_fill);
    add("gather", gather);
    return rules;
  }
};

const std::map<std::string_view, Operations::Rule>& Operations::rules() {
  static const auto all = OperationRules::make();
  return all;
}

Expression Operations::translate(const OpNode& op) {
  const torch::Op* meaning =
      op.op->in_place && op.op->functional ? op.op->functional : op.op;
  auto it = rules().find(meaning->name);
  if (it == rules().end()) {
    w_.context().hole(
        op.span, "torch's '" + op.op->name + "' has no translation yet");
  }
  return it->second.write(w_, op);
}

std::vector<std::string> Operations::translate_many(const OpNode& op) {
  const std::string& name = op.op->name;
  if (name == "chunk" || name == "split") {
    const ValueId input = w_.input_of(op, 0);
    const int64_t rank = static_cast<int64_t>(w_.rank(input));
    int64_t dim = argument(op, "dim").as_int();
    if (dim == rank - 1) {
      dim = -1;
    }
    std::string sections = std::to_string(op.outputs.size());
    const auto first = w_.context().trace.info(op.outputs[0]).shape;
    const auto last = w_.context().trace.info(op.outputs.back()).shape;
    if (first != last) {
      // Where the parts begin, each a sum of the sizes before it.
      if (name != "split") {
        w_.context().hole(op.span, "chunks of unequal size");
      }
      const Value& sizes = argument(op, "split_size");
      if (sizes.is(eval::Kind::List) || sizes.is(eval::Kind::Tuple)) {
        std::vector<std::string> starts;
        Value sum = Value::integer(0);
        const auto items = w_.context().interp.to_vector(sizes);
        for (size_t i = 0; i + 1 < items.size(); ++i) {
          sum = i == 0 ? items[0]
                       : w_.context().interp.binary("+", sum, items[i]);
          starts.push_back(w_.scalar(sum).text);
        }
        sections = "[" + join(starts) + "]";
      }
    }
    return {call(
                "mx.split",
                {w_.value(input).text, sections, "axis=" + std::to_string(dim)})
                .text};
  }
  if (name == "unbind") {
    const ValueId input = w_.input_of(op, 0);
    std::vector<std::string> out;
    const Expression x = w_.value(input);
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
    const Expression x = w_.value(w_.input_of(op, 0));
    const std::string k = w_.scalar(argument(op, "k")).text;
    const std::string inds = w_.fresh("inds");
    w_.statement(
        inds + " = mx.argpartition(-" + x.at(kUnary) + ", kth=" + k +
        " - 1, axis=-1)[..., :" + k + "]");
    return {"mx.take_along_axis(" + x.text + ", " + inds + ", axis=-1)", inds};
  }
  w_.context().hole(op.span, "torch's '" + name + "' has no translation yet");
}

}  // namespace portwright::emit
