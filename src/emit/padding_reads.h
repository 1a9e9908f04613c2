#pragma once

#include <optional>

#include "emit/context.h"

namespace portwright::emit {

/// Why a source's last token is another when padding before its tokens holds
/// another id, though the attention mask hides it: the first module that
/// answers so. What it reads there a port makes otherwise. None where nothing
/// reads padding. `ids` (1, T), of which some stand for padding.
std::optional<diagnostics::Diagnostic> padding_read(
    eval::Interpreter& interp,
    const eval::Value& model,
    const mlx::core::array& ids);

}  // namespace portwright::emit
