#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace portwright::emit {

/// "SharedBlock" of "shared_block".
std::string pascal_case(std::string_view snake);

/// "keys" of "keys2"; "" where there is no number.
std::string without_number(const std::string& name);

/// The statements of a function without numbered names that need no number:
/// `h2 = self.norm(h)` gives h anew where nothing reads the old one any more.
/// Lines are indented below the function; what is not understood stays.
std::vector<std::string> with_fewer_names(
    const std::vector<std::string>& parameters,
    const std::vector<std::string>& lines);

}  // namespace portwright::emit
