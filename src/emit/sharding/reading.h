#pragma once

#include "emit/sharding/makers.h"
#include "emit/sharding/splits.h"
#include "emit/sharding/spread.h"

namespace portwright::emit::sharding {

/// One reading of a module's forward, with `held` layers on every machine.
/// Throws a Conflict of layers of which one more has to be held.
class Reading {
 public:
  Reading(
      const std::vector<ClassText>& classes,
      const std::set<std::string>& held)
      : classes_(classes), held_(held) {}

  /// Linear layers answer parts of sums too, as experts do.
  void sum_up() {
    summing_ = true;
  }
  Splits run(const ClassText& text);

 private:
  struct Scope {
    std::string path;  // "shared_experts." of a module inside
    Makers makers;
    std::map<std::string, Spread> names;
    std::optional<Spread> answer;
  };

  Spread call(
      const ClassText& text,
      const std::string& path,
      const std::vector<Spread>& positional,
      const std::map<std::string, Spread>& keywords);
  void run_block(const syntax::Stmts& body, Scope& scope);
  void run(const syntax::Stmt& s, Scope& scope);
  [[noreturn]] static void give_up(const Scope& scope);
  void run_if(const syntax::Conditional& s, Scope& scope);
  static void store(const syntax::Expr& target, const Spread& v, Scope& scope);
  Spread value(const syntax::Expr& e, Scope& scope);
  /// What is not read: it must not have a part of anything.
  Spread other(const syntax::Expr& e, Scope& scope);
  Spread attribute(const syntax::Attribute& e, Scope& scope);
  /// x.shape: with an Extent where it is split.
  static Spread extents(const Spread& of);
  Spread subscript(const syntax::Subscript& e, Scope& scope);
  std::vector<Spread> arguments(const syntax::Call& call, Scope& scope);
  Spread call_of(const syntax::Call& call, Scope& scope);
  /// To as many heads as something split has.
  Spread broadcast(const syntax::Call& call, Scope& scope);
  /// Something of which an argument is split.
  Spread call_function(
      const std::string& function,
      const syntax::Call& call,
      const std::vector<Spread>& args,
      const std::vector<Spread>& all);
  /// Columns that lie one after another in one layer are segments of it.
  Spread split(const syntax::Call& call, const Spread& of, Scope& scope);
  /// `x[..., self.a : self.b]` of columns that lie one after another.
  Spread slice_of(const syntax::Subscript& e, const Spread& v, Scope& scope);
  /// The slices of a layer follow one another: where they meet are segments.
  void join_slices();
  /// Attributes that say where to split are counts of columns.
  size_t places(const syntax::Expr& where, const Spread& of, Scope& scope);
  /// `self.x` of a module below as the unit's: `self.shared.x`.
  static std::string below(std::string text, const std::string& path);
  void divide(const std::string& attribute);
  Spread call_method(const syntax::Call& call, Scope& scope);
  /// reshape(B, heads, ...), as many heads as there are.
  Spread regrouped(const syntax::Call& call, const Spread& v, Scope& scope);
  /// reshape(B, L, ...): the split axis is the first of those after it, which
  /// are taken apart or put together.
  Spread reshaped(const syntax::Call& call, const Spread& v, Scope& scope);
  Spread
  call_module(const std::string& name, const syntax::Call& call, Scope& scope);
  void add(const std::string& path, Splits::Layer layer);
  Spread
  linear(const std::string& path, const Spread& x, bool bias, bool in_place);
  /// A MultiLinear layer, of which each machine has some heads' matrices.
  Spread by_head(const std::string& path, const Spread& x);
  Spread
  experts(const std::string& path, bool bias, const std::vector<Spread>& all);

  const std::vector<ClassText>& classes_;
  const std::set<std::string>& held_;
  bool summing_ = false;
  Splits splits_;
  std::set<std::string> read_;  // attributes, in full
  /// By layer: where each of its slices begins and ends.
  std::map<std::string, std::map<std::string, std::string>> slices_;
};

}  // namespace portwright::emit::sharding
