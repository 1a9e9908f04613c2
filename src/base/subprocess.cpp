#include "base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "base/interrupt.h"

extern char** environ;

namespace portwright::base {
namespace {

using Clock = std::chrono::steady_clock;

// A worker answering with a line longer than this has lost its protocol.
constexpr size_t kLongestLine = size_t{256} << 20;

class Deadline {
 public:
  explicit Deadline(Milliseconds timeout) {
    if (timeout != kForever) {
      at_ = Clock::now() + timeout;
    }
  }
  bool passed() const {
    return at_ && Clock::now() >= *at_;
  }
  Milliseconds left() const {
    if (!at_) {
      return Milliseconds(1000);
    }
    const auto left =
        std::chrono::duration_cast<Milliseconds>(*at_ - Clock::now());
    return std::clamp(
        left + Milliseconds(1), Milliseconds(0), Milliseconds(1000));
  }

 private:
  std::optional<Clock::time_point> at_;
};

void close_fd(int& fd) {
  if (fd >= 0) {
    ::close(fd);
    fd = -1;
  }
}

/// A pipe that other children do not inherit.
bool make_pipe(int (&ends)[2]) {
  if (::pipe(ends) != 0) {
    return false;
  }
  // A standard stream that was closed must not become one of the ends: the
  // child's dup2 would leave it closed on exec.
  for (int& end : ends) {
    const int moved = ::fcntl(end, F_DUPFD_CLOEXEC, 3);
    ::close(end);
    end = moved;
  }
  return ends[0] >= 0 && ends[1] >= 0;
}

/// Appends what can be read now; false at the end of the stream.
bool drain(int fd, std::string& into) {
  char buffer[65536];
  while (true) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n > 0) {
      into.append(buffer, static_cast<size_t>(n));
      continue;
    }
    if (n < 0 && errno == EINTR) {
      continue;
    }
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
}

std::vector<std::string> merged_environment(const Command& command) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text(*entry);
    const auto name = text.substr(0, text.find('='));
    const bool replaced = std::any_of(
        command.environment.begin(),
        command.environment.end(),
        [&](const auto& pair) { return pair.first == name; });
    if (!replaced) {
      out.emplace_back(text);
    }
  }
  for (const auto& [name, value] : command.environment) {
    out.push_back(name + "=" + value);
  }
  return out;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const auto& s : strings) {
    out.push_back(const_cast<char*>(s.c_str()));
  }
  out.push_back(nullptr);
  return out;
}

/// The parent's and the child's ends of the three standard streams.
struct Pipes {
  int in[2] = {-1, -1};
  int out[2] = {-1, -1};
  int err[2] = {-1, -1};

  bool open() {
    return make_pipe(in) && make_pipe(out) && make_pipe(err);
  }
  ~Pipes() {
    for (auto* pipe : {&in, &out, &err}) {
      close_fd((*pipe)[0]);
      close_fd((*pipe)[1]);
    }
  }
};

