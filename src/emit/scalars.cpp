#include "emit/module_writer.h"
#include "emit/number_names.h"
#include "emit/unrolled.h"

namespace portwright::emit {

using eval::Provenance;
using eval::Value;

std::string ModuleWriter::attribute_for(const Value& v) {
  const std::string text = context_.args_text(v);
  const Value module = frame_.module;
  if (module.defined() && module.object()->attrs) {
    for (const auto& [name, attribute] : module.object()->attrs->entries()) {
      if (attribute.provenance() && !attribute.is_object() &&
          eval::to_string(attribute.provenance()) ==
              eval::to_string(v.provenance())) {
        const std::string house = house_attribute(name.str());
        initialise(house, text);
        return house;
      }
    }
  }
  const std::string name = name_of_number(v);
  std::string candidate = name;
  // What is no field may not be called as an attribute of the source's.
  const bool derived = v.provenance()->kind != Provenance::Kind::Config;
  const auto is_taken = [&] {
    return init_names_.contains(candidate) ||
           (derived && has_house_attribute(module, candidate));
  };
  for (int i = 2; is_taken(); ++i) {
    auto same =
        std::find(init_.begin(), init_.end(), std::make_pair(candidate, text));
    if (same != init_.end()) {
      return candidate;
    }
    candidate = name + std::to_string(i);
  }
  initialise(candidate, text);
  return candidate;
}

Expression ModuleWriter::scalar(const Value& v) {
  if (constructing_) {
    const std::string text = context_.args_text(v);
    return {text, text.find(' ') == std::string::npos ? kPrimary : kTernary};
  }
  if (auto computed = v.is_none() ? std::nullopt : of_shapes(v.provenance())) {
    return *computed;
  }
  if (rows_.is_offset(v)) {
    context_.hole(
        frame_.call,
        "'" + frame_.path + "' reads the length of its cache in no known way");
  }
  // A loop of the source's that is not the one over layers is written out.
  const bool unrolled = is_unrolled(context_, frame_, v.provenance());
  if (v.provenance() && v.provenance()->kind != Provenance::Kind::Dim &&
      !v.is_none() && !unrolled) {
    if (const auto whole = negated_number(v)) {
      const Expression inner = scalar(*whole);
      return {"-" + inner.at(kUnary), kUnary};
    }
    return {"self." + attribute_for(v), kPrimary};
  }
  if (unrolled) {
    serve_loops(context_, frame_, v.provenance());
  }
  const std::string text = constant_text(v);
  return {text, text.front() == '-' ? kUnary : kPrimary};
}

}  // namespace portwright::emit
