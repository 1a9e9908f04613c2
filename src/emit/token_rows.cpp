#include "emit/token_rows.h"

#include <algorithm>

#include "emit/config_text.h"
#include "emit/sharding/makers.h"
#include "emit/statements.h"

namespace portwright::emit {

namespace ast = syntax;
using ast::ExprKind;
using ast::StmtKind;
using sharding::integer;
using sharding::keyword;
using sharding::own_attribute;
using sharding::spelling;

namespace {

/// Thrown where something sees more than one row.
struct SeesRows {};

/// A change of the text: [begin, end) becomes `by`.
struct Edit {
  size_t begin, end;
  std::string by;
};

/// The rank of a value of rows, the rows counted; 0 for others.
using Rank = int;

/// What a class answers to tokens: the ranks of its values.
struct Answer {
  std::vector<Rank> ranks;
  bool rows() const {
    return std::any_of(ranks.begin(), ranks.end(), [](Rank r) { return r; });
  }
};

using Answers = std::map<std::string, Answer>;

const std::set<std::string> kElementwise{
    "mx.abs",           "mx.clip",
    "mx.exp",           "mx.log",
    "mx.logical_and",   "mx.logical_not",
    "mx.logical_or",    "mx.maximum",
    "mx.minimum",       "mx.ones_like",
    "mx.rsqrt",         "mx.sigmoid",
    "mx.sqrt",          "mx.square",
    "mx.tanh",          "mx.where",
    "mx.zeros_like",    "nn.gelu",
    "nn.gelu_approx",   "nn.relu",
    "nn.relu2",         "nn.silu",
    "nn.softplus",      "swiglu",
    "mx.stop_gradient", "mx.distributed.all_sum"};
const std::set<std::string> kAlongAxis{
    "mx.argpartition",
    "mx.argsort",
    "mx.cumsum",
    "mx.put_along_axis",
    "mx.softmax",
    "mx.sort",
    "mx.take_along_axis",
    "mx.topk"};
const std::set<std::string> kReductions{
    "mx.max",
    "mx.mean",
    "mx.min",
    "mx.sum",
    "max",
    "mean",
    "min",
    "sum"};
const std::set<std::string> kSwitches{"SwitchGLU", "SwitchMLP"};

/// One class, with its input as tokens or as rows.
class TokenForward {
 public:
  TokenForward(
      const ClassText& text,
      const std::vector<ClassText>& classes,
      const Answers& answers,
      const std::string& width,
      bool given_rows)
      : text_(text),
        classes_(classes),
        answers_(answers),
        width_(width),
        makers_(sharding::makers_of(text)),
        parsed_(sharding::parse_function({}, text.call)) {
    if (text.call_params.empty() || parsed_.body.empty()) {
      throw SeesRows{};
    }
    const std::string& first = text.call_params.front();
    given_ = first.substr(0, first.find(':'));
    if (given_rows) {
      rows_[given_] = 2;
    }
    visit(parsed_.body);
  }

  const Answer& answer() const {
    return answer_;
  }
  bool changes() const {
    return !edits_.empty();
  }

  Lines lines() const {
    std::string text(parsed_.result.tree.source->text());
    auto edits = edits_;
    std::sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) {
      return a.begin > b.begin;
    });
    for (const Edit& e : edits) {
      text.replace(e.begin, e.end - e.begin, e.by);
    }
    Lines out;
    size_t from = text.find('\n', text.find('\n') + 1) + 1;  // def, pass
    while (from < text.size()) {
      const size_t end = text.find('\n', from);
      out.push_back(
          text.substr(std::min(from + 4, end), end - std::min(from + 4, end)));
      from = end + 1;
    }
    drop_unread_shape(out);
    drop_aliases(out);
    drop_numbers(out);
    return out;
  }

 private:
  /// h2 needs no number where no h is left.
  static void drop_numbers(Lines& lines) {
    std::set<std::string> made;
    for (const std::string& line : lines) {
      if (const auto a = assignment(line)) {
        made.insert(a->targets.begin(), a->targets.end());
      }
    }
    for (const std::string& name : made) {
      const std::string plain = name.substr(0, name.size() - 1);
      if (name.ends_with("2") && !plain.empty() && !count_of(lines, plain)) {
        for (std::string& line : lines) {
          line = renamed_objects(line, {{name, plain}});
        }
      }
    }
  }

