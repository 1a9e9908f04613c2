// str: searching, replacing, splitting.

#include "eval/builtins/support.h"
#include "eval/utf8.h"

namespace portwright::eval {

namespace {

// The bytes of self between code points start and stop.
struct Part {
  std::string_view text;
  size_t offset;  // bytes before it
  bool valid;     // start <= length
};

Part part_of(
    Interpreter& in,
    const std::string& text,
    const Value& start,
    const Value& stop) {
  if (!given(start) && !given(stop)) {
    return {text, 0, true};
  }
  const int64_t size = utf8::length(text);
  const auto place = [&](const Value& v, int64_t fallback) {
    if (!given(v)) {
      return fallback;
    }
    const int64_t i = as_index(in, v);
    return std::max<int64_t>(0, i < 0 ? i + size : i);
  };
  const int64_t begin = place(start, 0);
  const int64_t end = std::min(place(stop, size), size);
  if (begin > size || begin > end) {
    return {{}, 0, false};
  }
  const size_t from = utf8::offset_of(text, begin);
  const size_t to = utf8::offset_of(text, end);
  return {std::string_view(text).substr(from, to - from), from, true};
}

int64_t find_text(Interpreter& in, Args a, bool from_right) {
  const std::string& text = as_str(in, a[0]).text;
  const std::string& wanted = as_str(in, a[1]).text;
  const Part part = part_of(in, text, a[2], a[3]);
  const size_t at = !part.valid  ? std::string::npos
                    : from_right ? part.text.rfind(wanted)
                                 : part.text.find(wanted);
  return at == std::string::npos ? -1 : utf8::index_of(text, part.offset + at);
}

void install_find(Class* cls) {
  for (const char* name : {"find", "rfind", "index", "rindex"}) {
    const std::string_view n = name;
    cls->def(
        std::string(name) + "(self, sub, start=None, stop=None, /)",
        [right = n[0] == 'r', raises = n.ends_with("index")](
            Interpreter& in, Args a) -> Value {
          const int64_t at = find_text(in, a, right);
          if (at < 0 && raises) {
            in.raise("ValueError", "substring not found");
          }
          return Value::integer(at);
        });
  }
}

Value matches_end(Interpreter& in, Args a, bool at_start) {
  const Part part = part_of(in, as_str(in, a[0]).text, a[2], a[3]);
  const auto test = [&](const Value& wanted) {
    const std::string& w = as_str(in, wanted).text;
    return part.valid &&
           (at_start ? part.text.starts_with(w) : part.text.ends_with(w));
  };
  bool result = false;
  if (a[1].is(Kind::Tuple)) {
    for (const Value& v : a[1].get<Tuple>()->items) {
      result = result || test(v);
    }
  } else {
    result = test(a[1]);
  }
  return Value::boolean(result).with(
      a[0].provenance()
          ? call_provenance(
                in, at_start ? "str.startswith" : "str.endswith", a[0], a[1])
          : nullptr);
}

Value count(Interpreter& in, Args a) {
  const Part part = part_of(in, as_str(in, a[0]).text, a[2], a[3]);
  const std::string& wanted = as_str(in, a[1]).text;
  if (!part.valid) {
    return Value::integer(0);
  }
  if (wanted.empty()) {
    return Value::integer(utf8::length(part.text) + 1);
  }
  int64_t n = 0;
  for (size_t at = part.text.find(wanted); at != std::string_view::npos;
       at = part.text.find(wanted, at + wanted.size())) {
    ++n;
  }
  return Value::integer(n);
}

Value replace(Interpreter& in, Args a) {
  const std::string& text = as_str(in, a[0]).text;
  const std::string& old = as_str(in, a[1]).text;
  const std::string& with = as_str(in, a[2]).text;
  int64_t left = as_index(in, a[3]);
  std::string out;
  size_t at = 0;
  if (old.empty()) {
    while (left != 0) {  // before every code point and at the end
      out += with;
      --left;
      if (at >= text.size()) {
        return str(out);
      }
      const size_t begin = at;
      utf8::next(text, at);
      out += text.substr(begin, at - begin);
    }
    return str(out + text.substr(at));
  }
  for (size_t hit = text.find(old); hit != std::string::npos && left != 0;
       hit = text.find(old, at)) {
    out += text.substr(at, hit - at) + with;
    at = hit + old.size();
    --left;
  }
  out += text.substr(at);
  check_items(in, out.size());
  Value r = str(out);
  return a[0].provenance()
             ? r.with(call_provenance(in, "str.replace", a[0], a[1]))
             : r;
}

bool is_blank(char c) {
  return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f);
}

std::vector<Value>
split_blank(const std::string& text, int64_t limit, bool right) {
  std::vector<Value> out;
  size_t begin = 0, end = text.size();
  const auto trim = [&]() {
    while (begin < end && is_blank(text[begin])) {
      ++begin;
    }
    while (end > begin && is_blank(text[end - 1])) {
      --end;
    }
  };
  while (limit != 0) {
    if (right) {
      while (end > begin && is_blank(text[end - 1])) {
        --end;
      }
    } else {
      while (begin < end && is_blank(text[begin])) {
        ++begin;
      }
    }
    if (begin >= end) {
      break;
    }
    size_t from = begin, to = end;
    if (right) {
      from = end;
      while (from > begin && !is_blank(text[from - 1])) {
        --from;
      }
      end = from;
    } else {
      to = begin;
      while (to < end && !is_blank(text[to])) {
        ++to;
      }
      begin = to;
    }
    out.push_back(str(text.substr(from, to - from)));
    --limit;
  }
  // What is left after the last allowed split, kept whole.
  if (limit == 0) {
    if (right) {
      while (end > begin && is_blank(text[end - 1])) {
        --end;
      }
    } else {
      while (begin < end && is_blank(text[begin])) {
        ++begin;
      }
    }
    if (begin < end) {
      out.push_back(str(text.substr(begin, end - begin)));
    }
  } else {
    trim();
  }
  if (right) {
    std::reverse(out.begin(), out.end());
  }
  return out;
}

std::vector<Value> split_at(
    const std::string& text,
    const std::string& separator,
    int64_t limit,
    bool right) {
  std::vector<Value> out;
  size_t begin = 0, end = text.size();
  while (limit-- != 0) {
    if (right) {
      if (end < separator.size()) {
        break;
      }
      const size_t at = text.rfind(separator, end - separator.size());
      if (at == std::string::npos) {
        break;
      }
      out.push_back(
          str(text.substr(at + separator.size(), end - at - separator.size())));
      end = at;
    } else {
      const size_t at = text.find(separator, begin);
      if (at == std::string::npos) {
        break;
      }
      out.push_back(str(text.substr(begin, at - begin)));
      begin = at + separator.size();
    }
  }
  out.push_back(str(text.substr(begin, end - begin)));
  if (right) {
    std::reverse(out.begin(), out.end());
  }
  return out;
}

Value split(Interpreter& in, Args a, bool right) {
  const std::string& text = as_str(in, a[0]).text;
  const int64_t limit = as_index(in, a[2]);
  if (!given(a[1])) {
    return list(split_blank(text, limit, right));
  }
  const std::string& separator = as_str(in, a[1]).text;
  if (separator.empty()) {
    in.raise("ValueError", "empty separator");
  }
  return list(split_at(text, separator, limit, right));
}

Value splitlines(Interpreter& in, Args a) {
  const std::string& text = as_str(in, a[0]).text;
  const bool keep = in.truthy(a[1]);
  std::vector<Value> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find_first_of("\n\r", at), text.size());
    size_t next = std::min(end + 1, text.size());
    if (end + 1 < text.size() && text[end] == '\r' && text[end + 1] == '\n') {
      ++next;
    }
    out.push_back(str(text.substr(at, (keep ? next : end) - at)));
    at = next;
  }
  return list(std::move(out));
}

