#include "candidate/source_map.h"

#include <algorithm>

#include "candidate/core_module.h"
#include "candidate/proving.h"
#include "candidate/value_lines.h"
#include "library/config_json.h"
#include "syntax/parser.h"

namespace portwright::candidate {

using eval::Interpreter;
using eval::Value;
using syntax::StmtKind;

namespace {

constexpr const char* kFile = "port.py";

/// The class statements of the source's files, by file and name.
class SourceText {
 public:
  /// Where a class says something, its bases in the same file included: where
  /// `self.<name>` is set, `<name>` is declared, or a function begins.
  std::optional<SourceLine> find(
      const eval::Class* cls,
      const std::string& what) {
    for (const eval::Class* c : cls->mro) {
      if (c->span) {
        const auto& known = places(*c);
        if (const auto it = known.find(what); it != known.end()) {
          return SourceLine{c->span.file->path(), it->second};
        }
      }
    }
    return {};
  }

 private:
  using Places = std::map<std::string, int>;

  static int line_of(const base::Span& span) {
    return static_cast<int>(span.file->position(span.begin).line);
  }

  const Places& places(const eval::Class& cls) {
    auto [it, fresh] = known_.try_emplace(&cls);
    if (fresh) {
      it->second.emplace("class", line_of(cls.span));
      const auto parsed = syntax::parse_module(
          cls.span.file->path(), std::string(cls.span.text()));
      const int before = line_of(cls.span) - 1;
      for (const syntax::Stmt* s : parsed.tree.body) {
        if (s->kind == StmtKind::ClassDef) {
          collect(syntax::as<syntax::ClassDef>(*s).body, before, it->second);
        }
      }
    }
    return it->second;
  }

  static void collect(syntax::Stmts body, int before, Places& out) {
    for (const syntax::Stmt* s : body) {
      const int line = before + line_of(s->span);
      if (s->kind == StmtKind::FunctionDef) {
        const auto& f = syntax::as<syntax::FunctionDef>(*s);
        out.emplace(f.name.str() + "()", line);
        collect(f.body, before, out);
      } else if (s->kind == StmtKind::If) {
        const auto& c = syntax::as<syntax::Conditional>(*s);
        collect(c.body, before, out);
        collect(c.orelse, before, out);
      } else if (s->kind == StmtKind::AnnAssign) {
        target(*syntax::as<syntax::AnnAssign>(*s).target, line, out);
      } else if (s->kind == StmtKind::Assign) {
        for (const syntax::Expr* t : syntax::as<syntax::Assign>(*s).targets) {
          target(*t, line, out);
        }
      }
    }
  }

  static void target(const syntax::Expr& t, int line, Places& out) {
    if (t.kind == syntax::ExprKind::Name) {
      out.emplace(syntax::as<syntax::Name>(t).id.str(), line);
    } else if (t.kind == syntax::ExprKind::Attribute) {
      out.emplace(syntax::as<syntax::Attribute>(t).attr.str(), line);
    }
  }

  std::map<const eval::Class*, Places> known_;
};

class Mapper {
 public:
  Mapper(
      Interpreter& interp,
      const std::string& text,
      const nlohmann::json& config)
      : interp_(interp),
        module_(interp.run_source("mlx_lm.models._mapped", kFile, text)),
        parsed_(syntax::parse_module(kFile, text)) {
    source_ = source_model(interp, config);
    const Value weights =
        interp.call(function(interp, kTheirs, "checkpoint"), {source_});
    port_ = interp.call(
        function(interp, kOurs, "load"),
        {module_, library::to_value(config), weights});
    pair_classes();
  }

  SourceMap run() {
    match_values();
    for (const syntax::Stmt* s : parsed_.tree.body) {
      if (s->kind == StmtKind::ClassDef) {
        write_class(syntax::as<syntax::ClassDef>(*s));
      }
    }
    return std::move(map_);
  }

 private:
  void each_module(
      const Value& model,
      const std::function<void(const std::string&, const Value&)>& visit) {
    interp_.for_each(
        interp_.call_method(model, "named_modules"), [&](Value pair) {
          const auto& items = pair.get<eval::Tuple>()->items;
          visit(items[0].str(), items[1]);
        });
  }

