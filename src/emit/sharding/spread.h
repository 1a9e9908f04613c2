#pragma once

#include <set>
#include <string>
#include <vector>

#include "syntax/ast.h"

namespace portwright::emit::sharding {

/// How a value lies on the machines.
struct Spread {
  enum class Kind : uint8_t {
    Free,    // made of no data and no weights
    Whole,   // all of it on each
    Split,   // a part of the axis on each
    Part,    // the values of all added are the value
    Extent,  // how long the part of an axis is on each
    Several,
    Unknown,  // lies one way or the other
  };
  Kind kind = Kind::Free;
  int axis = 0;  // from the end: -1 is the last
  int rank = 0;
  std::set<std::string> makers;  // linear layers it comes from
  bool columns = false;          // as the linear layers made it
  std::vector<Spread> items;
  bool one_head = false;  // (B, 1, S, D): what all heads read

  bool operator==(const Spread& o) const {
    return kind == o.kind && axis == o.axis && items == o.items;
  }
};

/// What the makers' columns are used for needs them all.
struct Conflict {
  std::set<std::string> makers;
};

inline const Spread kWhole{.kind = Spread::Kind::Whole};

/// True where a machine has not all of it.
bool is_split(const Spread& s);

void collect_makers(const Spread& s, std::set<std::string>& out);

/// Throws one of all their makers.
[[noreturn]] void conflict(const std::vector<Spread>& of);
/// ... where a machine has not all of it.
void needs_whole(const Spread& s);

/// How what is computed of them element by element lies.
Spread joined(const std::vector<Spread>& all);
Spread operation(syntax::BinaryOperator op, const Spread& a, const Spread& b);

}  // namespace portwright::emit::sharding
