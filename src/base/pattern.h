#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct pcre2_real_code_8;

namespace portwright::base {

/// A regular expression of our own over bytes, as PCRE2 spells it; one that is
/// wrong is an internal error.
class Pattern {
 public:
  explicit Pattern(std::string_view expression);

  /// A place in a text, which has to outlive it.
  class Found {
   public:
    /// What group `n` took, "" where it took no part; group 0 is all.
    std::string operator[](size_t n) const;
    std::string before() const;
    std::string after() const;

   private:
    friend class Pattern;
    std::string_view text_;
    std::vector<size_t> ends_;  // begin and end of each group
  };

  /// The first one.
  std::optional<Found> search(std::string_view text) const;
  /// The text as a whole.
  std::optional<Found> match(std::string_view text) const;
  std::vector<Found> all(std::string_view text) const;
  /// Each written as `with`, where $1 to $9 stand for groups.
  std::string replace(std::string_view text, std::string_view with) const;

 private:
  std::optional<Found>
  find(std::string_view text, size_t from, uint32_t options) const;

  std::shared_ptr<pcre2_real_code_8> code_;
};

}  // namespace portwright::base
