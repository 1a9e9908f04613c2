#include "emit/number_names.h"

#include <algorithm>
#include <cctype>

#include "emit/config_text.h"
#include "emit/context.h"

namespace portwright::emit {

using eval::Provenance;
using eval::Value;

namespace {

/// "experts" of "n_routed_experts".
std::string what_is_counted(const std::string& field) {
  return field.substr(field.rfind('_') + 1);
}

}  // namespace

std::string name_of_number(const Value& v) {
  const Provenance& p = *v.provenance();
  const auto is_field = [](const Provenance* of) {
    return of && of->kind == Provenance::Kind::Config &&
           of->name.str().find('.') == std::string::npos;
  };
  switch (p.kind) {
    case Provenance::Kind::Config: {
      const std::string path = p.name.str();
      return house_attribute(path.substr(path.rfind('.') + 1));
    }
    case Provenance::Kind::Index:
      if (p.right && p.right->kind == Provenance::Kind::Constant) {
        const std::string key =
            p.right->text.substr(1, p.right->text.size() - 2);
        if (is_name(key) && !std::isdigit(static_cast<unsigned char>(key[0]))) {
          return key;
        }
      }
      return "value";
    case Provenance::Kind::Call:
      return p.name.str().ends_with("sqrt") ? "scale" : "value";
    case Provenance::Kind::Binary: {
      const std::string op = p.name.str();
      if (op == "//" && is_field(p.left) && is_field(p.right)) {
        const std::string of = what_is_counted(p.left->name.str());
        const std::string each = what_is_counted(p.right->name.str());
        return of == each ? "n_rep" : of + "_per_" + each;
      }
      if (v.is_int() && (op == "+" || op == "-" || op == "*")) {
        return "width";
      }
      return op == "**" && v.is_float() ? "scale" : "factor";
    }
    default:
      return "value";
  }
}

bool has_house_attribute(const Value& module, const std::string& name) {
  if (!module.defined() || !module.object()->attrs) {
    return false;
  }
  const auto& attributes = module.object()->attrs->entries();
  return std::any_of(
      attributes.begin(), attributes.end(), [&](const auto& entry) {
        return house_attribute(entry.first.str()) == name;
      });
}

std::optional<Value> negated_number(const Value& v) {
  const Provenance& p = *v.provenance();
  if (p.kind != Provenance::Kind::Unary || p.name.str() != "-" || !p.left ||
      !(v.is_int() || v.is_float())) {
    return {};
  }
  return (v.is_int() ? Value::integer(-v.as_int())
                     : Value::real(-v.as_double()))
      .with(p.left);
}

}  // namespace portwright::emit
