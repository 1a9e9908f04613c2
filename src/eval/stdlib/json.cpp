#include <cmath>
#include <nlohmann/json.hpp>

#include "eval/builtins/support.h"
#include "eval/stdlib/modules.h"
#include "eval/utf8.h"

namespace portwright::eval {

namespace {

Value from_json(Interpreter& in, const nlohmann::ordered_json& j) {
  switch (j.type()) {
    case nlohmann::json::value_t::null:
      return Value::none();
    case nlohmann::json::value_t::boolean:
      return Value::boolean(j.get<bool>());
    case nlohmann::json::value_t::number_integer:
      return Value::integer(j.get<int64_t>());
    case nlohmann::json::value_t::number_unsigned:
      if (j.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
        in.refuse(
            diagnostics::Kind::UnsupportedOperation,
            "an integer in JSON does not fit in 64 bits");
      }
      return Value::integer(j.get<int64_t>());
    case nlohmann::json::value_t::number_float:
      return Value::real(j.get<double>());
    case nlohmann::json::value_t::string:
      return str(j.get<std::string>());
    case nlohmann::json::value_t::array: {
      std::vector<Value> items;
      for (const auto& item : j) {
        items.push_back(from_json(in, item));
      }
      return list(std::move(items));
    }
    default: {
      Ref<Dict> out = dict();
      for (const auto& [key, item] : j.items()) {
        out->set(in, str(key), from_json(in, item));
      }
      return Value(out);
    }
  }
}

struct Writer {
  Interpreter& in;
  std::string indent;  // of one level; "" with no_lines: one line
  bool lines = false;
  bool ascii = true;
  bool sort_keys = false;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  Value fallback;
  int depth = 0;

  std::string line_break(int level) const {
    std::string out = "\n";
    for (int i = 0; i < level; ++i) {
      out += indent;
    }
    return out;
  }

  std::string quoted(const std::string& text) const {
    std::string out = "\"";
    for (size_t i = 0; i < text.size();) {
      const char32_t c = utf8::next(text, i);
      constexpr std::string_view escapes = "\"\"\\\\\bb\ff\nn\rr\tt";
      const size_t at = c < 0x80 ? escapes.find(static_cast<char>(c))
                                 : std::string_view::npos;
      if (at != std::string_view::npos && at % 2 == 0) {
        out += '\\';
        out += escapes[at + 1];
      } else if (c < 0x20 || (ascii && c >= 0x7f && c < 0x10000)) {
        out += c == 0x7f ? "\x7f"
                         : fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
      } else if (ascii && c >= 0x10000) {
        const uint32_t low = static_cast<uint32_t>(c) - 0x10000;
        out += fmt::format(
            "\\u{:04x}\\u{:04x}", 0xd800 + (low >> 10), 0xdc00 + (low & 0x3ff));
      } else {
        utf8::append(out, c);
      }
    }
    return out + "\"";
  }

  std::string number(double f) const {
    if (std::isfinite(f)) {
      return float_repr(f);
    }
    return std::isnan(f) ? "NaN" : f < 0 ? "-Infinity" : "Infinity";
  }

  std::string key_text(const Value& key) const {
    if (key.is_str()) {
      return key.str();
    }
    if (key.is_bool()) {
      return key.as_bool() ? "true" : "false";
    }
    if (key.is_none()) {
      return "null";
    }
    if (key.is_number()) {
      return key.is_float() ? number(key.as_double()) : in.repr(key);
    }
    in.raise(
        "TypeError",
        "keys must be str, int, float, bool or None, not " +
            type_name(in, key));
  }

  std::string
  joined(const std::vector<std::string>& parts, char open, char close) const {
    std::string out(1, open);
    for (size_t i = 0; i < parts.size(); ++i) {
      out += i ? item_separator : "";
      out += lines ? line_break(depth + 1) : "";
      out += parts[i];
    }
    if (lines && !parts.empty()) {
      out += line_break(depth);
    }
    return out + close;
  }

  std::string object(const Dict& d) {
    std::vector<Dict::Entry> entries;
    for (const Dict::Entry& e : d.entries()) {
      if (e.key.defined()) {
        entries.push_back(e);
      }
    }
    if (sort_keys) {
      std::stable_sort(
          entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
            return key_text(a.key) < key_text(b.key);
          });
    }
    std::vector<std::string> parts;
    ++depth;
    for (const Dict::Entry& e : entries) {
      parts.push_back(quoted(key_text(e.key)) + key_separator + write(e.value));
    }
    --depth;
    return joined(parts, '{', '}');
  }

  std::string write(const Value& v) {
    if (depth > 200) {
      in.raise("ValueError", "Circular reference detected");
    }
    if (v.is_none()) {
      return "null";
    }
    if (v.is_bool()) {
      return v.as_bool() ? "true" : "false";
    }
    if (v.is_number()) {
      return v.is_float() ? number(v.as_double()) : in.repr(v);
    }
    if (v.is_str()) {
      return quoted(v.str());
    }
    if (v.is(Kind::List) || v.is(Kind::Tuple)) {
      std::vector<std::string> parts;
      const std::vector<Value> items = in.to_vector(v);
      ++depth;
      for (const Value& item : items) {
        parts.push_back(write(item));
      }
      --depth;
      return joined(parts, '[', ']');
    }
    if (v.is(Kind::Dict)) {
      return object(*v.get<Dict>());
    }
    if (given(fallback)) {
      ++depth;
      const std::string out = write(in.call(fallback, {v}));
      --depth;
      return out;
    }
    in.raise(
        "TypeError",
        "Object of type " + type_name(in, v) + " is not JSON serializable");
  }
};

Value dumps(Interpreter& in, Args a) {
  Writer writer{
      in, "", false, in.truthy(a[2]), in.truthy(a[3]), ", ", ": ", a[5]};
  if (given(a[1])) {
    writer.lines = true;
    writer.item_separator = ",";
    writer.indent =
        a[1].is_str()
            ? a[1].str()
            : std::string(std::max<int64_t>(0, as_index(in, a[1])), ' ');
  }
  if (given(a[4])) {
    const std::vector<Value> pair = in.to_vector(a[4]);
    writer.item_separator = as_str(in, pair.at(0)).text;
    writer.key_separator = as_str(in, pair.at(1)).text;
  }
  return str(writer.write(a[0]));
}

Value loads(Interpreter& in, Args a) {
  const std::string& text =
      a[0].is(Kind::Bytes) ? as_bytes(in, a[0]).data : as_str(in, a[0]).text;
  const auto parsed =
      nlohmann::ordered_json::parse(text, nullptr, /*exceptions=*/false);
  if (parsed.is_discarded()) {
    const Value module = Value(in.import_module("json"));
    const Value error =
        in.call(in.getattr(module, "JSONDecodeError"), {str("not valid JSON")});
    throw PythonError{error};
  }
  return from_json(in, parsed);
}

}  // namespace

void define_json(Interpreter& interp, ModuleObject& m) {
  const Value* base = interp.builtins().attrs->find(Symbol("ValueError"));
  m.set(
      "JSONDecodeError",
      class_value(interp.define_class(
          "JSONDecodeError",
          {base->get<Class>()},
          Kind::Instance,
          "json.decoder")));
  m.def(
      "dumps(obj, *, indent=None, ensure_ascii=True, sort_keys=False, "
      "separators=None, default=None)",
      dumps);
  m.def("loads(s)", loads);
  refuse_function(m, "load", "the evaluation touches no files");
  refuse_function(m, "dump", "the evaluation touches no files");
}

}  // namespace portwright::eval
