#include "emit/fillings.h"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "emit/layout.h"
#include "syntax/parser.h"

namespace portwright::emit {

namespace ast = syntax;
using ast::StmtKind;

namespace {

/// One piece of a file that is merged as a whole. A member's key is
/// "Class.name", and it follows the part "Class".
struct Part {
  std::string key;
  std::string text;
  size_t blank_lines = 0;  // before it
};
using Parts = std::vector<Part>;

bool is_import(const ast::Stmt& s) {
  return s.kind == StmtKind::Import || s.kind == StmtKind::ImportFrom;
}

std::string text_of(const ast::Expr& e) {
  return std::string(e.span.text());
}

/// What a statement makes: the name by which it is found again.
std::string name_of(const ast::Stmt& s) {
  switch (s.kind) {
    case StmtKind::FunctionDef: {
      // A property's setter has the getter's name.
      const auto& f = ast::as<ast::FunctionDef>(s);
      std::string out = f.name.str();
      for (const ast::Expr* decorator : f.decorator_list) {
        out += "@" + text_of(*decorator);
      }
      return out;
    }
    case StmtKind::ClassDef:
      return ast::as<ast::ClassDef>(s).name.str();
    case StmtKind::AnnAssign:
      return text_of(*ast::as<ast::AnnAssign>(s).target);
    case StmtKind::Assign:
      return text_of(*ast::as<ast::Assign>(s).targets.front());
    default:
      return std::string(s.span.text());
  }
}

class Splitter {
 public:
  Splitter(const ast::Tree& tree, const std::set<std::string>& whole)
      : source_(*tree.source), whole_(whole) {
    for (const ast::Stmt* s : tree.body) {
      if (is_import(*s)) {
        add_imports(*s);
      } else if (
          s->kind == StmtKind::ClassDef && !whole_.contains(name_of(*s))) {
        add_class(ast::as<ast::ClassDef>(*s));
      } else {
        add(name_of(*s), line_of(s->span.end));
      }
    }
  }

  Parts take() {
    return std::move(parts_);
  }

 private:
  uint32_t line_of(uint32_t offset) const {
    return source_.position(offset).line;
  }

  /// The lines up to `last`, those of comments before it included.
  void add(std::string key, uint32_t last) {
    Part part;
    part.key = std::move(key);
    for (; next_ <= last; ++next_) {
      const std::string line(source_.line(next_));
      if (line.empty() && part.text.empty()) {
        ++part.blank_lines;
      } else {
        part.text += line + "\n";
      }
    }
    parts_.push_back(std::move(part));
  }

  void add_imports(const ast::Stmt& s) {
    std::string module;
    std::string comments;
    for (; next_ < line_of(s.span.begin); ++next_) {
      const std::string line(source_.line(next_));
      comments += line.empty() ? "" : line + "\n";
    }
    if (!comments.empty()) {
      parts_.push_back({comments, comments, 0});
    }
    const auto names = [&](const auto& aliases) {
      for (const auto& alias : aliases) {
        std::string text = "import " + alias.name.str();
        if (alias.asname) {
          text += " as " + alias.asname.str();
        }
        text = module.empty() ? text : "from " + module + " " + text;
        parts_.push_back({text, text + "\n", 0});
      }
    };
    if (s.kind == StmtKind::ImportFrom) {
      const auto& from = ast::as<ast::ImportFrom>(s);
      module =
          std::string(from.level, '.') + (from.module ? from.module.str() : "");
      names(from.names);
    } else {
      names(ast::as<ast::Import>(s).names);
    }
    next_ = line_of(s.span.end) + 1;
  }

  void add_class(const ast::ClassDef& c) {
    const ast::Stmt& first = *c.body.front();
    const std::string name = c.name.str();
    const uint32_t begin = line_of(begin_of(first));
    if (begin == line_of(c.span.begin)) {  // class X: pass
      return add(name, line_of(c.span.end));
    }
    add(name, begin - 1);
    for (const ast::Stmt* s : c.body) {
      add(name + "." + name_of(*s), line_of(s->span.end));
    }
  }

  static uint32_t begin_of(const ast::Stmt& s) {
    uint32_t begin = s.span.begin;
    if (s.kind == StmtKind::FunctionDef) {
      for (const ast::Expr* d : ast::as<ast::FunctionDef>(s).decorator_list) {
        begin = std::min(begin, d->span.begin);
      }
    }
    return begin;
  }

