// The builtin exception classes.

#include "eval/builtins/support.h"

namespace portwright::eval {

namespace {

const Symbol& args_name() {
  static const Symbol name("args");
  return name;
}

std::vector<Value> arguments_of(Interpreter& interp, const Value& exception) {
  const Value args = interp.try_getattr(exception, args_name());
  return args.is(Kind::Tuple) ? args.get<Tuple>()->items : std::vector<Value>{};
}

Value str_of_exception(Interpreter& interp, Args a) {
  const std::vector<Value> args = arguments_of(interp, a[0]);
  if (args.empty()) {
    return str("");
  }
  return str(
      args.size() == 1 ? interp.to_str(args[0]) : interp.repr(tuple(args)));
}

void install_base(Interpreter& interp) {
  Class* base = interp.types.base_exception;
  base->def_static(
      "__new__(cls, *args, **kwargs)", [](Interpreter& in, Args a) -> Value {
        Value e = allocate(in, &as_class(in, a[0]));
        in.generic_setattr(e, args_name(), a[1]);
        return e;
      });
  base->def(
      "__init__(self, *args, **kwargs)", [](Interpreter& in, Args a) -> Value {
        in.generic_setattr(a[0], args_name(), a[1]);
        static const Symbol value("value");
        if (in.isinstance(a[0], in.types.base_exception) &&
            type_name(in, a[0]) == "StopIteration") {
          in.generic_setattr(
              a[0], value, rest(a[1]).empty() ? Value::none() : rest(a[1])[0]);
        }
        for (const Dict::Entry& e : a[2].get<Dict>()->entries()) {
          in.generic_setattr(a[0], Symbol(e.key.str()), e.value);
        }
        return Value::none();
      });
  base->def("__str__(self)", str_of_exception);
  base->def("__repr__(self)", [](Interpreter& in, Args a) -> Value {
    std::string text;
    for (const Value& v : arguments_of(in, a[0])) {
      text += (text.empty() ? "" : ", ") + in.repr(v);
    }
    return str(type_name(in, a[0]) + "(" + text + ")");
  });
  base->def("with_traceback(self, tb)", [](Interpreter&, Args a) -> Value {
    return a[0];
  });
  base->def("add_note(self, note)", [](Interpreter&, Args) -> Value {
    return Value::none();
  });
  for (const char* name : {"__cause__", "__context__", "__traceback__"}) {
    base->dict.set(Symbol(name), Value::none());
  }
}

struct Entry {
  const char* name;
  const char* base;
};

constexpr Entry kHierarchy[] = {
    {"SystemExit", "BaseException"},
    {"KeyboardInterrupt", "BaseException"},
    {"GeneratorExit", "BaseException"},
    {"StopIteration", "Exception"},
    {"StopAsyncIteration", "Exception"},
    {"ArithmeticError", "Exception"},
    {"FloatingPointError", "ArithmeticError"},
    {"OverflowError", "ArithmeticError"},
    {"ZeroDivisionError", "ArithmeticError"},
    {"AssertionError", "Exception"},
    {"AttributeError", "Exception"},
    {"BufferError", "Exception"},
    {"EOFError", "Exception"},
    {"ImportError", "Exception"},
    {"ModuleNotFoundError", "ImportError"},
    {"LookupError", "Exception"},
    {"IndexError", "LookupError"},
    {"KeyError", "LookupError"},
    {"MemoryError", "Exception"},
    {"NameError", "Exception"},
    {"UnboundLocalError", "NameError"},
    {"OSError", "Exception"},
    {"BlockingIOError", "OSError"},
    {"ConnectionError", "OSError"},
    {"FileExistsError", "OSError"},
    {"FileNotFoundError", "OSError"},
    {"InterruptedError", "OSError"},
    {"IsADirectoryError", "OSError"},
    {"NotADirectoryError", "OSError"},
    {"PermissionError", "OSError"},
    {"TimeoutError", "OSError"},
    {"ReferenceError", "Exception"},
    {"RuntimeError", "Exception"},
    {"NotImplementedError", "RuntimeError"},
    {"RecursionError", "RuntimeError"},
    {"SyntaxError", "Exception"},
    {"IndentationError", "SyntaxError"},
    {"SystemError", "Exception"},
    {"TypeError", "Exception"},
    {"ValueError", "Exception"},
    {"UnicodeError", "ValueError"},
    {"UnicodeDecodeError", "UnicodeError"},
    {"UnicodeEncodeError", "UnicodeError"},
    {"Warning", "Exception"},
    {"BytesWarning", "Warning"},
    {"DeprecationWarning", "Warning"},
    {"FutureWarning", "Warning"},
    {"ImportWarning", "Warning"},
    {"PendingDeprecationWarning", "Warning"},
    {"ResourceWarning", "Warning"},
    {"RuntimeWarning", "Warning"},
    {"SyntaxWarning", "Warning"},
    {"UnicodeWarning", "Warning"},
    {"UserWarning", "Warning"},
};

}  // namespace

void install_exceptions(Interpreter& interp) {
  install_base(interp);
  std::unordered_map<std::string_view, Class*> classes = {
      {"BaseException", interp.types.base_exception},
      {"Exception", interp.types.exception}};
  for (const auto& [name, base] : kHierarchy) {
    classes[name] =
        interp.define_class(name, {classes.at(base)}, Kind::Instance);
  }
  interp.builtins().set("EnvironmentError", class_value(classes["OSError"]));
  interp.builtins().set("IOError", class_value(classes["OSError"]));
  classes["KeyError"]->def(
      "__str__(self)", [](Interpreter& in, Args a) -> Value {
        const std::vector<Value> args = arguments_of(in, a[0]);
        return args.size() == 1 ? str(in.repr(args[0]))
                                : str_of_exception(in, a);
      });
  classes["StopIteration"]->dict.set(Symbol("value"), Value::none());
  for (const char* name : {"name", "path"}) {
    classes["ImportError"]->dict.set(Symbol(name), Value::none());
  }
  for (const char* name : {"name", "obj"}) {
    classes["AttributeError"]->dict.set(Symbol(name), Value::none());
  }
}

}  // namespace portwright::eval
