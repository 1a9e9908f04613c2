#include "lift/memory.h"

#include <fmt/format.h>
#include <mlx/mlx.h>

#include "torch/readable.h"
#include "torch/torch.h"
#include "trace/replay.h"

namespace portwright::lift {

namespace mx = mlx::core;
using eval::Value;

namespace {

/// Kept as an attribute of builtins, out of reach for Python by its spelling.
const eval::Symbol kMemory{"<lift>"};

}  // namespace

Memory& Memory::of(eval::Interpreter& interp) {
  auto& attrs = *interp.builtins().attrs;
  if (const Value* known = attrs.find(kMemory)) {
    return *known->get<Memory>();
  }
  auto memory = eval::make<Memory>();
  attrs.set(kMemory, memory);
  return *memory;
}

std::string Memory::name(eval::Object* object) {
  named_.try_emplace(object, Value(object));  // its address stays taken
  return fmt::format("@{}", static_cast<const void*>(object));
}

void Memory::clear() {
  Object::clear();
  known_.clear();
  named_.clear();
}

namespace {

std::string shape_text(const torch::Sizes& sizes, torch::Dtype dtype) {
  return fmt::format("{}[{}]", static_cast<int>(dtype), fmt::join(sizes, ","));
}

/// The elements of a small array, else its name.
std::string constant_text(Memory& memory, const torch::Tensor& tensor) {
  constexpr size_t kSmall = 1 << 14;  // bytes
  const mx::array given = torch::array_of(tensor);
  if (given.nbytes() > kSmall) {
    return memory.name(const_cast<torch::Tensor*>(&tensor));
  }
  const mx::array x = torch::readable(given);
  return shape_text(tensor.sizes, tensor.dtype) +
         std::string(x.data<char>(), x.nbytes());
}

/// Writes values; `tensor` writes those that it meets.
template <typename Tensor>
std::string
value_text(Memory& memory, const Value& value, const Tensor& tensor) {
  const auto all = [&](const std::vector<Value>& items) {
    std::string out;
    for (const Value& item : items) {
      out += value_text(memory, item, tensor) + ",";
    }
    return out;
  };
  if (value.is_bool()) {
    return value.as_bool() ? "true" : "false";
  }
  if (value.is_int()) {
    return fmt::format("{}", value.as_int());
  }
  if (value.is_float()) {
    return fmt::format("{:a}", value.as_double());
  }
  if (!value.is_object()) {
    return value.is_none() ? "None" : value.defined() ? "..." : "-";
  }
  switch (value.object()->kind) {
    case eval::Kind::Str:
      return fmt::format("'{}:{}'", value.str().size(), value.str());
    case eval::Kind::Tensor:
      return tensor(value);
    case eval::Kind::List:
      return "[" + all(value.get<eval::List>()->items) + "]";
    case eval::Kind::Tuple:
      return "(" + all(value.get<eval::Tuple>()->items) + ")";
    case eval::Kind::Set: {
      std::string out = "{";
      for (const auto& e : value.get<eval::Set>()->items->entries()) {
        if (e.key.defined()) {
          out += value_text(memory, e.key, tensor) + ",";
        }
      }
      return out + "}";
    }
    case eval::Kind::Slice: {
      const auto* s = value.get<eval::Slice>();
      return "slice(" + all({s->lower, s->upper, s->step}) + ")";
    }
    default:
      return memory.name(value.object());
  }
}

class FormWriter {
 public:
  FormWriter(Memory& memory, const Trace& trace, const Labels& given)
      : memory_(memory), trace_(trace), given_(given) {}

  std::string write(ValueId id) {
    reference(id);
    return std::move(text_);
  }

 private:
  bool depends(ValueId id) {
    if (given_.contains(id)) {
      return true;
    }
    if (const auto it = depends_.find(id); it != depends_.end()) {
      return it->second;
    }
    bool any = false;
    if (const auto* node = trace_.info(id).producer) {
      for (ValueId input : node->inputs) {
        any = any || depends(input);
      }
    }
    return depends_[id] = any;
  }

  /// What stands for the value; operations are written before their results.
  std::string reference(ValueId id) {
    const auto known = names_.find(id);
    return known != names_.end() ? known->second : names_[id] = introduced(id);
  }

  std::string introduced(ValueId id) {
    const auto& info = trace_.info(id);
    if (const auto label = given_.find(id); label != given_.end()) {
      const std::string name = "$" + label->second;
      text_ += name + ":" + shape_text(info.shape, info.dtype) + ";";
      return name;
    }
    if (!depends(id)) {
      const std::string name = fmt::format("c{}", names_.size());
      text_ += name + "=" +
               constant_text(memory_, *torch::as_tensor(info.tensor)) + ";";
      return name;
    }
    const trace::OpNode& node = *info.producer;
    size_t next = 0;
    std::string line = node.op->name + "(";
    for (const Value& arg : node.args) {
      line += value_text(memory_, arg, [&](const Value&) {
        return reference(node.inputs[next++]);
      });
      line += ",";
    }
    const std::string call = fmt::format("v{}", names_.size());
    text_ += call + "=" + line + ");";
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      names_[node.outputs[i]] = fmt::format("{}.{}", call, i);
    }
    return names_[id];
  }

  Memory& memory_;
  const Trace& trace_;
  const Labels& given_;
  std::unordered_map<ValueId, bool> depends_;
  std::unordered_map<ValueId, std::string> names_;
  std::string text_;
};

}  // namespace

std::string form_text(
    Memory& memory,
    const Trace& trace,
    const Labels& given,
    ValueId output) {
  return FormWriter(memory, trace, given).write(output);
}

std::string form_text(
    Memory& memory,
    const Trace& trace,
    const trace::Twin* half,
    const Labels& given,
    ValueId output) {
  std::string out = form_text(memory, trace, given, output) + "|";
  if (!half) {
    return out;
  }
  const auto twin_of = [&](ValueId id) {
    return id < half->ids.size() ? half->ids[id] : 0;
  };
  Labels twins;
  for (const auto& [id, label] : given) {
    twins[twin_of(id)] += label + "&";
  }
  const ValueId twin = twin_of(output);
  return out + (twin && !twins.contains(0)
                    ? form_text(memory, *half->trace, twins, twin)
                    : "none");
}

std::string module_text(Memory& memory, const Value& module) {
  static const eval::Symbol parameters("_parameters");
  std::string out = memory.name(module.object()->cls);
  if (!module.object()->attrs) {
    return out;
  }
  for (const auto& [name, value] : module.object()->attrs->entries()) {
    out += name.str() + "=";
    const auto tensor = [&](const Value& v) {
      const auto* t = torch::as_tensor(v);
      return name == parameters ? shape_text(t->sizes, t->dtype)
                                : memory.name(v.object());
    };
    if (!value.is(eval::Kind::Dict)) {
      out += value_text(memory, value, tensor) + ";";
      continue;
    }
    for (const auto& e : value.get<eval::Dict>()->entries()) {
      if (e.key.defined()) {
        out += value_text(memory, e.key, tensor) + ":" +
               value_text(memory, e.value, tensor) + ",";
      }
    }
    out += ";";
  }
  return out;
}

}  // namespace portwright::lift