Value partition(Interpreter& in, Args a, bool right) {
  const std::string& text = as_str(in, a[0]).text;
  const std::string& separator = as_str(in, a[1]).text;
  if (separator.empty()) {
    in.raise("ValueError", "empty separator");
  }
  const size_t at = right ? text.rfind(separator) : text.find(separator);
  if (at == std::string::npos) {
    return right ? tuple({str(""), str(""), str(text)})
                 : tuple({str(text), str(""), str("")});
  }
  return tuple(
      {str(text.substr(0, at)),
       str(separator),
       str(text.substr(at + separator.size()))});
}

Value translate(Interpreter& in, Args a) {
  const std::string& text = as_str(in, a[0]).text;
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const char32_t code = utf8::next(text, at);
    const Value* to =
        as_dict(in, a[1]).find(in, Value::integer(static_cast<int64_t>(code)));
    if (!to) {
      utf8::append(out, code);
    } else if (to->is_str()) {
      out += to->str();
    } else if (!to->is_none()) {
      utf8::append(out, static_cast<char32_t>(as_index(in, *to)));
    }
  }
  return str(out);
}

Value maketrans(Interpreter& in, Args a) {
  Ref<Dict> out = dict();
  const auto code = [&](const Value& v) {
    size_t at = 0;
    return v.is_str() && !v.str().empty()
               ? Value::integer(static_cast<int64_t>(utf8::next(v.str(), at)))
               : v;
  };
  if (!a[1].defined()) {
    for (const Dict::Entry& e : as_dict(in, a[0]).entries()) {
      if (e.key.defined()) {
        out->set(in, code(e.key), e.value);
      }
    }
    return Value(out);
  }
  const std::u32string from = utf8::decode(as_str(in, a[0]).text);
  const std::u32string to = utf8::decode(as_str(in, a[1]).text);
  if (from.size() != to.size()) {
    in.raise(
        "ValueError",
        "the first two maketrans arguments must have equal length");
  }
  for (size_t i = 0; i < from.size(); ++i) {
    out->set(in, Value::integer(from[i]), Value::integer(to[i]));
  }
  if (a[2].defined()) {
    for (char32_t c : utf8::decode(as_str(in, a[2]).text)) {
      out->set(in, Value::integer(c), Value::none());
    }
  }
  return Value(out);
}

}  // namespace

