#include "eval/walk.h"

namespace portwright::eval {

namespace ast = syntax;

void Walk::walk(ast::Stmts body) {
  for (const ast::Stmt* s : body) {
    walk_stmt(*s);
  }
}

void Walk::walk_all(ast::Exprs exprs) {
  for (const ast::Expr* e : exprs) {
    walk(e);
  }
}

void Walk::walk_generators(ast::Seq<ast::Comprehension> generators) {
  for (const ast::Comprehension& g : generators) {
    walk(g.target);
    walk(g.iter);
    walk_all(g.ifs);
  }
}

void Walk::walk_arguments(const ast::Arguments& args) {
  walk_all(args.defaults);
  walk_all(args.kw_defaults);
}

void Walk::walk(const ast::Expr* expr) {
  if (!expr) {
    return;
  }
  const ast::Expr& e = *expr;
  on_expr(e);
  switch (e.kind) {
    case ast::ExprKind::BoolOp:
      return walk_all(as<ast::BoolOp>(e).values);
    case ast::ExprKind::NamedExpr:
      return walk(as<ast::NamedExpr>(e).value);
    case ast::ExprKind::BinOp:
      walk(as<ast::BinOp>(e).left);
      return walk(as<ast::BinOp>(e).right);
    case ast::ExprKind::UnaryOp:
      return walk(as<ast::UnaryOp>(e).operand);
    case ast::ExprKind::Lambda:
      return walk_arguments(*as<ast::Lambda>(e).args);
    case ast::ExprKind::IfExp:
      walk(as<ast::IfExp>(e).test);
      walk(as<ast::IfExp>(e).body);
      return walk(as<ast::IfExp>(e).orelse);
    case ast::ExprKind::Dict:
      walk_all(as<ast::Dict>(e).keys);
      return walk_all(as<ast::Dict>(e).values);
    case ast::ExprKind::Set:
      return walk_all(as<ast::Set>(e).elts);
    case ast::ExprKind::ListComp:
    case ast::ExprKind::SetComp:
    case ast::ExprKind::GeneratorExp:
      ++comprehensions_;
      walk(as<ast::ElementComp>(e).elt);
      walk_generators(as<ast::ElementComp>(e).generators);
      --comprehensions_;
      return;
    case ast::ExprKind::DictComp:
      ++comprehensions_;
      walk(as<ast::DictComp>(e).key);
      walk(as<ast::DictComp>(e).value);
      walk_generators(as<ast::DictComp>(e).generators);
      --comprehensions_;
      return;
    case ast::ExprKind::Await:
    case ast::ExprKind::Yield:
    case ast::ExprKind::YieldFrom:
      return walk(as<ast::ValueExpr>(e).value);
    case ast::ExprKind::Compare:
      walk(as<ast::Compare>(e).left);
      return walk_all(as<ast::Compare>(e).comparators);
    case ast::ExprKind::Call:
      walk(as<ast::Call>(e).func);
      walk_all(as<ast::Call>(e).args);
      for (const ast::Keyword& k : as<ast::Call>(e).keywords) {
        walk(k.value);
      }
      return;
    case ast::ExprKind::FormattedValue:
      walk(as<ast::FormattedValue>(e).value);
      return walk(as<ast::FormattedValue>(e).format_spec);
    case ast::ExprKind::JoinedStr:
    case ast::ExprKind::TemplateStr:
      return walk_all(as<ast::JoinedStr>(e).values);
    case ast::ExprKind::Attribute:
      return walk(as<ast::Attribute>(e).value);
    case ast::ExprKind::Subscript:
      walk(as<ast::Subscript>(e).value);
      return walk(as<ast::Subscript>(e).slice);
    case ast::ExprKind::Starred:
      return walk(as<ast::Starred>(e).value);
    case ast::ExprKind::List:
    case ast::ExprKind::Tuple:
      return walk_all(as<ast::Sequence>(e).elts);
    case ast::ExprKind::Slice:
      walk(as<ast::Slice>(e).lower);
      walk(as<ast::Slice>(e).upper);
      return walk(as<ast::Slice>(e).step);
    case ast::ExprKind::Name:
    case ast::ExprKind::Constant:
    case ast::ExprKind::Interpolation:
      return;
  }
}

void Walk::walk_pattern(const ast::Pattern* pattern) {
  if (!pattern) {
    return;
  }
  const ast::Pattern& p = *pattern;
  switch (p.kind) {
    case ast::PatternKind::MatchSequence:
    case ast::PatternKind::MatchOr:
      for (const ast::Pattern* sub : as<ast::MatchSequence>(p).patterns) {
        walk_pattern(sub);
      }
      return;
    case ast::PatternKind::MatchMapping:
      for (const ast::Pattern* sub : as<ast::MatchMapping>(p).patterns) {
        walk_pattern(sub);
      }
      if (as<ast::MatchMapping>(p).rest) {
        on_pattern(as<ast::MatchMapping>(p).rest);
      }
      return;
    case ast::PatternKind::MatchClass:
      for (const ast::Pattern* sub : as<ast::MatchClass>(p).patterns) {
        walk_pattern(sub);
      }
      for (const ast::Pattern* sub : as<ast::MatchClass>(p).kwd_patterns) {
        walk_pattern(sub);
      }
      return;
    case ast::PatternKind::MatchStar:
      if (as<ast::MatchStar>(p).name) {
        on_pattern(as<ast::MatchStar>(p).name);
      }
      return;
    case ast::PatternKind::MatchAs:
      walk_pattern(as<ast::MatchAs>(p).pattern);
      if (as<ast::MatchAs>(p).name) {
        on_pattern(as<ast::MatchAs>(p).name);
      }
      return;
    case ast::PatternKind::MatchValue:
    case ast::PatternKind::MatchSingleton:
      return;
  }
}

void Walk::walk_stmt(const ast::Stmt& s) {
  on_stmt(s);
  switch (s.kind) {
    case ast::StmtKind::FunctionDef:
    case ast::StmtKind::AsyncFunctionDef:
      walk_all(as<ast::FunctionDef>(s).decorator_list);
      return walk_arguments(*as<ast::FunctionDef>(s).args);
    case ast::StmtKind::ClassDef:
      walk_all(as<ast::ClassDef>(s).decorator_list);
      return walk_all(as<ast::ClassDef>(s).bases);
    case ast::StmtKind::Return:
      return walk(as<ast::Return>(s).value);
    case ast::StmtKind::Delete:
      return walk_all(as<ast::Delete>(s).targets);
    case ast::StmtKind::Assign:
      walk_all(as<ast::Assign>(s).targets);
      return walk(as<ast::Assign>(s).value);
    case ast::StmtKind::TypeAlias:
      return walk(as<ast::TypeAlias>(s).name);
    case ast::StmtKind::AugAssign:
      walk(as<ast::AugAssign>(s).target);
      return walk(as<ast::AugAssign>(s).value);
    case ast::StmtKind::AnnAssign:
      walk(as<ast::AnnAssign>(s).target);
      return walk(as<ast::AnnAssign>(s).value);
    case ast::StmtKind::For:
    case ast::StmtKind::AsyncFor:
      walk(as<ast::For>(s).target);
      walk(as<ast::For>(s).iter);
      walk(as<ast::For>(s).body);
      return walk(as<ast::For>(s).orelse);
    case ast::StmtKind::While:
    case ast::StmtKind::If:
      walk(as<ast::Conditional>(s).test);
      walk(as<ast::Conditional>(s).body);
      return walk(as<ast::Conditional>(s).orelse);
    case ast::StmtKind::With:
    case ast::StmtKind::AsyncWith:
      for (const ast::WithItem& item : as<ast::With>(s).items) {
        walk(item.context_expr);
        walk(item.optional_vars);
      }
      return walk(as<ast::With>(s).body);
    case ast::StmtKind::Match:
      walk(as<ast::Match>(s).subject);
      for (const ast::MatchCase& c : as<ast::Match>(s).cases) {
        walk_pattern(c.pattern);
        walk(c.guard);
        walk(c.body);
      }
      return;
    case ast::StmtKind::Raise:
      walk(as<ast::Raise>(s).exc);
      return walk(as<ast::Raise>(s).cause);
    case ast::StmtKind::Try:
    case ast::StmtKind::TryStar:
      walk(as<ast::Try>(s).body);
      for (const ast::ExceptHandler& h : as<ast::Try>(s).handlers) {
        walk(h.type);
        walk(h.body);
      }
      walk(as<ast::Try>(s).orelse);
      return walk(as<ast::Try>(s).finalbody);
    case ast::StmtKind::Assert:
      walk(as<ast::Assert>(s).test);
      return walk(as<ast::Assert>(s).msg);
    case ast::StmtKind::Expr:
      return walk(as<ast::ExprStmt>(s).value);
    default:
      return;
  }
}

}  // namespace portwright::eval