  /// h = x: one of the names does for both.
  static void drop_aliases(Lines& lines) {
    for (size_t i = 0; i < lines.size(); ++i) {
      const auto made = assignment(lines[i]);
      if (!made || made->targets.size() != 1 ||
          made->value->kind != ExprKind::Name || !made->indent.empty()) {
        continue;
      }
      const std::string name = made->targets.front();
      const std::string other = spelling(*made->value);
      const Lines after(lines.begin() + i + 1, lines.end());
      const bool anew =
          std::any_of(after.begin(), after.end(), [&](const std::string& line) {
            const auto later = assignment(line);
            return later && (later->targets.front() == name ||
                             later->targets.front() == other);
          });
      if (anew && name != other && count_of(after, other)) {
        continue;
      }
      const auto before = i ? assignment(lines[i - 1]) : std::nullopt;
      const bool just_made = before && before->indent.empty() &&
                             before->targets == std::vector{other} &&
                             count_of(after, other) == 0;
      if (just_made) {
        lines[i - 1] = name + lines[i - 1].substr(other.size());
      }
      lines.erase(lines.begin() + i);
      for (size_t k = i; k < lines.size() && !just_made; ++k) {
        lines[k] = renamed_objects(lines[k], {{name, other}});
      }
      --i;
    }
  }

  /// B, L, D = x.shape, where none of them is read any more.
  static void drop_unread_shape(Lines& lines) {
    for (size_t i = 0; i < lines.size(); ++i) {
      const auto made = assignment(lines[i]);
      if (made && made->targets.size() == 3 &&
          spelling(*made->value).ends_with(".shape") &&
          std::all_of(
              made->targets.begin(), made->targets.end(), [&](const auto& n) {
                return n == "_" || count_of(lines, n) == 1;
              })) {
        const bool blank = i + 1 < lines.size() && lines[i + 1].empty();
        lines.erase(lines.begin() + i, lines.begin() + i + 1 + blank);
        return;
      }
    }
  }

  void visit(const ast::Stmts& body) {
    for (const ast::Stmt* s : body) {
      visit(*s);
    }
  }

  void visit(const ast::Stmt& s) {
    switch (s.kind) {
      case StmtKind::Assign: {
        const auto& assign = ast::as<ast::Assign>(s);
        store(*assign.targets[0], several(*assign.value));
        return;
      }
      case StmtKind::If: {
        const auto& choice = ast::as<ast::Conditional>(s);
        scalar(*choice.test);
        const auto before = rows_;
        visit(choice.body);
        const auto then = std::exchange(rows_, before);
        visit(choice.orelse);
        for (const auto& [name, rank] : then) {
          const auto other = rows_.find(name);
          if (other == rows_.end() ? before.contains(name)
                                   : other->second != rank) {
            throw SeesRows{};
          }
          rows_[name] = rank;
        }
        return;
      }
      case StmtKind::Return:
        if (const ast::Expr* value = ast::as<ast::Return>(s).value) {
          const Answer answer{several(*value)};
          if (!answer_.ranks.empty() && answer_.ranks != answer.ranks) {
            throw SeesRows{};
          }
          answer_ = answer;
        }
        return;
      case StmtKind::Pass:
        return;
      default:
        if (reads_rows(std::string(s.span.text()))) {
          throw SeesRows{};
        }
    }
  }

  void store(const ast::Expr& target, const std::vector<Rank>& ranks) {
    if (target.kind == ExprKind::Tuple) {
      const auto& names = ast::as<ast::Sequence>(target).elts;
      for (size_t i = 0; i < names.size(); ++i) {
        store(*names[i], {ranks.size() == names.size() ? ranks[i] : 0});
      }
      return;
    }
    const Rank rank = ranks.size() == 1 ? ranks.front() : 0;
    if (target.kind != ExprKind::Name) {
      if (rank) {
        throw SeesRows{};
      }
      return;
    }
    const std::string name = ast::as<ast::Name>(target).id.str();
    rows_.erase(name);
    if (rank) {
      rows_[name] = rank;
    }
  }

