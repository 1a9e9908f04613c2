#include "emit/naming.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "syntax/lexer.h"
#include "syntax/parser.h"

namespace portwright::emit {

namespace ast = syntax;
using ast::StmtKind;
using ast::TokenKind;
using Names = std::set<std::string>;

std::string pascal_case(std::string_view snake) {
  std::string out;
  bool upper = true;
  for (const char c : snake) {
    if (c != '_') {
      out += upper ? static_cast<char>(std::toupper(c)) : c;
    }
    upper = c == '_';
  }
  return out;
}

std::string without_number(const std::string& name) {
  const size_t end = name.find_last_not_of("0123456789") + 1;
  return end < name.size() ? name.substr(0, end) : "";
}

namespace {

/// Thrown at what liveness is not computed for.
struct NotUnderstood {};

/// Which names are live where each name is given a value.
class Forward {
 public:
  explicit Forward(const std::string& text)
      : file_("<forward>", text), parsed_(ast::parse_module("", text)) {
    std::vector<diagnostics::Diagnostic> faults;
    tokens_ = ast::lex(file_, faults).tokens;
    if (!faults.empty() || !parsed_.diagnostics.empty()) {
      throw NotUnderstood{};
    }
    int depth = 0;
    for (const ast::Token& t : tokens_) {
      depth += t.kind == TokenKind::LeftParen;
      depth -= t.kind == TokenKind::RightParen;
      depth_.push_back(depth);
    }
    const auto& function =
        ast::as<ast::FunctionDef>(*parsed_.tree.body.front());
    for (const ast::Arg* arg : function.args->args) {
      parameters_.insert(arg->name.str());
    }
    define(parameters_, before(function.body, {}));
  }

  /// A numbered name and the one that can stand for it.
  std::optional<std::pair<std::string, std::string>> superfluous() const {
    for (const auto& [name, live] : live_) {
      const std::string base = without_number(name);
      // x1, x2 are parts of an x.
      if (!base.empty() && !parameters_.contains(name) &&
          live_.contains(base) && !live_.contains(base + "1") &&
          !live.contains(base) && !live_.at(base).contains(name)) {
        return std::pair(name, base);
      }
    }
    return {};
  }

  std::string renamed(const std::string& from, const std::string& to) const {
    std::string out;
    size_t done = 0;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (is_variable(i) && text_of(i) == from) {
        out += file_.text().substr(done, tokens_[i].begin - done);
        out += to;
        done = tokens_[i].end;
      }
    }
    return out + std::string(file_.text().substr(done));
  }

 private:
  std::string text_of(size_t token) const {
    const ast::Token& t = tokens_[token];
    return std::string(file_.text().substr(t.begin, t.end - t.begin));
  }

  /// Neither an attribute nor the name of an argument.
  bool is_variable(size_t i) const {
    const bool attribute = i > 0 && tokens_[i - 1].kind == TokenKind::Dot;
    const bool argument =
        depth_[i] > 0 && tokens_[i + 1].kind == TokenKind::Equal;
    return tokens_[i].kind == TokenKind::Name && !attribute && !argument;
  }

