#include "emit/compiled_choice.h"

#include <algorithm>

#include "base/pattern.h"
#include "emit/config_text.h"
#include "emit/sharding/makers.h"
#include "emit/statements.h"

namespace portwright::emit {

namespace ast = syntax;
using sharding::spelling;

namespace {

/// Fewer statements are not worth a function.
constexpr size_t kLeastStatements = 6;

std::string only_target(const std::optional<Assignment>& a) {
  return a && a->targets.size() == 1 ? a->targets.front() : "";
}

// ---- groups ----

/// grouped = mx.unflatten(scores, -1, (groups, each)), or scores.reshape(-1,
/// groups, each): the scores and the number of groups.
std::optional<std::pair<std::string, std::string>> grouped(
    const std::string& text) {
  static const base::Pattern kShaped(
      R"(^(?:mx\.unflatten\((\w+), -1, \(|(\w+)\.reshape\(-1, )([\w.]+), [\w.]+\){1,2}$)");
  const auto found = kShaped.match(text);
  if (!found) {
    return {};
  }
  const std::string scores((*found)[1]), other((*found)[2]);
  return std::pair{scores.empty() ? other : scores, std::string((*found)[3])};
}

/// Groups that no one leaves out need not be ranked.
void skip_whole_groups(Lines& lines) {
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto made = assignment(lines[i]);
    const auto groups = made ? grouped(spelling(*made->value)) : std::nullopt;
    if (!groups) {
      continue;
    }
    const std::string name = only_target(made);
    std::string chosen;  // how many groups
    for (size_t j = i + 1; j < lines.size(); ++j) {
      const auto next = assignment(lines[j]);
      if (!next || next->indent != made->indent) {
        break;
      }
      const std::string text = spelling(*next->value);
      static const base::Pattern kOthers(
          R"(mx\.argpartition\(-\w+, kth=([\w.]+) - 1, axis=-1\)\[\.\.\., ([\w.]+):\])");
      if (const auto found = kOthers.search(text);
          found && (*found)[1] == (*found)[2]) {
        chosen = (*found)[1];
      }
      if (!text.starts_with("mx.put_along_axis(" + name + ", ")) {
        continue;
      }
      const Lines after(lines.begin() + j + 1, lines.end());
      bool apart = only_target(next) == groups->first && !chosen.empty();
      for (size_t k = i; k < j; ++k) {
        const std::string inner = only_target(assignment(lines[k]));
        apart = apart && !inner.empty() && inner != groups->first &&
                count_of(after, inner) == 0;
      }
      if (apart) {
        for (size_t k = i; k <= j; ++k) {
          lines[k].insert(0, 4, ' ');
        }
        lines.insert(
            lines.begin() + i,
            made->indent + "if " + chosen + " < " + groups->second + ":");
      }
      return;
    }
  }
}

// ---- the function ----

/// What statements read and make.
struct Reads {
  std::vector<std::string> arrays, scalars;  // in their order
  std::set<std::string> made;
};

void add(std::vector<std::string>& list, const std::string& name) {
  if (std::find(list.begin(), list.end(), name) == list.end()) {
    list.push_back(name);
  }
}

class Choice {
 public:
  Choice(ClassText& text, ChoiceFunctions& functions)
      : text_(text), functions_(functions), makers_(sharding::makers_of(text)) {
    for (size_t i = 0; i < text.call.size(); ++i) {
      if (leading(text.call[i]) == 0 && text.call[i] != "else:" &&
          !text.call[i].starts_with("elif ")) {
        starts_.push_back(i);
      }
    }
    starts_.push_back(text.call.size());
  }

  std::string write() {
    const auto& call = text_.call;
    for (size_t i = 0; i + 1 < starts_.size(); ++i) {
      if (!any_has(statement(i), "mx.argpartition(") || !is_pure(i)) {
        continue;
      }
      size_t from = i, to = i + 1;
      while (from > 0 && is_pure(from - 1)) {
        --from;
      }
      while (to + 1 < starts_.size() && is_pure(to)) {
        ++to;
      }
      const Lines lines(
          call.begin() + starts_[from], call.begin() + starts_[to]);
      return lines.size() < kLeastStatements
                 ? ""
                 : function(lines, starts_[from], starts_[to]);
    }
    return "";
  }

 private:
  Lines statement(size_t i) const {
    return {
        text_.call.begin() + starts_[i], text_.call.begin() + starts_[i + 1]};
  }

  bool is_scalar(const std::string& attribute) const {
    return sharding::is_scalar(makers_, attribute);
  }

  bool is_array(const std::string& attribute) const {
    const auto it = makers_.find(attribute);
    return it != makers_.end() && it->second.always &&
           it->second.makers == std::set<std::string>{"array"};
  }

  /// True for what reads arrays and scalars only, and multiplies no matrices.
  bool is_pure(size_t i) const {
    const Lines lines = statement(i);
    return std::all_of(lines.begin(), lines.end(), [&](const auto& line) {
      return is_pure_line(line);
    });
  }

