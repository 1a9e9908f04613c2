#include "eval/builtins/support.h"
#include "eval/stdlib/modules.h"

namespace portwright::eval {

namespace {

void define_both(
    ModuleObject& m,
    const std::string& name,
    const std::string& parameters,
    const Native::Body& body) {
  const std::string bare =
      name.back() == '_' ? name.substr(0, name.size() - 1) : name;
  m.def(name + parameters, body);
  m.def("__" + bare + "__" + parameters, body);
}

// attrgetter("a.b", "c"), itemgetter(1), methodcaller("f", x).
Value make_getter(
    const Value& names,
    std::function<Value(Interpreter&, const Value&, const Value&)> get) {
  const std::vector<Value> wanted = rest(names);
  return Value(native(
      "operator", "getter(obj, /)", [wanted, get](Interpreter& in, Args a) {
        if (wanted.size() == 1) {
          return get(in, a[0], wanted[0]);
        }
        std::vector<Value> out;
        for (const Value& name : wanted) {
          out.push_back(get(in, a[0], name));
        }
        return tuple(std::move(out));
      }));
}

Value dotted(Interpreter& in, const Value& object, const Value& path) {
  Value v = object;
  const std::string& text = as_str(in, path).text;
  for (size_t at = 0; at <= text.size();) {
    const size_t dot = std::min(text.find('.', at), text.size());
    v = in.getattr(v, text.substr(at, dot - at));
    at = dot + 1;
  }
  return v;
}

}  // namespace

void define_operator_module(Interpreter&, ModuleObject& m) {
  constexpr std::pair<const char*, const char*> binary[] = {
      {"add", "+"},
      {"sub", "-"},
      {"mul", "*"},
      {"matmul", "@"},
      {"truediv", "/"},
      {"floordiv", "//"},
      {"mod", "%"},
      {"pow", "**"},
      {"lshift", "<<"},
      {"rshift", ">>"},
      {"and_", "&"},
      {"or_", "|"},
      {"xor", "^"},
      {"iadd", "+="},
      {"isub", "-="},
      {"imul", "*="},
      {"ior", "|="},
      {"iand", "&="}};
  for (const auto& [name, op] : binary) {
    define_both(m, name, "(a, b, /)", [op = op](Interpreter& in, Args a) {
      return in.binary(op, a[0], a[1]);
    });
  }
  constexpr std::pair<const char*, const char*> comparisons[] = {
      {"eq", "=="},
      {"ne", "!="},
      {"lt", "<"},
      {"le", "<="},
      {"gt", ">"},
      {"ge", ">="},
      {"is_", "is"},
      {"is_not", "is not"}};
  for (const auto& [name, op] : comparisons) {
    define_both(m, name, "(a, b, /)", [op = op](Interpreter& in, Args a) {
      return in.compare(op, a[0], a[1]);
    });
  }
  constexpr std::pair<const char*, const char*> unary[] = {
      {"neg", "-"}, {"pos", "+"}, {"invert", "~"}, {"not_", "not"}};
  for (const auto& [name, op] : unary) {
    define_both(m, name, "(a, /)", [op = op](Interpreter& in, Args a) {
      return in.unary(op, a[0]);
    });
  }
  define_both(m, "getitem", "(a, b, /)", [](Interpreter& in, Args a) {
    return in.getitem(a[0], a[1]);
  });
  define_both(m, "setitem", "(a, b, c, /)", [](Interpreter& in, Args a) {
    in.setitem(a[0], a[1], a[2]);
    return Value::none();
  });
  define_both(m, "contains", "(a, b, /)", [](Interpreter& in, Args a) {
    return in.compare("in", a[1], a[0]);
  });
  define_both(m, "index", "(a, /)", [](Interpreter& in, Args a) {
    return Value::integer(as_index(in, a[0]));
  });
  m.def("truth(a, /)", [](Interpreter& in, Args a) {
    return Value::boolean(in.truthy(a[0]));
  });
  m.def("attrgetter(*names)", [](Interpreter&, Args a) {
    return make_getter(a[0], dotted);
  });
  m.def("itemgetter(*items)", [](Interpreter&, Args a) {
    return make_getter(
        a[0], [](Interpreter& in, const Value& object, const Value& key) {
          return in.getitem(object, key);
        });
  });
  m.def("methodcaller(name, /, *args, **kwargs)", [](Interpreter&, Args a) {
    return Value(native(
        "operator",
        "methodcaller(obj, /)",
        [name = a[0], args = a[1], keywords = a[2]](Interpreter& in, Args b) {
          const Value method = in.getattr(b[0], as_str(in, name).text);
          return in.call(method, call_args(rest(args), keywords));
        }));
  });
}

}  // namespace portwright::eval
