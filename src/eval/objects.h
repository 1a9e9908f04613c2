#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/source.h"
#include "eval/value.h"

namespace portwright::eval {

/// Insertion-ordered attributes by name.
class AttrMap {
 public:
  using Entry = std::pair<Symbol, Value>;

  /// Null when absent. Valid until the next change of the map.
  const Value* find(Symbol name) const;
  void set(Symbol name, Value value);
  bool erase(Symbol name);
  void clear();
  size_t size() const {
    return entries_.size();
  }
  const std::vector<Entry>& entries() const {
    return entries_;
  }

  /// Has changes of which names there are counted by `generation`.
  void watch();
  /// Counts such changes: what was found along watched maps holds while it
  /// stays.
  static constinit thread_local uint64_t generation;

 private:
  int64_t locate(Symbol name) const;
  size_t home(Symbol name) const;
  void enter(size_t entry);
  void rebuild_table();
  void changed();
  std::vector<Entry> entries_;
  /// Only for large maps: entries from 1 by the hash of their names, 0 where
  /// there is none; its size is a power of two.
  std::vector<uint32_t> table_;
  bool watched_ = false;
};

struct Str : Object {
  explicit Str(std::string text);
  explicit Str(Symbol name);
  /// Both are remembered: names of attributes and keys are asked for often.
  Symbol symbol() const;
  size_t hash() const;
  const std::string text;  // UTF-8

 private:
  mutable Symbol symbol_;
  mutable std::optional<size_t> hash_;
};

struct Bytes : Object {
  explicit Bytes(std::string data);
  const std::string data;
};

struct List : Object {
  explicit List(std::vector<Value> items = {});
  void clear() override;
  std::vector<Value> items;
};

/// Also torch.Size and named tuples, by their class.
struct Tuple : Object {
  explicit Tuple(std::vector<Value> items = {});
  void clear() override;
  std::vector<Value> items;
};

/// Insertion-ordered, as Python's dict. Keys compare by Python equality.
struct Dict : Object {
  Dict();
  void clear() override;

  struct Entry {
    Value key;  // Undefined: deleted
    Value value;
    size_t hash;
  };
  /// Each raises TypeError for an unhashable key. find() is null when absent.
  Value* find(Interpreter& interp, const Value& key);
  void set(Interpreter& interp, const Value& key, Value value);
  bool erase(Interpreter& interp, const Value& key);
  /// By a string key, without an interpreter.
  Value* find(std::string_view key);
  void set(std::string_view key, Value value);
  size_t size() const {
    (void)entries();
    return live_;
  }
  /// In order; skip entries whose key is not defined() (deleted ones).
  const std::vector<Entry>& entries() const {
    if (!copied_) {
      const_cast<Dict*>(this)->copy();
    }
    return entries_;
  }
  void remove_all();
  /// An instance's `__dict__`: what is written to it becomes its attribute.
  /// What the instance gets after the first listing of its entries shows in
  /// the next `__dict__` only.
  static Ref<Dict> of(Object* owner);

 private:
  void copy();
  void tell_owner(const Value& key, const Value* value);
  Value* find_owned(Symbol name);
  int64_t locate(Interpreter* interp, const Value& key, size_t hash) const;
  void insert_new(const Value& key, Value value, size_t hash);
  void reindex();
  std::vector<Entry> entries_;
  std::vector<int32_t> table_;  // -1 empty, else entry index; power of two
  size_t live_ = 0;
  Ref<Object> owner_;
  /// False: the owner's attributes are not among the entries yet.
  bool copied_ = true;
};

/// set and frozenset (by class): a Dict's keys.
struct Set : Object {
  Set();
  void clear() override;
  Ref<Dict> items;  // values are None
};

struct Slice : Object {
  Slice(Value lower, Value upper, Value step);
  void clear() override;
  Value lower, upper, step;
};

struct Range : Object {
  Range(int64_t start, int64_t stop, int64_t step);
  int64_t size() const;
  int64_t start, stop, step;
  const Provenance* stop_provenance = nullptr;
};

/// Any iterator: `next` answers Undefined at the end.
struct Iterator : Object {
  explicit Iterator(std::function<Value(Interpreter&)> next);
  void clear() override;
  std::function<Value(Interpreter&)> next;
};

/// The arguments of one call, in call order.
struct CallArgs {
  std::vector<Value> positional;
  std::vector<std::pair<Symbol, Value>> keywords;
};

/// A parameter list: Python's own binding rules, shared by interpreted and
/// native functions.
struct Signature {
  enum class ParamKind : uint8_t {
    PositionalOnly,
    Normal,
    VarArgs,
    KeywordOnly,
    VarKeywords,
  };
  struct Param {
    Symbol name;
    ParamKind kind;
    Value default_value;    // native functions only
    bool optional = false;  // has such a default, which may be Undefined
  };
  std::vector<Param> params;

