#include <numbers>

#include "eval/stdlib/modules.h"

#include "eval/builtins/support.h"

namespace portwright::eval {

// Our Python texts, embedded when this stage is built.
// clang-format off
#define PW_PRELUDE(X) \
  X(abc, "abc") \
  X(collections, "collections") \
  X(collections_abc, "collections.abc") \
  X(contextlib, "contextlib") \
  X(contextvars, "contextvars") \
  X(dataclasses, "dataclasses") \
  X(enum, "enum") \
  X(functools, "functools") \
  X(importlib, "importlib") \
  X(importlib_abc, "importlib.abc") \
  X(importlib_machinery, "importlib.machinery") \
  X(importlib_metadata, "importlib.metadata") \
  X(importlib_util, "importlib.util") \
  X(inspect, "inspect") \
  X(itertools, "itertools") \
  X(logging, "logging") \
  X(numbers, "numbers") \
  X(os, "os") \
  X(os_path, "os.path") \
  X(pathlib, "pathlib") \
  X(string, "string") \
  X(sys, "sys") \
  X(textwrap, "textwrap") \
  X(threading, "threading") \
  X(types, "types") \
  X(typing, "typing") \
  X(typing_extensions, "typing_extensions") \
  X(warnings, "warnings") \
  X(weakref, "weakref")
// clang-format on
#define X(file, module) std::string_view embedded_##file();
PW_PRELUDE(X)
#undef X

namespace {

void register_sources(Interpreter& interp) {
  // Texts whose module has submodules.
  const auto is_package = [](std::string_view name) {
    return name == "collections" || name == "importlib" || name == "os";
  };
#define X(file, module) \
  interp.register_source_module(module, embedded_##file(), is_package(module));
  PW_PRELUDE(X)
#undef X
}

// Classes that library code only names in isinstance and annotations.
void define_numpy(Interpreter& interp, ModuleObject& m) {
  for (const char* name :
       {"ndarray",
        "generic",
        "number",
        "integer",
        "floating",
        "bool_",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "float16",
        "float32",
        "float64",
        "dtype"}) {
    m.set(
        name,
        class_value(interp.define_class(name, {}, Kind::Instance, "numpy")));
  }
  // Of plain numbers, as math computes them.
  for (const char* name : {"sqrt", "exp", "log", "cos", "sin"}) {
    m.def(
        std::string(name) + "(x)",
        [name](Interpreter& interp, std::span<Value> a) {
          const Value math{interp.import_module("math")};
          return interp.call(interp.getattr(math, name), {a[0]});
        });
  }
  m.def("lcm(x1, x2)", [](Interpreter& interp, std::span<Value> a) {
    const Value math{interp.import_module("math")};
    return interp.call(interp.getattr(math, "lcm"), {a[0], a[1]});
  });
  m.set("pi", Value::real(std::numbers::pi));
}

void define_gc(Interpreter&, ModuleObject& m) {
  for (const char* name : {"collect", "disable", "enable"}) {
    m.def(std::string(name) + "(*args, **kwargs)", [](Interpreter&, Args) {
      return Value::none();
    });
  }
}

}  // namespace

void register_refused_modules(Interpreter& interp) {
  for (const char* name :
       {"argparse",
        "asyncio",
        "base64",
        "concurrent",
        "concurrent.futures",
        "ctypes",
        "datetime",
        "decimal",
        "fnmatch",
        "fractions",
        "getpass",
        "glob",
        "hashlib",
        "http",
        "io",
        "multiprocessing",
        "pickle",
        "platform",
        "queue",
        "random",
        "secrets",
        "shutil",
        "signal",
        "socket",
        "statistics",
        "struct",
        "subprocess",
        "tarfile",
        "tempfile",
        "time",
        "traceback",
        "urllib",
        "urllib.parse",
        "urllib.request",
        "uuid",
        "zipfile",
        "csv",
        "pprint",
        "heapq",
        "bisect",
        "ast",
        "tokenize",
        "linecache",
        "pickletools"}) {
    interp.register_native_module(name, [](Interpreter&, ModuleObject& module) {
      module.getattr = [self = module.name](
                           Interpreter& in, Symbol attribute) -> Value {
        const std::string full = self + "." + attribute.str();
        if (attribute.str().starts_with("__") || in.can_import(full)) {
          return {};
        }
        return Value(native(
            self,
            attribute.str() + "(*args, **kwargs)",
            [full](Interpreter& interp, Args) -> Value {
              interp.refuse(
                  diagnostics::Kind::UnsupportedFunction,
                  "'" + full + "' is not evaluated",
                  "no builtin touches files, processes, network, time or "
                  "chance; Portwright does not implement this module");
            }));
      };
    });
  }
}

void register_modules(Interpreter& interp) {
  interp.register_native_module("_portwright", define_support);
  interp.register_native_module("math", define_math);
  interp.register_native_module("operator", define_operator_module);
  interp.register_native_module("copy", define_copy);
  interp.register_native_module("json", define_json);
  interp.register_native_module("re", define_re);
  interp.register_native_module("numpy", define_numpy);
  interp.register_native_module("gc", define_gc);
  register_sources(interp);
  register_refused_modules(interp);
}

}  // namespace portwright::eval
