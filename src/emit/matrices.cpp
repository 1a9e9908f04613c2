#include "emit/matrices.h"

#include <algorithm>
#include <optional>

#include "emit/config_text.h"
#include "emit/expression.h"
#include "emit/sharding/makers.h"
#include "eval/walk.h"
#include "lift/step.h"

namespace portwright::emit {

namespace ast = syntax;
using ast::ExprKind;
using sharding::spelling;

namespace {

/// "a, (b, c)" as "a" and "(b, c)".
std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> out(1);
  int depth = 0;
  for (const char c : text) {
    depth += (c == '(' || c == '[') - (c == ')' || c == ']');
    if (c == ',' && depth == 0) {
      out.emplace_back();
    } else if (c != ' ' || !out.back().empty()) {
      out.back() += c;
    }
  }
  if (out.back().empty()) {
    out.pop_back();  // "(a,)"
  }
  return out;
}

/// "self.w = mx.zeros((a, b))": the sizes.
std::vector<std::string> sizes_of(const ClassText& c, const std::string& name) {
  const std::string start = "self." + name + " = mx.zeros((";
  for (const std::string& line : c.init) {
    if (line.starts_with(start) && line.ends_with("))")) {
      return split_list(
          line.substr(start.size(), line.size() - start.size() - 2));
    }
  }
  return {};
}

/// How a forward computes with one of its parameters.
struct Use {
  enum class Kind { Product, Biased, Rows, Extent } kind;
  bool swapped = false;  // by a row for each output
  uint32_t begin = 0, end = 0;
  uint32_t inner = 0, inner_end = 0;  // what is multiplied, or looked up
  std::string bias;
};

/// Finds all uses of `self.<name>`.
class ParameterUses : public eval::Walk {
 public:
  explicit ParameterUses(std::string name) : own_("self." + std::move(name)) {}

  std::vector<Use> found;
  size_t mentions = 0;

 protected:
  void on_expr(const ast::Expr& e) override {
    if (e.kind == ExprKind::Attribute) {
      mentions += spelling(e) == own_;
      if (spelling(e) == own_ + ".shape") {
        extent(ast::as<ast::Attribute>(e).value->span);
      }
    } else if (e.kind == ExprKind::BinOp) {
      product(ast::as<ast::BinOp>(e));
    } else if (e.kind == ExprKind::Call) {
      biased(ast::as<ast::Call>(e));
    } else if (e.kind == ExprKind::Subscript) {
      const auto& s = ast::as<ast::Subscript>(e);
      if (spelling(*s.value) == own_ && s.slice->kind == ExprKind::Name) {
        add(Use::Kind::Rows, e.span, s.slice->span);
      }
    }
  }

  void on_stmt(const ast::Stmt& s) override {
    if (s.kind == ast::StmtKind::Assign &&
        spelling(*ast::as<ast::Assign>(s).value) == own_) {
      extent(ast::as<ast::Assign>(s).value->span);  // a name for its extents
      names.push_back(spelling(*ast::as<ast::Assign>(s).targets.front()));
    }
  }

 private:
  Use& add(Use::Kind kind, const base::Span& whole, const base::Span& inner) {
    Use use;
    use.kind = kind;
    use.begin = whole.begin;
    use.end = whole.end;
    use.inner = inner.begin;
    use.inner_end = inner.end;
    found.push_back(use);
    return found.back();
  }

  void extent(const base::Span& span) {
    add(Use::Kind::Extent, span, span);
  }

  void product(const ast::BinOp& e) {
    if (e.op != ast::BinaryOperator::MatMult) {
      return;
    }
    const std::string right = spelling(*e.right);
    const bool swapped = right == own_ + ".T" ||
                         right == own_ + ".swapaxes(-2, -1)" ||
                         right == own_ + ".swapaxes(-1, -2)";
    if (right == own_ || swapped) {
      add(Use::Kind::Product, e.span, e.left->span).swapped = swapped;
    }
  }

  /// mx.addmm(self.bias, x, self.weight)
  void biased(const ast::Call& e) {
    if (spelling(*e.func) == "mx.addmm" && e.args.size() == 3 &&
        e.keywords.empty() && spelling(*e.args[2]) == own_) {
      add(Use::Kind::Biased, e.span, e.args[1]->span).bias =
          sharding::own_attribute(*e.args[0]);
    }
  }

 public:
  std::vector<std::string> names;  // of the parameter, for its extents

