#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "syntax/ast.h"
#include "syntax/lexer.h"
#include "syntax/literals.h"
#include "syntax/parser.h"

namespace portwright::syntax {

/// Recursive descent over the tokens of one file; binary operators by
/// precedence climbing. Split by theme over the parse_*.cpp files and
/// targets.cpp. The grammar is that of the Python reference; a node begins at
/// its first token and ends where its last token does, brackets included.
class Parser {
 public:
  Parser(
      std::shared_ptr<const base::SourceFile> source,
      LexResult tokens,
      std::vector<diagnostics::Diagnostic>& diagnostics);
  Tree file();

 private:
  using TK = TokenKind;

  static constexpr int kMaxDepth = 1000;
  static constexpr size_t kMaxDiagnostics = 100;

  /// Leaves a statement that has a fault, which is reported already.
  struct Fault {};

  /// Children of the node being read, above those of the nodes around it.
  template <typename T>
  class Children {
   public:
    explicit Children(std::vector<T>& stack)
        : stack_(stack), base_(stack.size()) {}
    Children(const Children&) = delete;
    ~Children() {
      stack_.resize(base_);
    }
    void push(T item) {
      stack_.push_back(item);
    }
    size_t size() const {
      return stack_.size() - base_;
    }
    T operator[](size_t i) const {
      return stack_[base_ + i];
    }
    void pop() {
      stack_.pop_back();
    }
    T& back() {
      return stack_.back();
    }
    Seq<T> take(base::Arena& arena) {
      const size_t n = size();
      if (n == 0) {
        return {};
      }
      auto* out = static_cast<T*>(arena.allocate(n * sizeof(T), alignof(T)));
      std::copy(stack_.begin() + base_, stack_.end(), out);
      return {out, n};
    }

   private:
    std::vector<T>& stack_;
    size_t base_;
  };

  /// Bounds recursion, and with it the nesting of the tree.
  class Deeper {
   public:
    explicit Deeper(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kMaxDepth) {
        --parser_.depth_;
        parser_.too_deep();
      }
    }
    ~Deeper() {
      --parser_.depth_;
    }
    Deeper(const Deeper&) = delete;

   private:
    Parser& parser_;
  };

  /// The height of a chain like `a.b.c`, which grows without recursion.
  class Chain {
   public:
    explicit Chain(Parser& parser)
        : parser_(parser), outer_(std::exchange(parser.height_, 0)) {}
    ~Chain() {
      parser_.height_ = std::max(parser_.height_, outer_);
    }
    Chain(const Chain&) = delete;
    void link() {
      if (++parser_.height_ > kMaxDepth) {
        parser_.too_deep();
      }
    }

   private:
    Parser& parser_;
    int outer_;
  };

  // ---- tokens ----
  TK kind() const {
    return at_->kind;
  }
  TK kind(int ahead) const {
    return at_[ahead].kind;
  }
  bool at(TK kind) const {
    return at_->kind == kind;
  }
  uint32_t begin() const {
    return at_->begin;
  }
  const Token& next() {
    last_end_ = at_->end;
    return *at_++;
  }
  bool accept(TK kind) {
    if (at_->kind != kind) {
      return false;
    }
    next();
    return true;
  }
  /// Takes a NEWLINE, which belongs to no node's span.
  bool end_line() {
    if (at_->kind != TK::Newline) {
      return false;
    }
    ++at_;
    return true;
  }
  void expect(TK kind);
  /// As expect, where the token closes what `open` began.
  void expect_close(TK kind, const Token& open);
  Symbol expect_name(std::string_view what);
  Symbol symbol(const Token& name) const {
    return names_[name.payload].symbol;
  }
  std::string_view text(const Token& token) const {
    return source_->text().substr(token.begin, token.end - token.begin);
  }
  bool at_word(Symbol word) const {
    return at(TK::Name) && symbol(*at_) == word;
  }

