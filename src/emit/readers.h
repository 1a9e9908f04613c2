#pragma once

#include <map>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// The operations of a trace by what they read, and when they run.
class Readers {
 public:
  struct Reader {
    const OpNode* op;
    const Frame* frame;
    size_t place;
  };

  explicit Readers(const Trace& trace) {
    visit(trace.root);
  }

  const std::vector<Reader>& of(ValueId id) const {
    static const std::vector<Reader> kNone;
    const auto it = readers_.find(id);
    return it == readers_.end() ? kNone : it->second;
  }
  /// Of what made it; 0 for what was given.
  size_t place(ValueId id) const {
    const auto it = places_.find(id);
    return it == places_.end() ? 0 : it->second;
  }
  /// True when a softmax is taken in a module of what follows from a value.
  bool makes_scores(const Frame& module, ValueId id) const;

 private:
  void visit(const Frame& frame);

  size_t next_ = 0;
  std::map<ValueId, size_t> places_;  // in the order of evaluation
  std::map<ValueId, std::vector<Reader>> readers_;
};

}  // namespace portwright::emit
