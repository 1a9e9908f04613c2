#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "candidate/install.h"
#include "library/model.h"

namespace portwright::candidate {

/// What holding an emitted file against the source came to.
enum class Verdict : uint8_t {
  Passed,
  Failed,    // computes something else, or does not run
  Guarded,   // the file refuses the config in its own words
  Unproven,  // one side cannot be evaluated, or the model is too large
};
const char* name(Verdict verdict);

/// One way of running the port, against the source's logits.
struct ProofCheck {
  std::string name;    // "prefill", "decode", "chunked", "batch", ...
  double value = 0;    // max |port - source| / max |source|; NaN counts as inf
  std::string reason;  // why it failed, or was skipped
  bool skipped = false;
};

struct Proof {
  Verdict verdict = Verdict::Unproven;
  double worst = 0;  // over the checks that ran
  /// Something holds against the source fed as the port was alone.
  bool as_fed = false;
  std::vector<ProofCheck> checks;
  std::string reason;  // of every verdict but Passed, with the place it names
  /// The innermost place in the port or the source, where there is one.
  std::optional<diagnostics::Diagnostic> fault;
  double milliseconds = 0;
};

nlohmann::ordered_json to_json(const Proof& proof);

/// float32 on both sides, the same tensors: what sound ports stay well below.
constexpr double kTolerance = 1e-4;

/// An emitted file as a module, to be proven for any number of configs. Refers
/// to the interpreter, which has both libraries installed
/// (library::install_library, install_mlx_lm).
class Port {
 public:
  /// Runs the module's top level.
  static library::Evaluated<Port> load(
      eval::Interpreter& interp,
      const std::string& text,
      const std::string& file = "port.py");

  enum class Depth : uint8_t {
    Full,
    Rows,    // brief, and rows padded on the left
    Brief,   // chunked prefill and decode, past the window: what differs by
             // config, where the same file has passed in full
    Glance,  // a prefill and one step: the config that has passed, in other
             // words
  };

  /// True where ModelArgs takes a config.json's fields, without a word.
  bool takes(const nlohmann::json& config) const;

  /// Another way to write the same config.
  struct Spelling {
    std::string name;  // "flat rope fields"
    nlohmann::json config;
  };

  /// Builds both models for a config.json's fields, gives the source random
  /// weights (the same every time) and the port the checkpoint they make, and
  /// compares logits: prefill, decode, chunked prefill, rotating caches past
  /// their window, rows padded on the left; in full once more in bfloat16
  /// (candidate/half.h). What passes is to pass in the other spelling too.
  /// Milliseconds for a tiny model.
  Proof prove(
      const nlohmann::json& config,
      Depth depth = Depth::Full,
      const Spelling& spelling = {}) const;

 private:
  Port(eval::Interpreter& interp, eval::Value module, std::string file)
      : interp_(&interp), module_(std::move(module)), file_(std::move(file)) {}
  eval::Interpreter* interp_;
  eval::Value module_;
  std::string file_;
};

/// Both steps in one: a file that does not load has failed.
Proof prove(
    eval::Interpreter& interp,
    const std::string& text,
    const nlohmann::json& config);

}  // namespace portwright::candidate
