#include "eval/compiler.h"
#include "eval/state.h"

namespace portwright::eval {

namespace ast = syntax;

namespace {

/// Carried out when the name is first used, so that a model pays only for the
/// parts of the library it reaches. Where a `try` guards the import, or in a
/// function, it happens at once.
struct ImportItem {
  std::string module;  // absolute
  Symbol name;         // null: the module itself
  bool eager;
  TargetPtr target;
};

Value import_name(Interpreter& interp, const std::string& module, Symbol name) {
  const Value m{interp.import_module(module)};
  if (!name) {
    return m;
  }
  if (Value v = interp.try_getattr(m, name); v.defined()) {
    return v;
  }
  const auto* object = m.get<ModuleObject>();
  if (object->file.empty() || object->file.starts_with("<portwright>")) {
    interp.refuse(
        diagnostics::Kind::UnsupportedImport,
        "'" + module + "." + name.str() + "' is not known",
        "Portwright does not implement this name yet");
  }
  interp.raise(
      "ImportError",
      "cannot import name '" + name.str() + "' from '" + module + "'");
}

class ImportCode : public StmtCode {
 public:
  ImportCode(base::Span span, std::vector<ImportItem> items)
      : StmtCode(span), items_(std::move(items)) {}

  Flow exec(Frame& frame) const override {
    Interpreter& interp = frame.interp;
    for (const ImportItem& item : items_) {
      frame.at = &span;
      if (item.eager) {
        if (!interp.can_import(item.module)) {
          interp.raise(
              "ModuleNotFoundError", "No module named '" + item.module + "'");
        }
        item.target->store(frame, import_name(interp, item.module, item.name));
        continue;
      }
      auto resolve = [module = item.module, name = item.name, at = span](
                         Interpreter& interp) {
        if (!interp.can_import(module)) {
          throw Refusal{
              {diagnostics::Kind::UnsupportedImport,
               "module '" + module + "' is not known",
               at,
               "Portwright reads the model's own files, transformers and "
               "torch; other packages are not executed",
               "",
               interp.call_stack()}};
        }
        return import_name(interp, module, name);
      };
      item.target->store(frame, Value(make<Lazy>(std::move(resolve))));
    }
    return Flow::Next;
  }

 private:
  std::vector<ImportItem> items_;
};

class ImportAll : public StmtCode {
 public:
  ImportAll(base::Span span, std::string module)
      : StmtCode(span), module_(std::move(module)) {}
  Flow exec(Frame& frame) const override {
    frame.at = &span;
    Interpreter& interp = frame.interp;
    auto module = interp.import_module(module_);
    AttrMap& into = frame.names ? *frame.names : *frame.globals.attrs;
    if (const Value* all = module->attrs->find(names().all)) {
      const Value public_names = *all;
      interp.for_each(public_names, [&](Value name) {
        into.set(
            Symbol(name.str()),
            interp.getattr(Value(module), Symbol(name.str())));
      });
      return Flow::Next;
    }
    const auto entries = module->attrs->entries();
    for (const auto& [name, value] : entries) {
      if (!name.str().starts_with("_")) {
        into.set(name, value);
      }
    }
    return Flow::Next;
  }

 private:
  std::string module_;
};

}  // namespace

StmtPtr Compiler::import(const ast::Import& s) {
  std::vector<ImportItem> items;
  const bool eager =
      scope_->kind != Scope::Kind::Module || scope_->try_depth > 0;
  for (const ast::Alias& alias : s.names) {
    const std::string& dotted = alias.name.str();
    const std::string top = dotted.substr(0, dotted.find('.'));
    items.push_back(
        {alias.asname ? dotted : top,
         Symbol(),
         eager,
         store(alias.asname ? alias.asname : Symbol(top))});
  }
  return std::make_unique<ImportCode>(s.span, std::move(items));
}

StmtPtr Compiler::import_from(const ast::ImportFrom& s) {
  std::string module = s.module ? s.module.str() : "";
  if (s.level > 0) {
    std::string base = module_name_;
    // A package's own __init__ is one level deeper than its name says.
    for (int up = is_package_ ? 1 : 0; up < s.level; ++up) {
      const size_t dot = base.rfind('.');
      base = dot == std::string::npos ? "" : base.substr(0, dot);
    }
    module = module.empty() ? base : base + "." + module;
  }
  if (s.names.size() == 1 && s.names.front().name.str() == "*") {
    return std::make_unique<ImportAll>(s.span, module);
  }
  std::vector<ImportItem> items;
  const bool eager =
      scope_->kind != Scope::Kind::Module || scope_->try_depth > 0;
  for (const ast::Alias& alias : s.names) {
    items.push_back(
        {module,
         alias.name,
         eager,
         store(alias.asname ? alias.asname : alias.name)});
  }
  return std::make_unique<ImportCode>(s.span, std::move(items));
}

}  // namespace portwright::eval
