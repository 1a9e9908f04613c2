#pragma once

#include <optional>
#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// How a config class reads rotary parameters outside `rope_parameters`, found
/// by giving it configs: which flat keys count, and what holds without any.
struct RopeKeys {
  std::optional<double> theta;            // nothing: it differs by layer kind
  std::optional<double> partial;          // nothing: the class has none
  std::vector<std::string> theta_keys;    // "rotary_emb_base", "rope_theta"
  std::vector<std::string> partial_keys;  // "rotary_pct"
};

RopeKeys probe_rope_keys(Context& context);

}  // namespace portwright::emit