  Names read_in(const ast::Span& span) const {
    Names out;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].kind == TokenKind::KwLambda &&
          tokens_[i].begin >= span.begin && tokens_[i].end <= span.end) {
        throw NotUnderstood{};  // it may be called later
      }
      if (tokens_[i].begin >= span.begin && tokens_[i].end <= span.end &&
          is_variable(i)) {
        out.insert(text_of(i));
      }
    }
    return out;
  }

  void define(const Names& names, const Names& live) {
    for (const auto& name : names) {
      Names& known = live_[name];
      known.insert(live.begin(), live.end());
      known.insert(names.begin(), names.end());
      known.erase(name);
    }
  }

  void add_target(const ast::Expr& target, Names& names, Names& reads) const {
    if (target.kind == ast::ExprKind::Name) {
      names.insert(ast::as<ast::Name>(target).id.str());
    } else if (
        target.kind == ast::ExprKind::Tuple ||
        target.kind == ast::ExprKind::List) {
      for (const ast::Expr* e : ast::as<ast::Sequence>(target).elts) {
        add_target(*e, names, reads);
      }
    } else {
      reads.merge(read_in(target.span));
    }
  }

  /// What is live before a statement.
  Names before(const ast::Stmt& s, const Names& after) {
    switch (s.kind) {
      case StmtKind::Expr:
      case StmtKind::Pass:
        return joined(after, read_in(s.span));
      case StmtKind::Return:
      case StmtKind::Raise:
        return read_in(s.span);
      case StmtKind::Assign: {
        const auto& assign = ast::as<ast::Assign>(s);
        Names targets, reads = read_in(assign.value->span);
        for (const ast::Expr* target : assign.targets) {
          add_target(*target, targets, reads);
        }
        return assigned(targets, reads, after);
      }
      case StmtKind::AugAssign: {
        const auto& assign = ast::as<ast::AugAssign>(s);
        Names targets, reads = read_in(s.span);
        add_target(*assign.target, targets, reads);
        return assigned(targets, reads, after);
      }
      case StmtKind::If: {
        const auto& test = ast::as<ast::Conditional>(s);
        return joined(
            joined(before(test.body, after), before(test.orelse, after)),
            read_in(test.test->span));
      }
      case StmtKind::For:
        return before_loop(ast::as<ast::For>(s), after);
      default:
        throw NotUnderstood{};
    }
  }

  Names before(ast::Stmts block, Names live) {
    for (size_t i = block.size(); i-- > 0;) {
      live = before(*block[i], live);
    }
    return live;
  }

  Names before_loop(const ast::For& loop, const Names& after) {
    Names head = joined(after, before(loop.orelse, after));
    Names targets, reads;
    add_target(*loop.target, targets, reads);
    for (size_t known = 0; known != head.size();) {
      known = head.size();
      head = joined(head, assigned(targets, reads, before(loop.body, head)));
    }
    return joined(head, read_in(loop.iter->span));
  }

  Names assigned(const Names& targets, const Names& reads, const Names& after) {
    define(targets, after);
    Names out = after;
    for (const auto& name : targets) {
      out.erase(name);
    }
    return joined(std::move(out), reads);
  }

  static Names joined(Names a, Names b) {
    a.merge(b);
    return a;
  }

  base::SourceFile file_;
  ast::ParseResult parsed_;
  std::vector<ast::Token> tokens_;
  std::vector<int> depth_;  // parentheses around each
  Names parameters_;
  /// By name, what else is live after any of its definitions.
  std::map<std::string, Names> live_;
};

}  // namespace

std::vector<std::string> with_fewer_names(
    const std::vector<std::string>& parameters,
    const std::vector<std::string>& lines) {
  std::string text = "def forward(";
  for (const auto& parameter : parameters) {
    text += parameter + ", ";
  }
  text += "):\n";
  for (const auto& line : lines) {
    text += "    " + line + "\n";
  }
  try {
    while (true) {
      const Forward forward(text);
      const auto found = forward.superfluous();
      if (!found) {
        break;
      }
      text = forward.renamed(found->first, found->second);
    }
  } catch (const NotUnderstood&) {
  }
  std::vector<std::string> out;
  for (size_t at = text.find('\n') + 1; at < text.size();) {
    const size_t end = text.find('\n', at);
    const size_t begin = std::min(at + 4, end);
    const std::string line = text.substr(begin, end - begin);
    const size_t equal = line.find(" = ");
    const bool idle = equal != std::string::npos && line.front() != ' ' &&
                      line.substr(0, equal) == line.substr(equal + 3);
    if (!idle) {  // h = h
      out.push_back(line);
    }
    at = end + 1;
  }
  return out;
}

}  // namespace portwright::emit
