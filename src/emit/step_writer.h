#pragma once

#include <optional>
#include <string>
#include <vector>

#include "emit/context.h"
#include "emit/expression.h"
#include "lift/step.h"

namespace portwright::emit {

class ModuleWriter;

/// Writes what carries states from token to token as a loop over the tokens,
/// in which the source's forward of one token stands.
class StepWriter {
 public:
  explicit StepWriter(ModuleWriter& writer) : w_(writer) {}

  /// Which of the module's updates, and which of the layer's.
  struct Update {
    size_t index;
    int slot;
  };
  /// False where no step makes these states.
  bool find(const std::vector<Update>& updates);
  /// The layer's cache advances with them.
  void advance() {
    advances_ = true;
  }
  bool any() const {
    return step_.has_value();
  }
  bool owns(ValueId id) const;
  std::vector<ValueId> dependencies() const;
  Expression produce(ValueId id);

 private:
  std::string extent(int64_t value);
  std::string given_extent(int64_t value);
  std::string state_shape(const lift::Step::State& state);
  std::string kept_extent(ValueId id);
  float first_number(const lift::Step::State& state);
  std::string first_state(const lift::Step::State& state);
  void write();

  ModuleWriter& w_;
  std::optional<lift::Step> step_;
  std::vector<int> slots_;  // by state
  bool advances_ = false;
};

}  // namespace portwright::emit
