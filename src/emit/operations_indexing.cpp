#include "emit/operation_rules.h"
#include "lift/step.h"

namespace portwright::emit {

using eval::Value;

namespace {

using Writer = ModuleWriter;

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

std::vector<Value> index_items(const Value& index) {
  return index.is(eval::Kind::Tuple) ? index.get<eval::Tuple>()->items
                                     : std::vector<Value>{index};
}

/// Rows of a table of __init__ in the dtype of the activations: it is made in
/// float32, and a conversion to the same dtype leaves no trace.
Expression rows(Writer& w, const OpNode& op, const Expression& picked) {
  const auto& table = w.context().trace.info(w.input_of(op, 0));
  const bool cast =
      !table.parameter.empty() &&
      w.context().flows.of(w.input_of(op, 0)) == lift::Flow::Constant &&
      torch::is_floating_point(table.dtype) && !w.states_dtype.empty();
  return cast ? method(picked, "astype", {w.states_dtype}) : picked;
}

Expression getitem(Writer& w, const OpNode& op) {
  const Expression x = input(w, op);
  const Value& index = argument(op, "index");
  const auto items = index_items(index);
  if (std::all_of(items.begin(), items.end(), is_full)) {
    return x;
  }
  return rows(
      w, op, {x.at(kPrimary) + "[" + index_text(w, op, index) + "]", kPrimary});
}

/// A store into part of one axis: x[..., lower:upper] = value.
struct Store {
  int64_t axis = 0, lower = 0, upper = 0;
  ValueId value = 0;
};

std::optional<Store> store_of(const OpNode& op, const torch::Sizes& shape) {
  const auto rank = static_cast<int64_t>(shape.size());
  const auto items = index_items(argument(op, "index"));
  if (op.inputs.size() != 2) {
    return {};
  }
  std::optional<Store> found;
  int64_t axis = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].tag() == eval::Tag::Ellipsis) {
      axis = rank - static_cast<int64_t>(items.size() - i - 1);
      continue;
    }
    if (!is_full(items[i])) {
      if (found || !items[i].is(eval::Kind::Slice)) {
        return {};
      }
      const auto* s = items[i].get<eval::Slice>();
      if (!s->step.is_none() && s->step.as_int() != 1) {
        return {};
      }
      auto bound = [&](const Value& v, int64_t otherwise) {
        const int64_t at = v.is_none() ? otherwise : v.as_int();
        return at < 0 ? at + shape[axis] : std::min(at, shape[axis]);
      };
      found = {
          axis, bound(s->lower, 0), bound(s->upper, shape[axis]), op.inputs[1]};
    }
    ++axis;
  }
  return found;
}

/// What a store wrote, in the shape of its place: repeated along the axes of
/// one element, as often as the creation of the whole says. Nothing where it
/// does not.
std::optional<std::string> repeated(
    Writer& w,
    ValueId value,
    const torch::Sizes& place,
    const OpNode& creation) {
  const auto& own = w.context().trace.info(value).shape;
  if (own.size() != place.size()) {
    return {};
  }
  std::string text = w.value(value).text;
  for (size_t axis = 0; axis < own.size(); ++axis) {
    if (own[axis] == place[axis]) {
      continue;
    }
    const int at = creation.op->param("size");
    auto sizes = at < 0 ? std::vector<Value>{}
                        : w.context().interp.to_vector(creation.args[at]);
    if (sizes.size() == 1 && !sizes[0].is_int()) {
      sizes = w.context().interp.to_vector(sizes[0]);
    }
    if (own[axis] != 1 || sizes.size() != own.size()) {
      return {};
    }
    text =
        call(
            "mx.repeat",
            {text, w.extent(sizes[axis]).text, "axis=" + std::to_string(axis)})
            .text;
  }
  return text;
}

