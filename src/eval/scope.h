#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "eval/code.h"
#include "syntax/ast.h"

namespace portwright::eval {

/// The names of one function, class body or module while it is compiled.
/// Python's rules: a name bound anywhere in a function is local to it; inner
/// functions capture through cells; class scopes are not seen from inside.
class Scope {
 public:
  enum class Kind : uint8_t { Module, Class, Function };

  Scope(Kind kind, Scope* parent, FunctionCode& code);

  Kind kind;
  Scope* parent;
  FunctionCode& code;
  std::string class_name;  // for __private names: the innermost class
  int try_depth = 0;
  int with_depth = 0;

  uint32_t add_slot(Symbol name);
  void add_local(Symbol name);
  void declare_global(Symbol name);
  void declare_nonlocal(Symbol name);

  /// The slot of this scope's frame that holds the name, captured from outside
  /// if need be. Nothing: a module-level or builtin name.
  std::optional<uint32_t> slot(Symbol name);

  /// Comprehension variables, visible inside it alone.
  using Block = std::unordered_map<Symbol, uint32_t>;
  std::vector<Block> blocks;

  /// `__private` inside a class, as Python mangles it.
  Symbol mangled(Symbol name) const;

 private:
  std::optional<uint32_t> slot_for_inner(Symbol name);
  std::unordered_map<Symbol, uint32_t> locals_;
  std::unordered_map<Symbol, uint32_t> free_;
  std::unordered_set<Symbol> globals_;
};

/// Declares every name the statements bind (nested scopes excluded) as a local
/// of `scope`, and its global and nonlocal declarations.
void declare_bindings(Scope& scope, syntax::Stmts body);

/// True when the statements contain a yield of their own.
bool contains_yield(syntax::Stmts body);

}  // namespace portwright::eval
