#include "emit/layout/imports.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <vector>

#include "emit/layout/line.h"
#include "emit/layout/strings.h"

namespace portwright::emit::printing {

using namespace syntax;

namespace {

enum class Section { Future, Standard, ThirdParty, Local };
constexpr int kSections = 4;

// Digits compare as numbers, everything else as text.
bool naturally_less(std::string_view a, std::string_view b) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto text_end = [&](std::string_view s) {
    size_t i = 0;
    while (i < s.size() && !is_digit(s[i])) {
      ++i;
    }
    return i;
  };
  const auto number_end = [&](std::string_view s) {
    size_t i = 0;
    while (i < s.size() && is_digit(s[i])) {
      ++i;
    }
    return i;
  };
  while (!a.empty() || !b.empty()) {
    const std::string_view text_a = a.substr(0, text_end(a));
    const std::string_view text_b = b.substr(0, text_end(b));
    if (text_a != text_b) {
      return text_a < text_b;
    }
    a.remove_prefix(text_a.size());
    b.remove_prefix(text_b.size());
    std::string_view number_a = a.substr(0, number_end(a));
    std::string_view number_b = b.substr(0, number_end(b));
    a.remove_prefix(number_a.size());
    b.remove_prefix(number_b.size());
    if (number_a.empty() || number_b.empty()) {
      if (number_a.empty() != number_b.empty()) {
        return number_a.empty();
      }
      continue;
    }
    const auto significant = [](std::string_view s) {
      const size_t at = s.find_first_not_of('0');
      return at == std::string_view::npos ? s.substr(s.size()) : s.substr(at);
    };
    number_a = significant(number_a);
    number_b = significant(number_b);
    if (number_a.size() != number_b.size()) {
      return number_a.size() < number_b.size();
    }
    if (number_a != number_b) {
      return number_a < number_b;
    }
  }
  return false;
}

// Dots of a relative module sort before its name.
std::string module_key(std::string_view module) {
  const size_t dots = std::min(module.find_first_not_of('.'), module.size());
  std::string out(module.substr(0, dots));
  if (dots > 0) {
    out += '_';
  }
  return lowered(out.append(module.substr(dots)));
}

// Constants, then classes, then the rest.
std::string name_key(const std::string& name) {
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const bool constant = name.size() > 1 &&
                        std::any_of(name.begin(), name.end(), upper) &&
                        std::none_of(name.begin(), name.end(), lower);
  const char rank = constant ? 'A' : upper(name[0]) ? 'B' : 'C';
  return rank + lowered(name);
}

Section section_of(std::string_view module) {
  if (module == "__future__") {
    return Section::Future;
  }
  if (module.starts_with('.')) {
    return Section::Local;
  }
  return is_standard_module(module.substr(0, module.find('.')))
             ? Section::Standard
             : Section::ThirdParty;
}

void add_unique(std::vector<std::string>& list, std::string item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) {
    list.push_back(std::move(item));
  }
}

/// What one `from` module gives: names in order of appearance, with the names
/// they are bound to.
struct FromModule {
  struct Name {
    std::string name;
    bool plain = false;
    std::vector<std::string> aliases;
  };
  std::vector<Name> names;
  bool star = false;
  bool exploded = false;  // by a magic trailing comma

  Name& name(const std::string& text) {
    for (Name& known : names) {
      if (known.name == text) {
        return known;
      }
    }
    return names.emplace_back(Name{text});
  }
};

struct Group {
  std::vector<std::string> straight;  // `x`, `x as y`
  std::vector<std::pair<std::string, FromModule>> from;

  FromModule& module(const std::string& name) {
    for (auto& [known, entry] : from) {
      if (known == name) {
        return entry;
      }
    }
    return from.emplace_back(name, FromModule{}).second;
  }
};

void print_from(
    const std::string& module,
    FromModule& entry,
    std::vector<std::string>& out) {
  const std::string start = "from " + module + " import ";
  if (entry.star) {
    out.push_back(start + "*");
  }
  std::stable_sort(
      entry.names.begin(), entry.names.end(), [](const auto& a, const auto& b) {
        return naturally_less(name_key(a.name), name_key(b.name));
      });
  std::string joined;
  bool after_alias = false;
  const auto flush = [&] {
    if (!joined.empty()) {
      out.push_back(
          start +
          (entry.exploded && !after_alias ? "(" + joined + ",)" : joined));
      after_alias = false;
    }
    joined.clear();
  };
  for (auto& name : entry.names) {
    if (name.aliases.empty()) {
      joined += (joined.empty() ? "" : ", ") + name.name;
      continue;
    }
    flush();
    after_alias = true;
    if (name.plain) {
      out.push_back(start + name.name);
    }
    std::sort(name.aliases.begin(), name.aliases.end(), naturally_less);
    for (const std::string& alias : name.aliases) {
      out.push_back(start + name.name + " as " + alias);
    }
  }
  flush();
}

