#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "diagnostics/diagnostic.h"
#include "eval/objects.h"
#include "eval/value.h"

namespace portwright::eval {

/// A Python exception in flight. `value` is an instance of a BaseException;
/// its `args` attribute is the tuple it was made with.
struct PythonError {
  Value value;
};

/// The evaluation met something it must not guess at. Python code cannot catch
/// it; the stage reports the diagnostic as a hole.
struct Refusal {
  diagnostics::Diagnostic diagnostic;
};

/// Bounds of one evaluation; exceeding one is a LimitExceeded refusal.
struct Limits {
  uint64_t steps = 500'000'000;  // evaluated nodes
  uint32_t depth = 900;          // nested calls
  uint64_t items = 100'000'000;  // items of one list, string or tensor
};

/// Told about what the evaluation does. The default ignores everything.
class Observer {
 public:
  virtual ~Observer() = default;
  /// A condition was decided; its value may have provenance. The answer is the
  /// outcome to go on with.
  virtual bool
  on_branch(const base::Span&, const Value& /*condition*/, bool outcome) {
    return outcome;
  }
  /// One operand of `and` or `or`, the last excepted, was decided.
  virtual bool on_operand(const base::Span& span, const Value& value, bool b) {
    return on_branch(span, value, b);
  }
  /// Around every call of an interpreted function. `args` are the bound
  /// parameters in the order of the signature.
  virtual void on_enter(
      Function&,
      std::span<const Value> /*args*/,
      const base::Span& /*call*/) {}
  /// `result` is Undefined when the call ended by an exception.
  virtual void on_exit(Function&, const Value& /*result*/) {}
  /// Around a `for` statement, and before each of its turns.
  virtual void on_loop(const base::Span&, const Value& /*iterated*/) {}
  virtual void on_turn() {}
  virtual void on_loop_end() {}
  /// A plain name was bound to a value by an assignment.
  virtual void on_bind(Symbol, const Value&) {}
};

/// The builtin types, made once per interpreter.
struct Types {
  Class *object, *type, *none_type, *bool_, *int_, *float_, *str, *bytes, *list,
      *tuple, *dict, *set, *frozenset, *slice, *range, *function,
      *builtin_function, *method, *module, *property, *staticmethod,
      *classmethod, *super, *ellipsis, *not_implemented, *iterator, *cell,
      *base_exception, *exception;
  /// Made by install_standard_library(); see views.h and generic_alias.h.
  Class *dict_keys, *dict_values, *dict_items, *generic_alias, *union_type;
};

/// Evaluates Python source. Not thread-safe; at most one per thread at a time.
class Interpreter {
 public:
  explicit Interpreter(Limits limits = {});
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // ---- modules ----

  using ModuleBody = std::function<void(Interpreter&, ModuleObject&)>;
  /// A module of ours in C++: `body` runs when it is first imported.
  void register_native_module(std::string name, ModuleBody body);
  /// A module of ours in Python (shown in messages as "<portwright>/name").
  /// `text` must outlive the interpreter. Takes precedence over files.
  void register_source_module(
      std::string name,
      std::string_view text,
      bool is_package = false);
  /// Maps a package to a folder: it and its submodules are read from there.
  void register_package(std::string name, std::string directory);
  /// Imports and evaluates; raises ModuleNotFoundError in Python terms.
  Ref<ModuleObject> import_module(std::string_view name);
  /// True when importing would find something.
  bool can_import(std::string_view name);
  /// Evaluates a text as a module of its own (tests, command line).
  Ref<ModuleObject>
  run_source(std::string name, std::string path, std::string text);

  // ---- operations, as Python defines them ----

