#pragma once

#include <functional>
#include <string>
#include <vector>

#include "emit/layer_lists.h"
#include "emit/program_states.h"

namespace portwright::emit {

/// A backbone that runs layers in the source's own loops: some of them several
/// times, of one list and another, with something done in between. Each call
/// has a cache of its own, in the order of the calls. The states that the
/// layers hand on are the variable `h`; what is read of them later is kept in
/// variables, or in lists where a loop makes it.
class LayerProgram {
 public:
  /// `embedded` is what the tokens became, which is `h` before.
  LayerProgram(
      ModuleWriter& w,
      const Roles& roles,
      const Masks& masks,
      std::vector<LayerList> lists,
      ValueId embedded);

  /// The statements, over `cache`, with `mask`; what they need in __init__.
  void write();

 private:
  /// Statements, and how many caches they use in terms of ModelArgs.
  struct Block {
    std::vector<std::string> lines;
    std::string caches;
  };
  using Loop = ProgramStates::Loop;
  using Item = ProgramStates::Item;
  using Kept = ProgramStates::Kept;

  Block run(uint32_t outer, ValueId begin, ValueId end, size_t depth);
  Block loop(uint32_t run_id, size_t depth);
  Block call(const Frame& call, size_t depth);
  std::vector<std::string> before(const Loop& loop);
  void go_on_with(ValueId state);
  std::string below_backbone(const std::string& path) const;
  void end_turn(const trace::LoopTurn& turn, std::vector<std::string>& lines);
  std::string header(
      const Loop& loop,
      const std::string& index,
      std::vector<std::string>& lines,
      std::string& count);
  std::string target(const Frame& call, size_t depth);
  void name_live(ValueId at, ValueId state);
  void keep(ValueId id, std::vector<std::string>& lines);
  void now(ValueId id, std::vector<std::string>& lines);
  static std::string whole(const Kept& kept, bool current);
  std::string with_lists(std::string text) const;
  void read_lists_after();
  std::vector<std::string> apart(const std::function<void()>& write);
  [[noreturn]] void hole(const Frame& call, const std::string& what);

  ModuleWriter& w_;
  Context& context_;
  const Roles& roles_;
  std::vector<LayerList> lists_;
  ProgramStates states_;
  ValueId current_ = 0;  // what `h` is
};

}  // namespace portwright::emit
