#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace portwright::cli {

/// Parses `arguments` (without the program's name), runs the verb and returns
/// the exit code. Help and version go to `out`, usage errors to `err`.
int run_command_line(
    std::vector<std::string> arguments,
    std::ostream& out,
    std::ostream& err);

}  // namespace portwright::cli
