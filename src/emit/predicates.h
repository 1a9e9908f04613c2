#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "emit/configs.h"
#include "emit/context.h"
#include "emit/merge.h"

namespace portwright::emit {

/// What a condition reads.
struct Reads {
  std::set<std::string> fields;
  bool plain = true;  // config fields, literals and the layer index alone
  bool loop = false;
};

Reads reads_of(const eval::Provenance* condition);

/// A condition of the source on config fields and the layer index, or whether a
/// parameter of the forward is None.
struct Predicate {
  std::string text;  // in terms of `config` and `layer_idx`, or the parameter
  const eval::Provenance* condition = nullptr;  // null for a parameter's
  Reads reads;
};

/// Every such condition that some recording reached, and what it is for any
/// config and layer.
class Predicates {
 public:
  explicit Predicates(eval::Interpreter& interp)
      : interp_(interp), configs_(interp) {}

  /// A condition in terms of `config` and `layer_idx`.
  static std::string spelling(const eval::Provenance* condition);
  /// The index of a condition; -1 when it reads more than the config and the
  /// layer index, or neither.
  int index_of(const eval::Provenance* condition);
  /// The index of "`name` is None", which is true for no config by itself.
  int of_parameter(const std::string& name);
  const Predicate& at(int index) const {
    return all_[index];
  }
  size_t size() const {
    return all_.size();
  }
  /// `layer` < 0: not inside a layer.
  Truth truth(int index, const eval::Value& config, int64_t layer);
  Configs& configs() {
    return configs_;
  }

 private:
  eval::Interpreter& interp_;
  Configs configs_;
  std::vector<Predicate> all_;
  std::map<std::string, int> by_text_;
  std::map<int, eval::Value> functions_;
};

}  // namespace portwright::emit
