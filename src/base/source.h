#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace portwright::base {

/// One source text, decoded to UTF-8, with its line index.
class SourceFile {
 public:
  SourceFile(std::string path, std::string text);

  const std::string& path() const {
    return path_;
  }
  std::string_view text() const {
    return text_;
  }

  struct Position {
    uint32_t line;    // from 1
    uint32_t column;  // bytes from the start of the line, from 0
  };
  Position position(uint32_t offset) const;

  /// The text of a line (from 1), without its line ending.
  std::string_view line(uint32_t number) const;
  uint32_t line_count() const {
    return static_cast<uint32_t>(line_starts_.size());
  }

 private:
  std::string path_;
  std::string text_;
  std::vector<uint32_t> line_starts_;
};

/// A half-open byte range of a source file. A default span belongs to no file.
struct Span {
  const SourceFile* file = nullptr;
  uint32_t begin = 0;
  uint32_t end = 0;

  explicit operator bool() const {
    return file != nullptr;
  }
  std::string_view text() const {
    return file ? file->text().substr(begin, end - begin) : std::string_view{};
  }
};

/// "path:line:column", with the column counted from 1; "" for no file.
std::string to_string(const Span& span);

}  // namespace portwright::base
