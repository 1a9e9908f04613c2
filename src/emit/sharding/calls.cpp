#include "emit/sharding/reading.h"

#include <algorithm>

namespace portwright::emit::sharding {

namespace ast = syntax;
using ast::ExprKind;
using ast::StmtKind;
using Kind = Spread::Kind;

namespace {

/// `mx.f`, `mx.fast.f`, `nn.f` or `self.f`.
bool is_namespace(const ast::Expr& function) {
  const std::string of = spelling(*ast::as<ast::Attribute>(function).value);
  return of == "mx" || of == "mx.fast" || of == "mx.linalg" || of == "nn" ||
         of == "self";
}

/// Each element by itself.
const std::set<std::string_view> kElementwise = {
    "mx.abs",        "mx.clip",          "mx.contiguous",
    "mx.cos",        "mx.erf",           "mx.exp",
    "mx.isnan",      "mx.log",           "mx.log1p",
    "mx.logaddexp",  "mx.maximum",       "mx.minimum",
    "mx.multiply",   "mx.reciprocal",    "mx.rsqrt",
    "mx.sigmoid",    "mx.sign",          "mx.sin",
    "mx.sqrt",       "mx.square",        "mx.tanh",
    "mx.where",      "nn.elu",           "nn.gelu",
    "nn.relu",       "nn.gelu_approx",   "nn.gelu_fast_approx",
    "nn.hard_swish", "nn.relu2",         "nn.hardswish",
    "nn.leaky_relu", "nn.mish",          "nn.selu",
    "nn.sigmoid",    "nn.silu",          "nn.softplus",
    "nn.tanh",       "mx.stop_gradient", "swiglu",
    "xielu",
};

}  // namespace

std::vector<Spread> Reading::arguments(const ast::Call& call, Scope& scope) {
  std::vector<Spread> out;
  for (const ast::Expr* e : call.args) {
    out.push_back(value(*e, scope));
  }
  return out;
}

Spread Reading::call_of(const ast::Call& call, Scope& scope) {
  if (const std::string name = own_attribute(*call.func);
      !name.empty() && scope.makers.contains(name)) {
    return call_module(name, call, scope);
  }
  const std::string function = spelling(*call.func);
  if (call.func->kind == ExprKind::Attribute && !is_namespace(*call.func)) {
    return call_method(call, scope);
  }
  if (function == "mx.split" && call.args.size() == 2) {
    const Spread of = value(*call.args[0], scope);
    if (is_split(of)) {
      return split(call, of, scope);
    }
  }
  if (function == "mx.broadcast_to" && call.args.size() == 2) {
    return broadcast(call, scope);
  }
  const auto args = arguments(call, scope);
  std::vector<Spread> all = args;
  for (const auto& k : call.keywords) {
    const std::string own = own_attribute(*k.value);
    if (k.arg && k.arg.str() == "sinks" && !args.empty() && is_split(args[0]) &&
        scope.makers.contains(own) &&
        scope.makers.at(own).makers == std::set<std::string>{"array"}) {
      splits_.sliced.insert(scope.path + own);
      continue;
    }
    all.push_back(value(*k.value, scope));
  }
  if (std::none_of(all.begin(), all.end(), is_split)) {
    const bool free =
        !function.starts_with("self.") &&
        std::all_of(all.begin(), all.end(), [](const Spread& s) {
          return s.kind == Kind::Free ||
                 (s.kind == Kind::Several &&
                  std::all_of(
                      s.items.begin(), s.items.end(), [](const auto& i) {
                        return i.kind == Kind::Free;
                      }));
        });
    return free ? Spread{} : kWhole;
  }
  return call_function(function, call, args, all);
}

Spread Reading::broadcast(const ast::Call& call, Scope& scope) {
  const Spread of = value(*call.args[0], scope);
  needs_whole(of);
  if (call.args[1]->kind != ExprKind::Tuple) {
    needs_whole(value(*call.args[1], scope));
    return of;
  }
  Spread out = of;
  const auto& sizes = ast::as<ast::Sequence>(*call.args[1]).elts;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const Spread size = value(*sizes[i], scope);
    if (size.kind == Kind::Extent) {
      out.kind = Kind::Split;
      out.makers = size.makers;
      out.rank = static_cast<int>(sizes.size());
      out.axis = static_cast<int>(i) - out.rank;
      out.columns = false;
    } else {
      needs_whole(size);
    }
  }
  return out;
}

