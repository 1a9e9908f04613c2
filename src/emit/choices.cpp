#include "emit/choices.h"

namespace portwright::emit {

using eval::Value;

namespace {

bool calls(const Frame& frame, const eval::Object* function) {
  return std::any_of(
      frame.items.begin(), frame.items.end(), [&](const auto& item) {
        const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
        return child && ((*child)->function.get() == function ||
                         calls(**child, function));
      });
}

bool uses(const Trace& trace, const Value& chosen) {
  return chosen.is_object() &&
         (std::any_of(
              trace.modules.begin(),
              trace.modules.end(),
              [&](const auto& m) {
                return m.second.object() == chosen.object() ||
                       m.second.object()->cls == chosen.object();
              }) ||
          (chosen.is(eval::Kind::Function) &&
           calls(trace.root, chosen.object())));
}

}  // namespace

void note_choices(
    eval::Interpreter& interp,
    Trace& trace,
    const Evaluation& evaluation) {
  const Value name = interp.try_getattr(evaluation.model, "__module__");
  const eval::AttrMap* fields = evaluation.config.object()->attrs;
  if (!name.is_str() || !fields) {
    return;
  }
  const Value module(interp.import_module(name.str()));
  for (const auto& [global, table] : module.object()->attrs->entries()) {
    if (!table.is(eval::Kind::Dict)) {
      continue;
    }
    for (const auto& [field, text] : fields->entries()) {
      const Value* chosen = text.is_str() && !field.str().starts_with("_")
                                ? table.get<eval::Dict>()->find(text.str())
                                : nullptr;
      if (chosen && uses(trace, *chosen)) {
        trace.selectors.emplace(field.str(), text.str());
      }
    }
  }
}

}  // namespace portwright::emit
