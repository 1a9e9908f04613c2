#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verify/arrays.h"
#include "verify/figures.h"
#include "verify/memory.h"

namespace portwright::verify {

inline constexpr int kResultsSchema = 1;

enum class Status { Pass, Warn, Fail, Untrusted, Skipped };

std::string_view name(Status status);

/// Where a check failed, as far as it is known.
struct Place {
  std::optional<int> layer;
  std::string module;
  std::string tensor;
  std::optional<int64_t> position;
  std::string port_file;
  std::optional<int> port_line;
  /// Where the port makes the module, or what the line works on: its answer, a
  /// mask, a cache, a field of the config; if that is another line.
  std::optional<int> made_line;
  /// Where the port makes what that module is made of, as far as it is not
  /// there: a field of the config, or its weights in `sanitize`.
  std::optional<int> given_line;
  std::string source_file;
  std::optional<int> source_line;
  /// That line is the one, and a map of the port's lines knows no better.
  bool is_source_exact = false;
};

/// Relative errors along one axis, for plots: layers, positions or steps.
struct Series {
  std::string name;
  std::string axis;
  std::vector<double> values;
};

/// What experience says of a number (experience.h). It informs: no verdict
/// depends on it.
struct Judgement {
  std::string text;
  /// More than any sound port shows.
  bool unusual = false;
};

struct CheckResult {
  std::string name;
  Status status = Status::Skipped;
  /// max|difference| / max|reference|, where the check measures one.
  std::optional<double> value;
  std::optional<double> threshold;
  /// In bfloat16, where the check measures that: how far the logits of the
  /// whole port are from torch's in float32; the median over tokens of
  /// |difference| / |logits|.
  std::optional<double> rounded;
  /// Of `rounded` where there is one, else of `value`.
  Judgement judgement;
  Place place;
  /// One sentence; empty only for a plain pass.
  std::string reason;
  /// The end of a traceback, when code under test raised.
  std::string detail;
  std::vector<Series> series;
  Figures figures;
  double seconds = 0;
  /// Everything that the two sides were asked for it, in order: [{side, op,
  /// arguments, answer, tensors}]. A run that an earlier check made is
  /// {shared}.
  nlohmann::json exchanges = nlohmann::json::array();
};

struct Results {
  std::string model;
  /// The file under test, and the one that defines torch's model; empty:
  /// unknown.
  std::string port;
  std::string source;
  std::vector<CheckResult> checks;
  /// Names of the checks that have not run yet.
  std::vector<std::string> pending;
  /// Decoder layers, and what they keep or choose: "attention", "sliding",
  /// "states", "experts", ..., sorted; 0 and empty where the port did not load.
  int layers = 0;
  std::vector<std::string> kinds;
  /// How the weights were held, where that is known.
  std::optional<MemoryPlan> memory;
  /// Noise floor of each decoder layer and, last, of the logits.
  std::vector<double> noise;
  std::map<std::string, std::string> versions;
  double seconds = 0;
  /// What the sides were asked before the first check, as in a CheckResult.
  nlohmann::json setup = nlohmann::json::array();
  /// Prompts of the checkpoint's tokenizer: [{what, kind, text, ids}].
  nlohmann::json texts = nlohmann::json::array();
  /// Logits of both sides, and what went out of the module where a check
  /// failed: "prefill/torch", "prefill/port", ...
  std::map<std::string, Array> tensors;

  /// The worst of the checks: fail, then untrusted, then warn, then pass. With
  /// nothing but skipped checks, or with pending ones, nothing is proven:
  /// untrusted.
  Status verdict() const;

  const CheckResult* find(std::string_view name) const;
};

}  // namespace portwright::verify
