// str.format: replacement fields.

#include "eval/builtins/support.h"

namespace portwright::eval {

namespace {

class FieldFormatter {
 public:
  FieldFormatter(
      Interpreter& interp,
      const std::vector<Value>& positional,
      const Value& mapping)
      : interp_(interp), positional_(positional), mapping_(mapping) {}

  std::string run(std::string_view text, int depth = 0) {
    if (depth > 2) {
      interp_.raise("ValueError", "Max string recursion exceeded");
    }
    std::string out;
    for (size_t i = 0; i < text.size();) {
      const char c = text[i++];
      if ((c == '{' || c == '}') && i < text.size() && text[i] == c) {
        out += c;
        ++i;
      } else if (c == '{') {
        const size_t end = closing(text, i);
        out += field(text.substr(i, end - i), depth);
        i = end + 1;
      } else if (c == '}') {
        interp_.raise("ValueError", "Single '}' encountered in format string");
      } else {
        out += c;
      }
    }
    return out;
  }

 private:
  size_t closing(std::string_view text, size_t i) {
    for (int open = 1; i < text.size(); ++i) {
      open += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
      if (open == 0) {
        return i;
      }
    }
    interp_.raise("ValueError", "Single '{' encountered in format string");
  }

  // name[.attribute|[index]]* [!conversion] [:spec]
  std::string field(std::string_view text, int depth) {
    size_t at = text.find_first_of("!:");
    std::string_view name = text.substr(0, at);
    char conversion = 0;
    std::string spec;
    if (at != std::string_view::npos && text[at] == '!') {
      conversion = at + 1 < text.size() ? text[at + 1] : 's';
      at = at + 2 < text.size() ? at + 2 : std::string_view::npos;
    }
    if (at != std::string_view::npos) {
      spec = run(text.substr(at + 1), depth + 1);
    }
    Value value = lookup(name);
    if (conversion) {
      value =
          str(conversion == 's' ? interp_.to_str(value) : interp_.repr(value));
    }
    return interp_.format(value, spec);
  }

  Value lookup(std::string_view name) {
    size_t at = std::min(name.find_first_of(".["), name.size());
    Value value = root(std::string(name.substr(0, at)));
    while (at < name.size()) {
      const bool is_index = name[at] == '[';
      const size_t end =
          is_index ? std::min(name.find(']', at), name.size())
                   : std::min(name.find_first_of(".[", at + 1), name.size());
      const std::string key(name.substr(at + 1, end - at - 1));
      value = is_index ? interp_.getitem(value, key_of(key))
                       : interp_.getattr(value, key);
      at = is_index ? std::min(end + 1, name.size()) : end;
    }
    return value;
  }

  static bool is_number(const std::string& text) {
    return !text.empty() && text.size() < 10 &&
           text.find_first_not_of("0123456789") == std::string::npos;
  }

  static Value key_of(const std::string& text) {
    return is_number(text) ? Value::integer(std::stoll(text)) : str(text);
  }

  Value root(const std::string& name) {
    if (name.empty() || is_number(name)) {
      const size_t i = name.empty() ? next_++ : std::stoull(name);
      if (i >= positional_.size()) {
        interp_.raise(
            "IndexError",
            fmt::format(
                "Replacement index {} out of range for positional args tuple",
                i));
      }
      return positional_[i];
    }
    return interp_.getitem(mapping_, str(name));
  }

  Interpreter& interp_;
  const std::vector<Value>& positional_;
  const Value& mapping_;
  size_t next_ = 0;
};

}  // namespace

std::string format_fields(
    Interpreter& interp,
    const std::string& text,
    const std::vector<Value>& positional,
    const Value& mapping) {
  return FieldFormatter(interp, positional, mapping).run(text);
}

}  // namespace portwright::eval