  /// The values of a tuple, or of a call that answers several.
  std::vector<Rank> several(const ast::Expr& e) {
    if (e.kind == ExprKind::Tuple) {
      std::vector<Rank> out;
      for (const ast::Expr* part : ast::as<ast::Sequence>(e).elts) {
        out.push_back(visit(*part));
      }
      return out;
    }
    if (e.kind == ExprKind::Call) {
      const auto& call = ast::as<ast::Call>(e);
      const std::string cls = class_of(own_attribute(*call.func));
      if (const auto known = answers_.find(cls); known != answers_.end()) {
        const Rank given = arguments(call);
        if (given) {
          throw SeesRows{};  // it puts tokens into rows itself
        }
        return known->second.ranks;
      }
    }
    return {visit(e)};
  }

  void scalar(const ast::Expr& e) {
    if (visit(e)) {
      throw SeesRows{};
    }
  }

  bool reads_rows(const std::string& text) const {
    const auto names = names_in(text);
    return std::any_of(names.begin(), names.end(), [&](const auto& n) {
      return rows_.contains(n.text.substr(0, n.text.find('.')));
    });
  }

  static Rank common_rank(Rank a, Rank b) {
    if (a && b && a != b) {
      throw SeesRows{};
    }
    return a ? a : b;
  }

  Rank visit(const ast::Expr& e) {
    switch (e.kind) {
      case ExprKind::Name: {
        const auto it = rows_.find(ast::as<ast::Name>(e).id.str());
        return it == rows_.end() ? 0 : it->second;
      }
      case ExprKind::Attribute: {
        const auto& attribute = ast::as<ast::Attribute>(e);
        if (visit(*attribute.value) && attribute.attr.str() != "dtype") {
          throw SeesRows{};
        }
        return 0;
      }
      case ExprKind::BinOp: {
        const auto& op = ast::as<ast::BinOp>(e);
        const Rank left = visit(*op.left), right = visit(*op.right);
        if (op.op == ast::BinaryOperator::MatMult && right) {
          throw SeesRows{};
        }
        return common_rank(left, right);
      }
      case ExprKind::UnaryOp:
        return visit(*ast::as<ast::UnaryOp>(e).operand);
      case ExprKind::Compare: {
        const auto& compare = ast::as<ast::Compare>(e);
        Rank rank = visit(*compare.left);
        for (const ast::Expr* other : compare.comparators) {
          rank = common_rank(rank, visit(*other));
        }
        return rank;
      }
      case ExprKind::Subscript:
        return subscript(ast::as<ast::Subscript>(e));
      case ExprKind::Call:
        return call(ast::as<ast::Call>(e));
      default:
        if (reads_rows(std::string(e.span.text()))) {
          throw SeesRows{};
        }
        return 0;
    }
  }

  /// value[..., None], [..., :k] or [..., 0].
  Rank subscript(const ast::Subscript& e) {
    const Rank rank = visit(*e.value);
    if (!rank) {
      return 0;
    }
    const std::string slice = spelling(*e.slice);
    if (!slice.starts_with("..., ") && !slice.starts_with("(..., ")) {
      throw SeesRows{};
    }
    const ast::Expr& last = *ast::as<ast::Sequence>(*e.slice).elts.back();
    if (ast::as<ast::Sequence>(*e.slice).elts.size() != 2) {
      throw SeesRows{};
    }
    return last.kind == ExprKind::Slice ? rank
           : spelling(last) == "None"   ? rank + 1
                                        : rank - 1;
  }

  Rank arguments(const ast::Call& call) {
    Rank rank = 0;
    for (const ast::Expr* arg : call.args) {
      rank = common_rank(rank, visit(*arg));
    }
    for (const auto& k : call.keywords) {
      if (k.arg.str() != "axis") {
        rank = common_rank(rank, visit(*k.value));
      }
    }
    return rank;
  }

  std::string class_of(const std::string& attribute) const {
    const auto it = makers_.find(attribute);
    return it != makers_.end() && it->second.makers.size() == 1
               ? *it->second.makers.begin()
               : "";
  }