  // ---- nodes ----
  Span span(uint32_t begin) const {
    return {source_.get(), begin, last_end_};
  }
  Span span(const Token& token) const {
    return {source_.get(), token.begin, token.end};
  }
  template <typename T, typename... Args>
  T* make(ExprKind kind, uint32_t begin, Args&&... args) {
    return arena_->make<T>(
        Expr{kind, span(begin)}, std::forward<Args>(args)...);
  }
  template <typename T, typename... Args>
  T* make(StmtKind kind, uint32_t begin, Args&&... args) {
    return arena_->make<T>(
        Stmt{kind, span(begin)}, std::forward<Args>(args)...);
  }
  template <typename T, typename... Args>
  T* make(PatternKind kind, uint32_t begin, Args&&... args) {
    return arena_->make<T>(
        Pattern{kind, span(begin)}, std::forward<Args>(args)...);
  }

  // ---- faults ----
  bool reported_ahead() const;
  [[noreturn]] void fail(Span span, std::string message, std::string hint = "");
  /// At the current token, unless the lexer has reported that already.
  [[noreturn]] void fail_here(std::string message, std::string hint = "");
  [[noreturn]] void unexpected();
  [[noreturn]] void too_deep();
  /// Runs a trial parse that says whether it succeeded. One that did not is
  /// undone, and its faults go unreported.
  template <typename F>
  bool attempt(F&& trial) {
    const Token* const start = at_;
    const uint32_t end = last_end_;
    const int depth = depth_;
    ++attempts_;
    bool good = false;
    try {
      good = trial();
    } catch (const Fault&) {
      depth_ = depth;
    }
    --attempts_;
    if (!good) {
      at_ = start;
      last_end_ = end;
    }
    return good;
  }

  // ---- parse_expression.cpp ----
  Expr* star_expressions();
  Expr* star_expression();
  Expr* named_expression();
  Expr* star_named_expression();
  Expr* expression();
  Expr* disjunction();
  Expr* conjunction();
  Expr* inversion();
  Expr* comparison();
  Expr* bitwise_or() {
    return binary(1);
  }
  Expr* binary(int precedence);
  Expr* factor();
  Expr* power();
  Expr* lambda();
  Expr* yield_expression();
  Expr* yield_or_star_expressions();
  Expr* tuple_rest(uint32_t begin, Expr* first, Expr* (Parser::*element)());
  bool at_expression() const;

  // ---- parse_primary.cpp ----
  Expr* primary();
  Expr* atom();
  Expr* call(uint32_t begin, Expr* func);
  void call_arguments(Children<Expr*>& args, Children<Keyword>& keywords);
  Expr* positional_argument();
  Expr* subscript(uint32_t begin, Expr* value);
  Expr* slices();
  Expr* slice();

  // ---- parse_display.cpp ----
  Expr* parenthesized();
  Expr* list_display();
  Expr* brace_display();
  Expr* dict_rest(const Token& open, Expr* key);
  Expr* set_rest(const Token& open, Expr* first);
  bool at_comprehension() const {
    return at(TK::KwFor) || (at(TK::KwAsync) && kind(1) == TK::KwFor);
  }
  Seq<Comprehension> comprehension();

  // ---- parse_literal.cpp ----
  Expr* constant(ConstantKind kind);
  Expr* number();
  Expr* strings();
  Expr* string_piece();
  Constant* text_constant(const Token& token, uint32_t from, uint32_t to);
  Expr* concatenated(uint32_t begin, Children<Expr*>& pieces, bool unicode);
  Expr*
  joined(uint32_t begin, ExprKind kind, Children<Expr*>& pieces, bool unicode);

  // ---- parse_fstring.cpp ----
  void fstring(Children<Expr*>& pieces, bool is_template);
  void replacement_field(Children<Expr*>& pieces, bool is_template);
  Expr* fstring_text();
  int conversion_letter();
  Expr* format_spec();
  std::string_view without_comments(uint32_t from, uint32_t to);

