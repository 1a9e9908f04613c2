#include "base/pattern.h"
#include "emit/operation_rules.h"

namespace portwright::emit {

using eval::Value;

namespace {

using Writer = ModuleWriter;

/// x[..., None] expanded to n and joined with the axis before it, which is
/// each element n times; nothing when the reshape is something else.
std::optional<Expression> repeated(Writer& w, const OpNode& op) {
  auto producer = [&](const OpNode& of, const char* name) -> const OpNode* {
    const auto it = w.graph().producers.find(of.inputs[0]);
    return it != w.graph().producers.end() && it->second.op &&
                   it->second.op->op->name == name
               ? it->second.op
               : nullptr;
  };
  const OpNode* expanded = producer(op, "expand");
  const OpNode* added = expanded ? producer(*expanded, "unsqueeze") : nullptr;
  if (!added || w.uses(expanded->outputs[0]) > 1) {
    return {};
  }
  const auto& trace = w.context().trace;
  const auto& base = trace.info(added->inputs[0]).shape;
  const auto& wide = trace.info(expanded->outputs[0]).shape;
  auto one = base;
  one.push_back(1);
  auto joined = base;
  joined.back() *= wide.back();
  if (trace.info(added->outputs[0]).shape != one ||
      !std::equal(base.begin(), base.end(), wide.begin()) ||
      trace.info(op.outputs[0]).shape != joined) {
    return {};
  }
  const auto& sizes = argument(*expanded, "size").get<eval::Tuple>()->items;
  return call(
      "mx.repeat",
      {w.value(added->inputs[0]).text, w.extent(sizes.back()).text, "axis=-1"});
}

Expression reshape(Writer& w, const OpNode& op) {
  if (auto text = repeated(w, op)) {
    return *text;
  }
  // The last of several in a row says it all.
  ValueId from = w.input_of(op, 0);
  for (;;) {
    const auto it = w.graph().producers.find(from);
    const OpNode* before =
        it == w.graph().producers.end() ? nullptr : it->second.op;
    if (!before || !w.is_plain(from) ||
        (before->op->name != "view" && before->op->name != "reshape")) {
      break;
    }
    from = before->inputs[0];
  }
  if (w.context().trace.info(from).shape ==
      w.context().trace.info(op.outputs[0]).shape) {
    return w.value(from);
  }
  auto sizes = extents(w, argument(op, "shape"));  // may name what is reshaped
  return method(w.value(from), "reshape", std::move(sizes));
}

/// The shape of another tensor.
Expression reshape_as(Writer& w, const OpNode& op) {
  const Expression other = operand(w, op, 1);
  return method(input(w, op), "reshape", {attribute(other, "shape").text});
}

Expression flatten(Writer& w, const OpNode& op) {
  const size_t rank = w.rank(w.input_of(op, 0));
  const int64_t start = axis_of(argument(op, "start_dim"), rank);
  const int64_t end = axis_of(argument(op, "end_dim"), rank);
  std::vector<std::string> args;
  if (start != 0 || end + 1 != static_cast<int64_t>(rank)) {
    args.push_back(std::to_string(start));
    args.push_back(std::to_string(end));
  }
  return method(input(w, op), "flatten", args);
}

Expression unflatten(Writer& w, const OpNode& op) {
  const size_t rank = w.rank(w.input_of(op, 0));
  std::vector<std::string> sizes;
  w.context().interp.for_each(argument(op, "sizes"), [&](Value v) {
    sizes.push_back(w.extent(v).text);
  });
  return call(
      "mx.unflatten",
      {input(w, op).text,
       std::to_string(axis_of(argument(op, "dim"), rank)),
       tuple_text(sizes)});
}

/// The axes of x in an order; one way after another is one way, or none.
Expression in_order(const Expression& x, const std::vector<size_t>& order) {
  static const base::Pattern kBefore(R"((.+)\.transpose\((\d(?:, \d)*)\))");
  std::vector<size_t> axes = order;
  std::string of = x.at(kPrimary);
  const auto before =
      x.precedence == kPrimary ? kBefore.match(x.text) : std::nullopt;
  if (before) {
    const std::string digits = (*before)[2];
    for (size_t& axis : axes) {
      axis = static_cast<size_t>(digits.at(3 * axis) - '0');
    }
    of = (*before)[1];
    if (std::is_sorted(axes.begin(), axes.end())) {
      return {of, kPrimary};
    }
  }
  std::vector<std::string> texts;
  for (size_t axis : axes) {
    texts.push_back(std::to_string(axis));
  }
  return {of + ".transpose(" + join(texts) + ")", kPrimary};
}

Expression transposed(Writer& w, const OpNode& op, int64_t a, int64_t b) {
  const ValueId id = w.input_of(op, 0);
  const size_t rank = w.rank(id);
  const Expression x = w.operand_value(op, 0);
  if (rank == 4) {
    std::vector<size_t> order{0, 1, 2, 3};
    std::swap(order[a], order[b]);
    return in_order(x, order);
  }
  auto text = [&](int64_t axis) {
    const auto from_end = axis - static_cast<int64_t>(rank);
    return std::to_string(from_end >= -2 ? from_end : axis);
  };
  return method(x, "swapaxes", {text(a), text(b)});
}

Expression transpose(Writer& w, const OpNode& op) {
  const size_t rank = w.rank(w.input_of(op, 0));
  return transposed(
      w,
      op,
      axis_of(argument(op, "dim0"), rank),
      axis_of(argument(op, "dim1"), rank));
}

Expression matrix_transpose(Writer& w, const OpNode& op) {
  const auto rank = static_cast<int64_t>(w.rank(w.input_of(op, 0)));
  if (rank < 2) {
    return input(w, op);
  }
  return rank == 2 ? attribute(input(w, op), "T")
                   : transposed(w, op, rank - 2, rank - 1);
}

Expression permute(Writer& w, const OpNode& op) {
  const size_t rank = w.rank(w.input_of(op, 0));
  std::vector<size_t> order;
  for (const Value& v : argument(op, "dims").get<eval::Tuple>()->items) {
    order.push_back(static_cast<size_t>(axis_of(v, rank)));
  }
  return in_order(input(w, op), order);
}

Expression movedim(Writer& w, const OpNode& op) {
  return method(
      input(w, op),
      "moveaxis",
      {w.scalar(argument(op, "source")).text,
       w.scalar(argument(op, "destination")).text});
}

Expression unsqueeze(Writer& w, const OpNode& op) {
  const int64_t dim = argument(op, "dim").as_int();
  const Expression x = input(w, op);
  if (dim == -1) {
    return {x.at(kPrimary) + "[..., None]", kPrimary};
  }
  return call("mx.expand_dims", {x.text, std::to_string(dim)});
}

Expression squeeze(Writer& w, const OpNode& op) {
  const Expression x = input(w, op);
  if (!given(op, "dim")) {
    return method(x, "squeeze", {});
  }
  // torch leaves an extent other than one as it is.
  const auto& shape = w.context().trace.info(w.input_of(op, 0)).shape;
  const Value& dim = argument(op, "dim");
  if (dim.is_int() && shape[axis_of(dim, shape.size())] != 1) {
    return x;
  }
  return method(x, "squeeze", {w.scalar(dim).text});
}

/// Where the extent is kept, that of x.
Expression expand(Writer& w, const OpNode& op) {
  const ValueId id = w.input_of(op, 0);
  const auto& from = w.context().trace.info(id).shape;
  const auto& into = w.context().trace.info(op.outputs[0]).shape;
  Expression x = w.operand_value(op, 0);
  if (from == into) {
    return x;
  }
  const auto& sizes = argument(op, "size").get<eval::Tuple>()->items;
  const size_t added = into.size() - from.size();
  bool spelled = x.text.find_first_of("( ") == std::string::npos;
  std::vector<std::string> shape;
  for (size_t i = 0; i < into.size(); ++i) {
    const bool kept = i >= added && from[i - added] == into[i];
    if (!kept) {
      shape.push_back(w.size(sizes[i]).text);
      continue;
    }
    if (!spelled) {
      const std::string name = w.fresh("y");
      w.statement(name + " = " + x.text);
      x = {name, kPrimary};
      spelled = true;
    }
    shape.push_back(
        x.at(kPrimary) + ".shape[" + std::to_string(i - added) + "]");
  }
  return call("mx.broadcast_to", {x.text, tuple_text(shape)});
}

Expression expand_as(Writer& w, const OpNode& op) {
  const Expression other = operand(w, op, 1);
  return call(
      "mx.broadcast_to", {input(w, op).text, attribute(other, "shape").text});
}

Expression repeat(Writer& w, const OpNode& op) {
  const Value& counts =
      argument(op, op.op->name == "tile" ? "dims" : "repeats");
  std::vector<std::string> texts;
  for (const Value& v : counts.get<eval::Tuple>()->items) {
    texts.push_back(w.size(v).text);
  }
  return call("mx.tile", {input(w, op).text, tuple_text(texts)});
}

Expression repeat_interleave(Writer& w, const OpNode& op) {
  const Value& repeats = argument(op, "repeats");
  if (!repeats.is_int()) {
    w.context().hole(op.span, "repeats by a tensor have no translation");
  }
  std::vector<std::string> args{input(w, op).text, w.extent(repeats).text};
  if (given(op, "dim")) {
    args.push_back(axis_argument(w, op));
  }
  return call("mx.repeat", std::move(args));
}

Expression concatenate(Writer& w, const OpNode& op) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    parts.push_back(w.read(op, i).text);
  }
  return call(
      "mx.concatenate", {"[" + join(parts) + "]", axis_argument(w, op)});
}

