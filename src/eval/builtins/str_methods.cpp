// str: construction, case, padding, splitting, joining.

#include "eval/builtins/support.h"
#include "eval/utf8.h"

namespace portwright::eval {

namespace {

// A method's result remembers the string it was computed from.
Value traced(
    Interpreter& in,
    const char* method,
    const Value& self,
    std::string text) {
  Value r = str(std::move(text));
  if (!self.provenance()) {
    return r;
  }
  return r.with(call_provenance(in, method, self));
}

bool is_space(char32_t c) {
  return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f) ||
         c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
         c == 0x202f || c == 0x205f || c == 0x3000;
}

// Letters beyond ASCII need Unicode's case tables, which we do not carry.
void require_ascii(Interpreter& in, const std::string& text) {
  if (!utf8::is_ascii(text)) {
    in.refuse(
        diagnostics::Kind::UnsupportedOperation,
        "case and classes of characters beyond ASCII are not evaluated",
        "the string is " + str_repr(text));
  }
}

template <typename Change>
std::string
mapped(Interpreter& in, const std::string& text, const Change& change) {
  require_ascii(in, text);
  std::string out = text;
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = change(out[i], i ? text[i - 1] : ' ');
  }
  return out;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
bool is_letter(char c) {
  return lower(c) >= 'a' && lower(c) <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

void install_case(Class* cls) {
  using Change = char (*)(char, char);
  constexpr std::pair<const char*, Change> changes[] = {
      {"lower", [](char c, char) { return lower(c); }},
      {"casefold", [](char c, char) { return lower(c); }},
      {"upper", [](char c, char) { return upper(c); }},
      {"swapcase",
       [](char c, char) { return c == lower(c) ? upper(c) : lower(c); }},
      {"title", [](char c, char before) {
         return is_letter(before) ? lower(c) : upper(c);
       }}};
  for (const auto& [name, change] : changes) {
    cls->def(
        std::string(name) + "(self)",
        [method = "str." + std::string(name), change = change](
            Interpreter& in, Args a) {
          return traced(
              in,
              method.c_str(),
              a[0],
              mapped(in, as_str(in, a[0]).text, change));
        });
  }
  cls->def("capitalize(self)", [](Interpreter& in, Args a) {
    std::string out = mapped(
        in, as_str(in, a[0]).text, [](char c, char) { return lower(c); });
    if (!out.empty()) {
      out[0] = upper(out[0]);
    }
    return traced(in, "str.capitalize", a[0], out);
  });
}

void install_tests(Class* cls) {
  using Test = bool (*)(char);
  constexpr std::pair<const char*, Test> tests[] = {
      {"isalpha", is_letter},
      {"isdigit", is_digit},
      {"isdecimal", is_digit},
      {"isnumeric", is_digit},
      {"isalnum", [](char c) { return is_letter(c) || is_digit(c); }},
      {"isspace",
       [](char c) { return is_space(static_cast<unsigned char>(c)); }}};
  for (const auto& [name, test] : tests) {
    cls->def(
        std::string(name) + "(self)",
        [test = test](Interpreter& in, Args a) -> Value {
          const std::string& text = as_str(in, a[0]).text;
          require_ascii(in, text);
          return Value::boolean(
              !text.empty() && std::all_of(text.begin(), text.end(), test));
        });
  }
  const auto cased = [](bool wanted_upper) {
    return [wanted_upper](Interpreter& in, Args a) -> Value {
      const std::string& text = as_str(in, a[0]).text;
      require_ascii(in, text);
      bool any = false, all = true;
      for (char c : text) {
        any = any || is_letter(c);
        all = all && c == (wanted_upper ? upper(c) : lower(c));
      }
      return Value::boolean(any && all);
    };
  };
  cls->def("isupper(self)", cased(true));
  cls->def("islower(self)", cased(false));
  cls->def("isascii(self)", [](Interpreter& in, Args a) -> Value {
    return Value::boolean(utf8::is_ascii(as_str(in, a[0]).text));
  });
  cls->def("isidentifier(self)", [](Interpreter& in, Args a) -> Value {
    const std::string& text = as_str(in, a[0]).text;
    require_ascii(in, text);
    const auto part = [](char c) {
      return is_letter(c) || is_digit(c) || c == '_';
    };
    return Value::boolean(
        !text.empty() && !is_digit(text[0]) &&
        std::all_of(text.begin(), text.end(), part));
  });
}

std::string stripped(
    const std::string& text,
    const std::u32string* set,
    bool left,
    bool right) {
  std::u32string wide = utf8::decode(text);
  const auto drop = [&](char32_t c) {
    return set ? set->find(c) != std::u32string::npos : is_space(c);
  };
  size_t begin = 0, end = wide.size();
  while (left && begin < end && drop(wide[begin])) {
    ++begin;
  }
  while (right && end > begin && drop(wide[end - 1])) {
    --end;
  }
  return utf8::encode(std::u32string_view(wide).substr(begin, end - begin));
}

void install_strip(Class* cls) {
  constexpr std::tuple<const char*, bool, bool> sides[] = {
      {"strip", true, true}, {"lstrip", true, false}, {"rstrip", false, true}};
  for (const auto& [name, left, right] : sides) {
    cls->def(
        std::string(name) + "(self, chars=None, /)",
        [left = left, right = right, method = "str." + std::string(name)](
            Interpreter& in, Args a) {
          std::u32string set;
          if (given(a[1])) {
            set = utf8::decode(as_str(in, a[1]).text);
          }
          return traced(
              in,
              method.c_str(),
              a[0],
              stripped(
                  as_str(in, a[0]).text,
                  given(a[1]) ? &set : nullptr,
                  left,
                  right));
        });
  }
}

std::string fill(const Value& c, Interpreter& in, int64_t count) {
  std::string out;
  for (int64_t i = 0; i < count; ++i) {
    out += as_str(in, c).text;
  }
  return out;
}

void install_padding(Class* cls) {
  for (const char* name : {"ljust", "rjust", "center"}) {
    cls->def(
        std::string(name) + "(self, width, fillchar=' ', /)",
        [side = name[0]](Interpreter& in, Args a) -> Value {
          const std::string& text = as_str(in, a[0]).text;
          const int64_t width = as_index(in, a[1]);
          const int64_t missing =
              std::max<int64_t>(0, width - utf8::length(text));
          check_items(in, missing);
          int64_t left = side == 'l' ? 0 : missing;
          if (side == 'c') {
            left = missing / 2 + (missing & width & 1);
          }
          return str(
              fill(a[2], in, left) + text + fill(a[2], in, missing - left));
        });
  }
  cls->def("zfill(self, width, /)", [](Interpreter& in, Args a) -> Value {
    std::string text = as_str(in, a[0]).text;
    const int64_t missing = as_index(in, a[1]) - utf8::length(text);
    if (missing > 0) {
      check_items(in, missing);
      const bool has_sign = !text.empty() && (text[0] == '+' || text[0] == '-');
      text.insert(has_sign ? 1 : 0, static_cast<size_t>(missing), '0');
    }
    return str(text);
  });
  cls->def("expandtabs(self, tabsize=8)", [](Interpreter& in, Args a) -> Value {
    const int64_t size = as_index(in, a[1]);
    std::string out;
    int64_t column = 0;
    for (char c : as_str(in, a[0]).text) {
      if (c != '\t') {
        out += c;
        column = c == '\n' || c == '\r' ? 0 : column + 1;
      } else if (size > 0) {
        const int64_t n = size - column % size;
        out.append(n, ' ');
        column += n;
      }
    }
    return str(out);
  });
}

Value join(Interpreter& in, Args a) {
  const std::string& separator = as_str(in, a[0]).text;
  std::string out;
  int64_t i = 0;
  in.for_each(a[1], [&](Value v) {
    if (!v.is_str()) {
      in.raise(
          "TypeError",
          fmt::format(
              "sequence item {}: expected str instance, {} found",
              i,
              type_name(in, v)));
    }
    out += (i++ ? separator : "") + v.str();
  });
  check_items(in, out.size());
  return str(out);
}

Value new_str(Interpreter& in, Args a) {
  Class& cls = as_class(in, a[0]);
  Value text;
  if (given(a[2]) && a[1].is(Kind::Bytes)) {
    text = str(a[1].get<Bytes>()->data);
  } else if (!a[1].defined()) {
    text = str("");
  } else if (&cls == in.types.str && a[1].is_str() && is_plain(in, a[1])) {
    return a[1];
  } else {
    text = str(in.to_str(a[1])).with(call_provenance(in, "str", a[1]));
  }
  text.object()->cls = &cls;
  return text;
}

}  // namespace

void install_str(Interpreter& interp) {
  Class* cls = interp.types.str;
  cls->def_static(
      "__new__(cls, object=..., encoding=None, errors=None)", new_str);
  cls->def("__str__(self)", [](Interpreter& in, Args a) -> Value {
    return str(as_str(in, a[0]).text);
  });
  cls->def("__format__(self, spec)", [](Interpreter& in, Args a) -> Value {
    return str(in.format(str(as_str(in, a[0]).text), as_str(in, a[1]).text));
  });
  install_case(cls);
  install_tests(cls);
  install_strip(cls);
  install_padding(cls);
  cls->def("join(self, iterable, /)", join);
  cls->def("format(self, *args, **kwargs)", [](Interpreter& in, Args a) {
    return str(format_fields(in, as_str(in, a[0]).text, rest(a[1]), a[2]));
  });
  cls->def("format_map(self, mapping, /)", [](Interpreter& in, Args a) {
    return str(format_fields(in, as_str(in, a[0]).text, {}, a[1]));
  });
  cls->def(
      "encode(self, encoding='utf-8', errors='strict')",
      [](Interpreter& in, Args a) -> Value {
        return Value(make<Bytes>(as_str(in, a[0]).text));
      });
}

}  // namespace portwright::eval
