#pragma once

#include <cstddef>
#include <iosfwd>
#include <memory>
#include <string_view>

namespace portwright::base {

/// Tells the user what a long run does. Stages report to it and never print.
class Progress {
 public:
  virtual ~Progress() = default;

  /// A step begins and takes the place of the one before: "reading weights".
  virtual void begin(std::string_view step) = 0;

  /// How far the step is; `total` 0 when unknown. Cheap enough for inner loops.
  virtual void advance(size_t done, size_t total) = 0;

  /// A line that stays.
  virtual void note(std::string_view line) = 0;

  /// The last step is over; what showed only for a while is wiped.
  virtual void end() = 0;
};

/// Says nothing.
std::unique_ptr<Progress> silent_progress();

/// One plain line a step: for logs.
std::unique_ptr<Progress> plain_progress(std::ostream& out);

/// One line that is redrawn at most ten times a second, `width` columns wide.
std::unique_ptr<Progress> terminal_progress(std::ostream& out, size_t width);

}  // namespace portwright::base
