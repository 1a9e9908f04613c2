#pragma once

#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// Members of Model that say how a conversion treats what precision matters to:
/// quant_predicate keeps routers at 8 bits, since rounding would send tokens to
/// other experts; cast_predicate leaves what the source keeps in float32.
/// `classes` are those of the file, `drafts` what they were merged from.
std::vector<std::string> precision_predicates(
    const std::vector<Context*>& drafts,
    const std::vector<ClassText>& classes);

}  // namespace portwright::emit
