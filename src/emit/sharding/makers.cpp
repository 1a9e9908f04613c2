#include "emit/sharding/makers.h"

#include <algorithm>
#include <iterator>

#include "emit/operations.h"

namespace portwright::emit::sharding {

namespace ast = syntax;
using ast::ExprKind;
using ast::StmtKind;

std::string spelling(const ast::Expr& e) {
  return std::string(e.span.text());
}

std::string own_attribute(const ast::Expr& e) {
  const std::string text = spelling(e);
  return e.kind == ExprKind::Attribute && text.starts_with("self.") &&
                 text.find('.', 5) == std::string::npos
             ? text.substr(5)
             : "";
}

std::optional<int64_t> integer(const ast::Expr& e) {
  if (e.kind == ExprKind::Constant &&
      ast::as<ast::Constant>(e).value_kind == ast::ConstantKind::Int) {
    return ast::as<ast::Constant>(e).int_value;
  }
  if (e.kind == ExprKind::UnaryOp &&
      ast::as<ast::UnaryOp>(e).op == ast::UnaryOperator::USub) {
    const auto n = integer(*ast::as<ast::UnaryOp>(e).operand);
    return n ? std::optional(-*n) : n;
  }
  return {};
}

const ast::Expr* keyword(const ast::Call& call, std::string_view name) {
  for (const auto& k : call.keywords) {
    if (k.arg && k.arg.str() == name) {
      return k.value;
    }
  }
  return nullptr;
}

Parsed parse_function(
    const std::vector<std::string>& parameters,
    const std::vector<std::string>& lines) {
  std::string text = "def f(" + join(parameters) + "):\n    pass\n";
  for (const auto& line : lines) {
    text += line.empty() ? "\n" : "    " + line + "\n";
  }
  Parsed out{ast::parse_module("", text), {}};
  if (out.result.diagnostics.empty() && !out.result.tree.body.empty()) {
    out.body = ast::as<ast::FunctionDef>(*out.result.tree.body.front()).body;
  }
  return out;
}

namespace {

std::string maker_text(const ast::Expr& e) {
  const std::string text = spelling(e);
  if (text.find("mx.") != std::string::npos) {
    return "array";
  }
  if (e.kind == ExprKind::Call) {
    const std::string maker = spelling(*ast::as<ast::Call>(e).func);
    return maker == "apply_yarn_mscale" ? "" : maker;  // a number
  }
  if (e.kind == ExprKind::Subscript && text.starts_with("ACTIVATIONS[")) {
    return "ACTIVATIONS";
  }
  return e.kind == ExprKind::List || text.find("nn.") != std::string::npos
             ? "unknown"
             : "";
}

bool may_have_bias(const std::string& text) {
  return text.starts_with("SwitchGLU(")
             ? text.find("bias=") != std::string::npos &&
                   text.find("bias=False") == std::string::npos
             : text.find("bias=False") == std::string::npos;
}

/// [MLP(args), MLP(args)]
bool is_list_of_calls(const ast::Expr& e) {
  const auto elements =
      e.kind == ExprKind::List ? ast::as<ast::Sequence>(e).elts : ast::Exprs{};
  return !elements.empty() &&
         std::all_of(elements.begin(), elements.end(), [](const auto* element) {
           return element->kind == ExprKind::Call;
         });
}

void add_makers(const ast::Expr& e, Made& out) {
  if (e.kind == ExprKind::IfExp) {
    add_makers(*ast::as<ast::IfExp>(e).body, out);
    add_makers(*ast::as<ast::IfExp>(e).orelse, out);
  } else if (e.kind == ExprKind::ListComp) {
    out.list = true;
    add_makers(*ast::as<ast::ElementComp>(e).elt, out);
  } else if (is_list_of_calls(e)) {
    out.several = true;
    for (const ast::Expr* element : ast::as<ast::Sequence>(e).elts) {
      add_makers(*element, out);
    }
  } else if (spelling(e) != "None") {
    out.makers.insert(maker_text(e));
    out.bias = out.bias || may_have_bias(spelling(e));
  }
}

/// Answers what is made whichever branches are taken.
std::set<std::string> add_makers(const ast::Stmts& body, Makers& out) {
  std::set<std::string> always;
  for (const ast::Stmt* s : body) {
    if (s->kind == StmtKind::If) {
      const auto& branch = ast::as<ast::Conditional>(*s);
      const auto first = add_makers(branch.body, out);
      const auto second = add_makers(branch.orelse, out);
      std::set_intersection(
          first.begin(),
          first.end(),
          second.begin(),
          second.end(),
          std::inserter(always, always.end()));
    } else if (s->kind == StmtKind::Assign) {
      const auto& assign = ast::as<ast::Assign>(*s);
      for (const ast::Expr* target : assign.targets) {
        if (const auto name = own_attribute(*target); !name.empty()) {
          const auto place = out.size();
          const auto [it, fresh] = out.try_emplace(name);
          it->second.place = fresh ? place : it->second.place;
          add_makers(*assign.value, it->second);
          always.insert(name);
        }
      }
    }
  }
  return always;
}

}  // namespace

bool is_scalar(const Makers& makers, const std::string& name) {
  const auto it = makers.find(name);
  return it != makers.end() && it->second.makers == std::set<std::string>{""};
}

Makers makers_of(const ClassText& text) {
  std::vector<std::string> lines;
  for (std::string line : text.init) {
    std::erase_if(
        line, [](char c) { return c == kIndexMark || c == kLayerMark; });
    lines.push_back(std::move(line));
  }
  const Parsed parsed = parse_function({}, lines);
  Makers out;
  for (const auto& name : add_makers(parsed.body, out)) {
    out[name].always = true;
  }
  return out;
}

}  // namespace portwright::emit::sharding