  Rank call(const ast::Call& call) {
    if (const std::string own = own_attribute(*call.func); !own.empty()) {
      return module(call, class_of(own));
    }
    const std::string function = spelling(*call.func);
    if (kElementwise.contains(function)) {
      return arguments(call);
    }
    if (kAlongAxis.contains(function) || kReductions.contains(function)) {
      Rank rank = call.args.empty() ? 0 : visit(*call.args[0]);
      for (size_t i = 1; i < call.args.size(); ++i) {
        const Rank other = visit(*call.args[i]);
        if (other && other != rank) {
          throw SeesRows{};
        }
      }
      return along_axis(call, rank, kReductions.contains(function));
    }
    if (call.func->kind == ExprKind::Attribute) {
      const auto& method = ast::as<ast::Attribute>(*call.func);
      if (const Rank rank = visit(*method.value)) {
        return of_rows(call, method, rank);
      }
      return of_tokens(call, method);
    }
    // sum_gradients(group)(x) and activations: the same as they are given.
    const Rank rank = arguments(call);
    if (rank && call.func->kind != ExprKind::Call &&
        !function.starts_with("ACTIVATIONS[")) {
      throw SeesRows{};
    }
    return rank;
  }

  Rank module(const ast::Call& call, const std::string& made) {
    if (answers_.contains(made)) {
      const auto ranks = several(call);
      if (ranks.size() != 1) {
        throw SeesRows{};
      }
      return ranks.front();
    }
    std::vector<Rank> given;
    for (const ast::Expr* arg : call.args) {
      given.push_back(visit(*arg));
    }
    if (std::all_of(given.begin(), given.end(), [](Rank r) { return !r; })) {
      return 0;
    }
    if (kSwitches.contains(made) && given == std::vector<Rank>{2, 2}) {
      return 3;
    }
    const bool layer = made == "nn.Linear" || made.ends_with("Norm");
    if (layer && given.size() == 1 && made.starts_with("nn.")) {
      return given.front();
    }
    if (given == std::vector<Rank>{2} && treats_each(made)) {
      return 2;
    }
    throw SeesRows{};
  }

  /// A class that answers rows where it is given them, with the same text.
  bool treats_each(const std::string& name) const {
    for (const ClassText& cls : classes_) {
      if (cls.name == name) {
        const TokenForward inner(cls, classes_, answers_, width_, true);
        return !inner.changes() && inner.answer().ranks == std::vector<Rank>{2};
      }
    }
    return false;
  }

  Rank along_axis(const ast::Call& call, Rank rank, bool reduces) {
    if (!rank) {
      return 0;
    }
    const ast::Expr* axis = keyword(call, "axis");
    const auto number = axis ? integer(*axis) : std::nullopt;
    if (!number || *number == 0 || *number <= -rank || *number >= rank) {
      throw SeesRows{};
    }
    if (*number > 0) {
      replace(*axis, std::to_string(*number - rank));
    }
    const ast::Expr* keeps = keyword(call, "keepdims");
    return rank - (reduces && !(keeps && spelling(*keeps) == "True"));
  }

  void replace(const ast::Expr& e, std::string by) {
    edits_.push_back({e.span.begin, e.span.end, std::move(by)});
  }

  /// Leaves the object of a method's call.
  void drop_method(const ast::Call& call, const ast::Attribute& method) {
    edits_.push_back({dot(method), call.span.end, ""});
  }

  static size_t dot(const ast::Attribute& method) {
    return method.span.end - method.attr.str().size() - 1;
  }

  Rank of_rows(const ast::Call& call, const ast::Attribute& method, Rank rank) {
    const std::string name = method.attr.str();
    if (name == "astype") {
      return rank;
    }
    if (kReductions.contains(name)) {
      return along_axis(call, rank, true);
    }
    if (name != "reshape" || call.args.empty()) {
      throw SeesRows{};
    }
    std::vector<std::string> sizes;
    for (const ast::Expr* arg : call.args) {
      sizes.push_back(spelling(*arg));
    }
    const std::string shaped = sizes.size() == 1 && sizes[0].ends_with(".shape")
                                   ? sizes[0].substr(0, sizes[0].size() - 6)
                                   : "";
    if (const auto like = rows_.find(shaped); like != rows_.end()) {
      return like->second;
    }
    const bool back = sizes.size() == 3 && sizes[0] == "B" && sizes[1] == "L" &&
                      (sizes[2] == "D" || sizes[2] == "-1");
    if (rank == 2 && (back || shaped == given_)) {
      drop_method(call, method);
      return 0;
    }
    if (sizes[0] != "-1") {
      throw SeesRows{};
    }
    if (rank == 2 && sizes.size() == 2 && is_width(sizes[1])) {
      drop_method(call, method);
      return 2;
    }
    if (rank == 2 && sizes.size() == 3) {
      edits_.push_back({call.span.begin, call.span.begin, "mx.unflatten("});
      edits_.push_back(
          {dot(method),
           call.span.end,
           ", -1, (" + sizes[1] + ", " + sizes[2] + "))"});
      return 3;
    }
    throw SeesRows{};
  }

