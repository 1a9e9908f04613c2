#include "cli/verbs.h"

namespace portwright::cli {

std::span<const Verb> verbs() {
  static constexpr Verb kVerbs[] = {
#define X(name, summary) {#name, summary, verb_##name},
      PW_VERBS(X)
#undef X
  };
  return kVerbs;
}

}  // namespace portwright::cli
