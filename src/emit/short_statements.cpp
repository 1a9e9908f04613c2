#include "emit/short_statements.h"

#include <algorithm>
#include <set>

#include "base/pattern.h"
#include "emit/config_text.h"

namespace portwright::emit {

namespace ast = syntax;
using ast::ExprKind;

namespace {

constexpr size_t kWidth = 88;
constexpr size_t kInMethod = 8;  // spaces before what the lines hold

bool fits(const std::string& line) {
  return line.size() + kInMethod <= kWidth;
}

/// How many lines black makes of it; 1 where it cannot tell.
size_t height(const std::string& line) {
  return fits(line)
             ? 1
             : printed_height("        " + line.substr(leading(line)) + "\n")
                   .value_or(1);
}

/// A statement that gives a name a value, or answers one.
struct Statement {
  std::string indent;
  std::string start;  // "h = " or "return "
  std::string value;
  std::string target;  // "" unless it is one name
};

std::optional<Statement> statement(const std::string& line) {
  if (line.find('#') != std::string::npos) {
    return {};
  }
  constexpr std::string_view kReturn = "return ";
  const size_t at = leading(line);
  if (line.compare(at, kReturn.size(), kReturn) == 0) {
    return Statement{
        line.substr(0, at),
        std::string(kReturn),
        line.substr(at + kReturn.size()),
        ""};
  }
  const auto made = assignment(line);
  if (!made) {
    return {};
  }
  const size_t start = line.find(" = ") + 3;
  const bool one = made->targets.size() == 1 && is_name(made->targets[0]);
  return Statement{
      made->indent,
      line.substr(at, start - at),
      line.substr(start),
      one ? made->targets[0] : ""};
}

bool is_computed(const ast::Expr& e) {
  return e.kind != ExprKind::Name &&
         !(e.kind == ExprKind::Attribute &&
           ast::as<ast::Attribute>(e).value->kind == ExprKind::Name);
}

/// Numbers alone, as sizes are.
bool is_scalar(const std::string& text) {
  const auto names = names_in(text);
  return text.find('(') == text.npos &&
         std::all_of(names.begin(), names.end(), [](const Name& name) {
           return name.text.starts_with("self.") ||
                  name.text.ends_with(".shape");
         });
}

/// A part of an expression, and whether the whole is made of it, as of what a
/// function is given first: the name of the whole then tells of the part too.
struct Operand {
  const ast::Expr* value;
  bool main;
};

/// The calls and operations inside that are computed in any case.
void add_inner(const ast::Expr& e, bool main, std::vector<Operand>& out) {
  const auto add = [&](const ast::Expr* inner, bool first = true) {
    const bool still_main = main && first;
    if (inner->kind == ExprKind::Call || inner->kind == ExprKind::BinOp) {
      out.push_back({inner, still_main});
    }
    add_inner(*inner, still_main, out);
  };
  switch (e.kind) {
    case ExprKind::Call: {
      const auto& call = ast::as<ast::Call>(e);
      if (call.func->kind == ExprKind::Attribute) {
        add(ast::as<ast::Attribute>(*call.func).value);
      }
      const bool method =
          call.func->kind == ExprKind::Attribute &&
          is_computed(*ast::as<ast::Attribute>(*call.func).value);
      for (const ast::Expr* argument : call.args) {
        add(argument, !method && argument == call.args.front());
      }
      break;
    }
    case ExprKind::BinOp: {
      const auto& operation = ast::as<ast::BinOp>(e);
      add(operation.left);
      // x + self.norm(h)
      add(operation.right,
          operation.op == ast::BinaryOperator::Add &&
              !is_computed(*operation.left));
      break;
    }
    case ExprKind::UnaryOp:
      add(ast::as<ast::UnaryOp>(e).operand);
      break;
    case ExprKind::Attribute:
      add(ast::as<ast::Attribute>(e).value);
      break;
    case ExprKind::Subscript:
      add(ast::as<ast::Subscript>(e).value);
      break;
    case ExprKind::Tuple:
      for (const ast::Expr* element : ast::as<ast::Sequence>(e).elts) {
        add(element, false);
      }
      break;
    default:
      break;
  }
}

bool reads(const std::string& text, const std::string& name) {
  return count_of({text}, name) > 0;
}

/// One statement as two.
struct Cut {
  std::string first, second;
};

/// A variable that an expression begins with: "scores" of "scores / s".
std::string leading_name(const std::string& text) {
  const auto names = names_in(text);
  return names.empty()
             ? ""
             : names.front().text.substr(0, names.front().text.find('.'));
}

/// What it is by the operations of the field, or by the projection it is of.
std::string telling_name(const ast::Expr& part) {
  const std::string text(part.span.text());
  static const base::Pattern kProjection(R"re(self\.(\w+)_proj\()re");
  static const base::Pattern kWeight(R"re(^self\.(\w+)[.\[])re");
  for (const auto* pattern : {&kWeight, &kProjection}) {
    if (const auto found = pattern->search(text)) {
      return (*found)[1];
    }
  }
  if (part.kind != ExprKind::Call) {
    return "";
  }
  return text.starts_with("mx.sigmoid(")   ? "gate"
         : text.starts_with("mx.softmax(") ? "weights"
                                           : "";
}

class Cutter {
 public:
  Cutter(const Lines& parameters, const Lines& lines)
      : parameters_(parameters), lines_(lines), loops_(has_loops(lines)) {}

