#pragma once

#include "verify/results.h"
#include "verify/session.h"

namespace portwright::verify {

/// How the rows of the plan's batch are evaluated together.
struct Together {
  enum class Way {
    /// As batch_generate does: prompts, then steps.
    Batch,
    /// The prompts at once, padded on the left.
    Padded,
  };
  using enum Way;
  Way way = Batch;
  /// Of a batch: its prompts in pieces of that size.
  int chunk = 0;
};

/// The arguments of the operation `batch`.
nlohmann::json batch_request(const Plan& plan);

/// A row's prompt with its steps.
Ids row_ids(const Plan& plan, size_t index);

/// Puts into `result` where row `index` goes wrong together with the others,
/// held against the same row alone; the mask where the one that the cache asks
/// for makes it right. The position stays.
Outcome<void> name_row(
    Session& session,
    const Together& together,
    size_t index,
    CheckResult& result);

}  // namespace portwright::verify
