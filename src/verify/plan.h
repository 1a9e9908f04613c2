#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace portwright::verify {

using Ids = std::vector<int>;

/// The inputs of the battery, fixed by the config and the port's caches alone:
/// prompts longer than the windows where these are small enough, and unequal
/// prompts for batches.
struct Plan {
  Ids ids;
  /// Positions of `ids` whose experts torch itself chooses otherwise when what
  /// goes in moves by the noise of float32.
  std::vector<int> tied;
  /// Tokens of `ids` that the decode checks feed at once; the rest are steps.
  int prefill = 0;
  /// Sliding window or chunk of the model; 0: none that a prompt can pass.
  int window = 0;
  /// A window larger than any prompt here.
  int unreached_window = 0;
  std::vector<Ids> batch;
  /// Forced continuations of `batch`.
  std::vector<Ids> batch_steps;
  /// A prompt that goes far, within the model's positions.
  Ids far;
  int far_prefill = 0;
  /// What torch says of a longer prompt, where the model itself has an end that
  /// no field of its config names.
  std::string end_of_far;
  int64_t vocabulary = 0;
  /// 0: no limit is known.
  int64_t positions = 0;

  /// Whether the model has these tokens, and positions for `more` of them.
  bool takes(const Ids& ids, size_t more) const;
  /// Makes `far` end after `length` tokens.
  void end_far(int64_t length);
};

/// A prompt that the checkpoint's own tokenizer made.
struct TextPrompt {
  std::string what;
  /// "base": plain text; "instruct": a conversation through the chat template.
  std::string kind;
  std::string text;
  Ids ids;
};

/// Which of the prompts of their lengths are taken.
struct Variants {
  int ids = 0;
  int batch = 0;
  int far = 0;
};

/// `forgetting`: sizes of the port's caches that forget. A config may have any
/// name for its window, and a port may lack the cache for it.
Plan make_plan(
    const nlohmann::json& config,
    const std::vector<int64_t>& forgetting = {},
    const Variants& variants = {});

/// `count` ids below `vocab`, spread over it; `salt` varies them.
Ids spread_ids(int count, int vocab, int salt = 0);

}  // namespace portwright::verify