  /// A module has the same path on both sides.
  void pair_classes() {
    std::map<std::string, const eval::Class*> by_path;
    each_module(source_, [&](const std::string& path, const Value& module) {
      const eval::Class* cls = interp_.class_of(module);
      by_path.emplace(path, cls);
      if (!rotary_ && has_only_buffers(module)) {
        rotary_ = cls;
      }
      if (cls->span && !cls->span.file->path().starts_with("<")) {
        files_.insert(cls->span.file->path());
      }
    });
    each_module(port_, [&](const std::string& path, const Value& module) {
      if (const auto it = by_path.find(path); it != by_path.end()) {
        classes_.emplace(interp_.class_of(module)->name, it->second);
      }
    });
    classes_.emplace(
        "ModelArgs", interp_.class_of(interp_.getattr(source_, "config")));
  }

  bool has_only_buffers(const Value& module) {
    const auto any = [&](const char* kind) {
      bool found = false;
      interp_.for_each(
          interp_.call_method(module, kind), [&](Value) { found = true; });
      return found;
    };
    return any("buffers") && !any("parameters");
  }

  /// Ropes of other types than the config's: no module is of their class.
  static bool rotates(const syntax::ClassDef& c) {
    for (const syntax::Stmt* s : c.body) {
      if (s->kind == StmtKind::FunctionDef) {
        const auto& f = syntax::as<syntax::FunctionDef>(*s);
        const auto& args = f.args->args;
        if (f.name.str() == "__call__" && args.size() == 3 &&
            args[2]->name.str() == "offset") {
          return true;
        }
      }
    }
    return false;
  }

  void match_values() {
    constexpr int kLength = 7;
    const mx::array ids = ids_for(vocabulary_of(interp_, source_), 1, kLength);
    const Value given = array_value(interp_, mx::astype(ids, mx::int32));
    std::vector<ValueLines::Seen> theirs, ours;
    {
      ValueLines lines(interp_, files_);
      value_or_throw(library::forward(interp_, source_, ids));
      theirs = lines.seen();
    }
    {
      ValueLines lines(interp_, {kFile});
      interp_.call(port_, {given});
      interp_.call(
          function(interp_, kOurs, "run"), {port_, eval::list({given})});
      ours = lines.seen();
    }
    const auto equal = equal_values(ours, theirs);
    for (size_t i = 0; i < ours.size(); ++i) {
      for (size_t j : equal[i]) {
        by_value_[ours[i].line].insert(
            {theirs[j].file->path(), theirs[j].line});
      }
    }
  }

  int line_at(uint32_t offset) const {
    return static_cast<int>(parsed_.tree.source->position(offset).line);
  }

  void add(int from, int to, const std::set<SourceLine>& lines) {
    for (int line = from; line <= to && !lines.empty(); ++line) {
      map_[line].insert(lines.begin(), lines.end());
    }
  }

  /// The lines a statement holds itself.
  void add(const syntax::Stmt& s, const std::set<SourceLine>& lines) {
    add(line_at(s.span.begin), line_at(s.span.end - 1), lines);
  }

  std::set<SourceLine> place(
      const eval::Class* cls,
      std::initializer_list<std::string> names) {
    for (const std::string& name : names) {
      if (const auto found = cls ? text_.find(cls, name) : std::nullopt) {
        return {*found};
      }
    }
    return {};
  }

  void write_class(const syntax::ClassDef& c) {
    const auto it = classes_.find(c.name.str());
    const eval::Class* cls = it != classes_.end() ? it->second
                             : rotates(c)         ? rotary_
                                                  : nullptr;
    const auto whole = place(cls, {"class"});
    const int line = line_at(c.span.begin);
    add(line, line, whole);
    for (const syntax::Stmt* s : c.body) {
      if (s->kind != StmtKind::FunctionDef) {
        const auto named = place(cls, {attribute_of(*s)});
        add(*s, named.empty() ? whole : named);
        continue;
      }
      const auto& f = syntax::as<syntax::FunctionDef>(*s);
      const bool forward = f.name.str() == "__call__";
      const auto begin = forward ? place(cls, {"forward()", "class"})
                                 : place(cls, {f.name.str() + "()", "class"});
      const int first = f.body.empty() ? line_at(s->span.end - 1) + 1
                                       : line_at(f.body[0]->span.begin);
      add(line_at(s->span.begin), first - 1, begin);
      block(f.body, cls, begin, forward);
    }
  }

