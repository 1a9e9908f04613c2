#include "eval/walk.h"

namespace portwright::eval {

using namespace syntax;

void Walk::walk(Stmts body) {
  for (const Stmt* s : body) {
    walk_stmt(*s);
  }
}

void Walk::walk_all(Exprs exprs) {
  for (const Expr* e : exprs) {
    walk(e);
  }
}

void Walk::walk_generators(Seq<Comprehension> generators) {
  for (const Comprehension& g : generators) {
    walk(g.target);
    walk(g.iter);
    walk_all(g.ifs);
  }
}

void Walk::walk_arguments(const Arguments& args) {
  walk_all(args.defaults);
  walk_all(args.kw_defaults);
}

void Walk::walk(const Expr* expr) {
  if (!expr) {
    return;
  }
  const Expr& e = *expr;
  on_expr(e);
  switch (e.kind) {
    case ExprKind::BoolOp:
      return walk_all(as<BoolOp>(e).values);
    case ExprKind::NamedExpr:
      return walk(as<NamedExpr>(e).value);
    case ExprKind::BinOp:
      walk(as<BinOp>(e).left);
      return walk(as<BinOp>(e).right);
    case ExprKind::UnaryOp:
      return walk(as<UnaryOp>(e).operand);
    case ExprKind::Lambda:
      return walk_arguments(*as<Lambda>(e).args);
    case ExprKind::IfExp:
      walk(as<IfExp>(e).test);
      walk(as<IfExp>(e).body);
      return walk(as<IfExp>(e).orelse);
    case ExprKind::Dict:
      walk_all(as<Dict>(e).keys);
      return walk_all(as<Dict>(e).values);
    case ExprKind::Set:
      return walk_all(as<Set>(e).elts);
    case ExprKind::ListComp:
    case ExprKind::SetComp:
    case ExprKind::GeneratorExp:
      ++comprehensions_;
      walk(as<ElementComp>(e).elt);
      walk_generators(as<ElementComp>(e).generators);
      --comprehensions_;
      return;
    case ExprKind::DictComp:
      ++comprehensions_;
      walk(as<DictComp>(e).key);
      walk(as<DictComp>(e).value);
      walk_generators(as<DictComp>(e).generators);
      --comprehensions_;
      return;
    case ExprKind::Await:
    case ExprKind::Yield:
    case ExprKind::YieldFrom:
      return walk(as<ValueExpr>(e).value);
    case ExprKind::Compare:
      walk(as<Compare>(e).left);
      return walk_all(as<Compare>(e).comparators);
    case ExprKind::Call:
      walk(as<Call>(e).func);
      walk_all(as<Call>(e).args);
      for (const Keyword& k : as<Call>(e).keywords) {
        walk(k.value);
      }
      return;
    case ExprKind::FormattedValue:
      walk(as<FormattedValue>(e).value);
      return walk(as<FormattedValue>(e).format_spec);
    case ExprKind::JoinedStr:
    case ExprKind::TemplateStr:
      return walk_all(as<JoinedStr>(e).values);
    case ExprKind::Attribute:
      return walk(as<Attribute>(e).value);
    case ExprKind::Subscript:
      walk(as<Subscript>(e).value);
      return walk(as<Subscript>(e).slice);
    case ExprKind::Starred:
      return walk(as<Starred>(e).value);
    case ExprKind::List:
    case ExprKind::Tuple:
      return walk_all(as<Sequence>(e).elts);
    case ExprKind::Slice:
      walk(as<Slice>(e).lower);
      walk(as<Slice>(e).upper);
      return walk(as<Slice>(e).step);
    case ExprKind::Name:
    case ExprKind::Constant:
    case ExprKind::Interpolation:
      return;
  }
}

void Walk::walk_pattern(const Pattern* pattern) {
  if (!pattern) {
    return;
  }
  const Pattern& p = *pattern;
  switch (p.kind) {
    case PatternKind::MatchSequence:
    case PatternKind::MatchOr:
      for (const Pattern* sub : as<MatchSequence>(p).patterns) {
        walk_pattern(sub);
      }
      return;
    case PatternKind::MatchMapping:
      for (const Pattern* sub : as<MatchMapping>(p).patterns) {
        walk_pattern(sub);
      }
      if (as<MatchMapping>(p).rest) {
        on_pattern(as<MatchMapping>(p).rest);
      }
      return;
    case PatternKind::MatchClass:
      for (const Pattern* sub : as<MatchClass>(p).patterns) {
        walk_pattern(sub);
      }
      for (const Pattern* sub : as<MatchClass>(p).kwd_patterns) {
        walk_pattern(sub);
      }
      return;
    case PatternKind::MatchStar:
      if (as<MatchStar>(p).name) {
        on_pattern(as<MatchStar>(p).name);
      }
      return;
    case PatternKind::MatchAs:
      walk_pattern(as<MatchAs>(p).pattern);
      if (as<MatchAs>(p).name) {
        on_pattern(as<MatchAs>(p).name);
      }
      return;
    case PatternKind::MatchValue:
    case PatternKind::MatchSingleton:
      return;
  }
}

void Walk::walk_stmt(const Stmt& s) {
  on_stmt(s);
  switch (s.kind) {
    case StmtKind::FunctionDef:
    case StmtKind::AsyncFunctionDef:
      walk_all(as<FunctionDef>(s).decorator_list);
      return walk_arguments(*as<FunctionDef>(s).args);
    case StmtKind::ClassDef:
      walk_all(as<ClassDef>(s).decorator_list);
      return walk_all(as<ClassDef>(s).bases);
    case StmtKind::Return:
      return walk(as<Return>(s).value);
    case StmtKind::Delete:
      return walk_all(as<Delete>(s).targets);
    case StmtKind::Assign:
      walk_all(as<Assign>(s).targets);
      return walk(as<Assign>(s).value);
    case StmtKind::TypeAlias:
      return walk(as<TypeAlias>(s).name);
    case StmtKind::AugAssign:
      walk(as<AugAssign>(s).target);
      return walk(as<AugAssign>(s).value);
    case StmtKind::AnnAssign:
      walk(as<AnnAssign>(s).target);
      return walk(as<AnnAssign>(s).value);
    case StmtKind::For:
    case StmtKind::AsyncFor:
      walk(as<For>(s).target);
      walk(as<For>(s).iter);
      walk(as<For>(s).body);
      return walk(as<For>(s).orelse);
    case StmtKind::While:
    case StmtKind::If:
      walk(as<Conditional>(s).test);
      walk(as<Conditional>(s).body);
      return walk(as<Conditional>(s).orelse);
    case StmtKind::With:
    case StmtKind::AsyncWith:
      for (const WithItem& item : as<With>(s).items) {
        walk(item.context_expr);
        walk(item.optional_vars);
      }
      return walk(as<With>(s).body);
    case StmtKind::Match:
      walk(as<Match>(s).subject);
      for (const MatchCase& c : as<Match>(s).cases) {
        walk_pattern(c.pattern);
        walk(c.guard);
        walk(c.body);
      }
      return;
    case StmtKind::Raise:
      walk(as<Raise>(s).exc);
      return walk(as<Raise>(s).cause);
    case StmtKind::Try:
    case StmtKind::TryStar:
      walk(as<Try>(s).body);
      for (const ExceptHandler& h : as<Try>(s).handlers) {
        walk(h.type);
        walk(h.body);
      }
      walk(as<Try>(s).orelse);
      return walk(as<Try>(s).finalbody);
    case StmtKind::Assert:
      walk(as<Assert>(s).test);
      return walk(as<Assert>(s).msg);
    case StmtKind::Expr:
      return walk(as<ExprStmt>(s).value);
    default:
      return;
  }
}

}  // namespace portwright::eval
