#include "eval/scope.h"

#include "eval/walk.h"

namespace portwright::eval {

using namespace syntax;

Scope::Scope(Kind kind, Scope* parent, FunctionCode& code)
    : kind(kind), parent(parent), code(code) {
  if (parent) {
    class_name = parent->class_name;
  }
}

uint32_t Scope::add_slot(Symbol name) {
  code.slot_names.push_back(name);
  return code.slot_count++;
}

void Scope::add_local(Symbol name) {
  if (!globals_.contains(name) && !free_.contains(name) &&
      !locals_.contains(name)) {
    locals_[name] = add_slot(name);
  }
}

void Scope::declare_global(Symbol name) {
  globals_.insert(name);
}

void Scope::declare_nonlocal(Symbol name) {
  if (parent) {
    slot(name);
  }
}

std::optional<uint32_t> Scope::slot(Symbol name) {
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    if (auto it = block->find(name); it != block->end()) {
      return it->second;
    }
  }
  if (auto it = locals_.find(name); it != locals_.end()) {
    return it->second;
  }
  if (auto it = free_.find(name); it != free_.end()) {
    return it->second;
  }
  if (globals_.contains(name) || !parent) {
    return {};
  }
  const auto outer = parent->slot_for_inner(name);
  if (!outer) {
    return {};
  }
  const uint32_t mine = add_slot(name);
  code.free.push_back(mine);
  code.enclosing.push_back(*outer);
  free_[name] = mine;
  return mine;
}

std::optional<uint32_t> Scope::slot_for_inner(Symbol name) {
  std::optional<uint32_t> found;
  if (kind == Kind::Class && name.str() == "__class__") {
    add_local(name);
    found = locals_[name];
  } else {
    found = slot(name);
  }
  if (!found) {
    return {};
  }
  const auto& free = code.free;
  auto& cells = code.cells;
  if (std::find(free.begin(), free.end(), *found) == free.end() &&
      std::find(cells.begin(), cells.end(), *found) == cells.end()) {
    cells.push_back(*found);
  }
  return found;
}

Symbol Scope::mangled(Symbol name) const {
  const std::string& text = name.str();
  if (class_name.empty() || !text.starts_with("__") || text.ends_with("__") ||
      text.find('.') != std::string::npos) {
    return name;
  }
  const size_t first = class_name.find_first_not_of('_');
  return first == std::string::npos
             ? name
             : Symbol("_" + class_name.substr(first) + text);
}

namespace {

/// Collects the names that statements bind.
class Bindings : public Walk {
 public:
  explicit Bindings(Scope& scope) : scope_(scope) {}

  void bind(Symbol name) {
    scope_.add_local(scope_.mangled(name));
  }

  void on_stmt(const Stmt& s) override {
    switch (s.kind) {
      case StmtKind::FunctionDef:
      case StmtKind::AsyncFunctionDef:
        bind(as<FunctionDef>(s).name);
        break;
      case StmtKind::ClassDef:
        bind(as<ClassDef>(s).name);
        break;
      case StmtKind::Import:
        for (const Alias& alias : as<Import>(s).names) {
          const std::string& text = alias.name.str();
          bind(
              alias.asname ? alias.asname
                           : Symbol(text.substr(0, text.find('.'))));
        }
        break;
      case StmtKind::ImportFrom:
        for (const Alias& alias : as<ImportFrom>(s).names) {
          bind(alias.asname ? alias.asname : alias.name);
        }
        break;
      case StmtKind::Try:
        for (const ExceptHandler& h : as<Try>(s).handlers) {
          if (h.name) {
            bind(h.name);
          }
        }
        break;
      default:
        break;
    }
  }

  void on_expr(const Expr& e) override {
    if (e.kind == ExprKind::Name && as<Name>(e).ctx != ExprContext::Load &&
        comprehension_depth() == 0) {
      bind(as<Name>(e).id);
    } else if (e.kind == ExprKind::NamedExpr) {
      bind(as<Name>(*as<NamedExpr>(e).target).id);
    }
  }

  void on_pattern(Symbol captured) override {
    bind(captured);
  }

 private:
  Scope& scope_;
};

class Declarations : public Walk {
 public:
  explicit Declarations(Scope& scope) : scope_(scope) {}
  void on_stmt(const Stmt& s) override {
    if (s.kind == StmtKind::Global) {
      for (Symbol name : as<ScopeDecl>(s).names) {
        scope_.declare_global(name);
      }
    } else if (s.kind == StmtKind::Nonlocal) {
      for (Symbol name : as<ScopeDecl>(s).names) {
        scope_.declare_nonlocal(name);
      }
    }
  }

 private:
  Scope& scope_;
};

class Yields : public Walk {
 public:
  bool found = false;
  void on_expr(const Expr& e) override {
    found = found || e.kind == ExprKind::Yield || e.kind == ExprKind::YieldFrom;
  }
};

}  // namespace

void declare_bindings(Scope& scope, Stmts body) {
  Declarations declarations(scope);
  declarations.walk(body);
  Bindings bindings(scope);
  bindings.walk(body);
}

bool contains_yield(Stmts body) {
  Yields yields;
  yields.walk(body);
  return yields.found;
}

}  // namespace portwright::eval
