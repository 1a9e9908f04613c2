#define PCRE2_CODE_UNIT_WIDTH 8
#include "eval/stdlib/regex.h"

#include <pcre2.h>

#include "eval/builtins/support.h"
#include "eval/utf8.h"

namespace portwright::eval {

namespace {

[[noreturn]] void refuse_feature(
    Interpreter& in,
    const std::string& what,
    const std::string& pattern) {
  in.refuse(
      diagnostics::Kind::UnsupportedOperation,
      "regular expression feature " + what + " is not evaluated",
      "the pattern is " + str_repr(pattern));
}

[[noreturn]] void pattern_error(Interpreter& in, const std::string& message) {
  const Value module(in.import_module("re"));
  throw PythonError{in.call(in.getattr(module, "error"), {str(message)})};
}

bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// One escape; `at` stands behind the backslash.
std::string
translate_escape(Interpreter& in, const std::string& text, size_t& at) {
  const char c = at < text.size() ? text[at++] : '\0';
  if (c == '\0') {
    pattern_error(in, "bad escape (end of pattern)");
  }
  if (c == 'Z') {
    return "\\z";
  }
  if (c == 'u' || c == 'U') {
    const size_t digits = c == 'u' ? 4 : 8;
    const std::string code = text.substr(at, digits);
    if (code.size() < digits) {
      pattern_error(in, "incomplete escape");
    }
    at += digits;
    return "\\x{" + code + "}";
  }
  if (is_ascii_letter(c) &&
      std::string_view("AbBdDsSwWafnrtvx").find(c) == std::string_view::npos) {
    if (c == 'N') {
      refuse_feature(in, "\\N", text);
    }
    pattern_error(in, fmt::format("bad escape \\{}", c));
  }
  if (c == 'v') {
    return "\\x0b";  // PCRE2's \v is a class
  }
  return std::string("\\") + c;
}

void check_group(Interpreter& in, const std::string& text, size_t at) {
  if (text.compare(at, 1, "*") == 0) {
    refuse_feature(in, "(*", text);
  }
  if (text.compare(at, 1, "?") != 0) {
    return;
  }
  for (const char* known :
       {"?:", "?P<", "?P=", "?=", "?!", "?<=", "?<!", "?#", "?(", "?>"}) {
    if (text.compare(at, std::string_view(known).size(), known) == 0) {
      return;
    }
  }
  size_t end = at + 1;
  while (end < text.size() &&
         std::string_view("imsx-").find(text[end]) != std::string_view::npos) {
    ++end;
  }
  if (end == at + 1 || end >= text.size() ||
      (text[end] != ':' && text[end] != ')')) {
    refuse_feature(in, "(" + text.substr(at, 3), text);
  }
}

// Copies a character class; `at` stands on its '['.
void translate_class(
    Interpreter& in,
    const std::string& text,
    size_t& at,
    std::string& out) {
  out += text[at++];
  if (at < text.size() && text[at] == '^') {
    out += text[at++];
  }
  bool first = true;
  while (at < text.size() && (first || text[at] != ']')) {
    first = false;
    if (text[at] == '\\') {
      out += translate_escape(in, text, ++at);
    } else if (text[at] == '[') {
      if (at + 1 < text.size() && std::string_view(":.=").find(text[at + 1]) !=
                                      std::string_view::npos) {
        refuse_feature(in, "[" + text.substr(at, 2), text);
      }
      out += "\\[";
      ++at;
    } else {
      out += text[at++];
    }
  }
}

}  // namespace

std::string translate_pattern(Interpreter& in, const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '\\') {
      out += translate_escape(in, text, ++at);
      continue;
    }
    if (c == '[') {
      translate_class(in, text, at, out);
      continue;
    }
    if (c == '(') {
      check_group(in, text, at + 1);
    }
    out += c;
    ++at;
    // Python's {,n} starts at 0; PCRE2 takes it literally.
    if (c == '{' && at < text.size() && text[at] == ',' &&
        at + 1 < text.size() && std::isdigit(text[at + 1])) {
      out += '0';
    }
  }
  return out;
}

Pattern::Pattern(
    Interpreter& in,
    Class* cls,
    Class* match_class,
    std::string pattern,
    int64_t flags)
    : Object(Kind::Opaque, cls),
      text(std::move(pattern)),
      flags(flags),
      match_class(match_class) {
  uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;
  options |= flags & kAscii ? 0 : PCRE2_UCP;
  options |= flags & kIgnoreCase ? PCRE2_CASELESS : 0;
  options |= flags & kMultiline ? PCRE2_MULTILINE : 0;
  options |= flags & kDotAll ? PCRE2_DOTALL : 0;
  options |= flags & kVerbose ? PCRE2_EXTENDED : 0;
  const std::string translated = translate_pattern(in, text);
  int error = 0;
  size_t offset = 0;
  const std::
      unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)>
          context(
              pcre2_compile_context_create(nullptr),
              pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_code* code = pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(translated.data()),
      translated.size(),
      options,
      &error,
      &offset,
      context.get());
  if (!code) {
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(error, message, sizeof message);
    pattern_error(
        in,
        fmt::format(
            "{} at position {}", reinterpret_cast<char*>(message), offset));
  }
  code_ = std::shared_ptr<pcre2_code>(code, pcre2_code_free);
  pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &group_count);
  uint32_t count = 0, size = 0;
  PCRE2_SPTR table = nullptr;
  pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &count);
  pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &size);
  pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &table);
  for (uint32_t i = 0; i < count; ++i, table += size) {
    names.emplace_back(
        reinterpret_cast<const char*>(table + 2), table[0] << 8 | table[1]);
  }
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) {
    return a.second < b.second;
  });
}

std::vector<size_t> Pattern::find(
    Interpreter& in,
    const std::string& subject,
    size_t from,
    size_t to,
    Where where,
    bool no_empty) const {
  in.charge(1 + (to - from) / 64);
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>
      data(
          pcre2_match_data_create_from_pattern(code_.get(), nullptr),
          pcre2_match_data_free);
  uint32_t options = no_empty ? PCRE2_NOTEMPTY_ATSTART : 0;
  options |= where != Where::Search ? PCRE2_ANCHORED : 0;
  options |= where == Where::FullMatch ? PCRE2_ENDANCHORED : 0;
  const int count = pcre2_match(
      code_.get(),
      reinterpret_cast<PCRE2_SPTR>(subject.data()),
      to,
      from,
      options,
      data.get(),
      nullptr);
  if (count == PCRE2_ERROR_NOMATCH) {
    return {};
  }
  if (count < 0) {
    in.refuse(
        diagnostics::Kind::LimitExceeded,
        "matching a regular expression took too long",
        "the pattern is " + str_repr(text));
  }
  const size_t* offsets = pcre2_get_ovector_pointer(data.get());
  std::vector<size_t> out(2 * (group_count + 1), std::string::npos);
  for (int i = 0; i < 2 * count; ++i) {
    out[i] = offsets[i];
  }
  return out;
}

Match::Match(Ref<Pattern> pattern, Ref<Str> subject, std::vector<size_t> groups)
    : Object(Kind::Opaque, pattern->match_class),
      pattern(pattern),
      subject(std::move(subject)),
      groups(std::move(groups)) {}

void Match::clear() {
  Object::clear();
  pattern = nullptr;
}

Value Match::group(uint32_t index, const Value& fallback) const {
  const size_t begin = groups[2 * index], end = groups[2 * index + 1];
  return begin == std::string::npos
             ? fallback
             : str(subject->text.substr(begin, end - begin));
}

}  // namespace portwright::eval