 private:
  std::string own_;
};

/// The forward as one text, and back.
std::string text_of(const std::vector<std::string>& lines) {
  std::string out = "def f():\n";
  for (const std::string& line : lines) {
    out += line.empty() ? "\n" : "    " + line + "\n";
  }
  return out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  size_t at = text.find('\n') + 1;
  while (at < text.size()) {
    const size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    out.push_back(line.empty() ? "" : line.substr(4));
    at = end + 1;
  }
  return out;
}

size_t mentions_of(const std::string& text, const std::string& name) {
  size_t count = 0;
  for (const Name& n : names_in(text)) {
    count += n.text == name || n.text.starts_with(name + ".");
  }
  return count;
}

/// True where the name stands for nothing but the number of matrices.
bool counts_alone(const std::string& text, const std::string& name) {
  size_t counted = 0;
  const std::string count = name + ".shape[0]";
  for (size_t at = 0; (at = text.find(count, at)) != std::string::npos; ++at) {
    counted += at == 0 || (!is_word(text[at - 1]) && text[at - 1] != '.');
  }
  return mentions_of(text, name) == counted + (name.find('.') == name.npos);
}

/// `text` with every use of a parameter as a call of the layer.
std::string with_layer(
    std::string text,
    const std::vector<Use>& uses,
    const std::string& layer) {
  struct Edit {
    uint32_t begin, end;
    std::string by;
  };
  std::vector<Edit> edits;
  for (const Use& use : uses) {
    if (use.kind == Use::Kind::Extent) {
      edits.push_back({use.begin, use.end, layer + ".weight"});
      continue;
    }
    uint32_t begin = use.begin, end = use.end;
    const bool enclosed = text[begin - 1] == '(' && text[end] == ')' &&
                          !is_word(text[begin - 2]) && text[begin - 2] != ')' &&
                          text[begin - 2] != ']';
    edits.push_back({begin - enclosed, use.inner, layer + "("});
    edits.push_back({use.inner_end, end + enclosed, ")"});
  }
  std::sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) {
    return a.begin > b.begin;
  });
  for (const Edit& edit : edits) {
    text.replace(edit.begin, edit.end - edit.begin, edit.by);
  }
  return text;
}

/// A layer that holds one of a class's parameters.
struct Layer {
  std::string name, constructor;
  std::string call;  // the forward, with it
  std::string bias;  // a parameter that it holds too
  bool swapped = false;
};

std::string layer_name(const std::string& parameter, bool rows) {
  if (parameter == "weight") {
    return rows ? "embedding" : "linear";
  }
  const std::string_view end = "_weight";
  return parameter.ends_with(end)
             ? parameter.substr(0, parameter.size() - end.size())
             : parameter;
}

std::optional<Layer> layer_for(
    const ClassText& c,
    const std::string& parameter,
    const std::vector<std::string>& sizes,
    bool is_embedding) {
  const std::string text = text_of(c.call);
  const auto parsed = ast::parse_module("", text);
  if (sizes.size() < 2 || !parsed.diagnostics.empty()) {
    return {};
  }
  ParameterUses uses(parameter);
  uses.walk(ast::as<ast::FunctionDef>(*parsed.tree.body.front()).body);
  std::set<Use::Kind> kinds;
  std::set<bool> swapped;
  Layer out;
  for (const Use& use : uses.found) {
    if (use.kind != Use::Kind::Extent) {
      kinds.insert(use.kind);
      swapped.insert(use.swapped);
      out.bias = use.bias;
    }
  }
  const bool counted =
      counts_alone(text, "self." + parameter) ||
      std::none_of(uses.found.begin(), uses.found.end(), [](const Use& use) {
        return use.kind == Use::Kind::Extent;
      });
  const bool named = std::all_of(
      uses.names.begin(), uses.names.end(), [&](const std::string& name) {
        return counts_alone(text, name);
      });
  if (kinds.size() != 1 || swapped.size() != 1 || !named ||
      (!counted && uses.names.empty()) || uses.found.size() != uses.mentions) {
    return {};
  }
  const bool rows = kinds.contains(Use::Kind::Rows);
  out.name = layer_name(parameter, rows);
  out.swapped = !*swapped.begin() && !rows;
  const size_t n = sizes.size();
  if (rows) {
    if (n != 2 || !is_embedding) {
      return {};
    }
    out.constructor = "nn.Embedding(" + join(sizes) + ")";
  } else if (n == 2 && out.swapped) {
    out.constructor =
        "nn.Linear(" + join(sizes) + (out.bias.empty() ? ", bias=False)" : ")");
    if (!out.bias.empty() && (sizes_of(c, out.bias).size() != 1 ||
                              mentions_of(text, "self." + out.bias) != 1)) {
      return {};
    }
  } else if (n == 3 && out.bias.empty()) {
    const auto& in = sizes[out.swapped ? 1 : 2];
    const auto& answers = sizes[out.swapped ? 2 : 1];
    out.constructor =
        "MultiLinear(" + in + ", " + answers + ", " + sizes[0] + ")";
  } else {
    return {};
  }
  out.call = with_layer(text, uses.found, "self." + out.name);
  return out;
}

