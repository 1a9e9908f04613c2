#pragma once

#include <map>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "library/guarded.h"

namespace portwright::candidate {

/// A line of one of the source's files, from 1.
struct SourceLine {
  std::string file;
  int line = 0;
  auto operator<=>(const SourceLine&) const = default;
};

/// By line of the port: the lines of the source that it stands for.
using SourceMap = std::map<int, std::set<SourceLine>>;

/// Runs source and port on the same weights and ids, and finds for each
/// statement of the port's forwards the lines of the source that made the same
/// numbers, whatever their layout. What has none of its own stands for what is
/// inside it, or for the forward it belongs to. Statements of __init__ stand
/// for the attribute of that name, fields of ModelArgs for the config's. Lines
/// that the first config does not reach are looked for with the next ones. The
/// interpreter has both libraries installed; no other was made after it.
library::Evaluated<SourceMap> map_sources(
    eval::Interpreter& interp,
    const std::string& text,
    const std::vector<nlohmann::json>& configs);

/// {"schema", "files", "lines": {"12": [[file, line], ...]}}, a file as an
/// index into "files".
nlohmann::ordered_json to_json(const SourceMap& map);

}  // namespace portwright::candidate
