#pragma once

#include <memory>
#include <string>
#include <vector>

#include "eval/interpreter.h"

struct pcre2_real_code_8;

namespace portwright::eval {

/// Python's re flags, by their values.
enum RegexFlag : int64_t {
  kIgnoreCase = 2,
  kMultiline = 8,
  kDotAll = 16,
  kUnicode = 32,
  kVerbose = 64,
  kAscii = 256,
};

/// A compiled pattern. Matching is PCRE2's; what Python spells differently is
/// translated, and what differs in meaning is refused when it is compiled.
struct Pattern : Object {
  Pattern(
      Interpreter& interp,
      Class* cls,
      Class* match_class,
      std::string text,
      int64_t flags);

  std::string text;
  int64_t flags;
  Class* match_class;
  uint32_t group_count = 0;
  std::vector<std::pair<std::string, uint32_t>> names;  // in group order

  enum class Where { Search, Match, FullMatch };
  /// Byte offsets of the groups, start and end each, npos where unset; empty
  /// without a match. `no_empty`: an empty match at `from` does not count.
  std::vector<size_t> find(
      Interpreter& interp,
      const std::string& subject,
      size_t from,
      size_t to,
      Where where,
      bool no_empty = false) const;

 private:
  std::shared_ptr<pcre2_real_code_8> code_;
};

struct Match : Object {
  Match(Ref<Pattern> pattern, Ref<Str> subject, std::vector<size_t> groups);
  void clear() override;
  Ref<Pattern> pattern;
  Ref<Str> subject;
  std::vector<size_t> groups;

  /// None (or `fallback`) for a group that took no part.
  Value group(uint32_t index, const Value& fallback = Value::none()) const;
};

/// The pattern as PCRE2 spells it.
std::string translate_pattern(Interpreter& interp, const std::string& text);

}  // namespace portwright::eval
