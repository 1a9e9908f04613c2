#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/symbol.h"

namespace portwright::eval {

/// Where a scalar came from: an expression over config fields, loop indices
/// and tensor dimensions. Nodes are immutable, shared, and live as long as the
/// interpreter; a null pointer means "a plain constant of the source".
struct Provenance {
  enum class Kind : uint8_t {
    Config,       // name: dotted path below the model's config
    Constant,     // text: the literal, as Python source
    Loop,         // left: what the range ran to; integer: this iteration
    Dim,          // integer: axis of tensor value `value_id`
    Length,       // len(left)
    Unary,        // name: "-" "~" "not"
    Binary,       // name: an operator, comparison included, as Python spells it
    Index,        // left[right]
    Call,         // name: builtin; left, right: arguments
    Conditional,  // left if test else right; the side not taken may be null;
                  // text is the whole source expression
    Default,      // the config field `name` where there is one, else left
    Data,         // depends on a tensor's elements: value_id
  };
  Kind kind;
  base::Symbol name;
  std::string text;
  int64_t integer = 0;
  uint32_t value_id = 0;
  const Provenance* left = nullptr;
  const Provenance* right = nullptr;
  const Provenance* test = nullptr;
};

/// True when the value may differ from layer to layer.
bool depends_on_loop(const Provenance* provenance);

/// Python source for a provenance, with config fields spelled `config.<path>`.
std::string to_string(const Provenance* provenance);

/// How to write a node; nothing for the usual way. The answer must be a
/// primary (a name, a call, something in parentheses).
using Spelling = std::function<std::optional<std::string>(const Provenance&)>;
std::string to_string(const Provenance* provenance, const Spelling& spelling);

}  // namespace portwright::eval
