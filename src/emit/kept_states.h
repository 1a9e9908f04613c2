#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// The tensors that a model keeps from one forward to the next, by place: in
/// its cache, and as attributes of its modules that are no parameters.
class KeptStates {
 public:
  KeptStates(eval::Interpreter& interp, const Trace& trace, eval::Value cache)
      : interp_(interp), trace_(trace), cache_(std::move(cache)) {
    held_ = look();
  }

  /// From now on the places are in this cache.
  void watch(eval::Value cache) {
    cache_ = std::move(cache);
  }

  /// What one forward made of a place: the value it found there (0 when it
  /// read none), and the value it left.
  struct Change {
    std::string place;
    bool own = false;  // kept by the model's own source, not by the library's
    ValueId before = 0, after = 0;
  };
  /// Those of the forward that ran since the last call, which defined the
  /// values from `first` on.
  std::vector<Change> changes(ValueId first);

 private:
  struct Held {
    eval::Value tensor;
    uint64_t version = 0;
    bool own = false;
  };
  using Places = std::map<std::string, Held>;
  Places look();
  void visit(const std::string& place, const eval::Value& value, bool own);

  eval::Interpreter& interp_;
  const Trace& trace_;
  eval::Value cache_;
  Places held_;
  std::vector<const eval::Object*> around_;  // of what is visited
};

/// What is copied into a place, or added to the zeros it was filled with, was
/// the state before that.
std::vector<KeptStates::Change> before_copies(
    const Trace& trace,
    std::vector<KeptStates::Change> changes);

/// States that the model keeps by itself are recorded as if it kept them in the
/// library's cache: a module's forward begins with reading them and ends with
/// updating them. True when any module keeps states.
bool normalise_states(
    eval::Interpreter& interp,
    Trace& trace,
    const std::vector<KeptStates::Change>& changes,
    ValueId ids);

/// Puts the forward of one more token, recorded in the root's items past the
/// first `items` with the values from `first` on, into the forwards of the
/// modules that keep states, as a call of its own (lift/step.h); the rest of it
/// is forgotten.
void fold_step(
    eval::Interpreter& interp,
    Trace& trace,
    size_t items,
    ValueId first,
    const std::vector<KeptStates::Change>& changes,
    const std::vector<KeptStates::Change>& of_step);

}  // namespace portwright::emit