  // ---- parse_parameters.cpp ----
  Arguments* parameters(TK close, bool annotated);
  Arg* parameter(bool annotated, bool star_annotation = false);
  Seq<TypeParam> type_parameters();
  TypeParam type_parameter();

  // ---- targets.cpp ----
  void assign_target(Expr* target, std::string_view hint = "");
  void delete_target(Expr* target);
  void single_target(Expr* target);
  Expr* target_list();
  [[noreturn]] void refuse_target(
      const Expr& target,
      std::string_view verb,
      std::string_view hint);

  // ---- parse_statement.cpp ----
  void statements(Children<Stmt*>& out, TK end);
  void statement(Children<Stmt*>& out);
  void simple_statements(Children<Stmt*>& out);
  Stmt* simple_statement();
  Stmt* expression_statement();
  Stmt* annotated(uint32_t begin, Expr* target, bool simple);
  Stmt* type_alias();
  Stmt* delete_statement();
  Stmt* raise_statement();
  Stmt* assert_statement();
  Stmt* scope_statement(StmtKind kind);
  void recover(const Token* start);
  void skip_line();

  // ---- parse_import.cpp ----
  Stmt* import_statement();
  Stmt* from_statement();
  Seq<Alias> imported_names();
  Symbol dotted_name();
  Symbol as_name();

  // ---- parse_compound.cpp ----
  Stmt* compound_statement();
  Stmts block(std::string_view after, const Token& head);
  void colon();
  Stmts else_block();
  Stmt* if_statement();
  Stmt* while_statement();
  Stmt* for_statement(uint32_t begin, StmtKind kind);
  Stmt* with_statement(uint32_t begin, StmtKind kind);
  bool parenthesized_items(Children<WithItem>& items);
  WithItem with_item(TK close);
  Stmt* try_statement();
  ExceptHandler handler(bool star);

  // ---- parse_definition.cpp ----
  Stmt* decorated();
  Stmt* function(uint32_t begin, StmtKind kind, Exprs decorators);
  Stmt* class_definition(Exprs decorators);
  Stmt* async_statement(Exprs decorators);

  // ---- parse_match.cpp ----
  Stmt* match_statement();
  Expr* match_subject();
  MatchCase match_case();
  Pattern* patterns();
  Pattern* star_pattern();
  Pattern* pattern();
  Pattern* or_pattern();

  // ---- parse_pattern.cpp ----
  Pattern* closed_pattern();
  Pattern* name_pattern();
  Pattern* class_pattern(uint32_t begin, Expr* cls);
  Pattern* mapping_pattern();
  Pattern* bracketed_pattern();
  Expr* pattern_number();
  Expr* signed_number();
  Expr* pattern_key();
  Expr* pattern_name();
  Symbol capture_name();

  std::shared_ptr<const base::SourceFile> source_;
  std::shared_ptr<base::Arena> arena_;
  LexResult tokens_;
  const NameTable& names_;
  std::vector<diagnostics::Diagnostic>& diagnostics_;
  const Symbol match_word_{"match"};
  const Symbol case_word_{"case"};
  const Symbol type_word_{"type"};
  const Symbol wildcard_{"_"};
  const Token* at_;
  uint32_t last_end_ = 0;
  int depth_ = 0;
  int height_ = 0;
  int attempts_ = 0;

  std::vector<Expr*> exprs_;
  std::vector<Expr*> other_exprs_;
  std::vector<Stmt*> stmts_;
  std::vector<Pattern*> patterns_;
  std::vector<Pattern*> other_patterns_;
  std::vector<Keyword> keywords_;
  std::vector<Comprehension> comprehensions_;
  std::vector<CompareOperator> compare_ops_;
  std::vector<Symbol> symbols_;
  std::vector<Alias> aliases_;
  std::vector<WithItem> with_items_;
  std::vector<ExceptHandler> handlers_;
  std::vector<MatchCase> cases_;
  std::vector<TypeParam> type_params_;
  std::vector<Arg*> args_;
};

}  // namespace portwright::syntax
