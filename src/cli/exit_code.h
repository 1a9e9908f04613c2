#pragma once

namespace portwright::cli {

/// What scripts learn from us. Interrupts end with 128 + signal (base).
enum class ExitCode {
  Done = 0,  // and proven
  VerdictFailed = 1,
  Usage = 2,
  Refused = 3,  // holes: nothing was written in place of the answer
  World = 4,    // file, network, worker
  OurBug = 70,
};

}  // namespace portwright::cli
