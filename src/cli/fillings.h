#pragma once

#include <filesystem>
#include <optional>

#include "cli/console.h"
#include "emit/emit.h"
#include "emit/fillings.h"

namespace portwright::cli {

struct Compiled;

/// What somebody has filled into the draft that an earlier run left for `file`.
/// Beside FILE.py lie FILE.holes.py, which is to be filled, and
/// FILE.holes.json: what each hole needs, the draft as it was written, and
/// digests by which an edited file is told.
class Fillings {
 public:
  /// What lies beside `file`; nothing is an answer too.
  static base::Result<Fillings> beside(const std::filesystem::path& file);

  /// The draft with what was filled into earlier ones.
  base::Result<emit::Refilled> put_into(const emit::Emitted& draft);

  /// Leaves the draft of a compilation with its fillings, and what its holes
  /// need. What somebody wrote and the draft does not have is
  /// copied to FILE.kept.py first (FILE.kept2.py, ...). `file_text`: what was
  /// written to FILE.py, if it was.
  base::Result<void> leave(
      const Compiled& compiled,
      const std::optional<std::string>& file_text,
      const std::string& model);

  /// Writes a file without holes to FILE.py: what somebody made of an earlier
  /// one is copied first, and is told from this one later.
  base::Result<void> write_whole(const std::string& text);

  std::filesystem::path draft_path() const;

  /// {"kept", "outdated": [{"name", "reason"}], "aside"}
  nlohmann::ordered_json to_json(
      const std::optional<emit::Refilled>& refilled) const;
  void tell(const std::optional<emit::Refilled>& refilled, Console& console)
      const;

 private:
  explicit Fillings(std::filesystem::path file) : file_(std::move(file)) {}
  std::filesystem::path notes_path() const;
  base::Result<void> keep_aside(const std::string& text);

  std::filesystem::path file_;
  std::optional<emit::Draft> base_;    // as it was written
  std::optional<std::string> edited_;  // what is read for fillings
  std::optional<std::string> unread_;  // another file that was edited too
  std::string written_;  // digest of what we wrote to FILE.py; "" for nothing
  std::vector<std::filesystem::path> aside_;
};

}  // namespace portwright::cli
