#pragma once

#include <map>
#include <optional>
#include <vector>

#include "lift/written_norm.h"

namespace portwright::emit {

using trace::ValueId;

class ModuleWriter;
struct Expression;

/// Writes norms that a forward spells out as mx.fast.rms_norm and
/// mx.fast.layer_norm, which compute in float32 and answer in the dtype they
/// are given.
class NormWriter {
 public:
  explicit NormWriter(ModuleWriter& writer) : w_(writer) {}

  bool owns(ValueId id);
  std::vector<ValueId> dependencies(ValueId id);
  Expression produce(ValueId id);
  /// True when the answer is float32 in a bfloat16 model.
  bool answers_wide(ValueId id);

 private:
  const std::optional<lift::WrittenNorm>& norm(ValueId id);
  /// Whether its input is converted to float32, since the source goes on in it.
  bool widens(ValueId id);

  ModuleWriter& w_;
  std::map<ValueId, std::optional<lift::WrittenNorm>> norms_;
};

}  // namespace portwright::emit
