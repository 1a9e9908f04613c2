#pragma once

#include <nlohmann/json.hpp>

#include "emit/context.h"

namespace portwright::emit {

/// True where the model's source reads mscale_all_dim itself: of which the set
/// then says more than how to turn.
bool reads_yarn_magnitude(const Evaluation& evaluation);

/// The config with yarn in place of a default rope, and with `mscale_all_dim`;
/// null where the source does not ask for that option itself: then it is a
/// matter of the library's frequencies alone.
nlohmann::json with_yarn_magnitude(
    const Evaluation& evaluation,
    const nlohmann::json& config);

/// What the source multiplies the scale of its scores by for yarn, twice
/// 0.1 * mscale_all_dim * log(factor) + 1, is mlx_lm's apply_yarn_mscale, which
/// leaves the scale of other ropes as it is: the drafts of those say so too.
void use_yarn_magnitude(const std::vector<Context*>& drafts);

}  // namespace portwright::emit
