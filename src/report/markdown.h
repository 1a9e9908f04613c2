#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace portwright::report {

/// The text as it may stand in a cell of a Markdown table.
std::string cell(std::string_view text);

/// "2.4e-05"; "" without a value.
std::string scientific(const std::optional<double>& value);

}  // namespace portwright::report