Expression stack(Writer& w, const OpNode& op) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    parts.push_back(w.read(op, i).text);
  }
  return call("mx.stack", {"[" + join(parts) + "]", axis_argument(w, op)});
}

/// torch lists the last axis first; a negative width cuts off.
Expression pad(Writer& w, const OpNode& op) {
  if (given(op, "mode") && argument(op, "mode").str() != "constant") {
    w.context().hole(op.span, "this way of padding has no translation");
  }
  if (w.context().flows.of(w.input_of(op, 0)) == lift::Flow::Mask) {
    w.context().hole(op.span, "a mask of more keys has no translation");
  }
  const size_t rank = w.rank(w.input_of(op, 0));
  const auto widths = w.context().interp.to_vector(argument(op, "pad"));
  std::vector<std::string> pads(rank, "(0, 0)"), cuts(rank, ":");
  bool any_pad = false, any_cut = false;
  for (size_t i = 0; i + 1 < widths.size(); i += 2) {
    const size_t axis = rank - 1 - i / 2;
    auto width = [&](const Value& v) {
      return v.as_int() < 0 ? std::string("0") : w.extent(v).text;
    };
    pads[axis] = "(" + width(widths[i]) + ", " + width(widths[i + 1]) + ")";
    any_pad = any_pad || widths[i].as_int() > 0 || widths[i + 1].as_int() > 0;
    auto cut = [&](const Value& v) {
      return v.as_int() < 0 ? std::to_string(v.as_int()) : std::string();
    };
    const std::string from = cut(widths[i]), to = cut(widths[i + 1]);
    cuts[axis] = (from.empty() ? "" : from.substr(1)) + ":" + to;
    any_cut = any_cut || cuts[axis] != ":";
  }
  Expression x = input(w, op);
  if (any_cut) {
    x = {x.at(kPrimary) + "[" + join(cuts) + "]", kPrimary};
  }
  if (any_pad) {
    std::vector<std::string> args{x.text, "[" + join(pads) + "]"};
    if (given(op, "value") && argument(op, "value").as_double() != 0) {
      args.push_back("constant_values=" + w.scalar(argument(op, "value")).text);
    }
    x = call("mx.pad", std::move(args));
  }
  return x;
}