  const base::SourceFile& source_;
  const std::set<std::string>& whole_;
  Parts parts_;
  uint32_t next_ = 1;  // the first line that belongs to no part yet
};

/// `whole`: classes that are one part each.
base::Result<Parts> split(
    std::string_view text,
    const std::set<std::string>& whole) {
  const auto parsed = ast::parse_module("", std::string(text));
  if (!parsed.diagnostics.empty()) {
    const auto& fault = parsed.diagnostics.front();
    return base::fail(fmt::format(
        "line {}: {}",
        fault.span ? fault.span.file->position(fault.span.begin).line : 0,
        fault.message));
  }
  return Splitter(parsed.tree, whole).take();
}

const Part* find(const Parts& parts, const std::string& key) {
  const auto it = std::find_if(
      parts.begin(), parts.end(), [&](const Part& p) { return p.key == key; });
  return it == parts.end() ? nullptr : &*it;
}

bool same(const Part* a, const Part* b) {
  return a && b ? a->text == b->text : a == b;
}

std::optional<std::string> hole_of(const Draft& draft, const std::string& key) {
  const auto it = draft.holes.find(key);
  return it == draft.holes.end() ? std::nullopt : std::optional(it->second);
}

class Merge {
 public:
  Merge(
      const Draft& base,
      const Draft& fresh,
      Parts was,
      const Parts& edited,
      Parts now)
      : base_(base),
        fresh_(fresh),
        was_(std::move(was)),
        edited_(edited),
        out_(std::move(now)),
        now_(out_) {
    for (const Part& part : edited_) {
      take(part);
      previous_ = find(out_, part.key) ? part.key : previous_;
    }
    for (const Part& part : was_) {
      if (!find(edited_, part.key) && find(now_, part.key)) {
        remove(part);
      }
    }
  }

  Refilled result() {
    Refilled out;
    out.kept = std::move(kept_);
    out.outdated = std::move(outdated_);
    bool imports = true;
    for (const Part& part : out_) {
      const bool import =
          part.key.starts_with("import ") || part.key.starts_with("from ");
      out.text += std::string(
          imports && !import && !part.key.starts_with("#")
              ? 2
              : std::min<size_t>(part.blank_lines, 2),
          '\n');
      imports = imports && (import || part.key.starts_with("#"));
      out.text += part.text;
      if (fresh_.holes.contains(part.key) &&
          (same(&part, find(now_, part.key)) ||
           part.text.find("NotImplementedError(\"hole ") !=
               std::string::npos)) {
        out.open.push_back(part.key);
      }
    }
    std::erase_if(out.kept, [&](const std::string& name) {
      return std::find(out.open.begin(), out.open.end(), name) !=
             out.open.end();
    });
    return out;
  }

 private:
  /// A part as somebody left it.
  void take(const Part& part) {
    const Part* was = find(was_, part.key);
    const Part* now = find(now_, part.key);
    if (same(&part, was) || same(&part, now)) {
      return;  // nobody touched it, or both did alike
    }
    const auto hole = hole_of(fresh_, part.key);
    const auto before = hole_of(base_, part.key);
    if (hole && before) {
      if (*hole == *before) {
        kept_.push_back(part.key);
        put(part);
      } else {
        outdated_.emplace_back(part.key, "what it stands for has changed");
      }
    } else if (before) {
      outdated_.emplace_back(
          part.key, now ? "it is translated now" : "it is no longer there");
    } else if (same(was, now)) {
      put(part);
    } else {
      outdated_.emplace_back(part.key, "the draft has another one");
    }
  }

  /// ... taken out of the draft. A whole class of it comes back.
  void remove(const Part& part) {
    const auto at = std::find_if(was_.begin(), was_.end(), [&](const auto& p) {
      return p.key.starts_with(part.key + ".");
    });
    const std::string of = part.key.substr(0, part.key.find('.'));
    if (fresh_.holes.contains(part.key) || at != was_.end() ||
        (find(was_, of) && !find(edited_, of))) {
      return;
    }
    if (same(&part, find(now_, part.key))) {
      std::erase_if(out_, [&](const Part& p) { return p.key == part.key; });
    } else {
      outdated_.emplace_back(part.key, "it was taken out, and has changed");
    }
  }

  void put(const Part& part) {
    for (Part& p : out_) {
      if (p.key == part.key) {
        p.text = part.text;
        return;
      }
    }
    const auto at = std::find_if(out_.begin(), out_.end(), [&](const Part& p) {
      return p.key == previous_;
    });
    out_.insert(at == out_.end() ? out_.begin() : at + 1, part);
  }

  const Draft& base_;
  const Draft& fresh_;
  const Parts was_;
  const Parts& edited_;
  Parts out_;
  const Parts now_;
  std::string previous_;  // the last part that both have
  std::vector<std::string> kept_;
  std::vector<std::pair<std::string, std::string>> outdated_;
};

}  // namespace

base::Result<Refilled>
refill(const Draft& base, std::string_view edited, const Draft& fresh) {
  std::set<std::string> whole;
  for (const Draft* draft : {&base, &fresh}) {
    for (const auto& [name, id] : draft->holes) {
      whole.insert(name);
    }
  }
  auto was = split(base.text, whole);
  auto theirs = split(edited, whole);
  auto now = split(fresh.text, whole);
  for (const auto* parts : {&was, &theirs, &now}) {
    if (!*parts) {
      return tl::unexpected(parts->error());
    }
  }
  Refilled out =
      Merge(base, fresh, std::move(*was), *theirs, std::move(*now)).result();
  // What layout() does not serve stays as somebody wrote it.
  if (auto laid_out = layout(out.text)) {
    out.text = std::move(*laid_out);
  }
  return out;
}

}  // namespace portwright::emit
