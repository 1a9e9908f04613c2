#pragma once

#include "emit/model_writer.h"

namespace portwright::emit {

/// Of the calls that run layers inside `outer`, those of whole stacks of them:
/// modules with a list of layers each. In order; none where one call runs all.
std::vector<const Frame*> find_stack_calls(const Frame& outer);

/// The calls of modules that a forward makes itself, in order.
std::vector<const Frame*> calls_in(const Frame& frame);

/// The layers that a stack runs itself.
std::vector<const Frame*> layers_of(const Frame& stack);

/// The list of layers of a stack: "layers".
std::string list_of(const Frame& stack);

/// A backbone that runs stacks of layers in turns, in loops over numbers of the
/// config: each call has caches of its own, in the order of the calls. The
/// states that the stacks hand on are variables, the last one's is `h`.
class StackLoops {
 public:
  StackLoops(ModuleWriter& w, const Roles& roles, const Masks& masks);

  /// How many caches there are, in terms of ModelArgs.
  const std::string& cache_count() const {
    return block_.caches;
  }
  /// Statements that give the states their first values.
  void write_states();
  /// The loops, over `cache`, with `mask`.
  void write_loops();

 private:
  /// Statements, and how many caches they use.
  struct Block {
    std::vector<std::string> lines;
    std::string caches;
  };
  struct Turn {
    const Frame* call;
    std::map<std::string, int64_t> loops;  // index, by what the loop runs to
  };
  using Turns = std::span<const Turn>;

  void find_first(ValueId first, ValueId later);
  std::string statement_of(const Turn& turn);
  Block block(Turns turns, const std::set<std::string>& inside);
  Block loop(Turns turns, const std::string& bound, std::set<std::string>);
  std::pair<std::string, size_t> longest_loop(
      Turns turns,
      const std::set<std::string>& inside);

  ModuleWriter& w_;
  const Roles& roles_;
  std::vector<Turn> turns_;
  std::map<ValueId, const Frame*> made_by_;
  std::map<std::string, std::string> variables_;  // by path of the stack
  std::map<std::string, ValueId> first_;          // state, by the same
  std::map<std::string, std::string> counts_;     // of layers, by the same
  std::map<const Frame*, std::string> texts_;
  Block block_;
};

}  // namespace portwright::emit