/// Stores that fill all of an empty array, side by side, concatenate.
std::optional<Expression> joined(Writer& w, const OpNode& op) {
  const auto& trace = w.context().trace;
  const auto& shape = trace.info(op.outputs[0]).shape;
  std::map<int64_t, Store> parts;  // by where they begin
  const OpNode* at = &op;
  while (at && at->op->name == "setitem_") {
    const auto store = store_of(*at, shape);
    if (!store ||
        (!parts.empty() && parts.begin()->second.axis != store->axis)) {
      return {};
    }
    parts.emplace(store->lower, *store);
    at = trace.info(at->inputs[0]).producer;
  }
  if (!at || (at->op->name != "new_empty" && at->op->name != "empty" &&
              at->op->name != "empty_like")) {
    return {};
  }
  int64_t end = 0;
  std::vector<std::string> texts;
  for (const auto& [lower, part] : parts) {
    if (lower != end ||
        trace.info(part.value).dtype != trace.info(op.outputs[0]).dtype) {
      return {};
    }
    auto place = shape;
    place[static_cast<size_t>(part.axis)] = part.upper - part.lower;
    const auto text = repeated(w, part.value, place, *at);
    if (!text) {
      return {};
    }
    texts.push_back(*text);
    end = part.upper;
  }
  const int64_t axis = parts.begin()->second.axis;
  if (end != shape[axis]) {
    return {};
  }
  const bool last = axis + 1 == static_cast<int64_t>(shape.size());
  return call(
      "mx.concatenate",
      {"[" + join(texts) + "]",
       "axis=" + (last ? "-1" : std::to_string(axis))});
}

/// input.copy_(src) is src in the shape of input.
Expression copy(Writer& w, const OpNode& op) {
  const ValueId source = w.input_of(op, 1);
  const auto& trace = w.context().trace;
  if (trace.info(source).shape != trace.info(op.outputs[0]).shape ||
      trace.info(source).dtype != trace.info(op.outputs[0]).dtype) {
    w.context().hole(op.span, "a copy that broadcasts or converts");
  }
  return w.value(source);
}

/// The value of a store that fills all of x, with the axes of x.
Expression filled(Writer& w, const OpNode& op) {
  std::vector<std::string> index;
  size_t last = 0;
  for (const Value& item : index_items(argument(op, "index"))) {
    index.emplace_back(item.is_int() ? "None" : ":");
    last = item.is_int() ? index.size() : last;
  }
  index.resize(last);
  const Expression value =
      operand(w, op, static_cast<size_t>(op.op->param("value")));
  return {value.at(kPrimary) + "[" + join(index) + "]", kPrimary};
}

/// The truth by which an index chooses elements; 0 for another index.
ValueId chosen_by(const OpNode& op, size_t input) {
  const auto* mask = torch::as_tensor(argument(op, "index"));
  return mask && mask->dtype == torch::Dtype::Bool && op.inputs.size() > input
             ? op.inputs[input]
             : 0;
}

/// x[mask] = number, and x[mask] = y[mask], choose between the two.
std::optional<Expression> chosen(Writer& w, const OpNode& op) {
  const auto& trace = w.context().trace;
  const ValueId mask = chosen_by(op, 1);
  const auto& shape = trace.info(op.inputs[0]).shape;
  if (!mask || trace.info(mask).shape != shape) {
    return {};
  }
  Expression value;
  if (op.inputs.size() == 2) {
    value = operand(w, op, static_cast<size_t>(op.op->param("value")));
  } else {
    const OpNode* read = trace.info(op.inputs[2]).producer;
    if (!read || read->op->name != "getitem" || chosen_by(*read, 1) != mask ||
        trace.info(read->inputs[0]).shape != shape ||
        trace.info(read->inputs[0]).dtype != trace.info(op.inputs[0]).dtype) {
      return {};
    }
    value = w.value(read->inputs[0]);
  }
  return call("mx.where", {w.value(mask).text, value.text, input(w, op).text});
}

