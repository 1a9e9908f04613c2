#include <charconv>
#include <cmath>

#include "eval/dispatch.h"
#include "eval/generic_alias.h"
#include "eval/nesting.h"
#include "eval/utf8.h"
#include "eval/views.h"
#include "eval/wide_integer.h"

namespace portwright::eval {

std::string float_repr(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  if (std::isinf(value)) {
    return value < 0 ? "-inf" : "inf";
  }
  // d.ddde[+-]xx, the shortest digits that read back equal.
  char buffer[40];
  const auto end =
      std::to_chars(
          buffer, buffer + sizeof buffer, value, std::chars_format::scientific)
          .ptr;
  const std::string_view text(buffer, end - buffer);
  const size_t e = text.find('e');
  const int exponent = std::atoi(std::string(text.substr(e + 1)).c_str());
  const std::string sign = text[0] == '-' ? "-" : "";
  std::string digits;
  for (char c : text.substr(0, e)) {
    if (c != '.' && c != '-') {
      digits += c;
    }
  }
  if (exponent < -4 || exponent >= 16) {
    std::string out = sign + digits.substr(0, 1);
    if (digits.size() > 1) {
      out += "." + digits.substr(1);
    }
    return out + fmt::format(
                     "e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) {
    return sign + "0." + std::string(-exponent - 1, '0') + digits;
  }
  const size_t whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) {
    return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  }
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string str_repr(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (size_t i = 0; i < text.size();) {
    const char32_t c = utf8::next(text, i);
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || (c >= 0x7f && c < 0xa1) || c == 0xad) {
      out += fmt::format("\\x{:02x}", static_cast<uint32_t>(c));
    } else if (
        (c >= 0x2000 && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) ||
        (c >= 0xd800 && c < 0xf900) || c == 0x3000 || c == 0xfeff) {
      out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
    } else {
      utf8::append(out, c);
    }
  }
  return out + quote;
}

namespace {

std::string bytes_repr(std::string_view data) {
  const bool flip = data.find('\'') != std::string_view::npos &&
                    data.find('"') == std::string_view::npos;
  const char quote = flip ? '"' : '\'';
  std::string out = std::string("b") + quote;
  for (const char c : data) {
    const unsigned char u = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (u < 0x20 || u >= 0x7f) {
      out += fmt::format("\\x{:02x}", u);
    } else {
      out += c;
    }
  }
  return out + quote;
}

// Containers being shown now: one inside itself shows as "...".
thread_local std::vector<const Object*> showing;

struct Showing {
  explicit Showing(const Object* object)
      : again(
            std::find(showing.begin(), showing.end(), object) !=
            showing.end()) {
    showing.push_back(object);
  }
  ~Showing() {
    showing.pop_back();
  }
  Showing(const Showing&) = delete;
  Showing& operator=(const Showing&) = delete;
  const bool again;
};

std::string join(Interpreter& interp, const std::vector<Value>& items) {
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i) {
      out += ", ";
    }
    const Value item = items[i];
    out += interp.repr(item);
  }
  return out;
}

std::string dict_repr(Interpreter& interp, const Dict& dict) {
  std::string out = "{";
  for (size_t i = 0; i < dict.entries().size(); ++i) {
    const Dict::Entry e = dict.entries()[i];
    if (!e.key.defined()) {
      continue;
    }
    if (out.size() > 1) {
      out += ", ";
    }
    out += interp.repr(e.key) + ": " + interp.repr(e.value);
  }
  return out + "}";
}

std::string set_repr(Interpreter& interp, const Value& value) {
  std::vector<Value> keys;
  for (const Dict::Entry& e : value.get<Set>()->items->entries()) {
    if (e.key.defined()) {
      keys.push_back(e.key);
    }
  }
  const Class* cls = value.object()->cls;
  if (keys.empty()) {
    return cls->name + "()";
  }
  const std::string text = "{" + join(interp, keys) + "}";
  return cls == interp.types.set ? text : cls->name + "(" + text + ")";
}

std::string range_repr(const Range& r) {
  return r.step == 1
             ? fmt::format("range({}, {})", r.start, r.stop)
             : fmt::format("range({}, {}, {})", r.start, r.stop, r.step);
}

std::string class_path(const Class& cls) {
  const std::string& name = cls.qualname.empty() ? cls.name : cls.qualname;
  return cls.module.empty() || cls.module == "builtins"
             ? name
             : cls.module + "." + name;
}

std::string type_repr(Interpreter& interp, const Value& v) {
  if (v.is(Kind::Class)) {
    if (v.get<Class>() == interp.types.none_type) {
      return "None";
    }
    return class_path(*v.get<Class>());
  }
  return v.tag() == Tag::Ellipsis ? "..." : interp.repr(v);
}

std::string alias_repr(Interpreter& interp, const GenericAlias& alias) {
  const bool is_union = alias.cls == interp.types.union_type;
  std::string out;
  for (const Value& arg : alias.args) {
    out += (out.empty() ? ""
            : is_union  ? " | "
                        : ", ") +
           type_repr(interp, arg);
  }
  return is_union ? out : type_repr(interp, alias.origin) + "[" + out + "]";
}

