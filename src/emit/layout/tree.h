#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// A concrete syntax tree: every token is a leaf, and what lies between two
/// tokens hangs on the later one. Its node kinds are those that black's rules
/// speak of; a node of one child is that child.
namespace portwright::emit::printing {

enum class Kind : uint8_t {
  // ---- leaves ----
  Name,  // keywords too
  Async,
  Await,
  Number,
  String,  // a whole f-string too
  LeftParen,
  RightParen,
  LeftBracket,
  RightBracket,
  LeftBrace,
  RightBrace,
  Comma,
  Colon,
  Dot,
  Semicolon,
  Equal,
  ColonEqual,
  Arrow,
  AugmentedEqual,
  Comparator,
  VerticalBar,
  Caret,
  Ampersand,
  Shift,
  Plus,
  Minus,
  Tilde,
  Star,
  Slash,
  DoubleSlash,
  Percent,
  At,
  DoubleStar,
  Comment,            // behind code
  StandaloneComment,  // on a line of its own
  Newline,
  Dedent,
  EndMarker,
  // ---- expressions ----
  Atom,
  Power,
  Trailer,
  Factor,
  Term,
  ArithExpr,
  ShiftExpr,
  AndExpr,
  XorExpr,
  OrExpr,
  StarExpr,
  Comparison,
  CompareOp,  // `not in`, `is not`
  NotTest,
  AndTest,
  OrTest,
  Ternary,
  Lambda,
  NamedExpr,
  YieldExpr,
  YieldArg,
  Argument,
  ArgumentList,
  Subscript,
  SliceStep,
  SubscriptList,
  ListItems,
  GroupItems,  // inside parentheses
  DictItems,
  ImplicitTuple,  // of an assignment, return, yield
  TargetTuple,    // of for and del
  CompFor,        // of a call, dict or set
  OldCompFor,     // of a list or parentheses
  CompIf,
  LambdaParameters,
  ParameterList,
  Parameters,
  TypedName,
  TypedStarName,
  DottedName,
  DottedAsName,
  DottedAsNames,
  ImportAsName,
  ImportAsNames,
  AsExpr,
  // ---- statements ----
  ExprStmt,
  Annotation,  // `: int = 1` of an assignment
  ReturnStmt,
  DelStmt,
  AssertStmt,
  RaiseStmt,
  GlobalStmt,
  ImportName,
  ImportFrom,
  SimpleStmt,
  IfStmt,
  WhileStmt,
  ForStmt,
  TryStmt,
  ExceptClause,
  WithStmt,
  FunctionDef,
  ClassDef,
  Decorator,
  Decorators,
  Decorated,
  AsyncStmt,
  Suite,
  File,
};

/// A comment in front of a leaf.
struct CommentText {
  std::string_view text;
  /// Blank lines above it.
  int blank_lines;
  /// Behind code of the same line.
  bool trailing;
};

struct Node {
  Kind kind;
  Node* parent = nullptr;
  uint32_t index = 0;  // among the parent's children
  std::vector<Node*> children;

  // ---- of leaves ----
  /// Empty for invisible parentheses.
  std::string value;
  /// What is printed before it within a line: at most two blanks.
  std::string_view space;
  uint32_t line = 0;  // of the source; 0 for leaves put in
  /// Blank lines above, where it begins a line.
  int blank_lines = 0;
  std::vector<CommentText> comments;
  /// Brackets around it that opened on its line; set by BracketTracker.
  int depth = 0;
  /// Of a closing bracket; set by BracketTracker.
  Node* opening = nullptr;

  bool leaf() const {
    return kind < Kind::Atom;
  }
  bool is(Kind k) const {
    return kind == k;
  }
  bool is_name(std::string_view text) const {
    return kind == Kind::Name && value == text;
  }
  Node* previous_sibling() const {
    return parent && index > 0 ? parent->children[index - 1] : nullptr;
  }
  Node* next_sibling() const {
    return parent && index + 1 < parent->children.size()
               ? parent->children[index + 1]
               : nullptr;
  }
  bool parent_is(Kind k) const {
    return parent && parent->kind == k;
  }
};

constexpr bool is_opening(Kind k) {
  return k == Kind::LeftParen || k == Kind::LeftBracket || k == Kind::LeftBrace;
}
constexpr bool is_closing(Kind k) {
  return k == Kind::RightParen || k == Kind::RightBracket ||
         k == Kind::RightBrace;
}
/// `+`, `-` and the like, `~`, `*` and `**` among them.
constexpr bool is_math(Kind k) {
  return k >= Kind::VerticalBar && k <= Kind::DoubleStar;
}

/// Owns the nodes of one module.
class Tree {
 public:
  Node* leaf(Kind kind, std::string_view value);
  /// The child itself where there is only one.
  Node* node(Kind kind, std::vector<Node*> children);

  /// Replaces `child` by an atom of it and parentheses.
  void parenthesize(Node* child, bool visible);
  /// A copy of a leaf that stands in its place in the tree; the old one is
  /// left without a parent.
  Node* replace_leaf(Node* old);
  /// A copy of a leaf that belongs to no tree.
  Node* detached(const Node& leaf);

 private:
  Node& make();

  std::vector<std::vector<Node>> blocks_;  // never grown past their capacity
};

/// Inserts into `parent`, which becomes the child's.
void insert_child(Node* parent, size_t index, Node* child);
/// Puts `child` where `old` stands.
void replace_child(Node* old, Node* child);

Node* first_leaf(Node* node);
Node* last_leaf(Node* node);
/// The leaf just before `node`, null at the start.
Node* preceding_leaf(const Node* node);

/// Calls f for each leaf below (or equal to) the node, in order.
template <typename F>
void each_leaf(Node* node, F&& f) {
  if (node->leaf()) {
    f(node);
    return;
  }
  for (Node* child : node->children) {
    each_leaf(child, f);
  }
}

/// `*`, `**` or `/` as a marker of arguments, not an operator. In calls and
/// signatures, or in displays and targets.
bool is_vararg(const Node& leaf, bool in_arguments, bool in_displays);

/// The first string of a module or block.
bool is_docstring(const Node& leaf);
/// A triple-quoted string over several lines.
bool is_multiline_string(const Node& node);
/// The `...` statement.
bool is_stub_body(const Node& node);
/// A function's or class's block of nothing but `...`.
bool is_stub_suite(const Node& node);

}  // namespace portwright::emit::printing
