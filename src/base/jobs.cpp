#include "base/jobs.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace portwright::base {

size_t jobs_at_once(size_t bytes) {
  const size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page <= 0 || bytes == 0) {
    return cores;
  }
  const size_t memory = static_cast<size_t>(pages) * static_cast<size_t>(page);
  return std::clamp<size_t>(memory / bytes, 1, cores);
}

void run_jobs(
    size_t count,
    size_t at_once,
    const std::function<void(size_t slot, size_t index)>& work) {
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  const size_t slots = std::min(std::max<size_t>(at_once, 1), count);
  for (size_t slot = 0; slot < slots; ++slot) {
    threads.emplace_back([&, slot] {
      for (size_t i = next++; i < count; i = next++) {
        work(slot, i);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace portwright::base
