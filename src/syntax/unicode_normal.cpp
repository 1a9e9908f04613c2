#include <algorithm>
#include <vector>

#include "syntax/unicode.h"
#include "syntax/unicode_tables.h"

namespace portwright::syntax {

namespace {

// Hangul syllables are composed by rule: L, V and T jamo.
constexpr uint32_t kSyllables = 0xAC00;
constexpr uint32_t kLead = 0x1100;
constexpr uint32_t kVowel = 0x1161;
constexpr uint32_t kTail = 0x11A7;
constexpr uint32_t kLeadCount = 19;
constexpr uint32_t kVowelCount = 21;
constexpr uint32_t kTailCount = 28;
constexpr uint32_t kSyllableCount = kLeadCount * kVowelCount * kTailCount;

using CodePoints = std::vector<uint32_t>;

void decompose(uint32_t c, CodePoints& out) {
  if (c - kSyllables < kSyllableCount) {
    const uint32_t index = c - kSyllables;
    out.push_back(kLead + index / (kVowelCount * kTailCount));
    out.push_back(kVowel + index % (kVowelCount * kTailCount) / kTailCount);
    if (index % kTailCount != 0) {
      out.push_back(kTail + index % kTailCount);
    }
    return;
  }
  size_t low = 0;
  size_t high = tables::kDecompositionsSize / 2;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    const uint32_t* entry = tables::kDecompositions + middle * 2;
    if (entry[0] == c) {
      const uint32_t* from = tables::kDecomposed + (entry[1] >> 8);
      out.insert(out.end(), from, from + (entry[1] & 0xFF));
      return;
    }
    (entry[0] < c ? low : high) = entry[0] < c ? middle + 1 : middle;
  }
  out.push_back(c);
}

uint32_t combining_class(uint32_t c) {
  const uint32_t* end =
      tables::kCombiningClasses + tables::kCombiningClassesSize;
  const uint32_t* at = std::lower_bound(tables::kCombiningClasses, end, c << 8);
  return at != end && *at >> 8 == c ? *at & 0xFF : 0;
}

// The composite of two characters, or zero.
uint32_t compose(uint32_t first, uint32_t second) {
  if (first - kLead < kLeadCount && second - kVowel < kVowelCount) {
    return kSyllables +
           ((first - kLead) * kVowelCount + (second - kVowel)) * kTailCount;
  }
  if (first - kSyllables < kSyllableCount &&
      (first - kSyllables) % kTailCount == 0 &&
      second - kTail - 1 < kTailCount - 1) {
    return first + (second - kTail);
  }
  const uint64_t key =
      static_cast<uint64_t>(first) << 42 | static_cast<uint64_t>(second) << 21;
  const uint64_t* end = tables::kCompositions + tables::kCompositionsSize;
  const uint64_t* at = std::lower_bound(tables::kCompositions, end, key);
  return at != end && *at >> 21 == key >> 21 ? *at & 0x1FFFFF : 0;
}

// Runs of combining marks in the order of their classes.
void reorder(CodePoints& text) {
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && combining_class(text[end]) != 0) {
      ++end;
    }
    std::stable_sort(
        text.begin() + i, text.begin() + end, [](uint32_t a, uint32_t b) {
          return combining_class(a) < combining_class(b);
        });
    i = end + 1;
  }
}

// Each character joins the last starter, unless a mark between them blocks it.
void recompose(CodePoints& text) {
  size_t starter = text.size();
  size_t out = 0;
  uint32_t last_class = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const uint32_t c = text[i];
    const uint32_t c_class = combining_class(c);
    const bool adjacent = starter < out && out == starter + 1;
    if (starter < out && (adjacent || last_class < c_class)) {
      if (const uint32_t joined = compose(text[starter], c)) {
        text[starter] = joined;
        continue;
      }
    }
    if (c_class == 0) {
      starter = out;
    }
    last_class = c_class;
    text[out++] = c;
  }
  text.resize(out);
}

}  // namespace

std::string normalize_name(std::string_view name) {
  CodePoints text;
  for (size_t at = 0; at < name.size();) {
    decompose(next_code_point(name, at), text);
  }
  reorder(text);
  recompose(text);
  std::string out;
  for (const uint32_t c : text) {
    append_utf8(out, c);
  }
  return out;
}

}  // namespace portwright::syntax
