#include "cli/worker_slot.h"

namespace portwright::cli {

WorkerSlot::WorkerSlot(
    const verify::Environment& environment,
    std::optional<std::filesystem::path> mlx_lm)
    : environment_(&environment), mlx_lm_(std::move(mlx_lm)) {}

base::Result<verify::WorkerProcess*> WorkerSlot::reference() {
  if (workers_) {
    return &workers_->reference;
  }
  if (!alone_) {
    auto started = verify::start_reference(*environment_);
    if (!started) {
      return tl::unexpected(started.error());
    }
    alone_.emplace(std::move(*started));
  }
  return &*alone_;
}

base::Result<std::shared_ptr<verify::Workers>> WorkerSlot::workers() {
  if (!workers_) {
    auto started = verify::Workers::start(*environment_, mlx_lm_);
    if (!started) {
      return started;
    }
    workers_ = *started;
    alone_.reset();
  }
  return workers_;
}

void WorkerSlot::reset() {
  workers_.reset();
  alone_.reset();
}

}  // namespace portwright::cli