  /// The statement of that line in as few lines as it can be.
  Lines lines_of(size_t index) {
    index_ = index;
    return lines_of(lines_[index]);
  }

 private:
  Lines lines_of(const std::string& line) const {
    const auto cut = fits(line) ? std::nullopt : best(line);
    if (!cut) {
      return {line};
    }
    Lines out = lines_of(cut->first);
    out.push_back(cut->second);
    return out;
  }

  std::optional<Cut> best(const std::string& line) const {
    const auto whole = statement(line);
    if (!whole) {
      return {};
    }
    const auto parsed = ast::parse_module("", whole->value);
    if (!parsed.diagnostics.empty() || parsed.tree.body.size() != 1 ||
        parsed.tree.body.front()->kind != ast::StmtKind::Expr) {
      return {};
    }
    const ast::Expr& value =
        *ast::as<ast::ExprStmt>(*parsed.tree.body.front()).value;
    std::vector<Operand> inner;
    add_inner(value, true, inner);
    std::optional<Cut> out;
    size_t widest = line.size();
    for (const Operand& part : inner) {
      const auto cut = at(*whole, part, value);
      if (!cut || !fits(cut->second)) {
        continue;
      }
      const size_t width = std::max(cut->first.size(), cut->second.size());
      if (width < widest) {
        widest = width;
        out = cut;
      }
    }
    if (!out || fits(out->first)) {
      return out;
    }
    size_t lines = 1;
    for (const auto& part : lines_of(out->first)) {
      lines += height(part);
    }
    return lines < height(line) ? out : std::nullopt;
  }

  std::optional<Cut> at(
      const Statement& whole,
      const Operand& part,
      const ast::Expr& value) const {
    size_t begin = part.value->span.begin, end = part.value->span.end;
    // States may not be read and written in another order.
    if (whole.value.substr(0, begin).find(')') != std::string::npos &&
        reads(whole.value, "cache")) {
      return {};
    }
    const std::string text = whole.value.substr(begin, end - begin);
    if (is_scalar(text)) {
      return {};
    }
    const auto called = [](char c) {
      return is_word(c) || c == ')' || c == ']';
    };
    if (begin > 0 && whole.value[begin - 1] == '(' && whole.value[end] == ')' &&
        (begin == 1 || !called(whole.value[begin - 2]))) {
      --begin;
      ++end;
    }
    const std::string before = whole.value.substr(0, begin);
    const std::string after = whole.value.substr(end);
    const std::string name = name_for(whole, part, before + "_" + after, value);
    if (name.empty()) {
      return {};
    }
    return Cut{
        whole.indent + name + " = " + text,
        whole.indent + whole.start + before + name + after};
  }

