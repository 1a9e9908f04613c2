#include "base/source.h"

#include <algorithm>

namespace portwright::base {

SourceFile::SourceFile(std::string path, std::string text)
    : path_(std::move(path)), text_(std::move(text)), line_starts_{0} {
  if (text_.find('\r') == text_.npos) {
    for (size_t at = text_.find('\n'); at != text_.npos;
         at = text_.find('\n', at + 1)) {
      line_starts_.push_back(static_cast<uint32_t>(at + 1));
    }
    return;
  }
  for (uint32_t i = 0; i < text_.size(); ++i) {
    const char c = text_[i];
    if (c == '\n' ||
        (c == '\r' && (i + 1 == text_.size() || text_[i + 1] != '\n'))) {
      line_starts_.push_back(i + 1);
    }
  }
}

SourceFile::Position SourceFile::position(uint32_t offset) const {
  auto it =
      std::upper_bound(line_starts_.begin(), line_starts_.end(), offset) - 1;
  return {static_cast<uint32_t>(it - line_starts_.begin()) + 1, offset - *it};
}

std::string_view SourceFile::line(uint32_t number) const {
  if (number == 0 || number > line_starts_.size()) {
    return {};
  }
  const uint32_t begin = line_starts_[number - 1];
  const size_t end =
      number < line_starts_.size() ? line_starts_[number] : text_.size();
  std::string_view line = std::string_view(text_).substr(begin, end - begin);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) {
    line.remove_suffix(1);
  }
  return line;
}

std::string to_string(const Span& span) {
  if (!span) {
    return "";
  }
  const auto at = span.file->position(span.begin);
  return span.file->path() + ":" + std::to_string(at.line) + ":" +
         std::to_string(at.column + 1);
}

}  // namespace portwright::base