/// True where the array was given the same there already, as by `x[index] *=
/// 2`, which changes a view and puts it back.
bool is_stored_already(Writer& w, const OpNode& op) {
  const size_t value = static_cast<size_t>(op.op->param("value"));
  const OpNode* before = w.context().trace.info(op.inputs.front()).producer;
  return before && before->op == op.op &&
         std::equal(
             before->inputs.begin() + 1,
             before->inputs.end(),
             op.inputs.begin() + 1,
             op.inputs.end()) &&
         torch::as_tensor(op.args[value]) &&
         index_text(w, *before, argument(*before, "index")) ==
             index_text(w, op, argument(op, "index"));
}

/// x[index] = value: a statement on a copy under a name of its own.
Expression setitem(Writer& w, const OpNode& op) {
  if (is_stored_already(w, op)) {
    return input(w, op);
  }
  if (lift::fills(w.context().trace, op)) {
    return filled(w, op);
  }
  if (auto whole = joined(w, op)) {
    return *whole;
  }
  if (auto either = chosen(w, op)) {
    return *either;
  }
  const Expression x = input(w, op);
  const bool fresh_array = x.text.ends_with(')') && x.precedence == kPrimary &&
                           x.text.starts_with("mx.zeros");
  const std::string value =
      operand(w, op, static_cast<size_t>(op.op->param("value"))).text;
  const std::string index = index_text(w, op, argument(op, "index"));
  const std::string name = w.fresh("y");
  w.statement(
      name + " = " + (fresh_array ? x.text : call("mx.array", {x.text}).text));
  w.statement(name + "[" + index + "] = " + value);
  w.bind(op.outputs.front(), name);
  return {name, kPrimary};
}

Expression gather(Writer& w, const OpNode& op) {
  return call(
      "mx.take_along_axis",
      {input(w, op).text, w.operand_value(op, 2).text, axis_argument(w, op)});
}

Expression index_select(Writer& w, const OpNode& op) {
  return rows(
      w,
      op,
      call(
          "mx.take",
          {input(w, op).text,
           w.operand_value(op, 2).text,
           axis_argument(w, op)}));
}

Expression scatter(Writer& w, const OpNode& op) {
  if (given(op, "reduce")) {
    w.context().hole(op.span, "a scatter that reduces has no translation");
  }
  const char* source = given(op, "src") ? "src" : "value";
  std::string values =
      operand(w, op, static_cast<size_t>(op.op->param(source))).text;
  if (!torch::as_tensor(argument(op, source))) {
    values = "mx.array(" + values + ")";
  }
  return call(
      "mx.put_along_axis",
      {input(w, op).text,
       w.operand_value(op, 2).text,
       values,
       axis_argument(w, op)});
}

/// x with rows added to those an index names, which may repeat.
Expression index_add(Writer& w, const OpNode& op) {
  const Expression x = input(w, op);
  const Value& dim = argument(op, "dim");
  if (given(op, "alpha") && argument(op, "alpha").as_double() != 1) {
    w.context().hole(op.span, "index_add() with a factor has no translation");
  }
  std::string index;
  for (int64_t i = axis_of(dim, w.rank(w.input_of(op, 0))); i > 0; --i) {
    index += ":, ";
  }
  index += w.operand_value(op, 2).text;
  const std::string rows = w.operand_value(op, 3).text;
  return call(x.at(kPrimary) + ".at[" + index + "].add", {rows});
}

Expression embedding(Writer& w, const OpNode& op) {
  if (const auto name = w.embedding_module(op)) {
    return call("self." + *name, {operand(w, op, 0).text});
  }
  // A table that is no module of its own.
  return {
      operand(w, op, 1).at(kPrimary) + "[" + operand(w, op, 0).text + "]",
      kPrimary};
}

Expression select(Writer& w, const OpNode& op) {
  const size_t rank = w.rank(w.input_of(op, 0));
  std::string index;
  for (int64_t i = axis_of(argument(op, "dim"), rank); i > 0; --i) {
    index += ":, ";
  }
  return {
      input(w, op).at(kPrimary) + "[" + index +
          w.scalar(argument(op, "index")).text + "]",
      kPrimary};
}