  /// For `part` of a statement of which `left` is what is left.
  std::string name_for(
      const Statement& whole,
      const Operand& part,
      const std::string& left,
      const ast::Expr& value) const {
    const std::string text(part.value->span.text());
    const std::string old = leading_name(text);
    if (part.value->kind == ExprKind::BinOp && is_dead(old) &&
        !reads(left, old)) {
      return old;
    }
    const bool variance =
        text.starts_with("mx.square(") && text.find(").mean(") != text.npos;
    if (variance && is_free("variance")) {
      return "variance";
    }
    if (part.main && !whole.target.empty() && !reads(left, whole.target)) {
      return whole.target;
    }
    const bool sum = value.kind == ExprKind::BinOp &&
                     ast::as<ast::BinOp>(value).op == ast::BinaryOperator::Add;
    for (const std::string& name :
         {telling_name(*part.value),
          std::string(sum ? "r" : "out"),
          std::string("y")}) {
      if (!name.empty() && is_free(name)) {
        return name;
      }
    }
    return "";
  }

  bool is_free(const std::string& name) const {
    static const std::set<std::string> kTaken{
        "and",
        "args",
        "as",
        "cache",
        "for",
        "from",
        "if",
        "in",
        "is",
        "lambda",
        "mask",
        "mx",
        "nn",
        "not",
        "or",
        "self",
        "with"};
    return !kTaken.contains(name) && !count_of(lines_, name) &&
           !count_of(parameters_, name);
  }

  /// A variable that nothing reads behind this statement.
  bool is_dead(const std::string& name) const {
    return !loops_ && is_dead_behind(lines_, index_, name) &&
           std::any_of(
               lines_.begin(), lines_.begin() + index_, [&](const auto& l) {
                 return l.starts_with(name + " = ");
               });
  }

  const Lines& parameters_;
  const Lines& lines_;
  size_t index_ = 0;
  bool loops_ = false;
};

/// "y = f(x)", "return y": "return f(x)".
void return_at_once(Lines& lines) {
  if (lines.size() < 2) {
    return;
  }
  const auto last = statement(lines[lines.size() - 2]);
  if (last && last->indent.empty() && !last->target.empty() &&
      lines.back() == "return " + last->target) {
    lines.pop_back();
    lines.back() = "return " + last->value;
  }
}

/// "r = self.norm(r)", "h = x + r": "h = x + self.norm(r)", where r is read no
/// more. What makes the first r, if it is no module's answer, makes an h, if
/// nothing reads another there.
void join(Lines& lines, size_t at) {
  static const base::Pattern kCall(R"re(^self\.\w+\(\w+(, \w+)*\)$)re");
  const auto inner = statement(lines[at]);
  const auto outer = statement(lines[at + 1]);
  if (!inner || !outer || inner->indent != outer->indent ||
      !kCall.match(inner->value) || !reads(inner->value, inner->target) ||
      outer->value.find(')') != std::string::npos ||
      count_of({outer->value}, inner->target) != 1 ||
      (outer->target != inner->target &&
       !is_dead_behind(lines, at + 1, inner->target))) {
    return;
  }
  std::string joined =
      outer->indent + outer->start +
      renamed_objects(outer->value, {{inner->target, inner->value}});
  if (!fits(joined)) {
    return;
  }
  const auto first = at > 0 ? statement(lines[at - 1]) : std::nullopt;
  const auto is_read = [&](const std::string& text) {
    return reads(text, outer->target);
  };
  if (first && first->indent == inner->indent &&
      first->target == inner->target && outer->target != inner->target &&
      !outer->target.empty() && !first->value.starts_with("self.") &&
      !is_read(outer->value) && !is_read(inner->value)) {
    lines[at - 1] = first->indent + outer->start + first->value;
    joined = outer->indent + outer->start +
             renamed_objects(
                 outer->value,
                 {{inner->target,
                   renamed_objects(
                       inner->value, {{inner->target, outer->target}})}});
  }
  lines[at] = joined;
  lines.erase(lines.begin() + at + 1);
}

}  // namespace

Lines with_short_statements(const Lines& parameters, Lines lines) {
  return_at_once(lines);
  Cutter cutter(parameters, lines);
  Lines out;
  std::vector<size_t> ends;  // of statements that were cut
  for (size_t i = 0; i < lines.size(); ++i) {
    Lines parts = cutter.lines_of(i);
    out.insert(out.end(), parts.begin(), parts.end());
    if (parts.size() > 1) {
      ends.push_back(out.size() - 1);
    }
  }
  for (size_t i = ends.size(); i-- > 0 && !has_loops(lines);) {
    if (ends[i] + 1 < out.size()) {
      join(out, ends[i]);
    }
  }
  return out;
}

}  // namespace portwright::emit