/// The attributes that modules of a class are; empty where a key's end would
/// not tell them from others.
std::set<std::string> owners_of(
    const ClassText& c,
    const std::string& parameter,
    const std::vector<Context*>& drafts) {
  std::set<std::string> out;
  const auto* cls = c.frame->module.object()->cls;
  const auto attribute = [](const std::string& path) {
    return path.substr(path.rfind('.') + 1);
  };
  for (const Context* draft : drafts) {
    for (const auto& [path, module] : draft->trace.modules) {
      if (module.object()->cls == cls) {
        out.insert(attribute(path));
      }
    }
  }
  for (const Context* draft : drafts) {
    for (const auto& [path, module] : draft->trace.modules) {
      const std::string name = attribute(path);
      const bool other = module.object()->cls != cls && out.contains(name) &&
                         draft->interp.try_getattr(module, parameter).defined();
      if (other || (out.contains(name) && !name.empty() &&
                    std::isdigit(static_cast<unsigned char>(name[0])))) {
        return {};
      }
    }
  }
  out.erase("");
  return out;
}

}  // namespace

std::optional<HeldMatrix>
hold_in_layer(ClassText& c, const std::string& parameter, bool is_embedding) {
  const auto sizes = sizes_of(c, parameter);
  const auto layer = layer_for(c, parameter, sizes, is_embedding);
  const auto makes = [](const std::string& line, const std::string& name) {
    return line.starts_with("self." + name + " = ");
  };
  if (!layer || (layer->name != parameter &&
                 std::any_of(c.init.begin(), c.init.end(), [&](auto& line) {
                   return makes(line, layer->name);
                 }))) {
    return {};
  }
  std::erase_if(c.init, [&](const std::string& line) {
    return !layer->bias.empty() && makes(line, layer->bias);
  });
  for (std::string& line : c.init) {
    if (makes(line, parameter)) {
      line = "self." + layer->name + " = " + layer->constructor;
    }
  }
  c.call = lines_of(layer->call);
  return HeldMatrix{
      layer->name, layer->bias, layer->swapped, sizes.size() == 3};
}

std::vector<MovedWeights> hold_matrices(
    Context& context,
    const std::vector<Context*>& drafts) {
  std::vector<MovedWeights> out;
  const bool tied = context.fields.contains("tie_word_embeddings");
  for (ClassText& c : context.classes) {
    if (!c.frame || !c.frame->is_module() || lift::keeps_state(*c.frame)) {
      continue;
    }
    const auto* cls = c.frame->module.object()->cls;
    const auto alike = std::count_if(
        context.classes.begin(), context.classes.end(), [&](const auto& other) {
          return other.frame && other.frame->is_module() &&
                 other.frame->module.object()->cls == cls;
        });
    const bool is_embedding = !tied && c.frame->path == context.embedding;
    for (const auto& [parameter, made] : sharding::makers_of(c)) {
      const auto owners = alike == 1 ? owners_of(c, parameter, drafts)
                                     : std::set<std::string>();
      const auto held = owners.empty()
                            ? std::nullopt
                            : hold_in_layer(c, parameter, is_embedding);
      if (!held) {
        continue;
      }
      out.push_back(
          {parameter, held->layer + ".weight", held->swapped, owners});
      if (!held->bias.empty()) {
        out.push_back({held->bias, held->layer + ".bias", false, owners});
      }
      if (held->stacked) {
        context.imports.insert("mla:MultiLinear");
      }
    }
  }
  return out;
}

std::string moving_code(const std::vector<MovedWeights>& moved) {
  std::map<std::pair<std::string, bool>, std::set<std::string>> ends;
  for (const MovedWeights& m : moved) {
    const bool longer = m.to.starts_with(m.from + ".");
    const std::string key =
        longer ? "k + \"" + m.to.substr(m.from.size()) + "\""
               : "k.replace(\"." + m.from + "\", \"." + m.to + "\")";
    for (const std::string& owner : m.owners) {
      ends[{key, m.swapped}].insert("." + owner + "." + m.from);
    }
  }
  std::string out;
  for (const auto& [how, names] : ends) {
    const std::string which =
        names.size() == 1 ? "\"" + *names.begin() + "\"" : tuple_of(names);
    out += "    for k in [k for k in weights if k.endswith(" + which +
           ")]:\n        weights[" + how.first + "] = weights.pop(k)" +
           (how.second ? ".swapaxes(-1, -2)" : "") + "\n";
  }
  return out;
}

}  // namespace portwright::emit
