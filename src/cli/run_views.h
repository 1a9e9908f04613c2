#pragma once

#include <filesystem>

#include "cli/console.h"
#include "library/capture.h"
#include "trace/explain.h"

namespace portwright::cli {

/// What of an evaluation `run` shows besides the logits.
struct RunViews {
  /// Where inputs and outputs of modules go; empty: nowhere.
  std::string layers;
  std::string modules = ".*";
  /// The name whose source lines are told; empty: none.
  std::string explain;
  /// "ast", "trace" or empty.
  std::string dump;

  bool any() const {
    return !layers.empty() || !explain.empty() || !dump.empty();
  }
  bool need_trace() const {
    return !explain.empty() || dump == "trace";
  }
};

/// Writes captured tensors with their own dtypes; the metadata has their order.
base::Result<void> write_layers(
    const std::filesystem::path& file,
    const std::vector<library::CapturedTensor>& tensors);

/// {file, line, text, made, decided} of each line.
nlohmann::ordered_json to_json(const std::vector<trace::ExplainedLine>& lines);

/// Paths of the trace that are nearest to a name it does not know.
std::string nearest_names(const trace::Trace& trace, const std::string& name);

/// The syntax tree of the file that defines the model's class, as CPython's
/// ast.dump prints it.
base::Result<std::string> dump_syntax(
    eval::Interpreter& interp,
    const eval::Value& model);

}  // namespace portwright::cli