void print_group(Group& group, bool from_first, std::vector<std::string>& out) {
  const auto straight = [&] {
    std::stable_sort(
        group.straight.begin(),
        group.straight.end(),
        [](const auto& a, const auto& b) {
          const std::string key_a = module_key(a.substr(0, a.find(' ')));
          const std::string key_b = module_key(b.substr(0, b.find(' ')));
          if (key_a != key_b) {
            return naturally_less(key_a, key_b);
          }
          const bool alias_a = a.find(' ') != std::string::npos;
          const bool alias_b = b.find(' ') != std::string::npos;
          return alias_a != alias_b ? alias_b : alias_a && naturally_less(a, b);
        });
    for (const std::string& module : group.straight) {
      out.push_back("import " + module);
    }
  };
  if (!from_first) {
    straight();
  }
  std::stable_sort(
      group.from.begin(), group.from.end(), [](const auto& a, const auto& b) {
        return naturally_less(module_key(a.first), module_key(b.first));
      });
  for (auto& [module, entry] : group.from) {
    print_from(module, entry, out);
  }
  if (from_first) {
    straight();
  }
}

struct Edit {
  uint32_t begin;
  uint32_t end;
  std::string text;
};

/// Finds the runs of imports in all blocks of a module.
class Sorter {
 public:
  explicit Sorter(const syntax::Tree& tree)
      : tree_(tree), text_(tree.source->text()) {}

  std::string run() {
    block(tree_.body, true);
    std::string out;
    uint32_t at = 0;
    for (const Edit& edit : edits_) {
      out += text_.substr(at, edit.begin - at);
      out += edit.text;
      at = edit.end;
    }
    return out.append(text_.substr(at));
  }

 private:
  void block(Stmts body, bool top);
  void inner_blocks(const Stmt& stmt);
  void sort(Stmts run, const Stmt* next, bool top);
  void collect(const Stmt& stmt, Group (&groups)[kSections]) const;
  bool sortable(Stmts run) const;
  size_t line_begin(uint32_t offset) const {
    const size_t newline =
        offset == 0 ? std::string_view::npos : text_.rfind('\n', offset - 1);
    return newline == std::string_view::npos ? 0 : newline + 1;
  }

  const syntax::Tree& tree_;
  std::string_view text_;
  std::vector<Edit> edits_;
};

bool is_import(const Stmt& stmt) {
  return stmt.kind == StmtKind::Import || stmt.kind == StmtKind::ImportFrom;
}

void Sorter::block(Stmts body, bool top) {
  for (size_t i = 0; i < body.size();) {
    if (!is_import(*body[i])) {
      inner_blocks(*body[i++]);
      continue;
    }
    size_t end = i;
    while (end < body.size() && is_import(*body[end])) {
      ++end;
    }
    sort(
        body.subspan(i, end - i), end < body.size() ? body[end] : nullptr, top);
    i = end;
  }
}

void Sorter::inner_blocks(const Stmt& stmt) {
  switch (stmt.kind) {
    case StmtKind::FunctionDef:
    case StmtKind::AsyncFunctionDef:
      return block(as<FunctionDef>(stmt).body, false);
    case StmtKind::ClassDef:
      return block(as<ClassDef>(stmt).body, false);
    case StmtKind::If:
    case StmtKind::While:
      block(as<Conditional>(stmt).body, false);
      return block(as<Conditional>(stmt).orelse, false);
    case StmtKind::For:
    case StmtKind::AsyncFor:
      block(as<For>(stmt).body, false);
      return block(as<For>(stmt).orelse, false);
    case StmtKind::With:
    case StmtKind::AsyncWith:
      return block(as<With>(stmt).body, false);
    case StmtKind::Try:
    case StmtKind::TryStar:
      block(as<Try>(stmt).body, false);
      for (const ExceptHandler& handler : as<Try>(stmt).handlers) {
        block(handler.body, false);
      }
      block(as<Try>(stmt).orelse, false);
      return block(as<Try>(stmt).finalbody, false);
    default:
      return;
  }
}

