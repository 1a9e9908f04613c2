#include "emit/statements.h"

#include <algorithm>

#include "emit/config_text.h"
#include "emit/layout.h"
#include "emit/sharding/makers.h"

namespace portwright::emit {

namespace ast = syntax;
using ast::ExprKind;
using sharding::spelling;

size_t leading(const std::string& line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

std::optional<Assignment> assignment(const std::string& line) {
  const size_t at = line.find_first_not_of(' ');
  if (at == std::string::npos || line.find(" = ") == std::string::npos ||
      line.ends_with(":")) {
    return {};
  }
  Assignment out{
      line.substr(0, at), {}, ast::parse_module("", line.substr(at)), nullptr};
  if (!out.parsed.diagnostics.empty() || out.parsed.tree.body.size() != 1 ||
      out.parsed.tree.body.front()->kind != ast::StmtKind::Assign) {
    return {};
  }
  const auto& made = ast::as<ast::Assign>(*out.parsed.tree.body.front());
  if (made.targets.size() != 1) {
    return {};
  }
  const ast::Expr& target = *made.targets.front();
  if (target.kind == ExprKind::Tuple) {
    for (const ast::Expr* e : ast::as<ast::Sequence>(target).elts) {
      out.targets.push_back(spelling(*e));
    }
  } else {
    out.targets.push_back(spelling(target));
  }
  out.value = made.value;
  return out;
}

const ast::Call* call_to(const ast::Expr& e, std::string_view function) {
  if (e.kind != ExprKind::Call) {
    return nullptr;
  }
  const auto& call = ast::as<ast::Call>(e);
  return spelling(*call.func) == function ? &call : nullptr;
}

const ast::Expr* object_of(
    const ast::Expr& e,
    std::string_view method,
    const std::vector<std::string>& arguments) {
  if (e.kind != ExprKind::Call) {
    return nullptr;
  }
  const auto& call = ast::as<ast::Call>(e);
  if (call.func->kind != ExprKind::Attribute || !call.keywords.empty() ||
      call.args.size() != arguments.size()) {
    return nullptr;
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].empty() && spelling(*call.args[i]) != arguments[i]) {
      return nullptr;
    }
  }
  const auto& attribute = ast::as<ast::Attribute>(*call.func);
  return attribute.attr.str() == method ? attribute.value : nullptr;
}

std::optional<size_t> printed_height(const std::string& statement) {
  const auto printed = layout("class C:\n    def f(self):\n" + statement);
  constexpr size_t kAround = 2;  // of what it stands in
  return printed ? std::optional(
                       static_cast<size_t>(
                           std::count(printed->begin(), printed->end(), '\n')) -
                       kAround)
                 : std::nullopt;
}

size_t count_of(const Lines& lines, const std::string& name) {
  size_t count = 0;
  for (const std::string& line : lines) {
    for (const Name& n : names_in(line)) {
      count += n.text == name || n.text.starts_with(name + ".");
    }
  }
  return count;
}

bool is_dead_behind(const Lines& lines, size_t at, const std::string& name) {
  bool same_block = true;
  for (size_t i = at + 1; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    same_block =
        same_block && (line.empty() || leading(line) >= leading(lines[at]));
    if (count_of({line}, name) == 0) {
      continue;
    }
    const auto next = assignment(line);
    return same_block && leading(line) == leading(lines[at]) && next &&
           next->targets == std::vector<std::string>{name} &&
           count_of({line.substr(line.find(" = ") + 3)}, name) == 0;
  }
  return true;
}

bool has_loops(const Lines& lines) {
  return std::any_of(lines.begin(), lines.end(), [](const auto& line) {
    return line.compare(leading(line), 4, "for ") == 0;
  });
}

bool any_has(const Lines& lines, std::string_view text) {
  return std::any_of(lines.begin(), lines.end(), [&](const auto& line) {
    return line.find(text) != std::string::npos;
  });
}

std::string renamed_objects(
    std::string line,
    const std::map<std::string, std::string>& names) {
  auto found = names_in(line);
  for (auto name = found.rbegin(); name != found.rend(); ++name) {
    for (const auto& [from, to] : names) {
      if (name->text == from || name->text.starts_with(from + ".")) {
        line.replace(name->end - name->text.size(), from.size(), to);
        break;
      }
    }
  }
  return line;
}

void replace_all(
    std::string& text,
    std::string_view from,
    std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

std::string unused_name(const Lines& lines, std::string name) {
  while (count_of(lines, name)) {
    name += "2";
  }
  return name;
}

}  // namespace portwright::emit