  Value getattr(const Value& object, Symbol name);
  Value getattr(const Value& object, std::string_view name) {
    return getattr(object, Symbol(name));
  }
  /// Undefined when absent (only AttributeError is swallowed).
  Value try_getattr(const Value& object, Symbol name);
  Value try_getattr(const Value& object, std::string_view name) {
    return try_getattr(object, Symbol(name));
  }
  void setattr(const Value& object, Symbol name, const Value& value);
  void delattr(const Value& object, Symbol name);
  /// object.__getattribute__ (Undefined when absent) and object.__setattr__
  /// themselves, past overrides.
  Value generic_getattr(const Value& object, Symbol name);
  void generic_setattr(const Value& object, Symbol name, const Value& value);
  Value call(const Value& callable, CallArgs args);
  Value call(const Value& callable, std::vector<Value> positional = {});
  Value call_method(
      const Value& object,
      std::string_view name,
      std::vector<Value> positional = {});
  bool truthy(const Value& value);
  bool equal(const Value& a, const Value& b);
  size_t hash(const Value& value);
  /// Operators by their spelling: "+", "//", "@", "<=", "not in", "-", "~".
  Value binary(std::string_view op, const Value& a, const Value& b);
  Value compare(std::string_view op, const Value& a, const Value& b);
  Value unary(std::string_view op, const Value& a);
  bool contains(const Value& container, const Value& item);
  Value getitem(const Value& object, const Value& index);
  void setitem(const Value& object, const Value& index, const Value& value);
  void delitem(const Value& object, const Value& index);
  int64_t length(const Value& value);
  std::string repr(const Value& value);
  std::string to_str(const Value& value);
  /// Python's format(value, spec).
  std::string format(const Value& value, std::string_view spec);
  /// iter(value).
  Ref<Iterator> iterate(const Value& value);
  void for_each(const Value& value, const std::function<void(Value)>& body);
  std::vector<Value> to_vector(const Value& value);
  Class* class_of(const Value& value);
  bool isinstance(const Value& value, const Class* cls);
  /// isinstance(value, cls_or_tuple), unions and __instancecheck__ included.
  bool isinstance(const Value& value, const Value& classinfo);
  bool issubclass(Class* cls, const Value& classinfo);
  bool callable(const Value& value);
  /// type(name, bases, namespace), with __init_subclass__ and __set_name__.
  Value make_class(
      std::string name,
      std::vector<Value> bases,
      AttrMap ns,
      const std::vector<std::pair<Symbol, Value>>& keywords = {});
  /// A builtin or library class of ours in C++ (bases empty: object).
  Class* define_class(
      std::string_view name,
      std::vector<Class*> bases = {},
      Kind instance_kind = Kind::Instance,
      std::string_view module = "builtins");

  // ---- errors ----

  /// raise("ValueError", "...")
  [[noreturn]] void raise(std::string_view type, std::string message);
  /// True when the exception is an instance of the named builtin exception.
  bool matches(const PythonError& error, std::string_view type);
  [[noreturn]] void
  refuse(diagnostics::Kind kind, std::string message, std::string hint = "");
  /// A Python exception that reached the outside, as a diagnostic.
  diagnostics::Diagnostic describe(const PythonError& error);
  /// Where the evaluation is now; the calls around it, innermost first.
  base::Span here() const;
  std::vector<base::Span> call_stack() const;

  // ---- provenance ----

  bool track_provenance = true;
  const Provenance* provenance(Provenance node);
  /// Provenance of an operation on operands; null when none has any.
  const Provenance*
  combine(std::string_view op, const Value& a, const Value& b);
  const Provenance* combine(std::string_view op, const Value& a);
  /// Reads of the object's attributes get Config provenance below `path`
  /// ("" for the model's own config).
  void mark_config(const Value& object, std::string path);
  /// The operand's provenance, or a Constant node for a plain scalar.
  const Provenance* provenance_of(const Value& value);

  Observer* observer = nullptr;  // may be null; not owned

  Types types{};
  ModuleObject& builtins();
  /// Charges `n` steps against the limits.
  void charge(uint64_t n = 1);
  const Limits& limits() const;

  struct State;  // for this stage's own files
  State& state() {
    return *state_;
  }

 private:
  std::unique_ptr<State> state_;
};

/// Builtin functions, methods of builtin types, and the standard library
/// modules (math, functools, dataclasses, re, ...). Called by the constructor.
void install_standard_library(Interpreter& interp);

}  // namespace portwright::eval