Expression flip(Writer& w, const OpNode& op) {
  const size_t rank = w.rank(w.input_of(op, 0));
  std::vector<std::string> parts(rank, ":");
  for (const Value& v : argument(op, "dims").get<eval::Tuple>()->items) {
    parts[axis_of(v, rank)] = "::-1";
  }
  return {input(w, op).at(kPrimary) + "[" + join(parts) + "]", kPrimary};
}

Expression roll(Writer& w, const OpNode& op) {
  std::vector<std::string> args{
      input(w, op).text, w.scalar(argument(op, "shifts")).text};
  if (given(op, "dims")) {
    args.push_back("axis=" + w.scalar(argument(op, "dims")).text);
  }
  return call("mx.roll", std::move(args));
}

Expression diagonal(Writer& w, const OpNode& op) {
  std::vector<std::string> args{input(w, op).text};
  for (const char* name : {"offset", "dim1", "dim2"}) {
    args.push_back(w.scalar(argument(op, name)).text);
  }
  return call("mx.diagonal", std::move(args));
}

}  // namespace

std::string tuple_text(const std::vector<std::string>& items) {
  return "(" + join(items) + (items.size() == 1 ? ",)" : ")");
}

std::vector<std::string> extents(Writer& w, const Value& sizes) {
  std::vector<std::string> out;
  int unknown = 0;
  for (const Value& v : sizes.get<eval::Tuple>()->items) {
    out.push_back(w.extent(v).text);
    unknown += out.back() == "-1";
  }
  if (unknown > 1) {
    // Only one may be left to tell; extents of tensors can be read from them.
    for (size_t i = 0; i < out.size() && unknown > 1; ++i) {
      const Value& v = sizes.get<eval::Tuple>()->items[i];
      if (out[i] == "-1" && v.as_int() != -1) {
        const Value told = w.told(v);
        out[i] = told.defined() ? w.scalar(told).text : w.size(v).text;
        unknown -= out[i] != "-1";
      }
    }
  }
  return out;
}

int64_t axis_of(const Value& v, size_t rank) {
  return v.as_int() < 0 ? v.as_int() + static_cast<int64_t>(rank) : v.as_int();
}

void add_shape_rules(RuleTable& rules) {
  rules["view"] = reshape;
  rules["reshape"] = reshape;
  rules["view_as"] = reshape_as;
  rules["reshape_as"] = reshape_as;
  rules["flatten"] = flatten;
  rules["ravel"] = [](Writer& w, const OpNode& op) {
    return method(input(w, op), "flatten", {});
  };
  rules["unflatten"] = unflatten;
  rules["transpose"] = transpose;
  rules["mT"] = matrix_transpose;
  rules["T"] = matrix_transpose;
  rules["t"] = matrix_transpose;
  rules["permute"] = permute;
  rules["movedim"] = movedim;
  rules["unsqueeze"] = unsqueeze;
  rules["squeeze"] = squeeze;
  rules["expand"] = expand;
  rules["expand_as"] = expand_as;
  rules["repeat"] = repeat;
  rules["tile"] = repeat;
  rules["repeat_interleave"] = repeat_interleave;
  rules["cat"] = concatenate;
  rules["stack"] = stack;
  rules["pad"] = pad;
  rules["flip"] = flip;
  rules["roll"] = roll;
  rules["diagonal"] = diagonal;
}

}  // namespace portwright::emit
