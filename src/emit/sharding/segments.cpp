#include "emit/sharding/reading.h"

#include <algorithm>

#include "emit/operations.h"

namespace portwright::emit::sharding {

namespace ast = syntax;
using ast::ExprKind;
using ast::StmtKind;
using Kind = Spread::Kind;

namespace {

/// Rotates pairs of the last axis by the position along the one before it.
bool is_rope(const std::set<std::string>& makers) {
  return !makers.empty() &&
         std::all_of(makers.begin(), makers.end(), [](const auto& maker) {
           return maker == "initialize_rope" || maker == "create_rope" ||
                  maker == "nn.RoPE";
         });
}

bool is_norm(const std::string& maker) {
  return maker == "nn.RMSNorm" || maker == "nn.LayerNorm";
}

const ClassText* class_named(
    const std::vector<ClassText>& classes,
    const std::string& name) {
  const auto it =
      std::find_if(classes.begin(), classes.end(), [&](const auto& c) {
        return c.name == name;
      });
  return it == classes.end() ? nullptr : &*it;
}

}  // namespace

Spread Reading::split(const ast::Call& call, const Spread& of, Scope& scope) {
  const ast::Expr* axis = keyword(call, "axis");
  const ast::Expr& where = *call.args[1];
  if (!axis || integer(*axis) != -1 || of.kind != Kind::Split) {
    conflict({of});
  }
  const auto count = integer(where);
  std::string segments = spelling(where);
  size_t parts = count ? static_cast<size_t>(*count) : 0;
  if (of.axis == -1) {
    if (!of.columns) {
      conflict({of});
    }
    if (!count) {
      parts = places(where, of, scope) + 1;
    }
    for (const auto& maker : of.makers) {
      Splits::Layer& layer = splits_.layers.at(maker);
      const std::string own = below(segments, scope.path);
      if (!layer.segments.empty() && layer.segments != own) {
        conflict({of});
      }
      layer.segments = own;
    }
  } else if (!count) {
    if (where.kind != ExprKind::List) {
      conflict({of});
    }
    parts = ast::as<ast::Sequence>(where).elts.size() + 1;
  }
  Spread out;
  out.kind = Kind::Several;
  out.items.assign(parts, of);
  for (Spread& item : out.items) {
    item.columns = false;
  }
  return out;
}

Spread
Reading::slice_of(const ast::Subscript& e, const Spread& v, Scope& scope) {
  const ast::Expr* last = nullptr;
  if (e.slice->kind == ExprKind::Tuple) {
    const auto& elts = ast::as<ast::Sequence>(*e.slice).elts;
    last = elts.size() == 2 && spelling(*elts[0]) == "..." ? elts[1] : last;
  }
  if (!v.columns || !last || last->kind != ExprKind::Slice ||
      ast::as<ast::Slice>(*last).step) {
    conflict({v});
  }
  const auto bound = [&](const ast::Expr* at) {
    const std::string name = at ? own_attribute(*at) : "";
    if (at && !is_scalar(scope.makers, name)) {
      conflict({v});
    }
    if (at) {
      divide(scope.path + name);
    }
    return at ? "self." + scope.path + name : "";
  };
  const std::string from = bound(ast::as<ast::Slice>(*last).lower);
  const std::string to = bound(ast::as<ast::Slice>(*last).upper);
  for (const auto& maker : v.makers) {
    const auto [it, fresh] = slices_[maker].try_emplace(from, to);
    if (!fresh && it->second != to) {
      conflict({v});
    }
  }
  Spread out = v;
  out.columns = false;
  return out;
}

void Reading::join_slices() {
  for (const auto& [maker, slices] : slices_) {
    std::vector<std::string> places;
    std::string at;
    do {
      const auto next = slices.find(at);
      if (next == slices.end() || places.size() >= slices.size()) {
        throw Conflict{{maker}};
      }
      at = next->second;
      places.push_back(at);
    } while (!at.empty());
    places.pop_back();
    Splits::Layer& layer = splits_.layers.at(maker);
    if (places.size() + 1 != slices.size() || !layer.segments.empty()) {
      throw Conflict{{maker}};
    }
    layer.segments = "[" + join(places) + "]";
  }
}

size_t Reading::places(const ast::Expr& where, const Spread& of, Scope& scope) {
  if (where.kind != ExprKind::List) {
    conflict({of});
  }
  const auto& elts = ast::as<ast::Sequence>(where).elts;
  for (const ast::Expr* e : elts) {
    const std::string name = own_attribute(*e);
    if (name.empty()) {
      conflict({of});
    }
    divide(scope.path + name);
  }
  return elts.size();
}

std::string Reading::below(std::string text, const std::string& path) {
  for (size_t at = 0; (at = text.find("self.", at)) != std::string::npos;) {
    text.insert(at + 5, path);
    at += 5 + path.size();
  }
  return text;
}

void Reading::divide(const std::string& attribute) {
  splits_.divided.insert(attribute);
}

Spread Reading::call_module(
    const std::string& name,
    const ast::Call& call,
    Scope& scope) {
  const auto args = arguments(call, scope);
  std::map<std::string, Spread> keywords;
  std::vector<Spread> all = args;
  for (const auto& k : call.keywords) {
    all.push_back(value(*k.value, scope));
    if (k.arg) {
      keywords[k.arg.str()] = all.back();
    }
  }
  const Made& made = scope.makers.at(name);
  const std::set<std::string>& makers = made.makers;
  const std::string path = scope.path + name;
  const std::string maker = makers.size() == 1 ? *makers.begin() : "";
  if (maker == "nn.Linear" && args.size() == 1) {
    return linear(path, args[0], made.bias, summing_);
  }
  if (maker == "SwitchLinear" && args.size() >= 2 && summing_) {
    needs_whole(args[1]);
    return linear(path, args[0], made.bias, true);
  }
  if (maker == "MultiLinear" && !args.empty()) {
    return by_head(path, args[0]);
  }
  if (maker == "SwitchGLU") {
    return experts(path, made.bias, all);
  }
  if (const ClassText* inner = class_named(classes_, maker)) {
    return this->call(*inner, path + ".", args, keywords);
  }
  if (std::none_of(all.begin(), all.end(), is_split)) {
    Spread out = kWhole;
    out.one_head = !args.empty() && args[0].one_head &&
                   (is_norm(maker) || is_rope(makers));
    return out;
  }
  if (maker == "ACTIVATIONS") {
    return joined(all);
  }
  const bool apart = args.size() == 1 && args[0].kind == Kind::Split &&
                     std::none_of(all.begin() + 1, all.end(), is_split);
  if (apart && ((is_norm(maker) && args[0].axis < -1) ||
                (is_rope(makers) && args[0].axis < -2))) {
    return args[0];
  }
  conflict(all);
}

void Reading::add(const std::string& path, Splits::Layer layer) {
  layer.place = splits_.layers.size();
  splits_.layers[path] = std::move(layer);
}

Spread Reading::linear(
    const std::string& path,
    const Spread& x,
    bool bias,
    bool in_place) {
  const auto known = splits_.layers.find(path);
  if (x.kind == Kind::Split && x.axis == -1) {
    if (held_.contains(path) || known != splits_.layers.end()) {
      conflict({x});
    }
    add(path, {Splits::Style::Rows, "", in_place, bias});
    if (!in_place) {
      return kWhole;
    }
    for (const auto& maker : x.makers) {
      splits_.layers.at(maker).in_place = true;
    }
    return {Kind::Part, 0, 0, x.makers, false, {}};
  }
  needs_whole(x);
  if (held_.contains(path)) {
    return kWhole;
  }
  if (known != splits_.layers.end()) {
    throw Conflict{{path}};
  }
  add(path, {Splits::Style::Columns, "", false, bias});
  return {Kind::Split, -1, 3, {path}, true, {}};
}

Spread Reading::by_head(const std::string& path, const Spread& x) {
  const bool apart = x.kind == Kind::Split && x.axis == -3;
  if (held_.contains(path)) {
    needs_whole(x);
    return kWhole;
  }
  if (!apart && !x.one_head) {
    Conflict all{{path}};
    collect_makers(x, all.makers);
    throw all;
  }
  if (!splits_.layers.contains(path)) {
    add(path, {Splits::Style::Heads, "", false, false});
  }
  Spread out{Kind::Split, -3, 4, x.makers, false, {}};
  out.makers.insert(path);
  return out;
}

Spread Reading::experts(
    const std::string& path,
    bool bias,
    const std::vector<Spread>& all) {
  for (const Spread& s : all) {
    needs_whole(s);
  }
  if (held_.contains(path) || !summing_) {
    return kWhole;
  }
  add(path, {Splits::Style::Experts, "", true, bias});
  return {Kind::Part, 0, 0, {path}, false, {}};
}

}  // namespace portwright::emit::sharding
