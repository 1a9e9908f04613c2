#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include <nlohmann/json.hpp>

#include "emit/emit.h"
#include "library/model.h"

namespace portwright::emit {

/// One recorded evaluation with what keeps it alive.
struct Recording {
  std::unique_ptr<trace::Trace> trace;
  std::unique_ptr<trace::Twin> half;  // null until record_half()
  Evaluation evaluation;
};

/// Builds the causal LM of a config and records its construction and one
/// continuation: several rows of several ids after a cached prefix.
library::Evaluated<Recording> record(
    eval::Interpreter& interp,
    const nlohmann::json& config);

/// Puts the same in bfloat16 beside it, where the source runs in that: what
/// `like` has, if that does the same, else a recording of its own.
void record_half(
    eval::Interpreter& interp,
    Recording& recording,
    const Recording& like);

/// The recording's module-call tree with the idioms found in it, as text.
library::Evaluated<std::string> print_lifted(
    eval::Interpreter& interp,
    const Recording& recording);

/// Time each stage took, in milliseconds.
struct Timings {
  double read = 0;    // the library's modules and the config
  double record = 0;  // building and running what is recorded
  double lift = 0;    // finding idioms, with their proofs
  double emit = 0;    // writing the file
};

/// The making of one model file: its config and those near it, recorded once.
class Compilation {
 public:
  /// The interpreter has the library installed.
  static library::Evaluated<Compilation> start(
      eval::Interpreter& interp,
      const nlohmann::json& config);
  ~Compilation();
  Compilation(Compilation&&) noexcept;

  /// The file for all configs recorded and not left out.
  library::Evaluated<Emitted> write();
  /// One of the Emitted's variants is not served after all: what it chose is
  /// guarded in the next file.
  void leave_out(const nlohmann::json& variant);
  /// The next file does not serve ropes of that type.
  void leave_out_rope(const std::string& type);
  /// The next file is for this config too. False when it was asked for before,
  /// or cannot be recorded.
  bool add(const nlohmann::json& variant);
  /// The file serves that value of the field alone: the next one refuses
  /// others.
  void keep(const std::string& field, bool value);
  bool keeps(const std::string& field) const;
  const Timings& timings() const;

 private:
  struct State;
  void try_other_shares(
      library::Evaluated<Emitted>& out,
      const std::function<library::Evaluated<Emitted>()>& attempt);
  void serve_one_value(
      library::Evaluated<Emitted>& out,
      const std::function<library::Evaluated<Emitted>()>& attempt);
  explicit Compilation(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace portwright::emit
