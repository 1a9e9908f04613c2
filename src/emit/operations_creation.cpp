#include "emit/operation_rules.h"

#include "base/pattern.h"

namespace portwright::emit {

using eval::Value;

namespace {

using Writer = ModuleWriter;

std::string dtype_argument(Writer& w, const OpNode& op) {
  const auto dtype = w.context().trace.info(op.outputs[0]).dtype;
  if (dtype == torch::Dtype::Float32) {
    return "";
  }
  const auto name = dtype_text(dtype);
  if (!name) {
    w.context().hole(op.span, "this dtype has no translation");
  }
  return *name;
}

Expression filled(Writer& w, const OpNode& op, std::string_view value) {
  const bool like = op.op->param("input") == 0;
  std::string shape;
  if (op.op->name.ends_with("_like")) {
    shape = attribute(input(w, op), "shape").text;
  } else {
    const Value& size = argument(op, "size");
    if (size.is(eval::Kind::Tuple)) {
      shape = tuple_text(extents(w, size));
    } else {
      std::vector<std::string> sizes;
      w.context().interp.for_each(
          size, [&](Value v) { sizes.push_back(w.extent(v).text); });
      shape = tuple_text(sizes);
    }
  }
  std::vector<std::string> args{shape};
  std::string dtype = dtype_argument(w, op);
  if (dtype.empty() && like && !given(op, "dtype")) {
    dtype = attribute(input(w, op), "dtype").text;
  }
  const bool full = value != "zeros" && value != "ones";
  if (full) {
    args.emplace_back(value);
  }
  if (!dtype.empty()) {
    args.push_back((full ? "dtype=" : "") + dtype);
  }
  return call(full ? "mx.full" : "mx." + std::string(value), std::move(args));
}

WriteRule fill_rule(std::string_view value) {
  return [value](Writer& w, const OpNode& op) { return filled(w, op, value); };
}

Expression full(Writer& w, const OpNode& op) {
  const Value& v = argument(op, "fill_value");
  return filled(
      w, op, v.is_number() ? w.scalar(v).text : operand(w, op, 1).text);
}

/// The places of the new tokens among all keys, which are the last of them as
/// long as none are given up.
Expression newest_places(Writer& w, const OpNode& op) {
  const auto& kinds = w.context().mask_kinds;
  const bool all_kept = kinds == std::set<std::string>{"full_attention"};
  const auto keys = all_kept ? w.key_count() : std::nullopt;
  if (!keys) {
    w.context().hole(op.span, "positions made here have no translation");
  }
  w.needs_shape = true;
  return call("mx.arange", {keys->text + " - L", keys->text});
}

/// Where reshape() would be left to find a size, it is read.
std::string bound(Writer& w, const Value& v) {
  const std::string text = w.extent(v).text;
  return text == "-1" && v.is_int() ? w.size(v).text : text;
}

/// The range of the new positions is arange(L) from the cache's offset.
Expression arange(Writer& w, const OpNode& op) {
  const auto& e = w.context().evaluation;
  const Value& start = argument(op, "start");
  const Value& end = argument(op, "end");
  if (given(op, "step") && argument(op, "step").as_double() != 1) {
    return call(
        "mx.arange",
        {bound(w, start), bound(w, end), w.scalar(argument(op, "step")).text});
  }
  if (end.is_int() && start.is_int() && start.as_int() == e.offset &&
      end.as_int() == e.offset + e.length) {
    return newest_places(w, op);
  }
  if (!given(op, "end")) {
    return call("mx.arange", {w.extent(start).text});
  }
  if (!given(op, "start") || (start.is_int() && start.as_int() == 0)) {
    return call("mx.arange", {w.extent(end).text});
  }
  return call("mx.arange", {w.extent(start).text, w.extent(end).text});
}

Expression linspace(Writer& w, const OpNode& op) {
  const auto number = [&](const char* name) {
    return w.scalar(argument(op, name)).text;
  };
  return call("mx.linspace", {number("start"), number("end"), number("steps")});
}

Expression eye(Writer& w, const OpNode& op) {
  return call("mx.eye", {w.extent(argument(op, "n")).text});
}

WriteRule triangle(std::string_view name) {
  return [name](Writer& w, const OpNode& op) {
    std::vector<std::string> args{input(w, op).text};
    if (argument(op, "diagonal").as_int() != 0) {
      args.push_back("k=" + w.scalar(argument(op, "diagonal")).text);
    }
    return call(name, std::move(args));
  };
}

/// The loop that a number was counted by; null without.
const eval::Provenance* loop_of(const eval::Provenance* p) {
  if (!p || p->kind == eval::Provenance::Kind::Loop) {
    return p;
  }
  for (const eval::Provenance* part : {p->left, p->right, p->test}) {
    if (const auto* loop = loop_of(part)) {
      return loop;
    }
  }
  return nullptr;
}

/// What a list has for each turn of one loop, from `at` on, which moves past
/// it; "" where that is not known.
std::string
counted_part(Writer& w, const std::vector<Value>& items, size_t& at) {
  const auto text_of = [&](const Value& v) {
    static const base::Pattern index("\\blayer_idx\\b");
    return index.replace(w.context().args_text(v), "i");
  };
  const auto* first = loop_of(items[at].provenance());
  if (!first || !first->left || first->integer != 0) {
    return "";
  }
  const std::string text = text_of(items[at]);
  const std::string bound = w.context().args_text(first->left);
  int64_t turn = 0;
  for (; at < items.size(); ++at, ++turn) {
    const auto* loop = loop_of(items[at].provenance());
    if (!loop || !loop->left || loop->integer != turn ||
        w.context().args_text(loop->left) != bound ||
        text_of(items[at]) != text) {
      break;
    }
  }
  return "[" + text + " for i in range(" + bound + ")]";
}

/// torch.tensor(0.5): a number that takes its partner's dtype. Of a list where
/// __init__ makes it.
Expression number(Writer& w, const OpNode& op) {
  const Value& v = op.args[0];
  if (v.is_number()) {
    return w.scalar(v);
  }
  std::string parts;
  if (v.is(eval::Kind::List) && !w.constructs()) {
    const ValueId id = op.outputs[0];
    const bool named = !w.context().trace.info(id).names.empty();
    const std::string name = w.fresh(named ? w.house_of(id) : "numbers");
    const Expression made{w.computed_in_init("_" + name, id), kPrimary};
    return w.half_dtype(id) == torch::Dtype::BFloat16 ? w.narrowed(made) : made;
  }
  if (v.is(eval::Kind::List)) {
    const auto& items = v.get<eval::List>()->items;
    const bool numbers =
        std::all_of(items.begin(), items.end(), [](const Value& i) {
          return i.is_number();
        });
    if (numbers && v.provenance()) {  // the config's own
      return call("mx.array", {w.context().args_text(v.provenance())});
    }
    for (size_t at = 0; numbers && at < items.size();) {
      const std::string part = counted_part(w, items, at);
      if (part.empty()) {
        parts.clear();
        break;
      }
      parts += (parts.empty() ? "" : " + ") + part;
    }
  }
  if (parts.empty()) {
    w.context().hole(op.span, "a tensor made of a list has no translation");
  }
  return call("mx.array", {parts});
}

}  // namespace

void add_creation_rules(RuleTable& rules) {
  for (const char* name : {"zeros", "zeros_like", "new_zeros"}) {
    rules[name] = fill_rule("zeros");
  }
  for (const char* name : {"ones", "ones_like", "new_ones"}) {
    rules[name] = fill_rule("ones");
  }
  for (const char* name : {"full", "full_like", "new_full"}) {
    rules[name] = full;
  }
  rules["arange"] = arange;
  rules["linspace"] = linspace;
  rules["eye"] = eye;
  rules["tril"] = triangle("mx.tril");
  rules["triu"] = triangle("mx.triu");
  rules["tensor"] = number;
  rules["as_tensor"] = number;
  rules["scalar_tensor"] = number;
}

}  // namespace portwright::emit
