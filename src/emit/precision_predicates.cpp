#include "emit/precision_predicates.h"

#include <functional>

#include <fmt/format.h>

#include "emit/expression.h"

namespace portwright::emit {

using eval::Value;

namespace {

constexpr std::string_view kWeight = ".weight";

/// The path below a layer.
std::string path_in_layer(const Context& context, const std::string& path) {
  const std::string layers = context.layers_path + ".";
  const size_t dot = path.find('.', layers.size());
  return path.starts_with(layers) && dot != std::string::npos
             ? path.substr(dot + 1)
             : path;
}

/// The linear layer whose answers the indices of experts are chosen by.
std::string router_of(const Trace& trace, const lift::Experts& experts) {
  std::set<ValueId> seen;
  std::string found;
  std::function<void(ValueId)> visit = [&](ValueId id) {
    const OpNode* op = trace.info(id).producer;
    if (!op || !seen.insert(id).second || !found.empty()) {
      return;
    }
    if (op->op->name == "linear") {
      const std::string& weight = trace.info(op->inputs[1]).parameter;
      const auto answers = trace.info(id).shape.back();
      if (answers == experts.experts + experts.identities &&
          weight.ends_with(kWeight)) {
        found = weight.substr(0, weight.size() - kWeight.size());
      }
      return;
    }
    for (ValueId input : op->inputs) {
      visit(input);
    }
  };
  visit(experts.indices);
  return found;
}

bool is_linear(const std::vector<ClassText>& classes, const std::string& path) {
  const std::string made =
      "self." + path.substr(path.rfind('.') + 1) + " = nn.Linear(";
  return std::any_of(classes.begin(), classes.end(), [&](const auto& c) {
    return std::any_of(c.init.begin(), c.init.end(), [&](const auto& line) {
      return line.find(made) != std::string::npos;
    });
  });
}

/// Names by which the source picks what stays in float32, of those the model
/// has.
std::set<std::string> kept_in_float32(const Context& context) {
  std::set<std::string> out;
  const Value names = context.interp.try_getattr(
      context.evaluation.model, "_keep_in_fp32_modules_strict");
  if (!names.defined() || names.is_none()) {
    return out;
  }
  context.interp.for_each(names, [&](Value name) {
    const auto& values = context.trace.values;
    if (std::any_of(values.begin(), values.end(), [&](const auto& info) {
          return info.parameter.find(name.str()) != std::string::npos;
        })) {
      out.insert(name.str());
    }
  });
  return out;
}

std::string
predicate(const char* name, const char* parameters, const std::string& body) {
  return fmt::format(
      "@property\ndef {}(self):\n    def predicate({}):\n{}\n    return "
      "predicate\n",
      name,
      parameters,
      body);
}

}  // namespace

std::vector<std::string> precision_predicates(
    const std::vector<Context*>& drafts,
    const std::vector<ClassText>& classes) {
  std::set<std::string> routers, kept;
  for (const Context* draft : drafts) {
    for (const auto& e : draft->experts) {
      const std::string router =
          path_in_layer(*draft, router_of(draft->trace, e.experts));
      if (!router.empty() && is_linear(classes, router)) {
        routers.insert(router);
      }
    }
    kept.merge(kept_in_float32(*draft));
  }
  std::vector<std::string> out;
  if (!kept.empty()) {
    std::string test;
    for (const auto& name : kept) {
      test +=
          fmt::format("{}\"{}\" not in k", test.empty() ? "" : " and ", name);
    }
    out.push_back(
        predicate("cast_predicate", "k", "        return " + test + "\n"));
  }
  if (!routers.empty()) {
    const std::string names = routers.size() == 1
                                  ? "\"" + *routers.begin() + "\""
                                  : tuple_of(routers);
    out.push_back(predicate(
        "quant_predicate",
        "path, _",
        fmt::format(
            "        if path.endswith({}):\n            return "
            "{{\"group_size\": 64, \"bits\": 8}}\n        return True\n",
            names)));
  }
  return out;
}

}  // namespace portwright::emit
