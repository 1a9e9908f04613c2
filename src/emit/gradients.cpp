#include "emit/gradients.h"

#include "base/pattern.h"
#include "eval/code.h"
#include "syntax/ast.h"
#include "syntax/printer.h"

namespace portwright::emit {

namespace ast = syntax;

namespace {

bool is_gradient_mode(const ast::Expr& e) {
  static const base::Pattern kMode(
      R"((contextlib\.)?nullcontext\(\)|torch\.(no_grad|enable_grad|inference_mode)\(\))");
  if (e.kind == ast::ExprKind::IfExp) {
    const auto& choice = ast::as<ast::IfExp>(e);
    return is_gradient_mode(*choice.body) && is_gradient_mode(*choice.orelse);
  }
  return kMode.match(ast::print(e)).has_value();
}

bool mentions(const std::string& text, const std::string& name) {
  return base::Pattern("\\b" + name + "\\b").search(text).has_value();
}

/// What a function assigns to names, and what else it reads.
class Uses {
 public:
  explicit Uses(const ast::Stmts& body) {
    visit(body);
    for (const auto& [name, values] : assigned_) {
      silent_.insert(name);
    }
    for (bool changed = true; changed;) {
      changed = std::erase_if(silent_, [&](const std::string& name) {
                  return !is_silent(name);
                }) > 0;
    }
  }

  /// True inside of what is assigned to a name that only such names read, and
  /// in the end a choice of the mode.
  bool is_silent(const base::Span& span) const {
    return std::any_of(
        silent_.begin(), silent_.end(), [&](const std::string& name) {
          const auto& values = assigned_.at(name);
          return std::any_of(values.begin(), values.end(), [&](auto* value) {
            return value->span.begin <= span.begin &&
                   span.end <= value->span.end;
          });
        });
  }

 private:
  void visit(const ast::Stmts& body) {
    for (const ast::Stmt* s : body) {
      visit(*s);
    }
  }

  void visit(const ast::Stmt& s) {
    switch (s.kind) {
      case ast::StmtKind::Assign: {
        const auto& assign = ast::as<ast::Assign>(s);
        const ast::Expr& target = *assign.targets[0];
        if (assign.targets.size() == 1 && target.kind == ast::ExprKind::Name) {
          assigned_[ast::as<ast::Name>(target).id.str()].push_back(
              assign.value);
          return;
        }
        others_.push_back(ast::print(s));
        return;
      }
      case ast::StmtKind::For: {
        const auto& loop = ast::as<ast::For>(s);
        others_.push_back(ast::print_header(s));
        visit(loop.body);
        visit(loop.orelse);
        return;
      }
      case ast::StmtKind::If: {
        const auto& choice = ast::as<ast::Conditional>(s);
        others_.push_back(ast::print(*choice.test));
        visit(choice.body);
        visit(choice.orelse);
        return;
      }
      case ast::StmtKind::With: {
        const auto& with = ast::as<ast::With>(s);
        for (const auto& item : with.items) {
          const std::string text = ast::print(*item.context_expr);
          (item.optional_vars ? others_ : entered_).push_back(text);
        }
        visit(with.body);
        return;
      }
      default:
        others_.push_back(ast::print(s));
    }
  }

  bool is_silent(const std::string& name) const {
    const auto reads = [&](const std::string& text) {
      return mentions(text, name);
    };
    if (std::any_of(others_.begin(), others_.end(), reads)) {
      return false;
    }
    for (const auto& [other, values] : assigned_) {
      for (const ast::Expr* value : values) {
        if (!silent_.contains(other) && reads(ast::print(*value))) {
          return false;
        }
      }
    }
    const auto& own = assigned_.at(name);
    return std::none_of(entered_.begin(), entered_.end(), reads) ||
           (std::all_of(own.begin(), own.end(), [](auto* value) {
             return is_gradient_mode(*value);
           }));
  }

  std::map<std::string, std::vector<const ast::Expr*>> assigned_;
  std::vector<std::string> others_, entered_;
  std::set<std::string> silent_;
};

}  // namespace

bool decides_gradients_alone(
    const trace::Frame& frame,
    const trace::Branch& branch) {
  const ast::Stmt* syntax =
      frame.function ? frame.function->code->syntax : nullptr;
  if (!syntax || syntax->kind != ast::StmtKind::FunctionDef) {
    return false;
  }
  const auto& body = ast::as<ast::FunctionDef>(*syntax).body;
  const auto from = body.front()->span.begin;
  const auto text =
      syntax->span.file->text().substr(from, body.back()->span.end - from);
  return text.find("_grad()") != std::string_view::npos &&
         Uses(body).is_silent(branch.span);
}

}  // namespace portwright::emit
