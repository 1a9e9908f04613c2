#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/pattern.h"

#include <pcre2.h>

#include "base/check.h"

namespace portwright::base {

Pattern::Pattern(std::string_view expression) {
  int error = 0;
  size_t offset = 0;
  pcre2_code* code = pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(expression.data()),
      expression.size(),
      0,
      &error,
      &offset,
      nullptr);
  PW_CHECK(code, "not a regular expression: " + std::string(expression));
  code_ = std::shared_ptr<pcre2_code>(code, pcre2_code_free);
}

std::string Pattern::Found::operator[](size_t n) const {
  const size_t begin = ends_[2 * n], end = ends_[2 * n + 1];
  return begin == PCRE2_UNSET ? ""
                              : std::string(text_.substr(begin, end - begin));
}

std::string Pattern::Found::before() const {
  return std::string(text_.substr(0, ends_[0]));
}

std::string Pattern::Found::after() const {
  return std::string(text_.substr(ends_[1]));
}

std::optional<Pattern::Found>
Pattern::find(std::string_view text, size_t from, uint32_t options) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>
      data(
          pcre2_match_data_create_from_pattern(code_.get(), nullptr),
          pcre2_match_data_free);
  const int count = pcre2_match(
      code_.get(),
      reinterpret_cast<PCRE2_SPTR>(text.data()),
      text.size(),
      from,
      options,
      data.get(),
      nullptr);
  if (count == PCRE2_ERROR_NOMATCH) {
    return std::nullopt;
  }
  PW_CHECK(count > 0, "a text is too long for a regular expression");
  Found out;
  out.text_ = text;
  const size_t* ends = pcre2_get_ovector_pointer(data.get());
  out.ends_.assign(ends, ends + 2 * pcre2_get_ovector_count(data.get()));
  return out;
}

std::optional<Pattern::Found> Pattern::search(std::string_view text) const {
  return find(text, 0, 0);
}

std::optional<Pattern::Found> Pattern::match(std::string_view text) const {
  return find(text, 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED);
}

std::vector<Pattern::Found> Pattern::all(std::string_view text) const {
  std::vector<Found> out;
  size_t from = 0;
  while (auto found = find(text, from, PCRE2_NOTEMPTY)) {
    from = found->ends_[1];
    out.push_back(std::move(*found));
  }
  return out;
}

std::string Pattern::replace(std::string_view text, std::string_view with)
    const {
  std::string out;
  size_t done = 0;
  for (const Found& found : all(text)) {
    out += text.substr(done, found.ends_[0] - done);
    for (size_t i = 0; i < with.size(); ++i) {
      const bool group = with[i] == '$' && i + 1 < with.size() &&
                         with[i + 1] >= '1' && with[i + 1] <= '9';
      out += group ? found[with[++i] - '0'] : std::string(1, with[i]);
    }
    done = found.ends_[1];
  }
  return out.append(text.substr(done));
}

}  // namespace portwright::base
