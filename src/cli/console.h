#pragma once

#include <iosfwd>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "cli/exit_code.h"
#include "diagnostics/diagnostic.h"

namespace portwright::cli {

/// The options that every verb knows.
struct Common {
  bool json = false;
  bool quiet = false;
  std::string transformers;
  std::string reference_python;
  /// The whole command line, without the program's name.
  std::vector<std::string> arguments;
};

/// Where a verb's words go. Human text goes to stdout, with --json to stderr;
/// faults always go to stderr; stdout then carries one JSON object.
class Console {
 public:
  explicit Console(const Common& common);
  /// For tests: streams that are no terminals.
  Console(const Common& common, std::ostream& out, std::ostream& err);
  ~Console();

  bool json() const {
    return json_;
  }

  /// A line of what the verb has to tell; not with --quiet.
  void say(std::string_view line);

  /// The answer of the verb for a machine; prints nothing without --json.
  void result(const nlohmann::ordered_json& object);

  /// A fault in the user's input, rendered with its source line.
  void diagnostic(const diagnostics::Diagnostic& diagnostic);

  /// A failure of the world; with --json also the answer, {"error": ...}.
  ExitCode fail(const base::Error& error, ExitCode code = ExitCode::World);

  /// For long work; on stderr, silent with --quiet.
  base::Progress& progress() {
    return *progress_;
  }

  /// `text` in a terminal's colour where human text is shown in colours.
  std::string green(std::string_view text) const;
  std::string yellow(std::string_view text) const;
  std::string red(std::string_view text) const;

 private:
  std::string painted(const char* code, std::string_view text) const;

  bool json_;
  bool quiet_;
  std::ostream& out_;
  std::ostream& err_;
  bool color_out_ = false;  // of human text
  bool color_err_ = false;
  bool answered_ = false;
  std::unique_ptr<base::Progress> progress_;
};

}  // namespace portwright::cli
