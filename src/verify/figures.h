#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace portwright::verify {

/// Which outputs move when a token is exchanged for another.
struct InfluenceMap {
  /// "logits", "after cached steps"; empty: the output of `layers`.
  std::string name;
  /// Layers whose maps are this one.
  std::vector<int> layers;
  /// The position that the first column stands for.
  int first = 0;
  std::vector<int> tokens;
  /// Of each token a text with a character for each position: '.' moves on
  /// neither side, '#' on both, 'p' only in the port, 't' only in torch.
  std::vector<std::string> rows;

  /// Of one character.
  size_t count(char kind) const {
    size_t out = 0;
    for (const auto& row : rows) {
      out += static_cast<size_t>(std::count(row.begin(), row.end(), kind));
    }
    return out;
  }

  bool operator==(const InfluenceMap&) const = default;
};

/// How many tokens a router of the port sends to other experts than torch's.
struct RoutingAgreement {
  /// In its layer, else the whole path.
  std::string module;
  int layer = -1;
  int64_t tokens = 0;
  int64_t differing = 0;
  /// Further ones, whose experts torch itself chooses otherwise by the noise.
  int64_t ties = 0;

  bool operator==(const RoutingAgreement&) const = default;
};

/// What modules of one kind take and give in a model of bfloat16; empty: not
/// known.
struct DtypeFlow {
  /// In its layer, else the whole path.
  std::string module;
  std::vector<int> layers;
  std::string takes;
  std::string gives;
  std::string torch_gives;
  /// float32 comes out where torch's does not.
  bool leak = false;

  /// No other floating dtype than bfloat16 goes in or out, on either side.
  bool is_plain() const {
    const auto plain = [](const std::string& dtype) {
      return dtype.find("float") == dtype.npos || dtype == "bfloat16";
    };
    return plain(takes) && plain(gives) && plain(torch_gives);
  }

  bool operator==(const DtypeFlow&) const = default;
};

/// What a check found, for pictures. Empty where it measures no such thing.
struct Figures {
  std::vector<InfluenceMap> influence;
  std::vector<RoutingAgreement> routing;
  std::vector<DtypeFlow> dtypes;

  bool operator==(const Figures&) const = default;
};

}  // namespace portwright::verify
