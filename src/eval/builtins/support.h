#pragma once

#include <span>
#include <string>
#include <string_view>

#include "eval/dispatch.h"
#include "eval/interpreter.h"

// What the files that define builtin classes and functions share.

namespace portwright::eval {

using Args = std::span<Value>;

/// `value` as the C++ type of a builtin kind; TypeError for anything else
/// (str.lower(5)).
Str& as_str(Interpreter& interp, const Value& value);
Bytes& as_bytes(Interpreter& interp, const Value& value);
List& as_list(Interpreter& interp, const Value& value);
Tuple& as_tuple(Interpreter& interp, const Value& value);
Dict& as_dict(Interpreter& interp, const Value& value);
Set& as_set(Interpreter& interp, const Value& value);
Class& as_class(Interpreter& interp, const Value& value);
Range& as_range(Interpreter& interp, const Value& value);
Slice& as_slice(Interpreter& interp, const Value& value);

/// The items of a bound *args parameter.
const std::vector<Value>& rest(const Value& arguments);

inline Value class_value(Class* cls) {
  return Value(static_cast<Object*>(cls));
}

inline bool given(const Value& argument) {
  return argument.defined() && !argument.is_none();
}

/// Calls with the keyword arguments of a bound **kwargs parameter.
CallArgs call_args(std::vector<Value> positional, const Value& keywords);

/// A stable sort by `<`; `keys` parallels `items` or is empty.
void sort_values(
    Interpreter& interp,
    std::vector<Value>& items,
    const Value& key,
    bool reverse);

/// One next(iterator); Undefined at the end.
Value advance(Interpreter& interp, const Value& iterator);

/// dict.update(source) by Python's rules.
void update_dict(Interpreter& interp, Dict& target, const Value& source);

/// A class's object without running __init__ (of the core).
Value allocate(Interpreter& interp, Class* cls);

/// "{} {name!r:>8}".format(...).
std::string format_fields(
    Interpreter& interp,
    const std::string& text,
    const std::vector<Value>& positional,
    const Value& mapping);

/// int(text, base); raises ValueError.
Value parse_int(Interpreter& interp, const std::string& text, int64_t base);
/// float(text); raises ValueError.
double parse_float(Interpreter& interp, const std::string& text);

/// A function that is known and refused wherever it is called.
void refuse_function(
    ModuleObject& module,
    std::string_view name,
    std::string_view reason);

void install_exceptions(Interpreter& interp);
void install_object_methods(Interpreter& interp);
void install_container_protocols(Interpreter& interp);
void install_sequence_functions(Interpreter& interp);
void install_number_functions(Interpreter& interp);
void install_reflection(Interpreter& interp);
void install_descriptors(Interpreter& interp);
void install_number_classes(Interpreter& interp);
void install_str(Interpreter& interp);
void install_str_searching(Interpreter& interp);
void install_bytes(Interpreter& interp);
void install_list(Interpreter& interp);
void install_dict(Interpreter& interp);
void install_dict_views(Interpreter& interp);
void install_set(Interpreter& interp);
void install_aliases(Interpreter& interp);

}  // namespace portwright::eval
