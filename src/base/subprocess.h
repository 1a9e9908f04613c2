#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace portwright::base {

using Milliseconds = std::chrono::milliseconds;

/// A timeout that never passes.
inline constexpr Milliseconds kForever = Milliseconds::max();

/// How a child ended: its exit code, or the signal that killed it (else 0).
struct ExitStatus {
  int code = 0;
  int signal = 0;

  bool ok() const {
    return code == 0 && signal == 0;
  }
};

/// "exit code 3", "killed by signal 9 (Killed)".
std::string to_string(const ExitStatus& status);

struct Command {
  /// The program, looked up in PATH when it has no slash, and its arguments.
  std::vector<std::string> arguments;
  /// Where the child starts; empty for our own directory.
  std::string directory;
  /// Variables set on top of our environment.
  std::vector<std::pair<std::string, std::string>> environment;
  /// How much of the end of stderr is kept, in bytes.
  size_t stderr_limit = 16 * 1024;
};

/// A child with pipes on its standard streams and a process group of its own.
/// Destroying it kills the whole group, and so does an interrupt (see
/// interrupt.h). Every call that waits also drains stderr, so that a talkative
/// child does not block. Not for use from two threads at once.
class Subprocess {
 public:
  /// Fails when the program cannot be started.
  static Result<Subprocess> spawn(const Command& command);

  Subprocess(Subprocess&&) noexcept;
  Subprocess& operator=(Subprocess&&) noexcept;
  ~Subprocess();

  /// Writes all bytes to the child's stdin; fails when it has ended, closed
  /// its stdin, or takes longer than `timeout`.
  Result<void> write(std::string_view bytes, Milliseconds timeout = kForever);

  /// Ends the child's stdin.
  void close_input();

  /// The next line of stdout without its newline. At the end of stdout an
  /// unfinished last line counts as one; after it, and on timeout, an Error
  /// says what happened, with the end of stderr as its hint.
  Result<std::string> read_line(Milliseconds timeout = kForever);

  /// The rest of stdout up to its end.
  Result<std::string> read_all(Milliseconds timeout = kForever);

  /// Waits for the end of the child; what it still prints is kept for reading.
  Result<ExitStatus> wait(Milliseconds timeout = kForever);

  /// Asks the group to end, and kills it after `grace`.
  void terminate(Milliseconds grace = Milliseconds(500));

  /// False once the child is known to have ended.
  bool running();

  /// What the child wrote to stderr so far, or the end of it.
  const std::string& stderr_tail() const;

  pid_t pid() const;

 private:
  struct State;
  explicit Subprocess(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct Output {
  ExitStatus status;
  std::string out;
  std::string err;
};

/// Runs a command to its end with `input` on its stdin. Fails when it cannot be
/// started or passes `timeout` (then it is killed); an exit code other than 0
/// is not an error here.
Result<Output> run(
    const Command& command,
    std::string_view input = "",
    Milliseconds timeout = kForever);

}  // namespace portwright::base
