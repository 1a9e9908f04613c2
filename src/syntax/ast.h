#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/source.h"
#include "base/symbol.h"

/// The abstract syntax of Python 3.12+, node for node that of CPython's `ast`
/// module (same node and field names), so that dumps can be compared as text.
/// Nodes live in the arena of their Tree and are immutable after parsing.
namespace portwright::syntax {

using base::Span;
using base::Symbol;

enum class ExprKind : uint8_t {
  BoolOp,
  NamedExpr,
  BinOp,
  UnaryOp,
  Lambda,
  IfExp,
  Dict,
  Set,
  ListComp,
  SetComp,
  DictComp,
  GeneratorExp,
  Await,
  Yield,
  YieldFrom,
  Compare,
  Call,
  FormattedValue,
  Interpolation,
  JoinedStr,
  TemplateStr,
  Constant,
  Attribute,
  Subscript,
  Starred,
  Name,
  List,
  Tuple,
  Slice,
};

enum class StmtKind : uint8_t {
  FunctionDef,
  AsyncFunctionDef,
  ClassDef,
  Return,
  Delete,
  Assign,
  TypeAlias,
  AugAssign,
  AnnAssign,
  For,
  AsyncFor,
  While,
  If,
  With,
  AsyncWith,
  Match,
  Raise,
  Try,
  TryStar,
  Assert,
  Import,
  ImportFrom,
  Global,
  Nonlocal,
  Expr,
  Pass,
  Break,
  Continue,
};

enum class PatternKind : uint8_t {
  MatchValue,
  MatchSingleton,
  MatchSequence,
  MatchMapping,
  MatchClass,
  MatchStar,
  MatchAs,
  MatchOr,
};

enum class ExprContext : uint8_t { Load, Store, Del };
enum class BoolOperator : uint8_t { And, Or };
enum class UnaryOperator : uint8_t { Invert, Not, UAdd, USub };
enum class BinaryOperator : uint8_t {
  Add,
  Sub,
  Mult,
  MatMult,
  Div,
  Mod,
  Pow,
  LShift,
  RShift,
  BitOr,
  BitXor,
  BitAnd,
  FloorDiv,
};
enum class CompareOperator : uint8_t {
  Eq,
  NotEq,
  Lt,
  LtE,
  Gt,
  GtE,
  Is,
  IsNot,
  In,
  NotIn,
};

struct Expr {
  ExprKind kind;
  Span span;
};
struct Stmt {
  StmtKind kind;
  Span span;
};
struct Pattern {
  PatternKind kind;
  Span span;
};

template <typename T>
using Seq = std::span<T>;
using Exprs = Seq<Expr*>;
using Stmts = Seq<Stmt*>;
using Patterns = Seq<Pattern*>;

/// Downcast to the node struct; the caller has looked at `kind`.
template <typename T, typename N>
const T& as(const N& node) {
  return static_cast<const T&>(node);
}

struct Keyword {
  Symbol arg;  // null for **value
  Expr* value;
  Span span;
};

struct Comprehension {
  Expr* target;
  Expr* iter;
  Exprs ifs;
  bool is_async;
};

struct Arg {
  Symbol name;
  Expr* annotation;  // may be null
  Span span;
};

struct Arguments {
  Seq<Arg*> posonlyargs;
  Seq<Arg*> args;
  Arg* vararg;  // may be null
  Seq<Arg*> kwonlyargs;
  Exprs kw_defaults;  // one per kwonlyargs, null where absent
  Arg* kwarg;         // may be null
  Exprs defaults;     // for the last posonlyargs + args
};

struct WithItem {
  Expr* context_expr;
  Expr* optional_vars;  // may be null
};

struct Alias {
  Symbol name;    // dotted
  Symbol asname;  // may be null
  Span span;
};

struct ExceptHandler {
  Expr* type;   // null for a bare except
  Symbol name;  // may be null
  Stmts body;
  Span span;
};

struct MatchCase {
  Pattern* pattern;
  Expr* guard;  // may be null
  Stmts body;
};

enum class TypeParamKind : uint8_t { TypeVar, ParamSpec, TypeVarTuple };
struct TypeParam {
  TypeParamKind kind;
  Symbol name;
  Expr* bound;          // TypeVar only, may be null
  Expr* default_value;  // may be null (3.13)
  Span span;
};

// ---- constants ----

enum class ConstantKind : uint8_t {
  None,
  True,
  False,
  Ellipsis,
  Int,
  BigInt,
  Float,
  Complex,
  Str,
  Bytes,
};

// ---- expressions ----

struct BoolOp : Expr {
  BoolOperator op;
  Exprs values;
};
struct NamedExpr : Expr {
  Expr* target;
  Expr* value;
};
struct BinOp : Expr {
  Expr* left;
  BinaryOperator op;
  Expr* right;
};
struct UnaryOp : Expr {
  UnaryOperator op;
  Expr* operand;
};
struct Lambda : Expr {
  Arguments* args;
  Expr* body;
};
struct IfExp : Expr {
  Expr* test;
  Expr* body;
  Expr* orelse;
};
struct Dict : Expr {
  Exprs keys;  // null for **value
  Exprs values;
};
struct Set : Expr {
  Exprs elts;
};
/// ListComp, SetComp, GeneratorExp.
struct ElementComp : Expr {
  Expr* elt;
  Seq<Comprehension> generators;
};
struct DictComp : Expr {
  Expr* key;
  Expr* value;
  Seq<Comprehension> generators;
};
/// Await, Yield (value may be null), YieldFrom.
struct ValueExpr : Expr {
  Expr* value;
};
struct Compare : Expr {
  Expr* left;
  Seq<CompareOperator> ops;
  Exprs comparators;
};
struct Call : Expr {
  Expr* func;
  Exprs args;  // may hold Starred
  Seq<Keyword> keywords;
};
struct FormattedValue : Expr {
  Expr* value;
  int conversion;     // -1, or 's' 'r' 'a'
  Expr* format_spec;  // JoinedStr or null
};
/// 3.14 t-strings.
struct Interpolation : Expr {
  Expr* value;
  Symbol str;
  int conversion;
  Expr* format_spec;
};
/// JoinedStr, TemplateStr.
struct JoinedStr : Expr {
  Exprs values;
};
struct Constant : Expr {
  ConstantKind value_kind;
  bool u_prefix;       // kind='u'
  int64_t int_value;   // Int
  double float_value;  // Float, and the imaginary part of Complex
  /// Str: UTF-8 (lone surrogates as three-byte sequences); Bytes: raw;
  /// BigInt: decimal digits. Interned in the arena.
  std::string_view text;
};
struct Attribute : Expr {
  Expr* value;
  Symbol attr;
  ExprContext ctx;
};
struct Subscript : Expr {
  Expr* value;
  Expr* slice;
  ExprContext ctx;
};
struct Starred : Expr {
  Expr* value;
  ExprContext ctx;
};
struct Name : Expr {
  Symbol id;
  ExprContext ctx;
};
/// List, Tuple.
struct Sequence : Expr {
  Exprs elts;
  ExprContext ctx;
};
struct Slice : Expr {
  Expr* lower;  // each may be null
  Expr* upper;
  Expr* step;
};

// ---- statements ----

/// FunctionDef, AsyncFunctionDef. The span starts at `def` (or `async`), as
/// CPython's lineno does; decorators carry their own spans.
struct FunctionDef : Stmt {
  Symbol name;
  Arguments* args;
  Stmts body;
  Exprs decorator_list;
  Expr* returns;  // may be null
  Seq<TypeParam> type_params;
};
struct ClassDef : Stmt {
  Symbol name;
  Exprs bases;
  Seq<Keyword> keywords;
  Stmts body;
  Exprs decorator_list;
  Seq<TypeParam> type_params;
};
struct Return : Stmt {
  Expr* value;  // may be null
};
struct Delete : Stmt {
  Exprs targets;
};
struct Assign : Stmt {
  Exprs targets;
  Expr* value;
};
struct TypeAlias : Stmt {
  Expr* name;
  Seq<TypeParam> type_params;
  Expr* value;
};
struct AugAssign : Stmt {
  Expr* target;
  BinaryOperator op;
  Expr* value;
};
struct AnnAssign : Stmt {
  Expr* target;
  Expr* annotation;
  Expr* value;  // may be null
  bool simple;
};
/// For, AsyncFor.
struct For : Stmt {
  Expr* target;
  Expr* iter;
  Stmts body;
  Stmts orelse;
};
/// While, If.
struct Conditional : Stmt {
  Expr* test;
  Stmts body;
  Stmts orelse;
};
/// With, AsyncWith.
struct With : Stmt {
  Seq<WithItem> items;
  Stmts body;
};
struct Match : Stmt {
  Expr* subject;
  Seq<MatchCase> cases;
};
struct Raise : Stmt {
  Expr* exc;    // may be null
  Expr* cause;  // may be null
};
/// Try, TryStar.
struct Try : Stmt {
  Stmts body;
  Seq<ExceptHandler> handlers;
  Stmts orelse;
  Stmts finalbody;
};
struct Assert : Stmt {
  Expr* test;
  Expr* msg;  // may be null
};
struct Import : Stmt {
  Seq<Alias> names;
};
struct ImportFrom : Stmt {
  Symbol module;  // may be null
  Seq<Alias> names;
  int level;
};
/// Global, Nonlocal.
struct ScopeDecl : Stmt {
  Seq<Symbol> names;
};
struct ExprStmt : Stmt {
  Expr* value;
};
// Pass, Break, Continue are plain Stmt.

// ---- patterns ----

struct MatchValue : Pattern {
  Expr* value;
};
struct MatchSingleton : Pattern {
  ConstantKind value;  // None, True, False
};
/// MatchSequence, MatchOr.
struct MatchSequence : Pattern {
  Patterns patterns;
};
struct MatchMapping : Pattern {
  Exprs keys;
  Patterns patterns;
  Symbol rest;  // may be null
};
struct MatchClass : Pattern {
  Expr* cls;
  Patterns patterns;
  Seq<Symbol> kwd_attrs;
  Patterns kwd_patterns;
};
struct MatchStar : Pattern {
  Symbol name;  // null for *_
};
struct MatchAs : Pattern {
  Pattern* pattern;  // may be null
  Symbol name;       // null for _
};

/// A parsed module. Owns its source and its nodes.
struct Tree {
  std::shared_ptr<const base::SourceFile> source;
  std::shared_ptr<base::Arena> arena;
  Stmts body;
  /// Comments in source order, `#` included.
  std::vector<Span> comments;
};

}  // namespace portwright::syntax
