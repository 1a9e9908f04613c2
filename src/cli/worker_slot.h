#pragma once

#include <memory>
#include <optional>

#include "verify/workers.h"

namespace portwright::cli {

/// Workers that serve one model after another in a long run: started when they
/// are first needed, and again after `reset`, which drops what may be lost. Not
/// for use from two threads.
class WorkerSlot {
 public:
  /// `environment` outlives the slot.
  explicit WorkerSlot(
      const verify::Environment& environment,
      std::optional<std::filesystem::path> mlx_lm = std::nullopt);

  /// The pair's, or one alone where no pair is running.
  base::Result<verify::WorkerProcess*> reference();
  base::Result<std::shared_ptr<verify::Workers>> workers();
  void reset();

 private:
  const verify::Environment* environment_;
  std::optional<std::filesystem::path> mlx_lm_;
  std::shared_ptr<verify::Workers> workers_;
  std::optional<verify::WorkerProcess> alone_;
};

}  // namespace portwright::cli