  /// No parameter gathers arguments or wants a keyword: positional ones stand
  /// where they are. The parameters do not change after it is asked first.
  bool is_plain() const;

  /// Parses "self, dim=None, *, keepdim=False, **kwargs". Defaults may be
  /// None, True, False, numbers, 'strings', and () for an empty tuple;
  /// `...` as a default leaves the argument Undefined when it is not given.
  static Signature parse(std::string_view text);

 private:
  mutable std::optional<bool> plain_;
};

/// A function of ours. It gets one bound value per parameter of its signature
/// (`*args` as a Tuple, `**kwargs` as a Dict).
struct Native : Object {
  using Body = std::function<Value(Interpreter&, std::span<Value>)>;
  Native(std::string name, Signature signature, Body body);
  std::string name;  // qualified, for messages: "torch.softmax", "list.append"
  Signature signature;
  Body body;
};

struct FunctionCode;
struct ModuleObject;

struct Cell : Object {
  explicit Cell(Value value = {});
  void clear() override;
  Value value;
};

/// A function written in Python, with its closure.
struct Function : Object {
  Function(std::shared_ptr<const FunctionCode> code, Ref<ModuleObject> globals);
  void clear() override;
  std::shared_ptr<const FunctionCode> code;
  Ref<ModuleObject> globals;
  std::vector<Ref<Cell>> closure;
  std::vector<Value> defaults;  // one per parameter, Undefined where none
  std::string name;
  std::string qualname;
};

struct BoundMethod : Object {
  BoundMethod(Value self, Value function);
  void clear() override;
  Value self;
  Value function;
};

struct Property : Object {
  explicit Property(Value getter, Value setter = {}, Value deleter = {});
  void clear() override;
  Value getter, setter, deleter;
};

/// staticmethod and classmethod, by kind.
struct MethodWrapper : Object {
  MethodWrapper(Kind kind, Value function);
  void clear() override;
  Value function;
};

/// The special methods that every access to an attribute asks for.
enum class Hook : uint8_t { Getattribute, Getattr, Setattr, Delattr, Get, Set };

/// A class, builtin or written in Python. `int("3")` and the like go through a
/// native static `__new__(cls, ...)`.
class Class : public Object {
 public:
  Class(std::string name, std::vector<Class*> bases, Kind instance_kind);
  void clear() override;

  std::string name;
  std::string qualname;
  std::string module;
  std::vector<Class*> bases;   // direct
  std::vector<Class*> mro;     // C3, this class first
  Kind instance_kind;          // what object.__new__ makes
  Class* metaclass = nullptr;  // null: type
  AttrMap dict;
  base::Span span;  // the class statement, if any

  /// Looks along the MRO. Null when absent. Valid until a class changes.
  const Value* lookup(Symbol name) const;
  /// A special method that is not object's own. Null for builtin classes.
  /// Valid until a class changes.
  const Value* hook(Hook which) const;
  bool is_subclass_of(const Class* other) const;

  /// Adds a native method: def("add(self, other, *, alpha=1)", body).
  void def(std::string_view signature, Native::Body body);
  void def_static(std::string_view signature, Native::Body body);
  void def_class(std::string_view signature, Native::Body body);
  void def_property(
      std::string_view name,
      Native::Body getter,
      Native::Body setter = nullptr);

 private:
  /// What hook() answered, by its number, while no class changes.
  struct Hooks {
    uint64_t generation = 0;
    uint8_t known = 0;  // a bit each
    std::array<const Value*, 6> found{};
  };
  mutable Hooks hooks_;
};

struct Instance : Object {
  explicit Instance(Class* cls);
};

/// A Python module; its namespace is `attrs`.
struct ModuleObject : Object {
  ModuleObject(std::string name, std::string file);
  std::string name;
  std::string file;
  bool is_package = false;
  /// PEP 562; also how native modules answer computed names. May answer
  /// Undefined.
  std::function<Value(Interpreter&, Symbol)> getattr;

  /// Adds a native function: def("softmax(input, dim, dtype=None)", body).
  void def(std::string_view signature, Native::Body body);
  void set(std::string_view name, Value value);
};

struct SuperObject : Object {
  SuperObject(Class* after, Value self, Class* start);
  void clear() override;
  Class* after;  // look past this class ...
  Value self;
  Class* start;  // ... in this class's MRO
};

/// A name whose import is carried out at first use.
struct Lazy : Object {
  explicit Lazy(std::function<Value(Interpreter&)> resolve);
  void clear() override;
  std::function<Value(Interpreter&)> resolve;
};

// ---- convenience ----

Value str(std::string text);
Value str(Symbol name);
Value list(std::vector<Value> items);
Value tuple(std::vector<Value> items);
Ref<Dict> dict();
Ref<Native> native(
    std::string_view qualifier,
    std::string_view signature,
    Native::Body body);

}  // namespace portwright::eval