  bool is_pure_line(const std::string& line) const {
    const std::string text = line.substr(leading(line));
    const bool test = text.starts_with("if ") || text.starts_with("elif ");
    if (text == "else:") {
      return true;
    }
    if (!test && !text.starts_with("return ") && !assignment(line)) {
      return false;
    }
    if (text.find(" @ ") != std::string::npos || text.ends_with("x.shape")) {
      return false;
    }
    static const std::set<std::string> kWords{
        "if",
        "elif",
        "else",
        "return",
        "and",
        "or",
        "not",
        "is",
        "None",
        "True",
        "False",
        "in",
        "axis",
        "kth",
        "keepdims",
        "precise",
        "dtype"};
    for (const Name& name : names_in(text)) {
      const size_t dot = name.text.find('.');
      const std::string root = name.text.substr(0, dot);
      if (kWords.contains(root)) {
        continue;
      }
      if (root == "mx") {
        if (name.text.starts_with("mx.distributed") ||
            name.text.starts_with("mx.random") ||
            name.text.starts_with("mx.fast")) {
          return false;
        }
      } else if (root == "self") {
        const std::string attribute = name.text.substr(dot + 1);
        const std::string own = attribute.substr(0, attribute.find('.'));
        if (!is_scalar(own) && (test || !is_array(own))) {
          return false;
        }
      } else if (test || root == "cache" || root == "mask" || !is_local(root)) {
        return false;
      }
    }
    return true;
  }

  /// A parameter, or what a line assigns.
  bool is_local(const std::string& name) const {
    return std::any_of(
               text_.call_params.begin(),
               text_.call_params.end(),
               [&](const auto& p) {
                 return p.substr(0, p.find(':')) == name;
               }) ||
           std::any_of(
               text_.call.begin(), text_.call.end(), [&](const auto& line) {
                 const auto made = assignment(line);
                 return made &&
                        std::find(
                            made->targets.begin(), made->targets.end(), name) !=
                            made->targets.end();
               });
  }

  Reads reads_of(const Lines& lines) const {
    Reads out;
    for (const std::string& line : lines) {
      const auto made = assignment(line);
      const std::string read =
          made ? line.substr(line.find(" = ") + 3) : line.substr(leading(line));
      for (const Name& name : names_in(read)) {
        const size_t dot = name.text.find('.');
        const std::string root = name.text.substr(0, dot);
        if (root == "self") {
          std::string own = name.text.substr(dot + 1);
          own = "self." + own.substr(0, own.find('.'));
          add(is_scalar(own.substr(5)) ? out.scalars : out.arrays, own);
        } else if (root != "mx" && is_local(root) && !out.made.contains(root)) {
          add(out.arrays, root);
        }
      }
      if (made) {
        out.made.insert(made->targets.begin(), made->targets.end());
      }
    }
    return out;
  }

  std::string function(const Lines& lines, size_t from, size_t to) {
    const Reads reads = reads_of(lines);
    std::vector<std::string> given = reads.arrays;
    given.insert(given.end(), reads.scalars.begin(), reads.scalars.end());
    std::map<std::string, std::string> names;
    std::string parameters, arguments;
    std::set<std::string> taken = reads.made;
    for (const std::string& name : given) {
      const bool own = name.starts_with("self.");
      const std::string parameter = own ? name.substr(5) : name;
      if (own && !taken.insert(parameter).second) {
        return "";  // two would have one name
      }
      if (const auto made = makers_.find(parameter);
          own && made != makers_.end() && !made->second.always) {
        return "";  // some configs lack it, and do not read it
      }
      taken.insert(parameter);
      names[name] = parameter;
      parameters += (parameters.empty() ? "" : ", ") + parameter;
      arguments += (arguments.empty() ? "" : ", ") + name;
    }
    const bool last = lines.back().starts_with("return ");
    const std::string results = last ? "" : read_later(reads.made, to);
    if (!last && results.empty()) {
      return "";
    }
    const bool groups = any_has(lines, "mx.put_along_axis(");
    std::string body = "(" + parameters + "):\n";
    for (const std::string& line : lines) {
      body += "    " + renamed_objects(line, names) + "\n";
    }
    if (!last) {
      body += "    return " + results + "\n";
    }
    std::string name = groups ? "group_expert_select" : "expert_select";
    while (functions_.contains(name) && functions_.at(name) != body) {
      name += "2";
    }
    const bool known = !functions_.emplace(name, body).second;
    auto& call = text_.call;
    call.erase(call.begin() + from, call.begin() + to);
    call.insert(
        call.begin() + from,
        (last ? "return " : results + " = ") + name + "(" + arguments + ")");
    return known ? "" : "@mx.compile\ndef " + name + body + "\n\n";
  }

  /// What the statements make that is read from the `from`th line on.
  std::string read_later(const std::set<std::string>& made, size_t from) const {
    const Lines after(text_.call.begin() + from, text_.call.end());
    std::string out;
    for (const std::string& name : made) {
      if (count_of(after, name)) {
        out += (out.empty() ? "" : ", ") + name;
      }
    }
    return out;
  }

  ClassText& text_;
  ChoiceFunctions& functions_;
  sharding::Makers makers_;
  std::vector<size_t> starts_;
};

}  // namespace

std::string compile_choice(ClassText& text, ChoiceFunctions& functions) {
  if (!any_has(text.call, "mx.argpartition(")) {
    return "";
  }
  skip_whole_groups(text.call);
  return Choice(text, functions).write();
}

}  // namespace portwright::emit
