#pragma once

#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "eval/interpreter.h"

namespace portwright::emit {

/// The configs that the library makes of JSON, each made once. They are for
/// reading: building a model writes its dtype into its own.
class Configs {
 public:
  explicit Configs(eval::Interpreter& interp) : interp_(interp) {}

  /// Undefined when the library refuses it.
  eval::Value operator()(const nlohmann::json& fields);

 private:
  eval::Interpreter& interp_;
  std::map<std::string, eval::Value> made_;
};

}  // namespace portwright::emit