  /// x.reshape(-1, D) makes rows of tokens.
  Rank of_tokens(const ast::Call& call, const ast::Attribute& method) {
    Rank rank = arguments(call);
    if (rank) {
      throw SeesRows{};
    }
    if (method.attr.str() == "reshape" && call.args.size() == 2 &&
        spelling(*call.args[0]) == "-1" && spelling(*method.value) == given_ &&
        is_width(spelling(*call.args[1]))) {
      drop_method(call, method);
      return 2;
    }
    return 0;
  }

  /// The last extent of what the class is given.
  bool is_width(const std::string& size) const {
    return size == "D" ||
           (size.starts_with("self.") &&
            std::find(
                text_.init.begin(), text_.init.end(), size + " = " + width_) !=
                text_.init.end());
  }

  const ClassText& text_;
  const std::vector<ClassText>& classes_;
  const Answers& answers_;
  const std::string& width_;
  sharding::Makers makers_;
  sharding::Parsed parsed_;
  std::string given_;
  std::map<std::string, Rank> rows_;
  std::vector<Edit> edits_;
  Answer answer_;
};

/// How wide tokens are: what the embedding is made with.
std::string width_of(const std::vector<ClassText>& classes) {
  for (const ClassText& cls : classes) {
    for (const std::string& line : cls.init) {
      const auto made = assignment(line);
      const ast::Call* call =
          made ? call_to(*made->value, "nn.Embedding") : nullptr;
      if (call && call->args.size() == 2) {
        return spelling(*call->args[1]);
      }
    }
  }
  return "";
}

bool is_called(const std::vector<ClassText>& classes, const std::string& name) {
  return std::any_of(classes.begin(), classes.end(), [&](const auto& cls) {
    return any_has(cls.init, name + "(");
  });
}

}  // namespace

void keep_tokens_in_place(std::vector<ClassText>& classes) {
  const std::string width = width_of(classes);
  std::set<std::string> stay;
  if (std::none_of(classes.begin(), classes.end(), [](const auto& cls) {
        return any_has(cls.call, ".reshape(-1, ");
      })) {
    return;
  }
  for (bool again = true; again;) {
    again = false;
    Answers answers;  // of classes that answer rows
    std::map<std::string, Lines> changed;
    std::set<std::string> failed;
    // Those that are called may stand anywhere.
    for (size_t known = 1; known != answers.size() || failed.empty();) {
      known = answers.size();
      changed.clear();
      failed = {""};
      for (const ClassText& cls : classes) {
        if (stay.contains(cls.name)) {
          continue;
        }
        try {
          const TokenForward forward(cls, classes, answers, width, false);
          if (forward.answer().rows()) {
            if (!is_called(classes, cls.name)) {
              throw SeesRows{};
            }
            answers[cls.name] = forward.answer();
          }
          if (forward.changes()) {
            changed[cls.name] = forward.lines();
          }
        } catch (const SeesRows&) {
          failed.insert(cls.name);
        }
      }
    }
    for (const std::string& name : failed) {
      again = (stay.insert(name).second && !name.empty()) || again;
    }
    // A class that stays has those stay that answer it rows.
    for (const ClassText& cls : classes) {
      for (const auto& [name, answer] : answers) {
        if (stay.contains(cls.name) && any_has(cls.init, name + "(")) {
          again = stay.insert(name).second || again;
        }
      }
    }
    if (!again) {
      for (ClassText& cls : classes) {
        if (const auto it = changed.find(cls.name); it != changed.end()) {
          cls.call = it->second;
        }
      }
    }
  }
}

}  // namespace portwright::emit
