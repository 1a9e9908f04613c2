#pragma once

#include <cstddef>
#include <functional>

namespace portwright::base {

/// How many jobs of up to `bytes` each this machine's cores and memory bear;
/// at least one.
size_t jobs_at_once(size_t bytes);

/// Calls work(slot, index) for each index below `count`, `at_once` of them
/// together, each slot in a thread of its own. `work` must not throw. What may
/// crash or hang belongs into a process that `work` starts (subprocess.h).
void run_jobs(
    size_t count,
    size_t at_once,
    const std::function<void(size_t slot, size_t index)>& work);

}  // namespace portwright::base
