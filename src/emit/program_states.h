#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "emit/model_writer.h"

namespace portwright::emit {

/// What layers hand on where they run in loops: which values the one variable
/// for it holds, and which of them are read after others have taken their
/// place.
class ProgramStates {
 public:
  struct Loop {
    uint32_t outer = 0;  // the loop around it; 0 without
    std::vector<const trace::LoopTurn*> turns;
    ValueId begin = 0, end = 0;
  };
  /// The call of a layer, or a loop with such calls.
  struct Item {
    ValueId at;
    const Frame* call;  // null for a loop
    uint32_t loop;
  };
  /// What is kept in a variable of its own, or in a list.
  struct Kept {
    std::string name;
    bool list = false;
    std::vector<ValueId> members;  // as they are made
    size_t made = 0;               // so far
  };

  /// `embedded` is the first state.
  ProgramStates(ModuleWriter& w, const Roles& roles, ValueId embedded);

  const Loop& loop(uint32_t run) const {
    return loops_.at(run);
  }
  /// What runs directly in a loop, or in none, in order.
  std::vector<Item> items_in(uint32_t outer, ValueId begin, ValueId end) const;
  /// The next state after one, if it is made before `end`; else 0.
  ValueId next_state(ValueId after, ValueId end) const;
  /// What is made in [from, to) and read from `at` on, below `until`.
  std::vector<ValueId> live(ValueId from, ValueId to, ValueId at, ValueId until)
      const;
  /// The outermost loop in which a value is made; 0 without.
  uint32_t outermost(ValueId id) const;

  std::deque<Kept>& kept() {
    return kept_;
  }
  const std::deque<Kept>& kept() const {
    return kept_;
  }
  /// Where a state is kept; null where it is not.
  Kept* kept(ValueId id);
  /// True for what a call answers beside the state it was given, which is read
  /// on: the next state is made of both.
  bool is_beside(ValueId id) const {
    return beside_.contains(id);
  }
  /// True for what is kept once a loop has ended.
  bool is_after(ValueId id) const;
  /// ... of that loop; 0 without.
  ValueId kept_after(uint32_t run) const;

 private:
  void find_loops();
  void find_reads();
  void find_chain(uint32_t outer, ValueId begin, ValueId end);
  void find_beside();
  void find_kept();
  std::set<ValueId> read_late() const;
  void refuse_others() const;
  void keep(ValueId id, std::map<uint32_t, size_t>& lists);
  std::vector<ValueId> read_as_a_whole() const;
  ValueId last_state(const Loop& loop) const;
  void add_like(std::set<ValueId>& kept) const;

  ModuleWriter& w_;
  Context& context_;
  const Roles& roles_;
  std::map<uint32_t, Loop> loops_;              // those with calls
  std::map<ValueId, std::set<ValueId>> reads_;  // by what reads it
  std::vector<ValueId> chain_;                  // in the order of making
  std::set<ValueId> beside_;
  std::map<ValueId, size_t> kept_of_;
  std::deque<Kept> kept_;
  std::map<uint32_t, ValueId> after_;
};

}  // namespace portwright::emit
