#pragma once

#include <map>
#include <vector>

#include "emit/context.h"
#include "emit/expression.h"
#include "lift/grouped_experts.h"

namespace portwright::emit {

class ModuleWriter;

/// Emits experts that the source runs over rows grouped by expert as switch
/// layers over the rows as they are.
class GroupedWriter {
 public:
  explicit GroupedWriter(ModuleWriter& writer) : w_(writer) {}

  /// Lifts those of the module's forward. What they read inside a submodule,
  /// that one hands out.
  void find();

  bool owns(ValueId id) const {
    return found_.contains(id);
  }
  /// True for an operation that what is owned stands for.
  bool covers(const OpNode& op) const;
  /// What an owned value is computed from.
  std::vector<ValueId> dependencies(ValueId id) const;
  Expression produce(ValueId id);

 private:
  bool reaches(ValueId id);
  Expression rows(const lift::GroupedExperts& g, const std::string& inds);
  Expression single(const lift::GroupedExperts& g);

  ModuleWriter& w_;
  std::map<ValueId, lift::GroupedExperts> found_;  // by output
};

}  // namespace portwright::emit