  static std::string attribute_of(const syntax::Stmt& s) {
    const syntax::Expr* target = nullptr;
    if (s.kind == StmtKind::AnnAssign) {
      target = syntax::as<syntax::AnnAssign>(s).target;
    } else if (s.kind == StmtKind::Assign) {
      target = syntax::as<syntax::Assign>(s).targets[0];
    }
    if (target && target->kind == syntax::ExprKind::Attribute) {
      return syntax::as<syntax::Attribute>(*target).attr.str();
    }
    return target && target->kind == syntax::ExprKind::Name
               ? syntax::as<syntax::Name>(*target).id.str()
               : "";
  }

  /// Answers what the statements stand for.
  std::set<SourceLine> block(
      syntax::Stmts body,
      const eval::Class* cls,
      const std::set<SourceLine>& otherwise,
      bool forward) {
    std::set<SourceLine> all;
    for (const syntax::Stmt* s : body) {
      const auto lines = statement(*s, cls, otherwise, forward);
      all.insert(lines.begin(), lines.end());
    }
    return all;
  }

  std::set<SourceLine> statement(
      const syntax::Stmt& s,
      const eval::Class* cls,
      const std::set<SourceLine>& otherwise,
      bool forward) {
    std::vector<syntax::Stmts> inside;
    if (s.kind == StmtKind::If || s.kind == StmtKind::While) {
      const auto& c = syntax::as<syntax::Conditional>(s);
      inside = {c.body, c.orelse};
    } else if (s.kind == StmtKind::For) {
      const auto& c = syntax::as<syntax::For>(s);
      inside = {c.body, c.orelse};
    }
    if (!inside.empty()) {
      std::set<SourceLine> lines;
      for (const auto& part : inside) {
        const auto found = block(part, cls, otherwise, forward);
        lines.insert(found.begin(), found.end());
      }
      const int first = line_at(s.span.begin);
      add(first, std::max(first, line_at(inside[0][0]->span.begin) - 1), lines);
      return lines;
    }
    std::set<SourceLine> lines;
    if (forward) {
      for (int line = line_at(s.span.begin); line <= line_at(s.span.end - 1);
           ++line) {
        if (const auto it = by_value_.find(line); it != by_value_.end()) {
          lines.insert(it->second.begin(), it->second.end());
        }
      }
    } else {
      lines = place(cls, {attribute_of(s)});
    }
    lines = lines.empty() ? otherwise : lines;
    add(s, lines);
    return lines;
  }

  Interpreter& interp_;
  Value module_, source_, port_;
  syntax::ParseResult parsed_;
  SourceText text_;
  std::set<std::string> files_;
  std::map<std::string, const eval::Class*> classes_;  // of the port, by name
  const eval::Class* rotary_ = nullptr;  // of the source, with the frequencies
  SourceMap by_value_;
  SourceMap map_;
};

/// No provenance is kept while it lives.
class Plain {
 public:
  explicit Plain(Interpreter& interp)
      : interp_(interp), before_(interp.track_provenance) {
    interp.track_provenance = false;
  }
  ~Plain() {
    interp_.track_provenance = before_;
  }

 private:
  Interpreter& interp_;
  bool before_;
};

}  // namespace

library::Evaluated<SourceMap> map_sources(
    Interpreter& interp,
    const std::string& text,
    const std::vector<nlohmann::json>& configs) {
  const Plain plain(interp);
  SourceMap out;
  for (const auto& config : configs) {
    auto map = library::guarded(
        interp, [&] { return Mapper(interp, text, config).run(); });
    if (map) {
      out.merge(*map);  // what is known stays
    } else if (&config == &configs.front()) {
      return map;
    }
  }
  return out;
}

nlohmann::ordered_json to_json(const SourceMap& map) {
  using Json = nlohmann::ordered_json;
  std::map<std::string, size_t> numbers;
  Json files = Json::array();
  Json lines = Json::object();
  for (const auto& [line, sources] : map) {
    Json places = Json::array();
    for (const SourceLine& source : sources) {
      const auto [it, fresh] = numbers.emplace(source.file, numbers.size());
      if (fresh) {
        files.push_back(source.file);
      }
      places.push_back({it->second, source.line});
    }
    lines[std::to_string(line)] = places;
  }
  return {{"schema", 1}, {"files", files}, {"lines", lines}};
}

}  // namespace portwright::candidate