std::string view_repr(Interpreter& interp, const DictView& view) {
  std::vector<Value> items;
  for (const Dict::Entry& e : view.dict->entries()) {
    if (e.key.defined()) {
      items.push_back(view_item(view, e));
    }
  }
  return view.cls->name + "([" + join(interp, items) + "])";
}

}  // namespace

std::string builtin_repr(Interpreter& interp, const Value& value) {
  const Object* object = value.object();
  switch (object->kind) {
    case Kind::Str:
      return str_repr(value.str());
    case Kind::Bytes:
      return bytes_repr(value.get<Bytes>()->data);
    case Kind::Range:
      return range_repr(*value.get<Range>());
    case Kind::Slice: {
      const Slice& s = *value.get<Slice>();
      const auto part = [&](const Value& v) {
        return v.defined() ? interp.repr(v) : std::string("None");
      };
      return "slice(" + part(s.lower) + ", " + part(s.upper) + ", " +
             part(s.step) + ")";
    }
    default:
      break;
  }
  const Nesting level(interp);
  const Showing guard(object);
  switch (object->kind) {
    case Kind::List:
      return guard.again ? "[...]"
                         : "[" + join(interp, value.get<List>()->items) + "]";
    case Kind::Tuple: {
      const auto& items = value.get<Tuple>()->items;
      return guard.again
                 ? "(...)"
                 : "(" + join(interp, items) + (items.size() == 1 ? ",)" : ")");
    }
    case Kind::Dict:
      return guard.again ? "{...}" : dict_repr(interp, *value.get<Dict>());
    case Kind::Set:
      return guard.again ? object->cls->name + "(...)"
                         : set_repr(interp, value);
    default:
      return default_repr(interp, value);
  }
}

std::string default_repr(Interpreter& interp, const Value& value) {
  if (!value.is_object()) {
    return interp.repr(value);
  }
  switch (value.object()->kind) {
    case Kind::Class:
      return "<class '" + class_path(*value.get<Class>()) + "'>";
    case Kind::Module:
      return "<module '" + value.get<ModuleObject>()->name + "'>";
    case Kind::Function:
      return "<function " + value.get<Function>()->qualname + ">";
    case Kind::Native:
      return "<built-in function " + value.get<Native>()->name + ">";
    case Kind::BoundMethod: {
      const BoundMethod& m = *value.get<BoundMethod>();
      const std::string name = m.function.is(Kind::Function)
                                   ? m.function.get<Function>()->qualname
                                   : type_name(interp, m.function);
      return "<bound method " + name + " of " + interp.repr(m.self) + ">";
    }
    default:
      break;
  }
  return "<" + class_path(*value.object()->cls) + " object>";
}

std::string Interpreter::repr(const Value& value) {
  switch (value.tag()) {
    case Tag::Undefined:
      return "<undefined>";
    case Tag::None:
      return "None";
    case Tag::Bool:
      return value.as_bool() ? "True" : "False";
    case Tag::Int:
      return std::to_string(value.as_int());
    case Tag::Float:
      return float_repr(value.as_double());
    case Tag::Ellipsis:
      return "Ellipsis";
    case Tag::NotImplemented:
      return "NotImplemented";
    case Tag::Object:
      break;
  }
  static const Symbol name("__repr__");
  const Object* object = value.object();
  if (builtin_class(*this, object) && !overrides(*this, object, name)) {
    return builtin_repr(*this, value);
  }
  if (is_wide(*this, value)) {
    return wide_digits(value);
  }
  if (const DictView* view = as_view(*this, value)) {
    return view_repr(*this, *view);
  }
  if (const GenericAlias* alias = as_alias(*this, value)) {
    return alias_repr(*this, *alias);
  }
  if (object->kind == Kind::Class && object->cls == types.type) {
    return default_repr(*this, value);
  }
  const Value r = call_special(*this, value, name);
  if (!r.defined()) {
    return default_repr(*this, value);
  }
  if (!r.is_str()) {
    raise(
        "TypeError",
        fmt::format(
            "__repr__ returned non-string (type {})", type_name(*this, r)));
  }
  return r.str();
}

std::string Interpreter::to_str(const Value& value) {
  static const Symbol name("__str__"), repr_name("__repr__");
  if (!value.is_object()) {
    return repr(value);
  }
  const Object* object = value.object();
  if (builtin_class(*this, object)) {
    if (!overrides(*this, object, name)) {
      if (object->kind == Kind::Str) {
        return value.str();
      }
      if (!overrides(*this, object, repr_name)) {
        return builtin_repr(*this, value);
      }
      return repr(value);
    }
  } else if (
      object->kind == Kind::Class || as_view(*this, value) ||
      as_alias(*this, value)) {
    return repr(value);
  }
  const Value r = call_special(*this, value, name);
  if (!r.defined()) {
    return repr(value);
  }
  if (!r.is_str()) {
    raise(
        "TypeError",
        fmt::format(
            "__str__ returned non-string (type {})", type_name(*this, r)));
  }
  return r.str();
}

}  // namespace portwright::eval
