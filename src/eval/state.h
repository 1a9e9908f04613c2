#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "eval/interpreter.h"
#include "syntax/parser.h"

namespace portwright::eval {

struct Frame;

/// Every object of one interpreter, linked, so that cycles can be freed.
class ObjectList {
 public:
  ~ObjectList();
  void add(Object* object);
  void remove(Object* object);

  /// Where new objects go: the interpreter in use on this thread.
  static thread_local ObjectList* current;

 private:
  Object* first_ = nullptr;
};

/// The builtin types of the interpreter in use on this thread.
extern thread_local Types* current_types;

struct ModuleSource {
  Interpreter::ModuleBody body;  // native, or ...
  std::string_view text;         // ... Python of ours
  bool is_package = false;
};

struct Interpreter::State {
  ObjectList objects;
  Limits limits;
  uint64_t steps = 0;
  uint32_t depth = 0;
  Frame* frame = nullptr;  // innermost
  std::vector<Ref<Class>> classes;
  std::deque<Provenance> provenance;
  std::unordered_map<std::string, ModuleSource> sources;
  std::vector<std::pair<std::string, std::string>> packages;  // name, folder
  std::unordered_map<std::string, Ref<ModuleObject>> modules;
  std::vector<syntax::Tree> trees;  // keeps sources alive for spans
  Ref<ModuleObject> builtins;
  std::unordered_map<const Object*, std::string> config_paths;
  /// What a config that is one of several was chosen by.
  std::unordered_map<const Object*, const Provenance*> config_indices;
  /// What contextlib.contextmanager makes: attributes func, args, kwargs.
  Class* generator_manager = nullptr;
  /// Taken over by the next function that starts.
  std::function<void(const Value&)> pending_yield;
  /// The call that starts next may answer Undefined where it would raise
  /// AttributeError: an exception costs more than most functions.
  bool may_miss = false;
  std::vector<Value> handled;  // exceptions being handled, for a bare raise
  /// Where the exception raised last came from.
  const Object* raised = nullptr;
  std::vector<base::Span> raised_at;
};

/// Names the core looks up all the time.
struct Names {
  Symbol init{"__init__"}, new_{"__new__"}, call{"__call__"},
      getattr{"__getattr__"}, getattribute{"__getattribute__"},
      setattr{"__setattr__"}, delattr{"__delattr__"}, get{"__get__"},
      set{"__set__"}, class_{"__class__"}, dict{"__dict__"}, name{"__name__"},
      qualname{"__qualname__"}, module{"__module__"}, doc{"__doc__"},
      mro{"__mro__"}, bases{"__bases__"}, set_name{"__set_name__"},
      init_subclass{"__init_subclass__"}, annotations{"__annotations__"},
      enter{"__enter__"}, exit{"__exit__"}, args{"args"}, self{"__self__"},
      func{"__func__"}, wrapped{"__wrapped__"}, class_call{"__class_call__"},
      file{"__file__"}, all{"__all__"}, package{"__package__"},
      path{"__path__"}, code{"__code__"}, defaults{"__defaults__"},
      kwdefaults{"__kwdefaults__"}, closure{"__closure__"},
      globals{"__globals__"}, prepare{"__prepare__"},
      instancecheck{"__instancecheck__"}, subclasses{"__subclasses__"},
      cause{"__cause__"};
};
const Names& names();

/// Calls an interpreted function with bound parameters. `args` has one value
/// per parameter. Undefined where an attribute is missed that may be.
Value run_function(
    Interpreter& interp,
    Function& function,
    std::vector<Value>& bound,
    bool may_miss = false);

/// A call without keywords. Undefined where an attribute is missed that may be.
Value call_positional(
    Interpreter& interp,
    const Value& callable,
    std::vector<Value> args,
    bool may_miss = false);

/// Python's binding of call arguments to a parameter list. `defaults` holds
/// one value per parameter (Undefined: none). `callee` is for messages. The
/// answer has room for `slots` values.
std::vector<Value> bind_arguments(
    Interpreter& interp,
    const Signature& signature,
    std::span<const Value> defaults,
    CallArgs& args,
    const std::string& callee,
    size_t slots = 0);

/// A Lazy carried out, anything else as it is.
Value resolve_lazy(Interpreter& interp, const Value& value);

/// What the classes behind `after` in the order of `cls` have for a name, as
/// super() asks; those of the whole order where `after` is null.
const Value* lookup_after(const Class& cls, const Class* after, Symbol name);

/// The method that `object.name(...)` calls, where getattr would bind just that
/// one: null where the object's own attributes or the user's code may answer.
const Value*
plain_method(Interpreter& interp, const Value& object, Symbol name);

[[noreturn]] void
raise_no_attribute(Interpreter& interp, const Value& object, Symbol name);
void generic_delattr(Interpreter& interp, const Value& object, Symbol name);

/// `__code__`, `__defaults__`, ... of an interpreted function.
Value function_attribute(Interpreter& interp, Function& function, Symbol name);
bool set_function_attribute(
    const Value& function,
    Symbol name,
    const Value& value);

/// Runs a parsed module's statements in the namespace of `module`.
void execute_module(
    Interpreter& interp,
    const syntax::Tree& tree,
    const Ref<ModuleObject>& module);

/// object.__new__ by the class's instance kind.
Value allocate(Interpreter& interp, Class* cls);
Value instantiate(Interpreter& interp, Class* cls, CallArgs args);

}  // namespace portwright::eval
