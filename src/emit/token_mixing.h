#pragma once

#include <optional>

#include "emit/context.h"

namespace portwright::emit {

/// Why a source's last token is another when it is given after a cache of
/// those before than when it is given with them: the module and the operation
/// that mixes tokens there and keeps nothing, or looks ahead. Or where it puts
/// tokens of its own before them. None where neither is so, or where no such
/// operation is found: frequencies that follow the length so far part both ways
/// as well. `model` has random weights, `ids` (1, T).
std::optional<diagnostics::Diagnostic> forgotten_tokens(
    eval::Interpreter& interp,
    const eval::Value& model,
    const mlx::core::array& ids);

}  // namespace portwright::emit
