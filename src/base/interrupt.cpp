#include "base/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace portwright::base {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<long, std::function<void()>> actions;
  long next = 1;
};

Registry& registry() {
  // Never destroyed: the waiting thread outlives main().
  static auto* it = new Registry;
  return *it;
}

sigset_t signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  return set;
}

[[noreturn]] void wait_for_signal() {
  const sigset_t set = signals();
  int signal = 0;
  while (sigwait(&set, &signal) != 0) {
  }
  // Kept locked, so that nothing is registered behind our back.
  registry().mutex.lock();
  auto& actions = registry().actions;
  for (auto it = actions.rbegin(); it != actions.rend(); ++it) {
    it->second();
  }
  ::_exit(128 + signal);
}

}  // namespace

void exit_on_interrupt() {
  const sigset_t set = signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::thread(wait_for_signal).detach();
}

OnInterrupt::OnInterrupt(std::function<void()> action) {
  auto& all = registry();
  std::lock_guard lock(all.mutex);
  id_ = all.next++;
  all.actions.emplace(id_, std::move(action));
}

OnInterrupt::OnInterrupt(OnInterrupt&& other) noexcept
    : id_(std::exchange(other.id_, 0)) {}

OnInterrupt& OnInterrupt::operator=(OnInterrupt&& other) noexcept {
  std::swap(id_, other.id_);
  return *this;
}

OnInterrupt::~OnInterrupt() {
  if (id_ != 0) {
    auto& all = registry();
    std::lock_guard lock(all.mutex);
    all.actions.erase(id_);
  }
}

}  // namespace portwright::base
