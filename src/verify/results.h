#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  /// Where the port makes the module, if that is another line.
  std::optional<int> made_line;
  std::string source_file;
  std::optional<int> source_line;
};

/// Relative errors along one axis, for plots: layers, positions or steps.
struct Series {
  std::string name;
  std::string axis;
  std::vector<double> values;
};

struct CheckResult {
  std::string name;
  Status status = Status::Skipped;
  /// max|difference| / max|reference|, where the check measures one.
  std::optional<double> value;
  std::optional<double> threshold;
  Place place;
  /// One sentence; empty only for a plain pass.
  std::string reason;
  /// The end of a traceback, when code under test raised.
  std::string detail;
  std::vector<Series> series;
  double seconds = 0;
};

struct Results {
  std::string model;
  /// The file under test, and the one that defines torch's model; empty:
  /// unknown.
  std::string port;
  std::string source;
  std::vector<CheckResult> checks;
  /// Noise floor of each decoder layer and, last, of the logits.
  std::vector<double> noise;
  std::map<std::string, std::string> versions;
  double seconds = 0;

  /// The worst of the checks: fail, then untrusted, then warn, then pass. With
  /// nothing but skipped checks nothing is proven: untrusted.
  Status verdict() const;

  const CheckResult* find(std::string_view name) const;
};

}  // namespace portwright::verify
