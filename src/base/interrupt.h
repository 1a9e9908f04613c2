#pragma once

#include <functional>

namespace portwright::base {

/// From now on SIGINT, SIGTERM and SIGHUP end the process at once, whatever it
/// computes: the actions registered below run, newest first, and the exit code
/// is 130 for SIGINT, else 128 + signal. Call first in main(), before any
/// thread starts; a thread of its own waits for the signals, so actions may do
/// anything that does not wait for another thread.
void exit_on_interrupt();

/// An action for the time an interrupt ends the process: remove a temporary
/// file, kill a child. Unregistered, not run, when the handle dies.
class OnInterrupt {
 public:
  OnInterrupt() = default;
  explicit OnInterrupt(std::function<void()> action);
  OnInterrupt(OnInterrupt&& other) noexcept;
  OnInterrupt& operator=(OnInterrupt&& other) noexcept;
  ~OnInterrupt();

 private:
  long id_ = 0;
};

}  // namespace portwright::base
