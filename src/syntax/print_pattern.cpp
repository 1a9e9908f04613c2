#include "syntax/printer_impl.h"

namespace portwright::syntax {

void Printer::pattern(const Pattern& pattern) {
  const auto each = [this](const Pattern* item) { this->pattern(*item); };
  switch (pattern.kind) {
    case PatternKind::MatchValue:
      return expression(*as<MatchValue>(pattern).value);
    case PatternKind::MatchSingleton: {
      const ConstantKind value = as<MatchSingleton>(pattern).value;
      return write(
          value == ConstantKind::None   ? "None"
          : value == ConstantKind::True ? "True"
                                        : "False");
    }
    case PatternKind::MatchSequence:
      write("[");
      list(as<MatchSequence>(pattern).patterns, each);
      return write("]");
    case PatternKind::MatchMapping: {
      const auto& p = as<MatchMapping>(pattern);
      write("{");
      for (size_t i = 0; i < p.keys.size(); ++i) {
        write(i == 0 ? "" : ", ");
        expression(*p.keys[i]);
        write(": ");
        this->pattern(*p.patterns[i]);
      }
      if (p.rest) {
        write(p.keys.empty() ? "**" : ", **");
        write(p.rest);
      }
      return write("}");
    }
    case PatternKind::MatchClass: {
      const auto& p = as<MatchClass>(pattern);
      expression(*p.cls);
      write("(");
      list(p.patterns, each);
      for (size_t i = 0; i < p.kwd_attrs.size(); ++i) {
        write(i == 0 && p.patterns.empty() ? "" : ", ");
        write(p.kwd_attrs[i]);
        write("=");
        this->pattern(*p.kwd_patterns[i]);
      }
      return write(")");
    }
    case PatternKind::MatchStar:
      write("*");
      return as<MatchStar>(pattern).name ? write(as<MatchStar>(pattern).name)
                                         : write("_");
    case PatternKind::MatchAs: {
      const auto& p = as<MatchAs>(pattern);
      if (p.pattern != nullptr) {
        const bool wrap = p.pattern->kind == PatternKind::MatchAs &&
                          as<MatchAs>(*p.pattern).pattern != nullptr;
        write(wrap ? "(" : "");
        this->pattern(*p.pattern);
        write(wrap ? ") as " : " as ");
      }
      return p.name ? write(p.name) : write("_");
    }
    case PatternKind::MatchOr: {
      bool first = true;
      for (const Pattern* item : as<MatchSequence>(pattern).patterns) {
        write(first ? "" : " | ");
        first = false;
        const bool wrap = item->kind == PatternKind::MatchOr ||
                          (item->kind == PatternKind::MatchAs &&
                           as<MatchAs>(*item).pattern != nullptr);
        write(wrap ? "(" : "");
        this->pattern(*item);
        write(wrap ? ")" : "");
      }
      return;
    }
  }
}

void Printer::match_rest(const Match& stmt) {
  ++depth_;
  for (const MatchCase& each : stmt.cases) {
    line("case ");
    pattern(*each.pattern);
    if (each.guard != nullptr) {
      write(" if ");
      expression(*each.guard, Level::Named);
    }
    write(":");
    block(each.body);
  }
  --depth_;
}

}  // namespace portwright::syntax
