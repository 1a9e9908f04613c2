#pragma once

#include <span>
#include <string_view>

#include "torch/op.h"
#include "torch/state.h"

namespace portwright::torch {

/// One op and the ways Python spells it. `forms` lists, separated by ";",
/// where it lives, each optionally with another name and another signature:
///   torch | F | linalg | special | fft     a function of that module
///   tensor                                 a method of Tensor
///   property                               an attribute of Tensor
///   inplace                                the method that writes the result
///                                          into its first argument
/// as in "torch; tensor; tensor:__add__; inplace:__iadd__;
/// F(input, dim=None, _stacklevel=3, dtype=None)". Parameters of a form that
/// the op lacks have no bearing on the result (dispatch.cpp lists them), or
/// are refused when they are set.
struct OpSpec {
  const char* signature;  // "name(parameters)"; the name may have dots
  OpBody body;
  const char* forms = "";
};

/// One spelling of an op, parsed.
struct Form {
  std::string module;  // "torch", "F", "tensor", "property", "inplace", ...
  std::string name;
  const Op* op;
  eval::Signature signature;
  /// For each parameter of the op its position here, -1: take the default.
  std::vector<int> source;
  /// Positions here of parameters the op lacks.
  std::vector<int> extra;
  /// Other spellings: position here, position in the op. A given one wins.
  std::vector<std::pair<int, int>> aliases;
  /// Runs instead when the form's `inplace` parameter is true.
  const Op* in_place = nullptr;
};

/// Every form of every op.
const std::vector<Form>& all_forms();

/// Runs a form's op; `bound` has one value per parameter of the form.
eval::Value call_form(
    State& state,
    eval::Interpreter& interp,
    const Form& form,
    std::span<eval::Value> bound);

/// The one way every op is run: bound arguments in, the result reported to
/// the observer. What MLX throws becomes a RuntimeError in Python's terms.
eval::Value dispatch(
    State& state,
    eval::Interpreter& interp,
    const Op& op,
    std::span<const eval::Value> args);

// The ops by theme, one file each in ops/.
std::span<const OpSpec> arithmetic_ops();
std::span<const OpSpec> unary_ops();
std::span<const OpSpec> compare_ops();
std::span<const OpSpec> activation_ops();
std::span<const OpSpec> reduce_ops();
std::span<const OpSpec> scan_ops();
std::span<const OpSpec> shape_ops();
std::span<const OpSpec> split_join_ops();
std::span<const OpSpec> create_ops();
std::span<const OpSpec> convert_ops();
std::span<const OpSpec> linear_ops();
std::span<const OpSpec> attention_ops();
std::span<const OpSpec> norm_ops();
std::span<const OpSpec> gather_scatter_ops();
std::span<const OpSpec> sort_ops();
std::span<const OpSpec> conv_ops();
std::span<const OpSpec> in_place_ops();
std::span<const OpSpec> complex_ops();
std::span<const OpSpec> linalg_ops();

}  // namespace portwright::torch
