#pragma once

#include <string_view>
#include <vector>

#include "eval/interpreter.h"

// How the operations choose between what a builtin kind does by itself and the
// special methods of classes.

namespace portwright::eval {

/// The builtin class that `object` is represented as (a dict subclass: dict);
/// null for kinds that have none.
Class* builtin_class(Interpreter& interp, const Object* object);

/// True when the object's class replaces its builtin kind's `name`.
bool overrides(Interpreter& interp, const Object* object, Symbol name);

/// True for scalars and objects whose class is exactly a builtin data type.
bool is_plain(Interpreter& interp, const Value& value);

/// type(self).name(self, *args); Undefined when the class has no such method.
Value call_special(
    Interpreter& interp,
    const Value& self,
    Symbol name,
    std::vector<Value> args = {});

/// The same for a hook that a class defines for operations on the class itself
/// (`__class_iter__` and the like), then for its metaclass's `special`.
Value call_class_hook(
    Interpreter& interp,
    const Value& cls,
    Symbol hook,
    Symbol special,
    std::vector<Value> args = {});

/// raise type(*args), for a builtin exception by name.
[[noreturn]] void
raise_with(Interpreter& interp, std::string_view type, std::vector<Value> args);

/// The name of a value's class, for messages.
const std::string& type_name(Interpreter& interp, const Value& value);

/// Refuses a sequence of more than the allowed number of items.
void check_items(Interpreter& interp, uint64_t count);

/// operator.index(value); raises TypeError for what is no integer.
int64_t as_index(Interpreter& interp, const Value& value);

/// container[index], with where it came from when the container has that.
Value indexed(
    Interpreter& interp,
    Value element,
    const Value& container,
    const Value& index);

/// A Call node over the operands; null when none has provenance.
const Provenance*
call_provenance(Interpreter& interp, std::string_view name, const Value& a);
const Provenance* call_provenance(
    Interpreter& interp,
    std::string_view name,
    const Value& a,
    const Value& b);

/// How many items slice.indices(size) selects, and where.
struct SliceRange {
  int64_t start, step, count;
};
SliceRange resolve_slice(Interpreter& interp, const Slice& slice, int64_t size);

// ---- what builtin kinds do by themselves; Undefined when it is not theirs

enum class Operator : uint8_t {
  Add,
  Sub,
  Mul,
  MatMul,
  TrueDiv,
  FloorDiv,
  Mod,
  Pow,
  LShift,
  RShift,
  And,
  Or,
  Xor,
};
enum class Comparison : uint8_t { Eq, Ne, Lt, Le, Gt, Ge };

/// Of numbers, wide ints included.
Value number_binary(
    Interpreter& interp,
    Operator op,
    const Value& a,
    const Value& b);
Value container_binary(
    Interpreter& interp,
    Operator op,
    const Value& a,
    const Value& b);
/// a += b and the like for lists, sets and dicts: changes `a`.
Value container_in_place(
    Interpreter& interp,
    Operator op,
    const Value& a,
    const Value& b);
/// The result is a plain bool.
Value builtin_compare(
    Interpreter& interp,
    Comparison op,
    const Value& a,
    const Value& b);
Value builtin_getitem(
    Interpreter& interp,
    const Value& object,
    const Value& index);
bool builtin_setitem(
    Interpreter& interp,
    const Value& object,
    const Value& index,
    const Value& value);
bool builtin_delitem(
    Interpreter& interp,
    const Value& object,
    const Value& index);
/// -1 when the kind has no length.
int64_t builtin_length(const Value& value);
/// 1, 0, or -1 when the kind cannot tell.
int builtin_contains(
    Interpreter& interp,
    const Value& container,
    const Value& item);
/// Null when the kind is not iterable by itself.
Ref<Iterator> builtin_iterate(Interpreter& interp, const Value& value);
std::string builtin_repr(Interpreter& interp, const Value& value);

/// "text" % arguments.
std::string percent_format(
    Interpreter& interp,
    const std::string& text,
    const Value& arguments);
/// Python's repr of a float.
std::string float_repr(double value);
/// Python's repr of a string.
std::string str_repr(std::string_view text);
/// object.__repr__: "<module.Name object>".
std::string default_repr(Interpreter& interp, const Value& value);

}  // namespace portwright::eval
