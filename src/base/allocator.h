#pragma once

namespace portwright::base {

/// Suits the C library's allocator to many small objects beside a few large
/// buffers. Once, before threads start; changes speed alone.
void tune_allocator();

}  // namespace portwright::base
