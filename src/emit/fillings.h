#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portwright::emit {

/// A draft with holes: its text, and the hole each stub's class stands for.
struct Draft {
  std::string text;
  std::map<std::string, std::string> holes;  // class name -> id
};

/// A draft into which an earlier one's fillings were put.
struct Refilled {
  std::string text;
  std::vector<std::string> kept;  // classes filled whose hole is still there
  std::vector<std::string> open;  // classes that are stubs still
  /// What somebody wrote that `text` does not have, and why.
  std::vector<std::pair<std::string, std::string>> outdated;
};

/// Carries over to `fresh` what `edited` has otherwise than `base`, from which
/// it was made: fillings of the same holes, and whatever else was changed in or
/// added to parts that are the same in `base` and `fresh`. Parts are imported
/// names, members of classes (a stub as a whole) and other statements. Fails
/// where one of the texts is no Python.
base::Result<Refilled>
refill(const Draft& base, std::string_view edited, const Draft& fresh);

}  // namespace portwright::emit
