#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace portwright::cli {
namespace {

bool terminal(int fd) {
  const char* kind = std::getenv("TERM");
  return ::isatty(fd) != 0 && kind && std::string_view(kind) != "dumb";
}

bool colored(int fd) {
  return terminal(fd) && !std::getenv("NO_COLOR");
}

size_t width(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                : 80;
}

}  // namespace

Console::Console(const Common& common, std::ostream& out, std::ostream& err)
    : json_(common.json), quiet_(common.quiet), out_(out), err_(err) {
  progress_ = quiet_ ? base::silent_progress() : base::plain_progress(err_);
}

Console::Console(const Common& common) : Console(common, std::cout, std::cerr) {
  color_err_ = colored(STDERR_FILENO);
  color_out_ = json_ ? color_err_ : colored(STDOUT_FILENO);
  if (!quiet_ && terminal(STDERR_FILENO)) {
    progress_ = base::terminal_progress(err_, width(STDERR_FILENO));
  }
}

Console::~Console() = default;

void Console::say(std::string_view line) {
  if (!quiet_) {
    progress_->end();
    (json_ ? err_ : out_) << line << '\n' << std::flush;
  }
}

void Console::result(const nlohmann::ordered_json& object) {
  if (json_) {
    progress_->end();
    answered_ = true;
    // A path may hold bytes that are not UTF-8.
    out_ << object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
         << '\n'
         << std::flush;
  }
}

void Console::diagnostic(const diagnostics::Diagnostic& diagnostic) {
  progress_->end();
  err_ << diagnostics::render_text(diagnostic, color_err_) << std::flush;
}

ExitCode Console::fail(const base::Error& error, ExitCode code) {
  progress_->end();
  err_ << (color_err_ ? "\033[1;31merror\033[0m: " : "error: ") << error.message
       << '\n';
  if (!error.hint.empty()) {
    err_ << "  hint: " << error.hint << (error.hint.back() == '\n' ? "" : "\n");
  }
  err_ << std::flush;
  if (!answered_) {
    result({{"error", {{"message", error.message}, {"hint", error.hint}}}});
  }
  return code;
}

std::string Console::painted(const char* code, std::string_view text) const {
  if (!color_out_) {
    return std::string(text);
  }
  return "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m";
}

std::string Console::green(std::string_view text) const {
  return painted("32", text);
}

std::string Console::yellow(std::string_view text) const {
  return painted("33", text);
}

std::string Console::red(std::string_view text) const {
  return painted("1;31", text);
}

}  // namespace portwright::cli
