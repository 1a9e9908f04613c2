#include "base/progress.h"

#include <algorithm>
#include <chrono>
#include <ostream>
#include <string>

namespace portwright::base {
namespace {

class Silent : public Progress {
 public:
  void begin(std::string_view) override {}
  void advance(size_t, size_t) override {}
  void note(std::string_view) override {}
  void end() override {}
};

class Plain : public Progress {
 public:
  explicit Plain(std::ostream& out) : out_(out) {}

  void begin(std::string_view step) override {
    out_ << step << '\n' << std::flush;
  }
  void advance(size_t, size_t) override {}
  void note(std::string_view line) override {
    out_ << line << '\n' << std::flush;
  }
  void end() override {}

 private:
  std::ostream& out_;
};

class Terminal : public Progress {
 public:
  Terminal(std::ostream& out, size_t width)
      : out_(out), width_(std::max<size_t>(width, 20) - 1) {}
  ~Terminal() override {
    wipe();
  }

  void begin(std::string_view step) override {
    step_ = step;
    draw(step_);
  }

  void advance(size_t done, size_t total) override {
    using namespace std::chrono;
    const auto now = steady_clock::now();
    if (now - drawn_ < milliseconds(100)) {
      return;
    }
    std::string line = step_ + " " + std::to_string(done);
    if (total > 0) {
      line += "/" + std::to_string(total);
    }
    draw(line);
  }

  void note(std::string_view line) override {
    wipe();
    out_ << line << '\n' << std::flush;
  }

  void end() override {
    wipe();
  }

 private:
  void draw(std::string_view line) {
    drawn_ = std::chrono::steady_clock::now();
    // Carriage return, the line, erase what is left of the one before.
    out_ << '\r' << cut(line) << "\033[K" << std::flush;
    shown_ = true;
  }

  void wipe() {
    if (shown_) {
      out_ << "\r\033[K" << std::flush;
      shown_ = false;
    }
  }

  /// At most width_ code points, so that the line never wraps.
  std::string_view cut(std::string_view line) const {
    size_t points = 0;
    for (size_t i = 0; i < line.size(); ++i) {
      const bool starts = (static_cast<unsigned char>(line[i]) & 0xC0) != 0x80;
      if (starts && ++points > width_) {
        return line.substr(0, i);
      }
    }
    return line;
  }

  std::ostream& out_;
  size_t width_;
  std::string step_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point drawn_;
};

}  // namespace

std::unique_ptr<Progress> silent_progress() {
  return std::make_unique<Silent>();
}

std::unique_ptr<Progress> plain_progress(std::ostream& out) {
  return std::make_unique<Plain>(out);
}

std::unique_ptr<Progress> terminal_progress(std::ostream& out, size_t width) {
  return std::make_unique<Terminal>(out, width);
}

}  // namespace portwright::base
