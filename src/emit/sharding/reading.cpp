#include "emit/sharding/reading.h"

#include <algorithm>

namespace portwright::emit::sharding {

namespace ast = syntax;
using ast::ExprKind;
using ast::StmtKind;
using Kind = Spread::Kind;

Splits Reading::run(const ClassText& text) {
  const Spread answer = call(text, "", {kWhole}, {});
  if (answer.kind == Kind::Part) {
    splits_.sums = true;
  } else if (is_split(answer)) {
    conflict({answer});
  }
  join_slices();
  for (const auto* part : {&splits_.divided, &splits_.sliced}) {
    for (const auto& name : *part) {
      if (read_.contains(name)) {
        throw Conflict{};  // needed in full elsewhere
      }
    }
  }
  return std::move(splits_);
}

Spread Reading::call(
    const ClassText& text,
    const std::string& path,
    const std::vector<Spread>& positional,
    const std::map<std::string, Spread>& keywords) {
  if (path.size() > 200) {
    conflict(positional);
  }
  Scope scope{path, makers_of(text), {}, {}};
  for (size_t i = 0; i < text.call_params.size(); ++i) {
    const std::string& p = text.call_params[i];
    const std::string name = p.substr(0, p.find_first_of(":="));
    const bool outside = name == "mask" || name == "cache" ||
                         name == "ssm_mask" || name.ends_with("cache");
    const auto given = keywords.find(name);
    scope.names[name] = i < positional.size()     ? positional[i]
                        : given != keywords.end() ? given->second
                        : outside                 ? Spread{}
                                                  : kWhole;
  }
  const Parsed parsed = parse_function(text.call_params, text.call);
  if (parsed.body.empty()) {
    conflict(positional);
  }
  run_block(parsed.body, scope);
  if (!scope.answer) {
    conflict(positional);
  }
  return *scope.answer;
}

void Reading::run_block(const ast::Stmts& body, Scope& scope) {
  for (const ast::Stmt* s : body) {
    run(*s, scope);
  }
}

void Reading::run(const ast::Stmt& s, Scope& scope) {
  switch (s.kind) {
    case StmtKind::Pass:
      return;
    case StmtKind::Expr:
      value(*ast::as<ast::ExprStmt>(s).value, scope);
      return;
    case StmtKind::Return: {
      const auto& e = ast::as<ast::Return>(s).value;
      const Spread answer = e ? value(*e, scope) : Spread{};
      if (scope.answer && !(*scope.answer == answer)) {
        conflict({*scope.answer, answer});
      }
      scope.answer = answer;
      return;
    }
    case StmtKind::Assign: {
      const auto& assign = ast::as<ast::Assign>(s);
      const Spread v = value(*assign.value, scope);
      for (const ast::Expr* target : assign.targets) {
        store(*target, v, scope);
      }
      return;
    }
    case StmtKind::AugAssign: {
      const auto& assign = ast::as<ast::AugAssign>(s);
      store(
          *assign.target,
          operation(
              assign.op,
              value(*assign.target, scope),
              value(*assign.value, scope)),
          scope);
      return;
    }
    case StmtKind::If:
      run_if(ast::as<ast::Conditional>(s), scope);
      return;
    default:
      give_up(scope);
  }
}

void Reading::give_up(const Scope& scope) {
  std::vector<Spread> all;
  for (const auto& [name, spread] : scope.names) {
    all.push_back(spread);
  }
  conflict(all);
}

void Reading::run_if(const ast::Conditional& s, Scope& scope) {
  needs_whole(value(*s.test, scope));
  Scope when = scope;
  run_block(s.body, when);
  run_block(s.orelse, scope);
  for (const auto& [name, spread] : when.names) {
    const auto [it, fresh] = scope.names.try_emplace(name, spread);
    if (!fresh && !(it->second == spread)) {
      const bool apart = is_split(it->second) || is_split(spread);
      std::set<std::string> makers;
      collect_makers(it->second, makers);
      collect_makers(spread, makers);
      it->second = kWhole;
      if (apart) {
        it->second.kind = Kind::Unknown;
        it->second.makers = std::move(makers);
      }
    } else {
      it->second.makers.insert(spread.makers.begin(), spread.makers.end());
      it->second.one_head = it->second.one_head && spread.one_head;
    }
  }
  if (when.answer && scope.answer && !(*when.answer == *scope.answer)) {
    conflict({*when.answer, *scope.answer});
  }
  scope.answer = when.answer ? when.answer : scope.answer;
}

void Reading::store(const ast::Expr& target, const Spread& v, Scope& scope) {
  if (target.kind == ExprKind::Name) {
    scope.names[ast::as<ast::Name>(target).id.str()] = v;
  } else if (target.kind == ExprKind::Tuple || target.kind == ExprKind::List) {
    const auto& elts = ast::as<ast::Sequence>(target).elts;
    for (size_t i = 0; i < elts.size(); ++i) {
      if (v.kind == Kind::Several && i >= v.items.size()) {
        conflict({v});
      }
      store(*elts[i], v.kind == Kind::Several ? v.items[i] : v, scope);
    }
    if (v.kind == Kind::Split || v.kind == Kind::Part) {
      conflict({v});
    }
  } else {
    needs_whole(v);
  }
}

Spread Reading::value(const ast::Expr& e, Scope& scope) {
  switch (e.kind) {
    case ExprKind::Constant:
      return {};
    case ExprKind::Name: {
      const auto it = scope.names.find(ast::as<ast::Name>(e).id.str());
      return it == scope.names.end() ? Spread{} : it->second;
    }
    case ExprKind::Attribute:
      return attribute(ast::as<ast::Attribute>(e), scope);
    case ExprKind::Subscript:
      return subscript(ast::as<ast::Subscript>(e), scope);
    case ExprKind::BinOp: {
      const auto& b = ast::as<ast::BinOp>(e);
      return operation(b.op, value(*b.left, scope), value(*b.right, scope));
    }
    case ExprKind::UnaryOp: {
      const auto& u = ast::as<ast::UnaryOp>(e);
      const Spread v = value(*u.operand, scope);
      return u.op == ast::UnaryOperator::USub ? v : joined({v});
    }
    case ExprKind::Compare: {
      const auto& c = ast::as<ast::Compare>(e);
      std::vector<Spread> all{value(*c.left, scope)};
      for (const ast::Expr* x : c.comparators) {
        all.push_back(value(*x, scope));
      }
      return joined(all);
    }
    case ExprKind::IfExp: {
      const auto& i = ast::as<ast::IfExp>(e);
      needs_whole(value(*i.test, scope));
      const Spread a = value(*i.body, scope), b = value(*i.orelse, scope);
      if (!(a == b) && (is_split(a) || is_split(b))) {
        conflict({a, b});
      }
      return a.kind == Kind::Free ? b : a;
    }
    case ExprKind::Tuple:
    case ExprKind::List: {
      Spread out;
      out.kind = Kind::Several;
      for (const ast::Expr* item : ast::as<ast::Sequence>(e).elts) {
        out.items.push_back(value(*item, scope));
      }
      return out;
    }
    case ExprKind::Call:
      return call_of(ast::as<ast::Call>(e), scope);
    default:
      return other(e, scope);
  }
}

Spread Reading::other(const ast::Expr& e, Scope& scope) {
  const std::string text = spelling(e);
  for (const auto& [name, spread] : scope.names) {
    if (is_split(spread) && text.find(name) != std::string::npos) {
      conflict({spread});
    }
  }
  return text.find("self.") == std::string::npos ? Spread{} : kWhole;
}

Spread Reading::attribute(const ast::Attribute& e, Scope& scope) {
  if (const std::string name = own_attribute(e); !name.empty()) {
    read_.insert(scope.path + name);
    return is_scalar(scope.makers, name) ? Spread{} : kWhole;
  }
  const Spread v = value(*e.value, scope);
  const std::string& what = e.attr.str();
  if (what == "dtype" || what == "ndim") {
    return {};
  }
  if (what == "T") {
    needs_whole(v);
    return v;
  }
  if (what == "shape") {
    return extents(v);
  }
  needs_whole(v);
  return v;
}

Spread Reading::extents(const Spread& of) {
  if (of.kind != Kind::Split || of.rank <= 0) {
    needs_whole(of);
    return {};
  }
  Spread out;
  out.kind = Kind::Several;
  out.items.resize(of.rank);
  Spread& own = out.items[of.rank + of.axis];
  own.kind = Kind::Extent;
  own.makers = of.makers;
  return out;
}

Spread Reading::subscript(const ast::Subscript& e, Scope& scope) {
  Spread v = value(*e.value, scope);
  if (v.kind == Kind::Several) {
    const auto n = integer(*e.slice);
    if (n && *n >= 0 && *n < static_cast<int64_t>(v.items.size())) {
      return v.items[*n];
    }
  }
  if (!is_split(v)) {
    needs_whole(value(*e.slice, scope));
    return v;
  }
  const std::string index = spelling(*e.slice);
  if (v.kind == Kind::Split && index == "..., None") {
    --v.axis;
    ++v.rank;
    return v;
  }
  if (v.kind == Kind::Split && v.axis == -1) {
    return slice_of(e, v, scope);
  }
  const bool last = index.starts_with("..., ") &&
                    index.find(',', 5) == std::string::npos &&
                    index.find(':') != std::string::npos;
  if (v.kind != Kind::Split || !last || v.axis == -1) {
    conflict({v});
  }
  return v;
}

}  // namespace portwright::emit::sharding