// Each import begins its line, and no comment stands among them.
bool Sorter::sortable(Stmts run) const {
  const uint32_t begin = run.front()->span.begin;
  const size_t end =
      std::min(text_.find('\n', run.back()->span.end), text_.size());
  for (const base::Span& comment : tree_.comments) {
    if (comment.begin >= begin && comment.begin < end) {
      return false;
    }
  }
  return std::all_of(run.begin(), run.end(), [&](const Stmt* stmt) {
    const size_t start = line_begin(stmt->span.begin);
    const std::string_view before =
        text_.substr(start, stmt->span.begin - start);
    const std::string_view after = text_.substr(stmt->span.end, 1);
    return before.find_first_not_of(" \t") == std::string_view::npos &&
           (after.empty() || after == "\n");
  });
}

void Sorter::collect(const Stmt& stmt, Group (&groups)[kSections]) const {
  if (stmt.kind == StmtKind::Import) {
    for (const Alias& alias : as<Import>(stmt).names) {
      const std::string& module = alias.name.str();
      add_unique(
          groups[static_cast<int>(section_of(module))].straight,
          alias.asname ? module + " as " + alias.asname.str() : module);
    }
    return;
  }
  const auto& import = as<ImportFrom>(stmt);
  std::string module(static_cast<size_t>(import.level), '.');
  if (import.module) {
    module += import.module.str();
  }
  FromModule& entry =
      groups[static_cast<int>(section_of(module))].module(module);
  for (const Alias& alias : import.names) {
    if (alias.name.str() == "*") {
      entry.star = true;
      continue;
    }
    auto& name = entry.name(alias.name.str());
    if (alias.asname) {
      add_unique(name.aliases, alias.asname.str());
    } else {
      name.plain = true;
    }
  }
  size_t length = stmt.span.begin - line_begin(stmt.span.begin) +
                  std::string_view("from  import ").size() + module.size();
  for (const Alias& alias : import.names) {
    length += alias.name.str().size() +
              (alias.asname ? alias.asname.str().size() + 4 : 0) +
              (&alias == &import.names.back() ? 0 : 2);
  }
  const std::string_view source = stmt.span.text();
  const size_t last = source.find_last_not_of(") \n\t");
  // black would put a comma behind the names of a long line.
  entry.exploded =
      entry.exploded || source[last] == ',' || length > kLineLength;
}

void Sorter::sort(Stmts run, const Stmt* next, bool top) {
  if (!sortable(run)) {
    return;
  }
  Group groups[kSections];
  for (const Stmt* stmt : run) {
    collect(*stmt, groups);
  }
  const uint32_t begin = run.front()->span.begin;
  const size_t start = line_begin(begin);
  const std::string margin(text_.substr(start, begin - start));
  std::string out;
  for (int section = 0; section < kSections; ++section) {
    std::vector<std::string> lines;
    print_group(groups[section], section == 0, lines);
    if (!lines.empty() && !out.empty()) {
      out += "\n\n" + margin;
    }
    for (size_t i = 0; i < lines.size(); ++i) {
      out += (i > 0 ? "\n" + margin : "") + lines[i];
    }
  }
  uint32_t end = run.back()->span.end;
  const std::string_view below =
      text_.substr(std::min<size_t>(end + 1, text_.size()));
  if (!top && (below.starts_with("import ") || below.starts_with("from "))) {
    out += '\n';  // the block ends here
  }
  if (top && next) {
    // One blank line below, two above a definition.
    const size_t following = text_.find_first_not_of("\n", end);
    const std::string_view rest = text_.substr(line_begin(
        static_cast<uint32_t>(text_.find_first_not_of(" \t\n", end))));
    std::string_view construct = rest;
    while (construct.starts_with('#')) {
      const size_t newline = construct.find('\n');
      if (newline == std::string_view::npos ||
          construct.substr(newline + 1).starts_with('\n')) {
        break;
      }
      construct.remove_prefix(newline + 1);
    }
    const bool definition =
        construct.starts_with("def ") || construct.starts_with("class ") ||
        construct.starts_with("@") || construct.starts_with("async def");
    out += definition ? "\n\n\n" : "\n\n";
    end = static_cast<uint32_t>(following);
  }
  edits_.push_back({begin, end, std::move(out)});
}

}  // namespace

std::string sort_imports(const syntax::Tree& tree) {
  return Sorter(tree).run();
}

}  // namespace portwright::emit::printing
