#pragma once

#include <nlohmann/json.hpp>

#include "library/guarded.h"
#include "library/model.h"

namespace portwright::candidate {

/// What the proofs share. All of it throws what ends an evaluation.

/// Our modules of functions about the port and about the source's model.
inline constexpr const char* kOurs = "portwright.proving";
inline constexpr const char* kTheirs = "portwright.source_weights";

eval::Value
function(eval::Interpreter& interp, const char* module, const char* name);

/// Throws what ended the evaluation of the source.
template <typename T>
T value_or_throw(library::Evaluated<T> value) {
  if (!value) {
    throw eval::Refusal{value.error()};
  }
  return std::move(*value);
}

/// Ids that differ from their neighbours, the same every time, none of them
/// small: special tokens are.
mlx::core::array ids_for(int64_t vocabulary, int batch, int length);

/// True where the source makes the same config of both.
bool same_config(
    eval::Interpreter& interp,
    const nlohmann::json& config,
    const nlohmann::json& other);

/// The source's model in float32 with random weights, the same every time.
eval::Value source_model(
    eval::Interpreter& interp,
    const nlohmann::json& config);

/// That model in another dtype. Both have the same weights then, `source` those
/// that are left of its own in that dtype.
eval::Value source_like(
    eval::Interpreter& interp,
    const nlohmann::json& config,
    const eval::Value& source,
    torch::Dtype dtype);

/// The number of token ids that the source's model knows.
int64_t vocabulary_of(eval::Interpreter& interp, const eval::Value& source);

}  // namespace portwright::candidate
