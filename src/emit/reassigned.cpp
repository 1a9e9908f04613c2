#include "emit/reassigned.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "emit/expression.h"
#include "emit/module_writer.h"
#include "eval/code.h"
#include "syntax/ast.h"

namespace portwright::emit {

namespace ast = syntax;
using base::Span;
using trace::Branch;

namespace {

bool within(const Span& inner, const Span& outer) {
  return inner.file == outer.file && outer.begin <= inner.begin &&
         inner.end <= outer.end;
}

/// The `if` statements of a function, those of functions inside it left out.
void collect(ast::Stmts block, std::vector<const ast::Conditional*>& out) {
  for (const ast::Stmt* s : block) {
    if (s->kind == ast::StmtKind::If) {
      const auto& found = ast::as<ast::Conditional>(*s);
      out.push_back(&found);
      collect(found.body, out);
      collect(found.orelse, out);
    } else if (s->kind == ast::StmtKind::For) {
      collect(ast::as<ast::For>(*s).body, out);
    } else if (s->kind == ast::StmtKind::With) {
      collect(ast::as<ast::With>(*s).body, out);
    }
  }
}

void add_name(const ast::Expr* target, std::set<std::string>& out) {
  if (target->kind == ast::ExprKind::Name) {
    out.insert(ast::as<ast::Name>(*target).id.str());
  }
}

std::set<std::string> assigned(const ast::Stmt& s) {
  std::set<std::string> out;
  if (s.kind == ast::StmtKind::Assign) {
    for (const ast::Expr* target : ast::as<ast::Assign>(s).targets) {
      add_name(target, out);
    }
  } else if (s.kind == ast::StmtKind::AugAssign) {
    add_name(ast::as<ast::AugAssign>(s).target, out);
  }
  return out;
}

std::set<std::string> assigned(ast::Stmts block) {
  std::set<std::string> out;
  for (const ast::Stmt* s : block) {
    out.merge(assigned(*s));
  }
  return out;
}

/// The first value made by an item; the largest id when it makes none.
ValueId first_made(const trace::Item& item) {
  ValueId out = std::numeric_limits<ValueId>::max();
  if (const auto* op = std::get_if<OpNode>(&item)) {
    for (ValueId id : op->outputs) {
      const bool handed_on =
          std::find(op->inputs.begin(), op->inputs.end(), id) !=
          op->inputs.end();
      out = handed_on ? out : std::min(out, id);
    }
  } else if (const auto* frame = std::get_if<std::unique_ptr<Frame>>(&item)) {
    for (const auto& inner : (*frame)->items) {
      out = std::min(out, first_made(inner));
    }
  }
  return out;
}

class ReassignedFinder {
 public:
  ReassignedFinder(const Context& context, const lift::Graph& graph)
      : context_(context), trace_(context.trace), graph_(graph) {}

  Reassigned run() {
    visit(*graph_.frame);
    for (const Frame* f : graph_.functions) {
      visit(*f);
    }
    return std::move(out_);
  }

 private:
  void visit(const Frame& frame) {
    if (!frame.function || !frame.function->code->syntax ||
        frame.function->code->syntax->kind != ast::StmtKind::FunctionDef) {
      return;
    }
    std::vector<const ast::Conditional*> tests;
    collect(
        ast::as<ast::FunctionDef>(*frame.function->code->syntax).body, tests);
    for (size_t i = 0; i < frame.items.size() && !tests.empty(); ++i) {
      const auto* branch = std::get_if<Branch>(&frame.items[i]);
      if (!branch || branch->operand ||
          !context_.open_tests.contains(
              static_cast<uint32_t>(branch->span.begin))) {
        continue;
      }
      for (const ast::Conditional* test : tests) {
        if (within(branch->span, test->test->span)) {
          note(frame, i, *test, branch->outcome);
        }
      }
    }
  }

  void note(
      const Frame& frame,
      size_t at,
      const ast::Conditional& test,
      bool outcome) {
    ValueId limit = std::numeric_limits<ValueId>::max();
    for (size_t i = at + 1;
         i < frame.items.size() && limit == std::numeric_limits<ValueId>::max();
         ++i) {
      limit = first_made(frame.items[i]);
    }
    std::set<std::string> names = assigned(test.body);
    names.merge(assigned(test.orelse));
    for (const std::string& name : names) {
      const ValueId before = last_named(name, limit);
      if (!before) {
        continue;
      }
      out_.values.insert(before);
      const ValueId after = made_in(outcome ? test.body : test.orelse, name);
      if (after) {
        out_.values.insert(after);
        out_.before.emplace(after, before);
      }
    }
  }

  bool is_named(ValueId id, const std::string& name) const {
    const auto& names = trace_.info(id).names;
    return std::any_of(names.begin(), names.end(), [&](const auto& n) {
      return n.str() == name;
    });
  }

  ValueId last_named(const std::string& name, ValueId limit) const {
    ValueId out = 0;
    for (const auto& [id, producer] : graph_.producers) {
      if (id < limit && id > out && is_named(id, name)) {
        out = id;
      }
    }
    for (ValueId id : graph_.frame->inputs) {
      if (id < limit && id > out && is_named(id, name)) {
        out = id;
      }
    }
    return out;
  }

  /// What the last assignment of the name in a block made.
  ValueId made_in(ast::Stmts block, const std::string& name) const {
    ValueId out = 0;
    for (const ast::Stmt* s : block) {
      if (!assigned(*s).contains(name)) {
        continue;
      }
      for (const auto& [id, producer] : graph_.producers) {
        const Span& made =
            producer.op ? producer.op->span : producer.call->call;
        if (id > out && within(made, s->span) && is_named(id, name)) {
          out = id;
        }
      }
    }
    return out;
  }

  const Context& context_;
  const Trace& trace_;
  const lift::Graph& graph_;
  Reassigned out_;
};

}  // namespace

Reassigned find_reassigned(const Context& context, const lift::Graph& graph) {
  return ReassignedFinder(context, graph).run();
}

/// A number that no field decides. In a module whose construction takes another
/// side in another variant it may be computed there: the attribute that has it.
std::string ModuleWriter::constant_text(const eval::Value& v) {
  const std::string text = literal(context_.interp, v);
  const eval::Value& module = frame_.module;
  if (!v.is_float() || v.provenance() || !module.defined() ||
      !module.object()->attrs) {
    return text;
  }
  const auto made = context_.trace.constructions.find(module.object());
  if (made == context_.trace.constructions.end() ||
      std::none_of(
          made->second.branches.begin(),
          made->second.branches.end(),
          [&](const trace::Branch& branch) {
            return context_.open_tests.contains(
                static_cast<uint32_t>(branch.span.begin));
          })) {
    return text;
  }
  for (const auto& [name, attribute] : module.object()->attrs->entries()) {
    if (attribute.is_float() && !attribute.provenance() &&
        attribute.as_double() == v.as_double()) {
      const std::string house = house_attribute(name.str());
      initialise(house, text);
      return "self." + house;
    }
  }
  return text;
}

}  // namespace portwright::emit
