#include <algorithm>
#include <charconv>

#include "syntax/unicode.h"
#include "syntax/unicode_tables.h"

namespace portwright::syntax {

namespace {

constexpr std::string_view kIdeographPrefix = "CJK UNIFIED IDEOGRAPH-";
constexpr std::string_view kSyllablePrefix = "HANGUL SYLLABLE ";

constexpr std::string_view kLeads[] = {
    "G",
    "GG",
    "N",
    "D",
    "DD",
    "R",
    "M",
    "B",
    "BB",
    "S",
    "SS",
    "",
    "J",
    "JJ",
    "C",
    "K",
    "T",
    "P",
    "H"};
constexpr std::string_view kVowels[] = {
    "A",  "AE", "YA", "YAE", "EO", "E",  "YEO", "YE", "O",  "WA", "WAE",
    "OE", "YO", "U",  "WEO", "WE", "WI", "YU",  "EU", "YI", "I"};
constexpr std::string_view kTails[] = {"",   "G",  "GG", "GS", "N",  "NJ", "NH",
                                       "D",  "L",  "LG", "LM", "LB", "LS", "LT",
                                       "LP", "LH", "M",  "B",  "BS", "S",  "SS",
                                       "NG", "J",  "C",  "K",  "T",  "P",  "H"};

std::optional<uint32_t> ideograph(std::string_view digits) {
  const bool upper = std::all_of(digits.begin(), digits.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
  });
  uint32_t c = 0;
  if (!upper || (digits.size() != 4 && digits.size() != 5)) {
    return std::nullopt;
  }
  std::from_chars(digits.data(), digits.data() + digits.size(), c, 16);
  const uint32_t* end = tables::kIdeograph + tables::kIdeographSize;
  const bool known =
      (std::upper_bound(tables::kIdeograph, end, c) - tables::kIdeograph) % 2;
  return known ? std::optional(c) : std::nullopt;
}

// The longest part that begins the text, which loses it.
template <size_t N>
uint32_t longest(const std::string_view (&parts)[N], std::string_view& text) {
  size_t best = N;
  for (size_t i = 0; i < N; ++i) {
    if (text.starts_with(parts[i]) &&
        (best == N || parts[i].size() > parts[best].size())) {
      best = i;
    }
  }
  if (best < N) {
    text.remove_prefix(parts[best].size());
  }
  return static_cast<uint32_t>(best);
}

std::optional<uint32_t> syllable(std::string_view text) {
  const uint32_t lead = longest(kLeads, text);
  const uint32_t vowel = longest(kVowels, text);
  const uint32_t tail = longest(kTails, text);
  if (vowel == std::size(kVowels) || !text.empty()) {
    return std::nullopt;
  }
  return 0xAC00 + (lead * 21 + vowel) * 28 + tail;
}

}  // namespace

std::optional<uint32_t> lookup_unicode_name(std::string_view name) {
  if (name.starts_with(kIdeographPrefix)) {
    return ideograph(name.substr(kIdeographPrefix.size()));
  }
  if (name.starts_with(kSyllablePrefix)) {
    return syllable(name.substr(kSyllablePrefix.size()));
  }
  uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : name) {
    const char upper =
        c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    hash = (hash ^ static_cast<unsigned char>(upper)) * 0x100000001B3ULL;
  }
  constexpr uint64_t kCodePoint = 0x1FFFFF;
  const uint64_t* end = tables::kNames + tables::kNamesSize;
  const uint64_t* at =
      std::lower_bound(tables::kNames, end, hash & ~kCodePoint);
  if (at == end || (*at ^ hash) >> 21 != 0) {
    return std::nullopt;
  }
  return static_cast<uint32_t>(*at & kCodePoint);
}

}  // namespace portwright::syntax