void install_str_searching(Interpreter& interp) {
  Class* cls = interp.types.str;
  install_find(cls);
  cls->def(
      "startswith(self, prefix, start=None, stop=None, /)",
      [](Interpreter& in, Args a) { return matches_end(in, a, true); });
  cls->def(
      "endswith(self, suffix, start=None, stop=None, /)",
      [](Interpreter& in, Args a) { return matches_end(in, a, false); });
  cls->def("count(self, sub, start=None, stop=None, /)", count);
  cls->def("replace(self, old, new, count=-1, /)", replace);
  cls->def(
      "removeprefix(self, prefix, /)", [](Interpreter& in, Args a) -> Value {
        const std::string &text = as_str(in, a[0]).text,
                          &prefix = as_str(in, a[1]).text;
        return text.starts_with(prefix) ? str(text.substr(prefix.size()))
                                        : a[0];
      });
  cls->def(
      "removesuffix(self, suffix, /)", [](Interpreter& in, Args a) -> Value {
        const std::string &text = as_str(in, a[0]).text,
                          &suffix = as_str(in, a[1]).text;
        return text.ends_with(suffix)
                   ? str(text.substr(0, text.size() - suffix.size()))
                   : a[0];
      });
  cls->def("split(self, sep=None, maxsplit=-1)", [](Interpreter& in, Args a) {
    return split(in, a, false);
  });
  cls->def("rsplit(self, sep=None, maxsplit=-1)", [](Interpreter& in, Args a) {
    return split(in, a, true);
  });
  cls->def("splitlines(self, keepends=False)", splitlines);
  cls->def("partition(self, sep, /)", [](Interpreter& in, Args a) {
    return partition(in, a, false);
  });
  cls->def("rpartition(self, sep, /)", [](Interpreter& in, Args a) {
    return partition(in, a, true);
  });
  cls->def("translate(self, table, /)", translate);
  cls->def_static("maketrans(x, y=..., z=..., /)", maketrans);
}

}  // namespace portwright::eval
