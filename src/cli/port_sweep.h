#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/console.h"

namespace portwright::cli {

struct PortSweep {
  std::vector<std::string> types;
  std::filesystem::path directory;  // of sweep.json and ports/; may be empty
  int jobs = 0;                     // types at once; 0: by cores and memory
  int limit_seconds = 300;          // for one type, by the clock
};

/// Compiles every type and proves the file in process, each in a process of
/// its own, so that neither a crash nor an endless run ends the sweep. A type
/// is `ported`, `refused` with its holes, or `failed`. Exit code 1 when one
/// has failed.
ExitCode
sweep_ports(const PortSweep& sweep, const Common& common, Console& console);

}  // namespace portwright::cli
