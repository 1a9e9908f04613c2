#pragma once

#include <string>
#include <vector>

#include "library/model.h"

namespace portwright::library {

/// A tensor that went into or came out of a module.
struct CapturedTensor {
  /// "in:PATH" or "out:PATH"; "#2" follows for a module's second call, and
  /// "stepN/" stands before it where steps are told apart.
  std::string key;
  mx::array array;
  torch::Dtype dtype;
};

/// Keeps what goes into and comes out of a model's modules from now on.
class Capture {
 public:
  /// `pattern` is a regular expression over whole paths. With `steps` every
  /// call of the model itself begins a new one.
  static Evaluated<Capture> start(
      eval::Interpreter& interp,
      const eval::Value& model,
      const std::string& pattern,
      bool steps);

  /// In the order in which they arose; computed.
  Evaluated<std::vector<CapturedTensor>> tensors();

  /// Keeps nothing from now on.
  Evaluated<void> stop();

 private:
  Capture(eval::Interpreter& interp, eval::Value capture)
      : interp_(&interp), capture_(std::move(capture)) {}

  eval::Interpreter* interp_;
  eval::Value capture_;
};

}  // namespace portwright::library
