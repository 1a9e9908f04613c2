#pragma once

#include "verify/check.h"

namespace portwright::verify {

// One line a check; each is checks/<name>.cpp.
#define PW_CHECKS(X) \
  X(weights)         \
  X(logits)          \
  X(evaluator)       \
  X(layers)          \
  X(stress)          \
  X(decode)          \
  X(config)          \
  X(mask)            \
  X(routing)         \
  X(chunked_prefill) \
  X(rotating_cache)  \
  X(prompt_cache)    \
  X(batch)           \
  X(rope_far)        \
  X(generation)      \
  X(dtype)           \
  X(bfloat16)        \
  X(deepcopy)        \
  X(quantized)       \
  X(chat)            \
  X(lora)            \
  X(long_context)    \
  X(sharded)         \
  X(speed)

#define X(name) Check name##_check();
PW_CHECKS(X)
#undef X

}  // namespace portwright::verify
