#include "trace/print.h"

namespace portwright::trace {

using eval::Value;

namespace {

std::string number(double value) {
  return fmt::format("{}", value);
}

/// Values and operations as text.
class Words {
 public:
  explicit Words(const Trace& trace) : trace_(trace) {}

  std::string type(ValueId id) const {
    const ValueInfo& info = trace_.info(id);
    return std::string(torch::name(info.dtype)) +
           fmt::format("[{}]", fmt::join(info.shape, ","));
  }

  std::string value_name(ValueId id) const {
    const ValueInfo& info = trace_.info(id);
    return info.parameter.empty() ? "%" + std::to_string(id)
                                  : "@" + info.parameter;
  }

  /// Tensors take their ids from `ids` in order.
  std::string argument(
      const Value& v,
      const std::vector<ValueId>& ids,
      size_t& next) const {
    auto sequence = [&](const auto& items, char open, char close) {
      std::string text(1, open);
      for (const Value& item : items) {
        text += (text.size() > 1 ? ", " : "") + argument(item, ids, next);
      }
      return text + close;
    };
    std::string text;
    switch (v.tag()) {
      case eval::Tag::Undefined:
        return "?";
      case eval::Tag::None:
        return "None";
      case eval::Tag::Bool:
        text = v.as_bool() ? "True" : "False";
        break;
      case eval::Tag::Int:
        text = std::to_string(v.as_int());
        break;
      case eval::Tag::Float:
        text = number(v.as_double());
        break;
      case eval::Tag::Ellipsis:
        return "...";
      case eval::Tag::NotImplemented:
        return "NotImplemented";
      case eval::Tag::Object:
        switch (v.object()->kind) {
          case eval::Kind::Tensor:
            return next < ids.size() ? value_name(ids[next++]) : "%?";
          case eval::Kind::Tuple:
            return sequence(v.get<eval::Tuple>()->items, '(', ')');
          case eval::Kind::List:
            return sequence(v.get<eval::List>()->items, '[', ']');
          case eval::Kind::Slice: {
            const auto* s = v.get<eval::Slice>();
            auto part = [&](const Value& p) {
              return p.is_none() ? "" : argument(p, ids, next);
            };
            text = part(s->lower) + ":" + part(s->upper);
            return s->step.is_none() ? text : text + ":" + part(s->step);
          }
          case eval::Kind::Str:
            text = "'" + v.str() + "'";
            break;
          case eval::Kind::Dict:
            for (const auto& e : v.get<eval::Dict>()->entries()) {
              if (e.key.defined()) {
                text += (text.empty() ? "" : ", ") +
                        (e.key.is_str() ? e.key.str() : "?") + ": " +
                        argument(e.value, ids, next);
              }
            }
            return "{" + text + "}";
          default:
            return "<" + v.object()->cls->name + ">";
        }
    }
    if (v.provenance()) {
      text += "{" + eval::to_string(v.provenance()) + "}";
    }
    return text;
  }

  std::string op(const OpNode& node) const {
    std::string text;
    for (ValueId id : node.outputs) {
      text += (text.empty() ? "" : ", ") + value_name(id);
    }
    text += " = " + node.op->name + "(";
    size_t next = 0;
    bool first = true;
    for (size_t i = 0; i < node.args.size(); ++i) {
      const auto& param = node.op->signature.params[i];
      const Value& arg = node.args[i];
      if (!arg.defined() || (param.optional && arg.same(param.default_value))) {
        continue;
      }
      text += first ? "" : ", ";
      first = false;
      text += (torch::as_tensor(arg) ? "" : param.name.str() + "=") +
              argument(arg, node.inputs, next);
    }
    text += ")";
    for (ValueId id : node.outputs) {
      text += " : " + type(id);
      if (!trace_.info(id).names.empty()) {
        text += " '" + trace_.info(id).names.front().str() + "'";
      }
    }
    return text;
  }

 private:
  const Trace& trace_;
};

class Printer {
 public:
  Printer(const Trace& trace, bool with_library)
      : trace_(trace), words_(trace), with_library_(with_library) {}

  std::string run() {
    frame(trace_.root, 0);
    return std::move(out_);
  }

 private:
  void line(int depth, const std::string& text) {
    out_.append(static_cast<size_t>(depth) * 2, ' ').append(text).append("\n");
  }

  void frame(const Frame& f, int depth) {
    if (f.function) {
      std::string text = f.is_module()
                             ? f.path + ": " + f.module.object()->cls->name
                             : f.qualname();
      size_t next = 0;
      std::string args;
      for (size_t i = f.is_module(); i < f.args.size(); ++i) {
        if (!f.args[i].is_none()) {
          args += (args.empty() ? "" : ", ") +
                  f.function->code->signature.params[i].name.str() + "=" +
                  words_.argument(f.args[i], f.inputs, next);
        }
      }
      line(depth, text + "(" + args + ")  # " + base::to_string(f.call));
    }
    const bool hidden = !with_library_ && f.function && !f.is_module() &&
                        (f.module_name() == "transformers.cache_utils" ||
                         f.module_name() == "transformers.masking_utils");
    for (const Item& item : f.items) {
      if (hidden) {
        break;
      }
      if (const auto* node = std::get_if<OpNode>(&item)) {
        line(depth + 1, words_.op(*node));
      } else if (const auto* branch = std::get_if<Branch>(&item)) {
        if (branch->condition) {  // else it reads nothing of the config
          line(
              depth + 1,
              "? " + eval::to_string(branch->condition) + " -> " +
                  (branch->outcome ? "True" : "False"));
        }
      } else {
        frame(*std::get<std::unique_ptr<Frame>>(item), depth + 1);
      }
    }
    if (f.function && !f.outputs.empty()) {
      std::string text = "-> ";
      for (ValueId id : f.outputs) {
        text += (text.size() > 3 ? ", " : "") + words_.value_name(id);
      }
      line(depth + 1, text);
    }
  }

  const Trace& trace_;
  Words words_;
  bool with_library_;
  std::string out_;
};

}  // namespace

std::string value_text(const Trace& trace, ValueId id) {
  return Words(trace).value_name(id);
}

std::string op_text(const Trace& trace, const OpNode& op) {
  return Words(trace).op(op);
}

std::string print(const Trace& trace, bool with_library) {
  return Printer(trace, with_library).run();
}

namespace {

void check_frame(
    const Frame& frame,
    std::vector<bool>& defined,
    std::vector<std::string>& out) {
  for (const Item& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      check_frame(**child, defined, out);
      continue;
    }
    const auto* node = std::get_if<OpNode>(&item);
    if (!node) {
      continue;
    }
    for (ValueId id : node->inputs) {
      if (id == 0 || id >= defined.size()) {
        out.push_back(node->op->name + " reads an unknown value");
      }
    }
    for (ValueId id : node->outputs) {
      const bool passed_through =
          std::find(node->inputs.begin(), node->inputs.end(), id) !=
          node->inputs.end();
      if (!passed_through && defined[id]) {
        out.push_back(
            node->op->name + " defines %" + std::to_string(id) + " again");
      }
      defined[id] = true;
    }
  }
}

}  // namespace

std::vector<std::string> check(const Trace& trace) {
  std::vector<std::string> out;
  std::vector<bool> defined(trace.values.size());
  check_frame(trace.root, defined, out);
  return out;
}

}  // namespace portwright::trace
