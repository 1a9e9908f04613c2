#include "cli/token_ids.h"

#include <fmt/format.h>

#include <charconv>

namespace portwright::cli {
namespace {

constexpr const char* kHint = "rows are split by ';', ids by ',': 1,2,3;0,4,5";

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> out;
  for (size_t start = 0;;) {
    const size_t end = text.find(by, start);
    out.push_back(text.substr(start, end - start));
    if (end == std::string_view::npos) {
      return out;
    }
    start = end + 1;
  }
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

base::Result<IdTable> parse_ids(
    const std::string& option,
    std::string_view text) {
  IdTable out;
  for (std::string_view row : split(text, ';')) {
    int columns = 0;
    for (std::string_view word : split(row, ',')) {
      word = trimmed(word);
      int64_t id = -1;
      const char* end = word.data() + word.size();
      const auto [rest, error] = std::from_chars(word.data(), end, id);
      if (error != std::errc() || rest != end || id < 0) {
        return base::fail(
            fmt::format("{}: '{}' is no token id", option, word), kHint);
      }
      out.values.push_back(id);
      ++columns;
    }
    if (out.rows > 0 && columns != out.columns) {
      return base::fail(
          option + ": the rows differ in length",
          "pad the shorter ones on the left and say so with --mask");
    }
    out.columns = columns;
    ++out.rows;
  }
  return out;
}

base::Result<IdTable> parse_mask(
    const std::string& option,
    std::string_view text,
    const IdTable& ids) {
  auto mask = parse_ids(option, text);
  if (!mask) {
    return mask;
  }
  if (mask->rows != ids.rows || mask->columns != ids.columns) {
    return base::fail(
        fmt::format(
            "{}: {} x {} values for {} x {} ids",
            option,
            mask->rows,
            mask->columns,
            ids.rows,
            ids.columns),
        "one value an id: 1, or 0 for padding");
  }
  for (const int64_t value : mask->values) {
    if (value > 1) {
      return base::fail(
          fmt::format("{}: {} is neither 0 nor 1", option, value),
          "one value an id: 1, or 0 for padding");
    }
  }
  return mask;
}

mlx::core::array to_array(const IdTable& table) {
  return mlx::core::array(
      table.values.data(),
      mlx::core::Shape{table.rows, table.columns},
      mlx::core::int64);
}

mlx::core::array columns(const mlx::core::array& array, int from, int to) {
  mlx::core::Shape start(array.ndim(), 0), stop(array.shape());
  start[1] = from;
  stop[1] = to;
  return mlx::core::slice(array, start, stop);
}

}  // namespace portwright::cli
