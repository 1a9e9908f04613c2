#include "emit/module_writer.h"
#include "emit/operation_rules.h"
#include "emit/predicates.h"

namespace portwright::emit {

using eval::Provenance;
using eval::Value;

bool reads_shape(const Provenance* p) {
  return p && p->kind != Provenance::Kind::Loop &&
         (p->kind == Provenance::Kind::Dim || reads_shape(p->left) ||
          reads_shape(p->right) || reads_shape(p->test));
}

namespace {

/// True where a scalar is made of what is computed, or of its extents.
bool reads_run(const Provenance* p) {
  return p && p->kind != Provenance::Kind::Loop &&
         (p->kind == Provenance::Kind::Dim ||
          p->kind == Provenance::Kind::Data || reads_run(p->left) ||
          reads_run(p->right) || reads_run(p->test));
}

}  // namespace

/// Scalars that are made of extents are computed where they are used.
std::optional<Expression> ModuleWriter::of_shapes(const Provenance* p) {
  if (!reads_shape(p)) {
    return {};
  }
  if (p->kind == Provenance::Kind::Dim) {
    return own_extent(*p);
  }
  const std::string text = eval::to_string(
      p, [&](const Provenance& part) -> std::optional<std::string> {
        if (part.kind == Provenance::Kind::Dim) {
          return own_extent(part).text;
        }
        if (part.kind == Provenance::Kind::Loop && reads_shape(part.left)) {
          return std::to_string(part.integer);  // written out
        }
        if (part.kind == Provenance::Kind::Constant || reads_shape(&part)) {
          return {};
        }
        return scalar(Value::integer(0).with(&part)).text;
      });
  return Expression{text, kTernary};
}

/// The text of a scalar in terms of ModelArgs, extents in it by what made them;
/// "" where that is not found.
std::string ModuleWriter::told_text(const Provenance* p) const {
  if (!reads_shape(p)) {
    return context_.args_text(p);
  }
  if (p->kind == Provenance::Kind::Dim) {
    const Value made = told(Value::integer(0).with(p));
    const Provenance* of = made.defined() ? made.provenance() : nullptr;
    return of && of != p ? told_text(of) : "";
  }
  bool found = true;
  const std::string text = eval::to_string(
      p, [&](const Provenance& part) -> std::optional<std::string> {
        if (part.kind == Provenance::Kind::Dim) {
          const std::string made = told_text(&part);
          found = found && !made.empty();
          return made.find(' ') == std::string::npos ? made : "(" + made + ")";
        }
        if (part.kind == Provenance::Kind::Constant || reads_shape(&part)) {
          return {};
        }
        return context_.args_text(&part);
      });
  return found ? text : "";
}

/// The extent of one axis of a tensor, by what it is or read from its shape.
Expression ModuleWriter::own_extent(const Provenance& dim) {
  const auto& e = context_.evaluation;
  const auto& shape = context_.trace.info(dim.value_id).shape;
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t axis = dim.integer < 0 ? dim.integer + rank : dim.integer;
  if (axis < 0 || axis >= rank) {
    context_.hole(
        frame_.call, "a size of '" + frame_.path + "' is read in no known way");
  }
  if (shape[axis] == e.batch || shape[axis] == e.length) {
    needs_shape = true;
    return {shape[axis] == e.batch ? "B" : "L", kPrimary};
  }
  if (shape[axis] == e.length + e.offset ||
      attention_.counts_keys(dim.value_id, axis)) {
    if (const auto keys = attention_.key_length()) {
      return *keys;
    }
  }
  // A quantized matrix has other sizes; its rows stay.
  if (context_.flows.of(dim.value_id) == lift::Flow::Parameter) {
    const Value extent = Value::integer(shape[axis]);
    const Value made = told(extent.with(&dim));
    if (made.defined() || axis != 0 || !weight_owner(dim.value_id).empty()) {
      return scalar(made.defined() ? made : extent);
    }
  }
  if (!data_inputs_.empty() && axis + 1 == rank) {
    const auto& x = context_.trace.info(data_inputs_.front()).shape;
    if (x.size() == 3 && x.back() == shape[axis]) {
      needs_shape = needs_depth = true;
      return {"D", kPrimary};
    }
  }
  return {
      name(dim.value_id) + ".shape[" + std::to_string(axis) + "]", kPrimary};
}

/// What an axis was made with: followed through what keeps it, to a shape that
/// the source spells out, or to the weight it comes from. Undefined where none
/// is found.
Value ModuleWriter::told(const Value& extent) const {
  const Provenance* dim = extent.provenance();
  if (!dim || dim->kind != Provenance::Kind::Dim) {
    return {};
  }
  const auto rank_of = static_cast<int64_t>(rank(dim->value_id));
  return told(
      dim->value_id,
      static_cast<size_t>(
          dim->integer < 0 ? dim->integer + rank_of : dim->integer));
}

Value ModuleWriter::told(ValueId id, size_t axis) const {
  const auto& trace = context_.trace;
  const auto extent_of = [&](ValueId v, size_t at) {
    const auto& shape = trace.info(v).shape;
    return at < shape.size() ? shape[at] : -1;
  };
  const OpNode* op = trace.info(id).producer;
  if (!op || op->inputs.empty()) {
    const auto created = created_sizes(id);
    return axis < created.size() ? created[axis] : Value();
  }
  const std::string& name = op->op->name;
  const ValueId from = op->inputs[0];
  if (name == "view" || name == "reshape") {
    return told_by_shape(*op, axis);
  }
  if (name == "permute") {
    auto dims = context_.interp.to_vector(argument(*op, "dims"));
    if (dims.size() == 1 && !dims[0].is_int()) {
      dims = context_.interp.to_vector(dims[0]);
    }
    return told(from, static_cast<size_t>(axis_of(dims[axis], rank(id))));
  }
  if (name == "transpose") {
    const auto a =
        static_cast<size_t>(axis_of(argument(*op, "dim0"), rank(id)));
    const auto b =
        static_cast<size_t>(axis_of(argument(*op, "dim1"), rank(id)));
    return told(from, axis == a ? b : axis == b ? a : axis);
  }
  if (name == "unbind") {
    const auto gone =
        static_cast<size_t>(axis_of(argument(*op, "dim"), rank(from)));
    return told(from, axis < gone ? axis : axis + 1);
  }
  if (name == "split" || name == "chunk") {
    return told_by_split(*op, id, axis);
  }
  if (name == "unflatten") {
    return told_by_parts(*op, axis);
  }
  if (name == "getitem" && extent_of(from, axis) != extent_of(id, axis)) {
    return told_by_slice(*op, axis);
  }
  if (name == "embedding" && axis + 1 == rank(id)) {
    return told(op->inputs[1], 1);
  }
  const bool product = name == "linear" || name == "matmul";
  if (product && axis + 1 == rank(id)) {
    const ValueId weight = op->inputs[1];
    const size_t columns = name == "linear" ? 0 : rank(weight) - 1;
    return told(weight, columns);
  }
  static const std::set<std::string_view> kKeeping{
      "to",
      "float",
      "type_as",
      "contiguous",
      "add",
      "sub",
      "mul",
      "div",
      "getitem",
      "unbind",
      "rms_norm",
      "layer_norm",
      "dropout",
      "clamp",
      "tanh",
      "tensor_split"};
  const bool keeps = product || kKeeping.contains(name);
  return keeps && rank(from) == rank(id) &&
                 extent_of(from, axis) == extent_of(id, axis)
             ? told(from, axis)
             : Value();
}

/// The same of an axis that view() or reshape() made. What it left open is what
/// the others leave of the last axis, where that is all they divide.
Value ModuleWriter::told_by_shape(const OpNode& op, size_t axis) const {
  const auto& trace = context_.trace;
  auto sizes = argument(op, "shape").get<eval::Tuple>()->items;
  if (sizes.size() == 1 && !sizes[0].is_int()) {
    sizes = context_.interp.to_vector(sizes[0]);
  }
  if (axis >= sizes.size() || !sizes[axis].is_int()) {
    return {};
  }
  const Value& size = sizes[axis];
  if (size.as_int() != -1) {
    const Provenance* p = size.provenance();
    return p && p->kind == Provenance::Kind::Dim ? told(size)
           : p                                   ? size
                                                 : Value();
  }
  const auto& before = trace.info(op.inputs[0]).shape;
  const auto& after = trace.info(op.outputs[0]).shape;
  const size_t kept = before.size() - 1;
  if (before.empty() || after.size() <= kept || axis < kept ||
      !std::equal(before.begin(), before.begin() + kept, after.begin())) {
    return {};
  }
  sizes.erase(sizes.begin(), sizes.begin() + kept);
  return told_by_others(op.inputs[0], kept, sizes, axis - kept);
}

/// The same of a part that split() or chunk() cuts out.
Value ModuleWriter::told_by_split(const OpNode& op, ValueId id, size_t axis)
    const {
  const ValueId from = op.inputs[0];
  if (static_cast<size_t>(axis_of(argument(op, "dim"), rank(from))) != axis) {
    return told(from, axis);
  }
  if (op.op->name == "chunk") {
    const Value whole = told(from, axis);
    return whole.defined()
               ? context_.interp.binary("//", whole, argument(op, "chunks"))
               : whole;
  }
  Value size = op.args[1];
  if (!size.is_int()) {
    const auto sizes = context_.interp.to_vector(size);
    const auto at = std::find(op.outputs.begin(), op.outputs.end(), id) -
                    op.outputs.begin();
    size = static_cast<size_t>(at) < sizes.size() ? sizes[at] : Value();
  }
  const Provenance* p = size.defined() ? size.provenance() : nullptr;
  return p && p->kind == Provenance::Kind::Dim ? told(size)
         : p                                   ? size
                                               : Value();
}

/// The same of an axis that begins as before and is cut short: x[..., :size].
Value ModuleWriter::told_by_slice(const OpNode& op, size_t axis) const {
  const Value& index = argument(op, "index");
  const auto items = index.is(eval::Kind::Tuple)
                         ? index.get<eval::Tuple>()->items
                         : std::vector<Value>{index};
  const bool slices =
      std::all_of(items.begin(), items.end(), [](const Value& v) {
        return v.is(eval::Kind::Slice) || v.tag() == eval::Tag::Ellipsis;
      });
  const bool last = axis + 1 == rank(op.outputs[0]);
  const size_t at = items.size() == rank(op.outputs[0]) ? axis
                    : last                              ? items.size() - 1
                                                        : items.size();
  if (!slices || at >= items.size() || !items[at].is(eval::Kind::Slice)) {
    return {};
  }
  const auto& slice = *items[at].get<eval::Slice>();
  const Value& size = slice.upper;
  const bool from_start = slice.lower.is_none() && slice.step.is_none();
  if (!from_start || !size.is_int() || size.as_int() <= 0 ||
      !size.provenance()) {
    return {};
  }
  return size.provenance()->kind == Provenance::Kind::Dim ? told(size) : size;
}

/// The same of an axis of unflatten().
Value ModuleWriter::told_by_parts(const OpNode& op, size_t axis) const {
  const ValueId from = op.inputs[0];
  const auto split =
      static_cast<size_t>(axis_of(argument(op, "dim"), rank(from)));
  const auto sizes = context_.interp.to_vector(argument(op, "sizes"));
  if (axis < split || axis >= split + sizes.size()) {
    return told(from, axis < split ? axis : axis + 1 - sizes.size());
  }
  const Value& size = sizes[axis - split];
  return size.as_int() != -1 ? size
                             : told_by_others(from, split, sizes, axis - split);
}

/// What is left for one of the parts that an axis is divided into.
Value ModuleWriter::told_by_others(
    ValueId from,
    size_t axis,
    const std::vector<Value>& parts,
    size_t which) const {
  Value rest = told(from, axis);
  for (size_t i = 0; i < parts.size() && rest.defined(); ++i) {
    if (i != which) {
      rest = context_.interp.binary("//", rest, parts[i]);
    }
  }
  return rest;
}

Expression ModuleWriter::size(const Value& v) {
  if (!constructing_ && v.provenance() &&
      v.provenance()->kind == Provenance::Kind::Dim) {
    return own_extent(*v.provenance());
  }
  // As many as there are tokens, where extent() would leave it to reshape.
  const auto& e = context_.evaluation;
  if (!constructing_ && v.as_int() == e.batch * e.length &&
      !data_inputs_.empty()) {
    const ValueId x = data_inputs_.front();
    if (rank(x) == 3) {
      needs_shape = true;
      return {"B * L", kProduct};
    }
    if (context_.trace.info(x).shape.front() == v.as_int()) {
      return {name(x) + ".shape[0]", kPrimary};
    }
  }
  return extent(v);
}

Expression ModuleWriter::extent(const Value& v) {
  if (constructing_) {
    return scalar(v);
  }
  // Computed from the config, it may equal one of them by chance.
  if (!reads_of(v.provenance()).fields.empty() && !reads_run(v.provenance())) {
    return scalar(v);
  }
  const auto& e = context_.evaluation;
  if (v.as_int() == e.batch || v.as_int() == e.length) {
    needs_shape = true;
    return {v.as_int() == e.batch ? "B" : "L", kPrimary};
  }
  if (v.as_int() == e.batch * e.length) {
    return {"-1", kUnary};
  }
  if (reads_shape(v.provenance()) && v.as_int() == e.length + e.offset) {
    if (const auto keys = attention_.key_length()) {
      return *keys;
    }
  }
  if (v.provenance() && v.provenance()->kind == Provenance::Kind::Dim) {
    // The extent of a tensor: the depth of x, or left to reshape.
    if (!data_inputs_.empty()) {
      const auto& x = context_.trace.info(data_inputs_.front()).shape;
      if (x.size() == 3 && x.back() == v.as_int()) {
        needs_shape = needs_depth = true;
        return {"D", kPrimary};
      }
    }
    return {"-1", kUnary};
  }
  if (auto computed = of_shapes(v.provenance())) {
    return *computed;
  }
  return scalar(v);
}

}  // namespace portwright::emit
