#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "eval/objects.h"

namespace portwright::emit {

/// A field as the config class declares it.
struct ConfigField {
  std::string annotation;     // "int | None"; "" when undeclared
  eval::Value default_value;  // Undefined: none
  bool inferred = false;      // the annotation, from the default
};

/// Other names of fields, each with the field's own, as the class lists them.
std::vector<std::pair<std::string, std::string>> other_names(
    const eval::Class& cls);

/// The field that a name is another name of, else the name.
std::string declared_name(const eval::Class& cls, const std::string& name);

/// "int" and the like; "Any" for None and all that has no such name.
std::string type_name(const eval::Value& v);

/// A field declared in the body of the class, or as a parameter of `__init__`:
/// those may be null whatever their default is.
ConfigField config_field(const eval::Class& cls, const std::string& name);

/// The names of all fields that the class declares, then of those it inherits.
std::vector<std::string> declared_fields(const eval::Class& cls);

/// True when the config has the field, by this or its other name, as a number
/// whatever config.json holds.
bool is_always_given(const eval::Class& cls, const std::string& name);

/// A statement of the config class's __post_init__ or __init__ that assigns
/// fields.
struct ConfigStatement {
  std::string text;
  std::set<std::string> fields;  // read or assigned; variables too
  std::set<std::string> assigned;
  /// Extra keys of config.json are set by the method of the base class: what
  /// stands before it only gives them a default.
  bool past_super = false;
  /// It mentions nothing that ModelArgs does not have.
  bool self_contained = true;
};

/// What one statement of a config class's method reads and assigns, after
/// others that gave those variables values.
ConfigStatement statement_of(
    const std::string& text,
    const std::set<std::string>& variables = {});

/// Variables of the method stand among the fields.
bool is_variable(const std::string& field);

std::vector<ConfigStatement> config_statements(const eval::Class& cls);

}  // namespace portwright::emit
