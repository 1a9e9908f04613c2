#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "emit/module_writer.h"

namespace portwright::emit {

/// Writes one operation of torch, which has one output, as MLX. The result has
/// torch's shape and values; MLX's own dtypes (int32 for int64).
using WriteRule = std::function<Expression(ModuleWriter&, const OpNode&)>;
/// By torch's name.
using RuleTable = std::map<std::string_view, WriteRule>;

// The rules by theme, one file each.
void add_elementwise_rules(RuleTable& rules);
void add_shape_rules(RuleTable& rules);
void add_reduction_rules(RuleTable& rules);
void add_indexing_rules(RuleTable& rules);
void add_creation_rules(RuleTable& rules);
void add_linear_rules(RuleTable& rules);
void add_rare_rules(RuleTable& rules);

/// The value of a parameter by its name in the op's signature.
const eval::Value& argument(const OpNode& op, std::string_view name);
/// True when the parameter is there and not None.
bool given(const OpNode& op, std::string_view name);
/// A parameter that is a tensor or a scalar.
Expression operand(ModuleWriter& w, const OpNode& op, size_t i);
/// The first tensor.
Expression input(ModuleWriter& w, const OpNode& op);
/// True when an extent of a tensor is part of how the number was computed.
bool reads_shape(const eval::Provenance* p);
/// An integer parameter as a non-negative axis of `rank`.
int64_t axis_of(const eval::Value& v, size_t rank);
/// "axis=-1" of the parameter `dim`, which may list several.
std::string axis_argument(ModuleWriter& w, const OpNode& op);
/// The sizes of view(*shape), zeros(*size): one text each.
std::vector<std::string> extents(ModuleWriter& w, const eval::Value& sizes);
/// "(a, b)", with the comma a tuple of one needs.
std::string tuple_text(const std::vector<std::string>& items);
/// "mx.float32"; nothing for dtypes MLX lacks.
std::optional<std::string> dtype_text(torch::Dtype dtype);
/// x[<index>] as Python spells it.
std::string
index_text(ModuleWriter& w, const OpNode& op, const eval::Value& index);

}  // namespace portwright::emit
