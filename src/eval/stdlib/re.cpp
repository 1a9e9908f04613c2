// The re module: its functions, and the methods of patterns and matches.

#include "eval/builtins/support.h"
#include "eval/stdlib/modules.h"
#include "eval/stdlib/regex.h"
#include "eval/utf8.h"

namespace portwright::eval {

namespace {

/// What the module keeps: its classes and the patterns compiled so far.
struct Regexes {
  Class* pattern_class = nullptr;
  Class* match_class = nullptr;
  std::unordered_map<std::string, Ref<Pattern>> compiled;
};

Pattern& as_pattern(Interpreter& in, const Value& v) {
  auto* p = v.is(Kind::Opaque) ? dynamic_cast<Pattern*>(v.object()) : nullptr;
  if (!p) {
    in.raise("TypeError", "first argument must be string or compiled pattern");
  }
  return *p;
}

Match& as_match(Interpreter& in, const Value& v) {
  auto* m = v.is(Kind::Opaque) ? dynamic_cast<Match*>(v.object()) : nullptr;
  if (!m) {
    in.raise("TypeError", "expected a re.Match");
  }
  return *m;
}

Ref<Pattern> compile(
    Interpreter& in,
    Regexes& regexes,
    const Value& pattern,
    const Value& flags) {
  if (!pattern.is_str()) {
    return Ref<Pattern>(&as_pattern(in, pattern));
  }
  const int64_t bits = flags.defined() ? as_index(in, flags) : 0;
  const std::string key = std::to_string(bits) + ":" + pattern.str();
  Ref<Pattern>& slot = regexes.compiled[key];
  if (!slot) {
    slot = make<Pattern>(
        in, regexes.pattern_class, regexes.match_class, pattern.str(), bits);
  }
  return slot;
}

Value found(
    const Ref<Pattern>& pattern,
    const Ref<Str>& subject,
    std::vector<size_t> groups) {
  return groups.empty()
             ? Value::none()
             : Value(make<Match>(pattern, subject, std::move(groups)));
}

Value match_once(
    Interpreter& in,
    const Ref<Pattern>& pattern,
    const Value& subject,
    Pattern::Where where) {
  const Ref<Str> text(&as_str(in, subject));
  return found(
      pattern,
      text,
      pattern->find(in, text->text, 0, text->text.size(), where));
}

// Every match from left to right, as re.finditer finds them.
void each_match(
    Interpreter& in,
    const Ref<Pattern>& pattern,
    const Ref<Str>& subject,
    const std::function<bool(const Ref<Match>&)>& body) {
  const std::string& text = subject->text;
  size_t at = 0;
  bool was_empty = false;
  while (at <= text.size()) {
    std::vector<size_t> groups = pattern->find(
        in, text, at, text.size(), Pattern::Where::Search, was_empty);
    if (groups.empty()) {
      return;
    }
    was_empty = groups[0] == groups[1];
    at = groups[1];
    if (!body(make<Match>(pattern, subject, std::move(groups)))) {
      return;
    }
  }
}

Value groups_of(const Match& m, const Value& fallback) {
  std::vector<Value> out;
  for (uint32_t i = 1; i <= m.pattern->group_count; ++i) {
    out.push_back(m.group(i, fallback));
  }
  return tuple(std::move(out));
}

Value find_all(Interpreter& in, const Ref<Pattern>& p, const Value& subject) {
  std::vector<Value> out;
  each_match(in, p, Ref<Str>(&as_str(in, subject)), [&](const Ref<Match>& m) {
    const Value empty = str("");
    out.push_back(
        p->group_count == 0   ? m->group(0)
        : p->group_count == 1 ? m->group(1, empty)
                              : groups_of(*m, empty));
    return true;
  });
  return list(std::move(out));
}

Value split(
    Interpreter& in,
    const Ref<Pattern>& p,
    const Value& subject,
    int64_t limit) {
  const Ref<Str> text(&as_str(in, subject));
  std::vector<Value> out;
  size_t at = 0;
  each_match(in, p, text, [&](const Ref<Match>& m) {
    out.push_back(str(text->text.substr(at, m->groups[0] - at)));
    for (uint32_t i = 1; i <= p->group_count; ++i) {
      out.push_back(m->group(i));
    }
    at = m->groups[1];
    return --limit != 0;
  });
  out.push_back(str(text->text.substr(at)));
  return list(std::move(out));
}

uint32_t group_index(Interpreter& in, const Pattern& p, const Value& key) {
  if (key.is_str()) {
    for (const auto& [name, index] : p.names) {
      if (name == key.str()) {
        return index;
      }
    }
  } else {
    const int64_t i = as_index(in, key);
    if (i >= 0 && i <= static_cast<int64_t>(p.group_count)) {
      return static_cast<uint32_t>(i);
    }
  }
  in.raise("IndexError", "no such group");
}

// \1, \g<1>, \g<name>, \n and \\ of a replacement template.
std::string expand(Interpreter& in, const Match& m, const std::string& text) {
  std::string out;
  const auto append_group = [&](const Value& key) {
    const Value v = m.group(group_index(in, *m.pattern, key));
    out += v.is_str() ? v.str() : "";
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 >= text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (c >= '1' && c <= '9') {
      int64_t index = c - '0';
      if (i + 1 < text.size() && std::isdigit(text[i + 1])) {
        index = index * 10 + (text[++i] - '0');
      }
      append_group(Value::integer(index));
    } else if (c == 'g' && i + 1 < text.size() && text[i + 1] == '<') {
      const size_t end = text.find('>', i);
      if (end == std::string::npos) {
        in.raise("ValueError", "missing >, unterminated name");
      }
      const std::string name = text.substr(i + 2, end - i - 2);
      const bool number =
          !name.empty() && name.size() < 4 &&
          name.find_first_not_of("0123456789") == std::string::npos;
      append_group(number ? Value::integer(std::stoll(name)) : str(name));
      i = end;
    } else if (c == '\\') {
      out += '\\';
    } else if (const size_t at = std::string_view("nrtfav").find(c);
               at != std::string_view::npos) {
      out += "\n\r\t\f\a\v"[at];
    } else if (std::isalpha(static_cast<unsigned char>(c)) || c == '0') {
      in.refuse(
          diagnostics::Kind::UnsupportedOperation,
          fmt::format(
              "escape \\{} in a replacement template is not evaluated", c));
    } else {
      out += '\\';
      out += c;
    }
  }
  return out;
}

std::pair<Value, int64_t> substitute(
    Interpreter& in,
    const Ref<Pattern>& p,
    const Value& replacement,
    const Value& subject,
    int64_t limit) {
  const Ref<Str> text(&as_str(in, subject));
  std::string out;
  size_t at = 0;
  int64_t count = 0;
  each_match(in, p, text, [&](const Ref<Match>& m) {
    out += text->text.substr(at, m->groups[0] - at);
    if (replacement.is_str()) {
      out += expand(in, *m, replacement.str());
    } else {
      out += as_str(in, in.call(replacement, {Value(m)})).text;
    }
    at = m->groups[1];
    check_items(in, out.size());
    return ++count != limit;
  });
  return {str(out + text->text.substr(at)), count};
}

using Shared = std::shared_ptr<Regexes>;

// One operation, as a function of the module and as a method of patterns.
void define_operation(
    ModuleObject& m,
    const Shared& regexes,
    const std::string& name,
    const std::string& parameters,
    const std::function<Value(Interpreter&, const Ref<Pattern>&, Args)>& body) {
  m.def(
      fmt::format("{}(pattern, {}, flags=0)", name, parameters),
      [regexes, body](Interpreter& in, Args a) -> Value {
        return body(
            in,
            compile(in, *regexes, a[0], a.back()),
            a.subspan(1, a.size() - 2));
      });
  regexes->pattern_class->def(
      fmt::format("{}(self, {})", name, parameters),
      [body](Interpreter& in, Args a) -> Value {
        return body(in, Ref<Pattern>(&as_pattern(in, a[0])), a.subspan(1));
      });
}

void define_operations(ModuleObject& m, const Shared& regexes) {
  constexpr std::pair<const char*, Pattern::Where> once[] = {
      {"match", Pattern::Where::Match},
      {"fullmatch", Pattern::Where::FullMatch},
      {"search", Pattern::Where::Search}};
  for (const auto& [name, where] : once) {
    define_operation(
        m,
        regexes,
        name,
        "string",
        [where = where](Interpreter& in, const Ref<Pattern>& p, Args a) {
          return match_once(in, p, a[0], where);
        });
  }
  define_operation(
      m,
      regexes,
      "findall",
      "string",
      [](Interpreter& in, const Ref<Pattern>& p, Args a) {
        return find_all(in, p, a[0]);
      });
  define_operation(
      m,
      regexes,
      "finditer",
      "string",
      [](Interpreter& in, const Ref<Pattern>& p, Args a) {
        std::vector<Value> out;
        each_match(in, p, Ref<Str>(&as_str(in, a[0])), [&](const auto& match) {
          out.emplace_back(match);
          return true;
        });
        return Value(in.iterate(list(std::move(out))));
      });
  define_operation(
      m,
      regexes,
      "split",
      "string, maxsplit=0",
      [](Interpreter& in, const Ref<Pattern>& p, Args a) {
        return split(in, p, a[0], as_index(in, a[1]));
      });
  define_operation(
      m,
      regexes,
      "sub",
      "repl, string, count=0",
      [](Interpreter& in, const Ref<Pattern>& p, Args a) {
        return substitute(in, p, a[0], a[1], as_index(in, a[2])).first;
      });
  define_operation(
      m,
      regexes,
      "subn",
      "repl, string, count=0",
      [](Interpreter& in, const Ref<Pattern>& p, Args a) {
        auto [text, n] = substitute(in, p, a[0], a[1], as_index(in, a[2]));
        return tuple({text, Value::integer(n)});
      });
}

void define_pattern(Class* cls) {
  cls->def_property("pattern", [](Interpreter& in, Args a) {
    return str(as_pattern(in, a[0]).text);
  });
  cls->def_property("flags", [](Interpreter& in, Args a) {
    const int64_t flags = as_pattern(in, a[0]).flags;
    return Value::integer(flags & kAscii ? flags : flags | kUnicode);
  });
  cls->def_property("groups", [](Interpreter& in, Args a) {
    return Value::integer(as_pattern(in, a[0]).group_count);
  });
  cls->def_property("groupindex", [](Interpreter& in, Args a) {
    Ref<Dict> out = dict();
    for (const auto& [name, index] : as_pattern(in, a[0]).names) {
      out->set(name, Value::integer(index));
    }
    return Value(out);
  });
  cls->def("__repr__(self)", [](Interpreter& in, Args a) {
    return str("re.compile(" + str_repr(as_pattern(in, a[0]).text) + ")");
  });
  cls->def(
      "__deepcopy__(self, memo)", [](Interpreter&, Args a) { return a[0]; });
}

Value offset(const Match& m, uint32_t group, int side) {
  const size_t at = m.groups[2 * group + side];
  return Value::integer(
      at == std::string::npos ? -1 : utf8::index_of(m.subject->text, at));
}

void define_match(Class* cls) {
  cls->def("group(self, *groups)", [](Interpreter& in, Args a) {
    const Match& m = as_match(in, a[0]);
    std::vector<Value> out;
    for (const Value& key : rest(a[1])) {
      out.push_back(m.group(group_index(in, *m.pattern, key)));
    }
    return out.empty()       ? m.group(0)
           : out.size() == 1 ? out[0]
                             : tuple(std::move(out));
  });
  cls->def("__getitem__(self, key)", [](Interpreter& in, Args a) {
    const Match& m = as_match(in, a[0]);
    return m.group(group_index(in, *m.pattern, a[1]));
  });
  cls->def("groups(self, default=None)", [](Interpreter& in, Args a) {
    return groups_of(as_match(in, a[0]), a[1]);
  });
  cls->def("groupdict(self, default=None)", [](Interpreter& in, Args a) {
    const Match& m = as_match(in, a[0]);
    Ref<Dict> out = dict();
    for (const auto& [name, index] : m.pattern->names) {
      out->set(name, m.group(index, a[1]));
    }
    return Value(out);
  });
  cls->def("start(self, group=0)", [](Interpreter& in, Args a) {
    const Match& m = as_match(in, a[0]);
    return offset(m, group_index(in, *m.pattern, a[1]), 0);
  });
  cls->def("end(self, group=0)", [](Interpreter& in, Args a) {
    const Match& m = as_match(in, a[0]);
    return offset(m, group_index(in, *m.pattern, a[1]), 1);
  });
  cls->def("span(self, group=0)", [](Interpreter& in, Args a) {
    const Match& m = as_match(in, a[0]);
    const uint32_t g = group_index(in, *m.pattern, a[1]);
    return tuple({offset(m, g, 0), offset(m, g, 1)});
  });
  cls->def("expand(self, template)", [](Interpreter& in, Args a) {
    return str(expand(in, as_match(in, a[0]), as_str(in, a[1]).text));
  });
  cls->def_property("string", [](Interpreter& in, Args a) {
    return Value(as_match(in, a[0]).subject);
  });
  cls->def_property("re", [](Interpreter& in, Args a) {
    return Value(as_match(in, a[0]).pattern);
  });
  cls->def_property("lastindex", [](Interpreter& in, Args a) {
    const Match& m = as_match(in, a[0]);
    for (uint32_t i = m.pattern->group_count; i > 0; --i) {
      if (m.groups[2 * i] != std::string::npos) {
        return Value::integer(i);
      }
    }
    return Value::none();
  });
}

Value escape(Interpreter& in, Args a) {
  std::string out;
  for (char c : as_str(in, a[0]).text) {
    if (std::string_view("()[]{}?*+-|^$\\.&~# \t\n\r\v\f").find(c) !=
        std::string_view::npos) {
      out += '\\';
    }
    out += c;
  }
  return str(out);
}

}  // namespace

void define_re(Interpreter& interp, ModuleObject& m) {
  auto regexes = std::make_shared<Regexes>();
  regexes->pattern_class =
      interp.define_class("Pattern", {}, Kind::Opaque, "re");
  regexes->match_class = interp.define_class("Match", {}, Kind::Opaque, "re");
  m.set("Pattern", class_value(regexes->pattern_class));
  m.set("Match", class_value(regexes->match_class));
  const Value error = class_value(interp.define_class(
      "error", {interp.types.exception}, Kind::Instance, "re"));
  m.set("error", error);
  constexpr std::tuple<const char*, const char*, int64_t> flags[] = {
      {"I", "IGNORECASE", kIgnoreCase},
      {"M", "MULTILINE", kMultiline},
      {"S", "DOTALL", kDotAll},
      {"U", "UNICODE", kUnicode},
      {"X", "VERBOSE", kVerbose},
      {"A", "ASCII", kAscii}};
  for (const auto& [letter, name, value] : flags) {
    m.set(letter, Value::integer(value));
    m.set(name, Value::integer(value));
  }
  m.def("compile(pattern, flags=0)", [regexes](Interpreter& in, Args a) {
    return Value(compile(in, *regexes, a[0], a[1]));
  });
  m.def("escape(pattern)", escape);
  define_operations(m, regexes);
  define_pattern(regexes->pattern_class);
  define_match(regexes->match_class);
}

}  // namespace portwright::eval
