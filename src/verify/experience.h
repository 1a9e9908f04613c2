#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "verify/results.h"

namespace portwright::verify {

/// What sound ports show: the numbers of a stored body of measurements
/// (python/portwright/data/experience.json, made by bench/experience.py). It
/// tells whether a number is usual, and changes no verdict.
class Experience {
 public:
  static base::Result<Experience> read(const std::filesystem::path& file);
  /// The Error says what is not as bench/experience.py writes it.
  static base::Result<Experience> from_json(const nlohmann::json& json);

  /// A check's number, of a model with `layers` layers of `kinds`: "0.9%:
  /// within what 61 sound ports of this depth show in bfloat16 (...)". Empty
  /// without a measurement to compare with.
  Judgement judge(
      const std::string& check,
      const std::string& dtype,
      double value,
      int layers,
      const std::vector<std::string>& kinds) const;

 private:
  struct Port {
    int layers = 0;
    std::vector<std::string> kinds;
    /// dtype -> check -> value
    std::map<std::string, std::map<std::string, double>> values;
  };
  std::vector<Port> ports_;
};

/// Judges every number of the results.
void judge_by_experience(Results& results, const Experience& experience);

}  // namespace portwright::verify