Expression narrow(Writer& w, const OpNode& op) {
  const size_t rank = w.rank(w.input_of(op, 0));
  std::string index;
  for (int64_t i = axis_of(argument(op, "dim"), rank); i > 0; --i) {
    index += ":, ";
  }
  const Expression start = w.extent(argument(op, "start"));
  const Expression length = w.extent(argument(op, "length"));
  const std::string end =
      start.text == "0" ? length.text : infix(start, "+", length).text;
  return {
      input(w, op).at(kPrimary) + "[" + index + start.text + ":" + end + "]",
      kPrimary};
}

Expression one_hot(Writer& w, const OpNode& op) {
  const Value& classes = argument(op, "num_classes");
  if (!classes.is_int() || classes.as_int() < 0) {
    w.context().hole(op.span, "one_hot() without a number of classes");
  }
  return method(
      {input(w, op).at(kPrimary) + "[..., None] == mx.arange(" +
           w.extent(classes).text + ")",
       kComparison},
      "astype",
      {"mx.int32"});
}

/// x[[-2]] is x[-2:-1]; several places are an array.
std::string
list_text(Writer& w, const OpNode& op, const std::vector<Value>& items) {
  std::vector<std::string> texts;
  for (const Value& v : items) {
    if (!v.is_int()) {
      w.context().hole(op.span, "this index has no translation");
    }
    texts.push_back(w.scalar(v).text);
  }
  if (items.size() == 1 && !items[0].provenance()) {
    const int64_t at = items[0].as_int();
    return texts[0] + ":" + (at == -1 ? "" : std::to_string(at + 1));
  }
  return "mx.array([" + join(texts) + "])";
}

std::string
item_text(Writer& w, const OpNode& op, const Value& v, size_t& next) {
  if (v.is_none()) {
    return "None";
  }
  if (v.tag() == eval::Tag::Ellipsis) {
    return "...";
  }
  if (v.is(eval::Kind::Slice)) {
    const auto* s = v.get<eval::Slice>();
    auto part = [&](const Value& p) {
      // A number of the source's may equal an extent by chance.
      return p.is_none()                    ? std::string()
             : !reads_shape(p.provenance()) ? w.scalar(p).text
                                            : w.extent(p).text;
    };
    std::string text = part(s->lower) + ":" + part(s->upper);
    return s->step.is_none() ? text : text + ":" + part(s->step);
  }
  if (v.is_int()) {
    return w.scalar(v).text;
  }
  if (v.is(eval::Kind::List)) {
    return list_text(w, op, v.get<eval::List>()->items);
  }
  if (const auto* tensor = torch::as_tensor(v);
      tensor && tensor->dtype != torch::Dtype::Bool) {
    return w.value(op.inputs[next++]).text;
  }
  w.context().hole(op.span, "this index has no translation");
}

}  // namespace

std::string index_text(Writer& w, const OpNode& op, const Value& index) {
  size_t next = 1;  // the tensors of the index come after the indexed one
  std::vector<std::string> parts;
  for (const Value& v : index_items(index)) {
    parts.push_back(item_text(w, op, v, next));
  }
  return join(parts);
}

void add_indexing_rules(RuleTable& rules) {
  rules["getitem"] = getitem;
  rules["setitem_"] = setitem;
  rules["copy_"] = copy;
  rules["gather"] = gather;
  rules["take_along_dim"] = [](Writer& w, const OpNode& op) {
    return call(
        "mx.take_along_axis",
        {input(w, op).text, operand(w, op, 1).text, axis_argument(w, op)});
  };
  rules["index_select"] = index_select;
  rules["index_add"] = index_add;
  rules["scatter"] = scatter;
  rules["embedding"] = embedding;
  rules["select"] = select;
  rules["narrow"] = narrow;
  rules["one_hot"] = one_hot;
}

}  // namespace portwright::emit
