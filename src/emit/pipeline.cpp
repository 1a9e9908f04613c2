#include "emit/pipeline.h"

#include <fmt/format.h>

#include <algorithm>

#include "emit/model_writer.h"
#include "emit/sharding/makers.h"
#include "emit/statements.h"

namespace portwright::emit {

namespace ast = syntax;
using ast::ExprKind;
using ast::StmtKind;

bool keeps_its_form(Context& draft) {
  const Roles roles = find_roles(draft);
  const trace::Twin* half = draft.evaluation.half;
  if (!half || draft.runs_program) {
    return false;
  }
  return std::all_of(
      roles.layer_frames.begin(),
      roles.layer_frames.end(),
      [&](const Frame* layer) {
        const auto given = data_inputs(draft, *layer);
        if (given.empty()) {
          return false;
        }
        const ValueId in = given.front(), out = layer->outputs.front();
        return draft.trace.info(in).shape == draft.trace.info(out).shape &&
               half->dtype(in) && half->dtype(in) == half->dtype(out);
      });
}

namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string* find_method(ClassText& c, std::string_view name) {
  const std::string start = "def " + std::string(name) + "(self)";
  const auto it =
      std::find_if(c.methods.begin(), c.methods.end(), [&](const auto& m) {
        return has(m, start);
      });
  return it == c.methods.end() ? nullptr : &*it;
}

/// Where the caches of layers hold what the last layer of a machine has just
/// written: its keys, a first array, or one of the two in a list of caches.
struct CacheForms {
  bool keys = false, arrays = false, unknown = false;
  std::set<size_t> lists;  // at which of their caches the keys are