Spread Reading::call_function(
    const std::string& function,
    const ast::Call& call,
    const std::vector<Spread>& args,
    const std::vector<Spread>& all) {
  if (function == "mx.where" && args.size() == 3 && !is_split(args[0])) {
    for (const auto& [a, b] : {std::pair(1, 2), std::pair(2, 1)}) {
      if (args[a].kind == Kind::Part &&
          spelling(*call.args[b]).starts_with("0")) {
        return args[a];
      }
    }
  }
  if (kElementwise.contains(function) || function.starts_with("ACTIVATIONS[")) {
    return joined(all);
  }
  if (function == "scaled_dot_product_attention" && args.size() >= 3) {
    std::vector<Spread> apart;
    for (size_t i = 0; i < all.size(); ++i) {
      const bool by_head = all[i].kind == Kind::Split && all[i].axis == -3;
      const bool shared = i == 0  ? false
                          : i < 3 ? all[i].one_head
                                  : all[i].kind == Kind::Free;
      if (!by_head && !shared) {
        conflict(all);
      }
      if (by_head) {
        apart.push_back(all[i]);
      }
    }
    Spread out = joined(apart);
    out.rank = 4;
    return out;
  }
  const bool apart = args[0].kind == Kind::Split && args[0].axis != -1 &&
                     std::none_of(all.begin() + 1, all.end(), is_split);
  const ast::Expr* axis = keyword(call, "axis");
  const int64_t at = axis ? integer(*axis).value_or(0) : 0;
  if (function == "mx.fast.rms_norm" || function == "mx.fast.layer_norm" ||
      (function == "mx.softmax" && at == -1)) {
    if (apart) {
      return args[0];
    }
  }
  if (function == "mx.fast.rope" && apart && args[0].axis < -2) {
    return args[0];
  }
  if (function == "mx.expand_dims" && call.args.size() == 2 &&
      args[0].kind == Kind::Split) {
    Spread out = args[0];
    if (auto place = integer(*call.args[1])) {
      *place -= *place >= 0 ? out.rank + 1 : 0;
      out.axis -= *place >= out.axis;
      ++out.rank;
      return out;
    }
  }
  if (function == "mx.concatenate" && args[0].kind == Kind::Several && at < 0) {
    const Spread out = joined(args[0].items);
    if (out.kind == Kind::Split && out.axis != at) {
      return out;
    }
  }
  if (function == "mx.sum" && args[0].kind == Kind::Part) {
    return args[0];
  }
  conflict(all);
}

Spread Reading::call_method(const ast::Call& call, Scope& scope) {
  const auto& func = ast::as<ast::Attribute>(*call.func);
  const std::string& method = func.attr.str();
  const Spread v = value(*func.value, scope);
  if (method == "update_and_fetch") {
    Spread out;
    out.kind = Kind::Several;
    out.items = arguments(call, scope);
    return out;
  }
  if (v.kind == Kind::Split && method == "reshape") {
    return reshaped(call, v, scope);
  }
  const auto args = arguments(call, scope);
  if (!is_split(v)) {
    for (const Spread& s : args) {
      needs_whole(s);
    }
    Spread out = v.kind == Kind::Several ? kWhole : v;
    if (method == "reshape") {
      out.one_head = args.size() == 4 && integer(*call.args[1]) == 1;
    } else {
      out.one_head = v.one_head && (method == "swapaxes" || method == "astype");
    }
    return out;
  }
  if (method == "astype") {
    return v;
  }
  static const std::set<std::string_view> kLinear{
      "sum", "mean", "reshape", "squeeze", "flatten", "transpose"};
  if (v.kind == Kind::Part && kLinear.contains(method)) {
    return v;
  }
  if (v.kind == Kind::Split && method == "transpose" && !args.empty()) {
    Spread out = v;
    out.rank = static_cast<int>(args.size());
    for (size_t i = 0; i < call.args.size(); ++i) {
      if (integer(*call.args[i]) == out.rank + v.axis) {
        out.axis = static_cast<int>(i) - out.rank;
      }
    }
    out.columns = false;
    return out;
  }
  if (v.kind == Kind::Split && method == "swapaxes" && args.size() == 2) {
    const auto a = integer(*call.args[0]), b = integer(*call.args[1]);
    if (a && b && *a < 0 && *b < 0) {
      Spread out = v;
      out.axis = static_cast<int>(
          v.axis == *a   ? *b
          : v.axis == *b ? *a
                         : v.axis);
      return out;
    }
  }
  conflict({v});
}

Spread
Reading::regrouped(const ast::Call& call, const Spread& v, Scope& scope) {
  if (v.rank + v.axis != 1 || spelling(*call.args[0]) != "B") {
    conflict({v});
  }
  for (size_t i = 2; i < call.args.size(); ++i) {
    needs_whole(value(*call.args[i], scope));
  }
  Spread out = v;
  out.rank = static_cast<int>(call.args.size());
  out.axis = 1 - out.rank;
  return out;
}

Spread Reading::reshaped(const ast::Call& call, const Spread& v, Scope& scope) {
  const size_t rank = call.args.size();
  if (rank > 2 && value(*call.args[1], scope).kind == Kind::Extent) {
    return regrouped(call, v, scope);
  }
  const std::string tokens = rank > 1 ? spelling(*call.args[1]) : "";
  const bool third = v.columns || v.rank + v.axis == 2;
  // Of heads that are counted, -1 leaves the tokens.
  const bool left = tokens == "-1" && rank == 4 &&
                    is_scalar(scope.makers, own_attribute(*call.args[2]));
  const bool counted = left || tokens == "L" || tokens.ends_with(".shape[1]") ||
                       tokens.ends_with(".shape[2]");
  if (!third || rank < 3 || spelling(*call.args[0]) != "B" || !counted) {
    conflict({v});
  }
  needs_whole(value(*call.args[1], scope));
  for (size_t i = 2; i < rank; ++i) {
    const std::string name = own_attribute(*call.args[i]);
    const bool counts = i == 2 && is_scalar(scope.makers, name);
    if (counts) {
      divide(scope.path + name);
    } else if (i == 2 && integer(*call.args[i]) != -1) {
      conflict({v});
    } else {
      value(*call.args[i], scope);
    }
  }
  Spread out = v;
  out.rank = static_cast<int>(rank);
  out.axis = 2 - out.rank;
  out.columns = false;
  return out;
}

}  // namespace portwright::emit::sharding
