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
};

/// Other names of fields, each with the field's own, as the class lists them.
std::vector<std::pair<std::string, std::string>> other_names(
    const eval::Class& cls);

/// The field that a name is another name of, else the name.
std::string declared_name(const eval::Class& cls, const std::string& name);

ConfigField config_field(const eval::Class& cls, const std::string& name);

/// True when the config has the field, by this or its other name, as a number
/// whatever config.json holds.
bool is_always_given(const eval::Class& cls, const std::string& name);

/// A statement of the config class's __post_init__ that assigns fields.
struct ConfigStatement {
  std::string text;
  std::set<std::string> fields;  // read or assigned; variables too
  std::set<std::string> assigned;
  /// Extra keys of config.json are set by super().__post_init__(): what stands
  /// before it only gives them a default.
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
