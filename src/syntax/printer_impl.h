#pragma once

#include <string>
#include <string_view>

#include "syntax/ast.h"

namespace portwright::syntax {

/// How tightly an expression binds, loosest first.
enum class Level {
  Any,  // also a tuple or a yield without parentheses
  Named,
  Test,  // conditional expression, lambda
  Or,
  And,
  Not,
  Comparison,
  BitOr,
  BitXor,
  BitAnd,
  Shift,
  Sum,
  Term,
  Factor,
  Power,
  Await,
  Atom,
};

/// Writes nodes as source. Split by theme over the print_*.cpp files.
class Printer {
 public:
  void expression(const Expr& expr, Level level = Level::Any);
  void pattern(const Pattern& pattern);
  void statement(const Stmt& stmt);
  void statements(Stmts body);
  /// A statement up to the colon of its block.
  void header(const Stmt& stmt);
  std::string take() {
    return std::move(out_);
  }

 private:
  static constexpr std::string_view kIndent = "    ";

  void write(std::string_view text) {
    out_ += text;
  }
  void write(Symbol name);
  /// The items, with ", " between them.
  template <typename Items, typename F>
  void list(const Items& items, F&& item) {
    bool first = true;
    for (const auto& each : items) {
      if (!first) {
        write(", ");
      }
      first = false;
      item(each);
    }
  }

  // print_expression.cpp
  static Level level_of(const Expr& expr);
  void bare(const Expr& expr);
  void display(const Expr& expr);
  void elements(Exprs items);
  void tuple(const Sequence& tuple);
  void comparison(const Compare& compare);
  void binary(const BinOp& op);
  void dict(const Dict& dict);
  void call(const Call& call);
  void arguments(Exprs args, Seq<Keyword> keywords);
  void subscript(const Subscript& subscript);
  void slice(const Slice& slice);
  void comprehension(Seq<Comprehension> generators);
  void parameters(const Arguments& args);
  void parameter(const Arg& arg, const Expr* value);

  // print_string.cpp
  void constant(const Constant& constant);
  void string(std::string_view text, bool bytes);
  void escaped(std::string_view text, char quote, bool bytes, int braces);
  void joined(const JoinedStr& joined);
  void pieces(const JoinedStr& joined, char quote, bool spec);
  void field(const Expr& expr, char quote);
  bool docstring(const Expr& expr);

  // print_statement.cpp
  void line(std::string_view text = "");
  void simple(const Stmt& stmt);
  void assignment(const Stmt& stmt);
  void compound(const Stmt& stmt);
  void definition_header(const Stmt& stmt);
  void with_header(const With& with);
  void decorators(const Stmt& stmt);
  void block(Stmts body);
  void clause(std::string_view head, Stmts body);
  void if_rest(const Conditional& stmt);
  void try_rest(const Try& stmt);
  void match_rest(const Match& stmt);
  void names(Seq<Alias> aliases);
  void type_params(Seq<TypeParam> params);

  std::string out_;
  int depth_ = 0;
  /// The quote of the f-string around, which strings inside do not use.
  char outer_quote_ = '\0';
};

}  // namespace portwright::syntax
