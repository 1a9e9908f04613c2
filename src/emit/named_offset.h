#pragma once

#include "emit/statements.h"

namespace portwright::emit {

/// How a forward that needs the cache's offset in several places gets it.
inline constexpr const char* kNamedOffset =
    "offset = cache.offset if cache is not None else 0";

/// True where rotations are written for a cache and for none.
bool rotates_by_cache(const Lines& lines);

/// Rotations that are written for a cache and for none, once for both:
///
///     if cache is not None:
///         queries = self.rope(queries, offset=cache.offset)
///         keys, values = cache.update_and_fetch(keys, values)
///     else:
///         queries = self.rope(queries)
///
/// rotates by `offset`, and then asks for a cache. What keeps keys and rotates
/// none has the offset too, as those beside it. Other lines stay.
Lines with_named_offset(Lines lines);

}  // namespace portwright::emit
