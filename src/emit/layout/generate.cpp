#include "emit/layout/generate.h"

#include <initializer_list>

#include "emit/layout/parens.h"
#include "emit/layout/strings.h"

namespace portwright::emit::printing {

namespace {

/// Walks the tree and collects leaves to logical lines.
class Generator {
 public:
  Generator(Tree& tree, const std::function<void(Line&)>& sink)
      : tree_(tree), sink_(sink) {}

  void visit(Node* node);

 private:
  using Words = std::initializer_list<std::string_view>;

  void end_line(int indent = 0);
  void leaf(Node* leaf);
  void comments(Node* leaf);
  void string(Node* leaf);
  void children(Node* node);
  void keyword_children(Node* node, Words keywords);
  void statement(Node* node, Words keywords, Words parentheses);
  void simple_statement(Node* node);
  void suite(Node* node);
  void function(Node* node);
  void async(Node* node);
  void ternary(Node* node);
  void factor(Node* node);
  void power(Node* node);
  void atom(Node* node);
  void compound(Node* node);

  Tree& tree_;
  const std::function<void(Line&)>& sink_;
  Line line_;
};

bool is_statement(Kind kind) {
  switch (kind) {
    case Kind::IfStmt:
    case Kind::WhileStmt:
    case Kind::ForStmt:
    case Kind::TryStmt:
    case Kind::ExceptClause:
    case Kind::WithStmt:
    case Kind::FunctionDef:
    case Kind::ClassDef:
      return true;
    default:
      return false;
  }
}

void Generator::end_line(int indent) {
  if (line_.empty()) {
    line_.depth += indent;
    return;
  }
  if (line_.leaves.size() == 1 && line_.leaves[0]->is(Kind::Async) &&
      line_.leaves[0]->parent_is(Kind::AsyncStmt)) {
    return;  // the statement goes on behind it
  }
  Line complete = std::move(line_);
  line_ = Line{.depth = complete.depth + indent};
  sink_(complete);
}

void Generator::comments(Node* leaf) {
  for (const CommentText& comment : leaf->comments) {
    Node* out = tree_.leaf(
        comment.trailing ? Kind::Comment : Kind::StandaloneComment,
        normalize_comment(comment.text));
    out->blank_lines = comment.blank_lines;
    if (line_.brackets.any_open()) {
      line_.append(out);
    } else if (comment.trailing && !line_.empty()) {
      line_.append(out);
      end_line();
    } else {
      end_line();
      out->kind = Kind::StandaloneComment;
      line_.append(out);
      end_line();
    }
  }
}

void Generator::leaf(Node* leaf) {
  comments(leaf);
  if (leaf->kind < Kind::Newline) {
    line_.append(leaf);
  }
}

void Generator::children(Node* node) {
  // A visit may put parentheses around a child.
  for (size_t i = 0; i < node->children.size(); ++i) {
    visit(node->children[i]);
  }
}

void Generator::keyword_children(Node* node, Words keywords) {
  for (size_t i = 0; i < node->children.size(); ++i) {
    Node* child = node->children[i];
    if (child->is(Kind::Name)) {
      for (std::string_view word : keywords) {
        if (child->value == word) {
          end_line();
        }
      }
    }
    visit(child);
  }
}

void Generator::statement(Node* node, Words keywords, Words parentheses) {
  normalize_parentheses(tree_, node, parentheses);
  keyword_children(node, keywords);
}

void Generator::simple_statement(Node* node) {
  bool first = true;
  for (size_t i = 0; i < node->children.size(); ++i) {
    const Kind kind = node->children[i]->kind;
    if (first && (kind == Kind::ArithExpr || kind == Kind::ShiftExpr ||
                  kind == Kind::XorExpr || kind == Kind::AndExpr)) {
      tree_.parenthesize(node->children[i], false);
    }
    first = kind == Kind::Semicolon;
  }
  if (node->parent && is_statement(node->parent->kind)) {
    const bool stub =
        is_stub_body(*node) &&
        (node->parent_is(Kind::FunctionDef) || node->parent_is(Kind::ClassDef));
    if (!stub) {
      end_line(+1);
    }
    children(node);
    if (!stub) {
      end_line(-1);
    }
    return;
  }
  if (!(node->parent && is_stub_suite(*node->parent))) {
    end_line();
  }
  children(node);
}

void Generator::suite(Node* node) {
  if (is_stub_suite(*node)) {
    visit(node->children[1]);
    return;
  }
  visit(node->children[0]);
  end_line(+1);
  for (size_t i = 1; i < node->children.size(); ++i) {
    visit(node->children[i]);
  }
}

void Generator::function(Node* node) {
  end_line();
  for (size_t i = 0; i + 1 < node->children.size(); ++i) {
    if (!node->children[i]->is(Kind::Arrow)) {
      continue;
    }
    Node* result = node->children[i + 1];
    const bool parenthesized =
        result->is(Kind::Atom) && result->children[0]->is(Kind::LeftParen);
    if (!parenthesized || hide_parentheses(result, node)) {
      tree_.parenthesize(result, false);
    }
    break;
  }
  children(node);
}

void Generator::async(Node* node) {
  end_line();
  children(node);
}

void Generator::ternary(Node* node) {
  const Node* before = node->previous_sibling();
  if (!before || !before->is(Kind::LeftParen)) {
    Node* open = tree_.leaf(Kind::LeftParen, "");
    Node* first = first_leaf(node);
    std::swap(open->comments, first->comments);
    std::swap(open->blank_lines, first->blank_lines);
    insert_child(node, 0, open);
    insert_child(node, node->children.size(), tree_.leaf(Kind::RightParen, ""));
  }
  children(node);
}

// -x ** y as -(x**y)
void Generator::factor(Node* node) {
  Node* operand = node->children[1];
  if (operand->is(Kind::Power) && operand->children.size() == 3 &&
      operand->children[1]->is(Kind::DoubleStar)) {
    tree_.parenthesize(operand, true);
  }
  children(node);
}

// 1 .real as (1).real
void Generator::power(Node* node) {
  Node* first = node->children[0];
  if (first->is(Kind::Number) && node->children[1]->is(Kind::Trailer) &&
      node->children[1]->children[0]->is(Kind::Dot)) {
    const std::string text = normalize_number(first->value);
    if (!text.starts_with("0x") && !text.starts_with("0b") &&
        !text.starts_with("0o") && !text.ends_with('j')) {
      tree_.parenthesize(first, true);
    }
  }
  children(node);
}

void Generator::atom(Node* node) {
  if (node->children.size() == 3 && (node->children[0]->is(Kind::LeftBracket) ||
                                     node->children[0]->is(Kind::LeftBrace))) {
    hide_parentheses(node->children[1], node);
  }
  children(node);
}

void Generator::string(Node* node) {
  const std::string text = normalize_escapes(node->value);
  const bool docstring = is_docstring(*node);
  // A backslash at the end of a line ties its value to the layout.
  bool continued = false;
  for (size_t at = text.find('\\'); at != std::string::npos;
       at = text.find('\\', at + 1)) {
    const size_t next = text.find_first_not_of(" \t", at + 1);
    continued = continued || (next != std::string::npos && text[next] == '\n');
  }
  if (docstring && !continued) {
    // Comments above end the line that the depth is read from.
    node->value =
        normalize_docstring(text, static_cast<size_t>(line_.depth) * 4);
  } else {
    node->value = normalize_quotes(normalize_prefix(text));
  }
  leaf(node);
}

void Generator::compound(Node* node) {
  switch (node->kind) {
    case Kind::IfStmt:
      return statement(node, {"if", "else", "elif"}, {"if", "elif"});
    case Kind::WhileStmt:
      return statement(node, {"while", "else"}, {"while"});
    case Kind::ForStmt:
      return statement(node, {"for", "else"}, {"for", "in"});
    case Kind::TryStmt:
      return statement(node, {"try", "except", "else", "finally"}, {});
    case Kind::ExceptClause:
      return statement(node, {"except"}, {"except"});
    case Kind::WithStmt:
      return statement(node, {"with"}, {"with"});
    default:
      return statement(node, {"class"}, {});
  }
}

void Generator::visit(Node* node) {
  switch (node->kind) {
    case Kind::String:
      return string(node);
    case Kind::Number:
      node->value = normalize_number(node->value);
      return leaf(node);
    case Kind::Semicolon:
      return end_line();
    case Kind::Dedent:
      end_line();
      leaf(node);
      return end_line(-1);
    case Kind::EndMarker:
      leaf(node);
      return end_line();
    case Kind::IfStmt:
    case Kind::WhileStmt:
    case Kind::ForStmt:
    case Kind::TryStmt:
    case Kind::ExceptClause:
    case Kind::WithStmt:
    case Kind::ClassDef:
      return compound(node);
    case Kind::ExprStmt:
      normalize_assignment(tree_, node);
      return children(node);
    case Kind::AssertStmt:
      return statement(node, {"assert"}, {"assert"});
    case Kind::ReturnStmt:
      return statement(node, {"return"}, {"return"});
    case Kind::ImportFrom:
      return statement(node, {}, {"import"});
    case Kind::DelStmt:
      return statement(node, {}, {"del"});
    case Kind::FunctionDef:
      return function(node);
    case Kind::AsyncStmt:
      return async(node);
    case Kind::Decorated:
    case Kind::Decorators:
      for (size_t i = 0; i < node->children.size(); ++i) {
        end_line();
        visit(node->children[i]);
      }
      return;
    case Kind::SimpleStmt:
      return simple_statement(node);
    case Kind::Suite:
      return suite(node);
    case Kind::Ternary:
      return ternary(node);
    case Kind::Factor:
      return factor(node);
    case Kind::Power:
      return power(node);
    case Kind::Atom:
      return atom(node);
    case Kind::TypedName:
      if (hide_parentheses(node->children[2], node)) {
        tree_.parenthesize(node->children[2], false);
      }
      return children(node);
    default:
      return node->leaf() ? leaf(node) : children(node);
  }
}

}  // namespace

void generate_lines(
    Tree& tree,
    Node* root,
    const std::function<void(Line&)>& sink) {
  Generator(tree, sink).visit(root);
}

}  // namespace portwright::emit::printing