  /// True where each layer's cache is like the first one's.
  bool alike() const {
    return keys + arrays + lists.size() == 1;
  }
};

void add_forms(const ast::Expr& e, CacheForms& out) {
  if (e.kind == ExprKind::IfExp) {
    add_forms(*ast::as<ast::IfExp>(e).body, out);
    add_forms(*ast::as<ast::IfExp>(e).orelse, out);
    return;
  }
  const std::string made = e.kind == ExprKind::Call
                               ? sharding::spelling(*ast::as<ast::Call>(e).func)
                               : "";
  if (made == "KVCache" || made == "RotatingKVCache") {
    out.keys = true;
  } else if (made == "ArraysCache") {
    out.arrays = true;
  } else if (made == "CacheList") {
    const auto& caches = ast::as<ast::Call>(e).args;
    for (size_t i = 0; i < caches.size(); ++i) {
      CacheForms inside;
      add_forms(*caches[i], inside);
      if (inside.keys && inside.alike()) {
        out.lists.insert(i);
        return;
      }
    }
    out.unknown = true;
  } else {
    out.unknown = true;
  }
}

/// The answers of make_cache; without it each layer has a KVCache.
CacheForms forms_of(const std::string* make_cache) {
  CacheForms out;
  if (!make_cache) {
    out.keys = true;
    return out;
  }
  const auto parsed = ast::parse_module("", *make_cache);
  if (!parsed.diagnostics.empty()) {
    out.unknown = true;
    return out;
  }
  std::function<void(const ast::Stmts&)> read = [&](const ast::Stmts& body) {
    for (const ast::Stmt* s : body) {
      if (s->kind == StmtKind::If) {
        read(ast::as<ast::Conditional>(*s).body);
        read(ast::as<ast::Conditional>(*s).orelse);
        continue;
      }
      const ast::Expr* list = s->kind == StmtKind::Return
                                  ? ast::as<ast::Return>(*s).value
                                  : nullptr;
      if (!list || list->kind != ExprKind::ListComp) {
        out.unknown = true;
        continue;
      }
      // A layer without a cache leaves a machine that may have none at all.
      for (const auto& loop : ast::as<ast::ElementComp>(*list).generators) {
        out.unknown = out.unknown || !loop.ifs.empty();
      }
      add_forms(*ast::as<ast::ElementComp>(*list).elt, out);
    }
  };
  read(ast::as<ast::FunctionDef>(*parsed.tree.body.front()).body);
  return out;
}

constexpr std::string_view kKindsOfAll = "self.layer_types = args.layer_types";
constexpr std::string_view kMasksByKind =
    "for kind, c in zip(self.layer_types, cache):";
constexpr std::string_view kLoop = "for layer, c in zip(self.layers, cache):";
constexpr std::string_view kLoopByKind =
    "for layer, c, kind in zip(self.layers, cache, self.layer_types):";

/// The plain stack's forward, as write_backbone() leaves it.
struct Stack {
  size_t loop = 0;       // its line
  bool by_kind = false;  // layers are told apart by self.layer_types
  bool pairs = false;    // a layer without a cache is given a tuple
};

/// True for a statement that is the same on all machines. Of the caches it may
/// read the first, where that one is like all others.
bool reads_no_layer(std::string line, bool first_cache) {
  if (first_cache) {
    replace_all(line, "cache[0]", "");
  }
  return !has(line, "cache") && !has(line, "self.layer_types");
}

/// The statements that read caches are those that make masks and the loop.
std::optional<Stack> find_stack(const ClassText& c, const CacheForms& forms) {
  Stack out;
  size_t loops = 0;
  for (size_t i = 0; i < c.call.size(); ++i) {
    const std::string& line = c.call[i];
    if (line == kLoop || line == kLoopByKind) {
      ++loops;
      out.loop = i;
      out.by_kind = line == kLoopByKind;
    } else if (line.starts_with("    cache = [")) {
      if (!line.ends_with("] * len(self.layers)")) {
        return {};
      }
      out.pairs = !has(line, "[None]");
    } else if (has(line, "self.layers") || has(line, "enumerate(")) {
      return {};
    } else if (
        line != kMasksByKind && line != "if cache is None:" &&
        !reads_no_layer(line, forms.alike() && loops == 0)) {
      return {};
    }
  }
  const bool plain =
      loops == 1 && out.loop + 1 < c.call.size() &&
      c.call[out.loop + 1].starts_with("    h = layer(") &&
      (out.loop + 2 == c.call.size() || !c.call[out.loop + 2].starts_with(" "));
  const bool kinds =
      std::find(c.init.begin(), c.init.end(), kKindsOfAll) != c.init.end();
  return plain && kinds >= out.by_kind ? std::optional(out) : std::nullopt;
}

/// What waits for the states to be sent: whoever reads the caches of a prompt
/// reads no states.
std::vector<std::string> after_sending(
    const CacheForms& forms,
    const Stack& stack) {
  const std::string keys = "{0}.keys = mx.depends({0}.keys, h)";
  if (forms.lists.empty() && forms.arrays) {
    std::vector<std::string> out{
        "if isinstance(cache[-1], ArraysCache):",
        "    cache[-1][0] = mx.depends(cache[-1][0], h)"};
    if (forms.keys) {
      out.emplace_back("elif cache[-1] is not None:");
      out.push_back("    " + fmt::format(fmt::runtime(keys), "cache[-1]"));
    }
    return out;
  }
  std::vector<std::string> out;
  std::string last = "cache[-1]", given = last;
  if (!forms.lists.empty()) {
    const std::string inside =
        fmt::format("cache[-1][{}]", *forms.lists.begin());
    if (forms.keys) {
      last = given = "last";
      out.push_back(
          "last = " + inside +
          " if isinstance(cache[-1], CacheList) else cache[-1]");
    } else {
      last = inside;
      given = stack.pairs ? inside : given;
    }
  }
  out.push_back("if " + given + " is not None:");
  out.push_back("    " + fmt::format(fmt::runtime(keys), last));
  return out;
}

void write_passing_on(
    ClassText& c,
    const Stack& stack,
    const CacheForms& forms) {
  for (std::string& line : c.call) {
    replace_all(line, "self.layers", "self.pipeline_layers");
  }
  std::vector<std::string> after{
      "",
      "# Send to the next process in the pipeline",
      "if self.pipeline_rank != 0:",
      "    h = mx.distributed.send(h, self.pipeline_rank - 1)"};
  for (const std::string& line : after_sending(forms, stack)) {
    after.push_back("    " + line);
  }
  after.insert(
      after.end(),
      {"",
       "# Broadcast h while keeping it in the graph",
       "if self.pipeline_size > 1:",
       "    h = mx.distributed.all_gather(h)[: h.shape[0]]"});
  const auto loop = c.call.begin() + static_cast<std::ptrdiff_t>(stack.loop);
  c.call.insert(loop + 2, after.begin(), after.end());
  c.call.insert(
      c.call.begin() + static_cast<std::ptrdiff_t>(stack.loop),
      {"# Receive from the previous process in the pipeline",
       "if self.pipeline_rank < self.pipeline_size - 1:",
       "    h = mx.distributed.recv_like(h, self.pipeline_rank + 1)",
       ""});
  c.bases = "PipelineMixin, nn.Module";
  if (stack.by_kind) {
    c.methods.insert(
        c.methods.begin(),
        "def pipeline(self, group, split=None):\n"
        "    super().pipeline(group, split=split)\n"
        "    self.layer_types = self.layer_types[self.start_idx : "
        "self.end_idx]\n");
  }
}

bool has_routed_experts(const std::vector<ClassText>& classes) {
  return std::any_of(classes.begin(), classes.end(), [](const ClassText& c) {
    const auto makers = sharding::makers_of(c);
    return std::any_of(makers.begin(), makers.end(), [](const auto& made) {
      return made.second.makers.contains("SwitchGLU") ||
             made.second.makers.contains("SwitchLinear") ||
             made.second.makers.contains("SwitchMLP");
    });
  });
}

}  // namespace

bool add_pipeline(std::vector<ClassText>& classes) {
  ClassText& root = classes.back();
  std::string* layers = find_method(root, "layers");
  const auto made = sharding::makers_of(root);
  const auto held = made.find("model");
  if (!layers || !layers->ends_with("    return self.model.layers\n") ||
      held == made.end() || !has_routed_experts(classes)) {
    return false;
  }
  const auto backbone =
      std::find_if(classes.begin(), classes.end(), [&](const auto& c) {
        return held->second.makers == std::set<std::string>{c.name};
      });
  std::string* make_cache = find_method(root, "make_cache");
  const CacheForms forms = forms_of(make_cache);
  if (backbone == classes.end() || forms.unknown || forms.lists.size() > 1 ||
      (!forms.lists.empty() && forms.arrays)) {
    return false;
  }
  const auto stack = find_stack(*backbone, forms);
  if (!stack) {
    return false;
  }
  if (make_cache && has(*make_cache, "self.args.layer_types")) {
    if (!stack->by_kind) {
      return false;
    }
    replace_all(*make_cache, "self.args.layer_types", "self.model.layer_types");
  }
  write_passing_on(*backbone, *stack, forms);
  replace_all(*layers, "self.model.layers", "self.model.pipeline_layers");
  return true;
}

}  // namespace portwright::emit