/// Starts the child; returns 0 or an errno.
int start(const Command& command, const Pipes& pipes, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, pipes.in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, pipes.out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, pipes.err[1], 2);
  if (!command.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, command.directory.c_str());
  }
  // We may block signals and ignore SIGPIPE; the child starts with neither.
  sigset_t none;
  sigset_t defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    sigaddset(&defaults, signal);
  }
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(
      &attributes,
      POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const auto environment = merged_environment(command);
  auto argv = pointers(command.arguments);
  auto envp = pointers(environment);
  const int error = posix_spawnp(
      &pid, argv[0], &actions, &attributes, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

}  // namespace

std::string to_string(const ExitStatus& status) {
  if (status.signal != 0) {
    return "killed by signal " + std::to_string(status.signal) + " (" +
           strsignal(status.signal) + ")";
  }
  return "exit code " + std::to_string(status.code);
}

struct Subprocess::State {
  std::string name;
  pid_t pid = -1;
  int in = -1;
  int out = -1;
  int err = -1;
  std::string output;
  size_t scanned = 0;  // bytes of output known to hold no newline
  std::string errors;
  size_t stderr_limit = 0;
  std::optional<ExitStatus> status;
  OnInterrupt on_interrupt;

  ~State() {
    if (pid > 0) {
      // The group may outlive its leader; both go.
      ::kill(-pid, SIGKILL);
      if (!status) {
        int raw = 0;
        while (::waitpid(pid, &raw, 0) < 0 && errno == EINTR) {
        }
      }
    }
    close_fd(in);
    close_fd(out);
    close_fd(err);
  }

  void take_errors() {
    if (err >= 0 && !drain(err, errors)) {
      close_fd(err);
    }
    if (errors.size() > stderr_limit) {
      errors.erase(0, errors.size() - stderr_limit);
    }
  }

  void take_output() {
    if (out >= 0 && !drain(out, output)) {
      close_fd(out);
    }
  }

  /// Waits up to `limit` for any stream to move; true when stdin has room.
  bool pump(Milliseconds limit, bool writing) {
    pollfd fds[3];
    nfds_t n = 0;
    if (out >= 0) {
      fds[n++] = {out, POLLIN, 0};
    }
    if (err >= 0) {
      fds[n++] = {err, POLLIN, 0};
    }
    if (writing) {
      fds[n++] = {in, POLLOUT, 0};
    }
    const int ready = ::poll(fds, n, static_cast<int>(limit.count()));
    take_output();
    take_errors();
    return writing && ready > 0 && fds[n - 1].revents != 0;
  }

  bool reap() {
    if (status) {
      return true;
    }
    int raw = 0;
    const pid_t got = ::waitpid(pid, &raw, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) {
      return false;
    }
    status = ExitStatus{};
    if (got == pid && WIFSIGNALED(raw)) {
      status->signal = WTERMSIG(raw);
    } else if (got == pid) {
      status->code = WEXITSTATUS(raw);
    }
    take_output();
    take_errors();
    return true;
  }

  /// Why nothing more can be read or written. stdout may end just before the
  /// process does, so it gets a moment to end.
  tl::unexpected<Error> ended(std::string_view doing) {
    const Deadline moment(Milliseconds(500));
    while (!reap() && !moment.passed()) {
      std::this_thread::sleep_for(Milliseconds(2));
    }
    take_errors();
    const std::string how =
        status ? "ended (" + to_string(*status) + ")" : "closed its stream";
    return fail(
        "`" + name + "` " + how + " while " + std::string(doing), errors);
  }

  tl::unexpected<Error> late(std::string_view doing, Milliseconds timeout) {
    return fail(
        "`" + name + "` took longer than " + std::to_string(timeout.count()) +
            " ms while " + std::string(doing),
        errors);
  }
};

Subprocess::Subprocess(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
Subprocess::Subprocess(Subprocess&&) noexcept = default;
Subprocess& Subprocess::operator=(Subprocess&&) noexcept = default;
Subprocess::~Subprocess() = default;

Result<Subprocess> Subprocess::spawn(const Command& command) {
  if (command.arguments.empty() || command.arguments[0].empty()) {
    return fail("no program to start");
  }
  // A child that has ended makes a write an error, not the end of us.
  static std::once_flag once;
  std::call_once(once, [] { ::signal(SIGPIPE, SIG_IGN); });
  // Pipes get their close-on-exec flag in two steps, so one spawn at a time.
  static std::mutex mutex;
  std::lock_guard lock(mutex);

  Pipes pipes;
  if (!pipes.open()) {
    return fail(std::string("cannot open a pipe: ") + std::strerror(errno));
  }
  auto state = std::make_unique<State>();
  state->name = command.arguments[0];
  state->stderr_limit = command.stderr_limit;
  if (const int error = start(command, pipes, state->pid); error != 0) {
    state->pid = -1;
    return fail("cannot start `" + state->name + "`: " + std::strerror(error));
  }
  state->on_interrupt =
      OnInterrupt([pid = state->pid] { ::kill(-pid, SIGKILL); });
  state->in = std::exchange(pipes.in[1], -1);
  state->out = std::exchange(pipes.out[0], -1);
  state->err = std::exchange(pipes.err[0], -1);
  for (const int fd : {state->in, state->out, state->err}) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  }
  return Subprocess(std::move(state));
}

Result<void> Subprocess::write(std::string_view bytes, Milliseconds timeout) {
  const Deadline deadline(timeout);
  auto& s = *state_;
  while (!bytes.empty()) {
    if (s.in < 0) {
      return fail("the input of `" + s.name + "` is closed", s.errors);
    }
    const ssize_t n = ::write(s.in, bytes.data(), bytes.size());
    if (n > 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (n < 0 && errno == EPIPE) {
      close_fd(s.in);
      return s.ended("being written to");
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
      return fail("cannot write to `" + s.name + "`: " + std::strerror(errno));
    } else if (deadline.passed()) {
      return s.late("being written to", timeout);
    } else {
      s.pump(deadline.left(), true);
    }
  }
  return {};
}

void Subprocess::close_input() {
  close_fd(state_->in);
}

Result<std::string> Subprocess::read_line(Milliseconds timeout) {
  const Deadline deadline(timeout);
  auto& s = *state_;
  while (true) {
    const size_t end = s.output.find('\n', s.scanned);
    if (end != std::string::npos) {
      std::string line = s.output.substr(0, end);
      s.output.erase(0, end + 1);
      s.scanned = 0;
      return line;
    }
    s.scanned = s.output.size();
    if (s.scanned > kLongestLine) {
      return fail("`" + s.name + "` sends a line without end", s.errors);
    }
    if (s.out < 0) {
      s.scanned = 0;
      return s.output.empty() ? Result<std::string>(s.ended("being read from"))
                              : std::exchange(s.output, "");
    }
    if (deadline.passed()) {
      return s.late("being read from", timeout);
    }
    s.pump(deadline.left(), false);
  }
}

Result<std::string> Subprocess::read_all(Milliseconds timeout) {
  const Deadline deadline(timeout);
  auto& s = *state_;
  while (s.out >= 0) {
    if (deadline.passed()) {
      return s.late("being read from", timeout);
    }
    s.pump(deadline.left(), false);
  }
  s.scanned = 0;
  return std::exchange(s.output, "");
}

Result<ExitStatus> Subprocess::wait(Milliseconds timeout) {
  const Deadline deadline(timeout);
  Milliseconds slice(1);
  while (!state_->reap()) {
    if (deadline.passed()) {
      return state_->late("finishing", timeout);
    }
    // Closed pipes say nothing any more, so this is also the wait itself.
    state_->pump(std::min(slice, deadline.left()), false);
    slice = std::min(slice * 2, Milliseconds(20));
  }
  return *state_->status;
}

void Subprocess::terminate(Milliseconds grace) {
  if (state_->status) {
    return;
  }
  ::kill(-state_->pid, SIGTERM);
  if (!wait(grace)) {
    ::kill(-state_->pid, SIGKILL);
    (void)wait();
  }
}

bool Subprocess::running() {
  return !state_->reap();
}

const std::string& Subprocess::stderr_tail() const {
  return state_->errors;
}

pid_t Subprocess::pid() const {
  return state_->pid;
}

Result<Output>
run(const Command& command, std::string_view input, Milliseconds timeout) {
  const auto begin = Clock::now();
  const auto left = [&] {
    return timeout == kForever
               ? kForever
               : std::max(
                     Milliseconds(0),
                     timeout - std::chrono::duration_cast<Milliseconds>(
                                   Clock::now() - begin));
  };
  auto child = Subprocess::spawn(command);
  if (!child) {
    return tl::unexpected(child.error());
  }
  // A command that does not read its input is free to end without it.
  if (auto wrote = child->write(input, left());
      !wrote && child->running() && left().count() == 0) {
    return tl::unexpected(wrote.error());
  }
  child->close_input();
  auto out = child->read_all(left());
  if (!out) {
    return tl::unexpected(out.error());
  }
  auto status = child->wait(left());
  if (!status) {
    return tl::unexpected(status.error());
  }
  return Output{*status, std::move(*out), child->stderr_tail()};
}

}  // namespace portwright::base
