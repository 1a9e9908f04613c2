#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/console.h"

namespace portwright::cli {

struct PortSweep {
  /// What a file must pass after the compiler's own proof, in process.
  enum class Proof {
    InProcess,  // nothing more
    MlxLm,      // real mlx_lm against torch: what a port must do to be one
    Battery,    // all that `verify` checks
  };

  std::vector<std::string> types;
  std::filesystem::path directory = {};  // of sweep.json, ...; may be empty
  Proof proof = Proof::MlxLm;
  bool resume = false;    // keep the rows that `directory` has
  int jobs = 0;           // types at once; 0: by cores and memory
  int limit_seconds = 0;  // for one compilation, and one request to a worker
};

/// Compiles every type, each in a process of its own, so that neither a crash
/// nor an endless run ends the sweep, and proves the file. A type is
/// - proven: in mlx_lm, against torch (`ported` with Proof::InProcess),
/// - refused, with its holes,
/// - failed: its own proof turned the file down, or the compiler broke,
/// - wrong: it passed its own proof, and torch contradicts it,
/// - unjudged: torch or a worker gave no answer to hold it against, or
/// - "no checkpoint".
/// `directory` gets the table, ports/TYPE.py and results/TYPE.json. Exit code 1
/// when one is failed, wrong or unjudged.
ExitCode
sweep_ports(const PortSweep& sweep, const Common& common, Console& console);

}  // namespace portwright::cli
