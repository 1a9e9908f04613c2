#include "emit/module_writer.h"
#include "emit/operation_rules.h"

namespace portwright::emit {

using eval::Provenance;
using eval::Value;

namespace {

bool reads_shape(const Provenance* p) {
  return p && p->kind != Provenance::Kind::Loop &&
         (p->kind == Provenance::Kind::Dim || reads_shape(p->left) ||
          reads_shape(p->right) || reads_shape(p->test));
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
  if (context_.flows.of(dim.value_id) == lift::Flow::Parameter &&
      (axis != 0 || !weight_owner(dim.value_id).empty())) {
    return scalar(Value::integer(shape[axis]));
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
/// the source spells out. Undefined where none is found.
Value ModuleWriter::told(const Value& extent) const {
  const Provenance* dim = extent.provenance();
  if (!dim || dim->kind != Provenance::Kind::Dim) {
    return {};
  }
  const auto& trace = context_.trace;
  ValueId id = dim->value_id;
  auto axis = static_cast<size_t>(
      dim->integer < 0 ? dim->integer + static_cast<int64_t>(rank(id))
                       : dim->integer);
  while (const OpNode* op = trace.info(id).producer) {
    const std::string& name = op->op->name;
    if (name == "view" || name == "reshape") {
      const auto& sizes = argument(*op, "shape").get<eval::Tuple>()->items;
      if (axis >= sizes.size() || sizes[axis].as_int() == -1) {
        return {};
      }
      const Value& size = sizes[axis];
      const bool read =
          size.provenance() && size.provenance()->kind == Provenance::Kind::Dim;
      return read ? told(size) : size.provenance() ? size : Value();
    }
    if (op->inputs.empty()) {
      return {};
    }
    const ValueId from = op->inputs[0];
    if (name == "transpose") {
      const auto a =
          static_cast<size_t>(axis_of(argument(*op, "dim0"), rank(id)));
      const auto b =
          static_cast<size_t>(axis_of(argument(*op, "dim1"), rank(id)));
      axis = axis == a ? b : axis == b ? a : axis;
    } else if (
        rank(from) != rank(id) ||
        trace.info(from).shape[axis] != trace.info(id).shape[axis] ||
        (name != "to" && name != "float" && name != "contiguous" &&
         name != "add" && name != "mul" && name != "getitem")) {
      return {};
    }
    id = from;
  }
  return {};
}

Expression ModuleWriter::size(const Value& v) {
  if (!constructing_ && v.provenance() &&
      v.provenance()->kind == Provenance::Kind::Dim) {
    return own_extent(*v.provenance());
  }
  return extent(v);
}

Expression ModuleWriter::extent(const Value& v) {
  if (constructing_) {
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
  if (v.provenance() && v.provenance()->kind == Provenance::Kind::Dim) {
    if (v.as_int() == e.length + e.offset) {
      if (const auto keys = attention_.key_length()) {
        return *keys;
      }
    }
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
