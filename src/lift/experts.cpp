#include "lift/experts.h"

#include <map>

#include "lift/expert_products.h"
#include "lift/experts_proof.h"

namespace portwright::lift {

using eval::Value;

namespace {

/// One expert's slice of a parameter.
struct Slice {
  std::string parameter;  // below the module; "" when it is none
  torch::Sizes sizes;     // of all experts' together, the expert first
  bool transposed = false;
  bool flat = false;
};

/// Where one expert's own parameter lies, each being a module of a list.
struct ListedName {
  std::string list;  // "mlp.experts"
  int index = 0;
  std::string leaf;  // "up.weight"
};

std::optional<ListedName> listed_name(const std::string& name) {
  size_t from = 0;
  for (size_t dot; (dot = name.find('.', from)) != std::string::npos;
       from = dot + 1) {
    const std::string part = name.substr(from, dot - from);
    if (from > 0 && part.find_first_not_of("0123456789") == part.npos) {
      return ListedName{
          name.substr(0, from - 1), std::stoi(part), name.substr(dot + 1)};
    }
  }
  return {};
}

/// How many modules from the list's first on are of that class and have that
/// parameter in those sizes; the list's path is whole.
int64_t count_alike(
    const Trace& trace,
    const ListedName& at,
    const torch::Sizes& sizes) {
  std::map<std::string, Value> below;
  for (const auto& [path, module] : trace.modules) {
    if (path.starts_with(at.list + ".")) {
      below.emplace(path.substr(at.list.size() + 1), module);
    }
  }
  const size_t dot = at.leaf.rfind('.');
  const auto class_of = [&](int64_t e) -> const eval::Class* {
    const auto it = below.find(std::to_string(e));
    return it == below.end() ? nullptr : it->second.object()->cls;
  };
  const auto is_alike = [&](int64_t e) {
    const auto owner = below.find(
        std::to_string(e) +
        (dot == std::string::npos ? "" : "." + at.leaf.substr(0, dot)));
    if (owner == below.end() || class_of(e) != class_of(at.index)) {
      return false;
    }
    const Value* all =
        owner->second.object()->attrs->find(base::Symbol("_parameters"));
    const Value* held =
        all && all->is(eval::Kind::Dict)
            ? all->get<eval::Dict>()->find(
                  dot == std::string::npos ? at.leaf : at.leaf.substr(dot + 1))
            : nullptr;
    const auto* tensor = held ? torch::as_tensor(*held) : nullptr;
    return tensor && tensor->sizes == sizes;
  };
  int64_t count = 0;
  while (is_alike(count)) {
    ++count;
  }
  return count;
}

/// One expert's own parameter, where each is a module of a list.
Slice of_listed_module(
    const Trace& trace,
    const Frame& frame,
    const std::string& name,
    const torch::Sizes& sizes) {
  auto at = listed_name(name);
  if (!at) {
    return {};
  }
  Slice out{at->list + ".*." + at->leaf, {}, false, false};
  at->list = frame.path.empty() ? at->list : frame.path + "." + at->list;
  const int64_t count = count_alike(trace, *at, sizes);
  if (at->index >= count) {
    return {};
  }
  out.sizes = {count};
  out.sizes.insert(out.sizes.end(), sizes.begin(), sizes.end());
  return out;
}

/// Follows a value back to the parameter of which it is one expert's part.
Slice slice_of(const Trace& trace, const Frame& frame, ValueId id) {
  Slice out;
  bool selected = false;
  while (true) {
    const auto& info = trace.info(id);
    const auto* tensor = torch::as_tensor(info.tensor);
    if (!info.parameter.empty() && tensor && tensor->is_parameter) {
      const std::string prefix = frame.path.empty() ? "" : frame.path + ".";
      if (!info.parameter.starts_with(prefix)) {
        return {};
      }
      const std::string name = info.parameter.substr(prefix.size());
      if (!selected) {
        Slice listed = of_listed_module(trace, frame, name, info.shape);
        listed.transposed = out.transposed;
        return listed;
      }
      out.parameter = name;
      out.flat = info.shape != out.sizes;
      return out;
    }
    const OpNode* op = info.producer;
    if (!op || op->inputs.empty()) {
      return {};
    }
    const std::string& name = op->op->name;
    const auto& before = trace.info(op->inputs[0]).shape;
    if (name == "getitem" || name == "select") {
      if (selected || before.size() != info.shape.size() + 1) {
        return {};
      }
      selected = true;
      out.sizes = before;
    } else if (
        name == "T" || name == "t" || name == "mT" || name == "transpose") {
      out.transposed = !out.transposed;
    } else if (
        name != "to" && name != "float" && name != "type" && name != "alias" &&
        name != "contiguous" &&
        !(selected && (name == "view" || name == "reshape"))) {
      return {};
    }
    id = op->inputs[0];
  }
}

}  // namespace

std::vector<const OpNode*> all_operations(const Frame& frame) {
  std::vector<const OpNode*> out;
  for (const auto& item : frame.items) {
    if (const auto* op = std::get_if<OpNode>(&item)) {
      out.push_back(op);
    } else if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      const auto inside = all_operations(**child);
      out.insert(out.end(), inside.begin(), inside.end());
    }
  }
  return out;
}

ValueId operand_of(const OpNode& op, size_t parameter) {
  size_t next = 0;
  for (size_t i = 0; i < op.args.size(); ++i) {
    const size_t count = trace::tensors_in(op.args[i]).size();
    if (i == parameter) {
      return count == 1 ? op.inputs[next] : 0;
    }
    next += count;
  }
  return 0;
}

std::string
listed_weight(const Trace& trace, const Frame& frame, const OpNode& op) {
  const bool product = op.op->name == "linear" || op.op->name == "matmul";
  ValueId id = product ? operand_of(op, 1) : 0;
  const std::string prefix = frame.path.empty() ? "" : frame.path + ".";
  while (id) {
    const auto& info = trace.info(id);
    if (!info.parameter.empty()) {
      const auto at = info.parameter.starts_with(prefix)
                          ? listed_name(info.parameter.substr(prefix.size()))
                          : std::nullopt;
      return at ? at->list + ".*." + at->leaf : "";
    }
    const OpNode* made = info.producer;
    id = made && made->inputs.size() == 1 ? made->inputs[0] : 0;
  }
  return "";
}

std::optional<ExpertStep>
product_of(const Trace& trace, const Frame& frame, const OpNode& op) {
  const bool linear = op.op->name == "linear";
  if ((!linear && op.op->name != "matmul") || op.outputs.size() != 1) {
    return {};
  }
  const ValueId weight = operand_of(op, 1);
  if (!weight) {
    return {};
  }
  const Slice slice = slice_of(trace, frame, weight);
  if (slice.parameter.empty() || slice.sizes.size() != 3) {
    return {};
  }
  ExpertStep step;
  step.product.weight = slice.parameter;
  step.product.sizes = slice.sizes;
  step.product.flat = slice.flat;
  step.product.transposed = linear == slice.transposed;
  step.operand = operand_of(op, 0);
  step.result = op.outputs[0];
  if (linear) {
    if (const ValueId bias = operand_of(op, 2)) {
      step.product.bias = slice_of(trace, frame, bias).parameter;
      if (step.product.bias.empty()) {
        return {};
      }
    }
  }
  return step;
}

std::vector<ExpertStep> steps_of(
    const Trace& trace,
    const Frame& frame,
    const std::vector<const OpNode*>& ops) {
  std::vector<ExpertStep> out;
  for (const OpNode* op : ops) {
    if (auto step = product_of(trace, frame, *op)) {
      if (trace.info(step->result).shape[0] == 0) {
        continue;  // nothing chose it
      }
      for (const ExpertStep& known : out) {
        if (known.product.weight == step->product.weight) {
          return out;
        }
      }
      out.push_back(*step);
    } else if (op->op->name == "add" && op->inputs.size() == 2) {
      for (ExpertStep& known : out) {
        for (int side : {0, 1}) {
          if (op->inputs[side] == known.result) {
            const Slice bias = slice_of(trace, frame, op->inputs[1 - side]);
            if (!bias.parameter.empty() && bias.sizes.size() == 2) {
              known.product.bias = bias.parameter;
              known.result = op->outputs[0];
            }
          }
        }
      }
    }
  }
  return out;
}

namespace {

/// 0: every second from the first, 1: from the second, -1: something else.
int interleaved_part(const OpNode& op) {
  const int i = op.op->param("index");
  if (op.op->name != "getitem" || i < 0) {
    return -1;
  }
  const Value& index = op.args[i];
  const Value last = index.is(eval::Kind::Tuple)
                         ? index.get<eval::Tuple>()->items.back()
                         : index;
  if (!last.is(eval::Kind::Slice)) {
    return -1;
  }
  const auto* s = last.get<eval::Slice>();
  if (!s->step.is_int() || s->step.as_int() != 2 || !s->upper.is_none()) {
    return -1;
  }
  const int64_t from = s->lower.is_int() ? s->lower.as_int() : 0;
  return from == 0 || from == 1 ? static_cast<int>(from) : -1;
}

/// Finds the two parts of a product that holds gates and ups.
bool split_parts(
    const std::vector<const OpNode*>& ops,
    ValueId both,
    Experts& found) {
  for (const OpNode* op : ops) {
    if (op->inputs.empty() || op->inputs[0] != both) {
      continue;
    }
    const std::string& name = op->op->name;
    if ((name == "chunk" || name == "split" || name == "tensor_split") &&
        op->outputs.size() == 2) {
      found.gating = Experts::Gating::Halves;
      found.gate = op->outputs[0];
      found.up = op->outputs[1];
    } else if (const int part = interleaved_part(*op); part >= 0) {
      found.gating = Experts::Gating::Interleaved;
      (part == 0 ? found.gate : found.up) = op->outputs[0];
    }
  }
  return found.gate && found.up;
}

}  // namespace

bool match_products(
    const std::vector<const OpNode*>& ops,
    const std::vector<ExpertStep>& steps,
    Experts& found) {
  if (steps.size() < 2 || steps.size() > 3) {
    return false;
  }
  const ExpertStep& last = steps.back();
  found.last = last.product;
  found.hidden = last.operand;
  found.hidden_size = last.product.outputs();
  found.intermediate = last.product.inputs();
  found.experts = static_cast<int>(last.product.sizes[0]);
  for (size_t i = 0; i + 1 < steps.size(); ++i) {
    // Rows past the last expert's belong to none.
    if (steps[i].product.sizes[0] < found.experts ||
        steps[i].product.inputs() != found.hidden_size) {
      return false;
    }
    found.first.push_back(steps[i].product);
  }
  const int wide = found.first[0].outputs();
  if (steps.size() == 3) {
    found.gating = Experts::Gating::Separate;
    found.gate = steps[0].result;
    found.up = steps[1].result;
    return wide == found.intermediate &&
           found.first[1].outputs() == found.intermediate;
  }
  if (wide == found.intermediate) {
    found.gate = steps[0].result;
    return true;
  }
  return wide == 2 * found.intermediate &&
         split_parts(ops, steps[0].result, found);
}

int classes_of(const std::vector<const OpNode*>& ops) {
  for (const OpNode* op : ops) {
    if (op->op->name == "one_hot") {
      const Value& n = op->args[op->op->param("num_classes")];
      return n.is_int() ? static_cast<int>(n.as_int()) : 0;
    }
  }
  return 0;
}

namespace {

bool match_inputs(const Trace& trace, const Frame& frame, Experts& found) {
  if (frame.inputs.size() != 3 || frame.outputs.empty()) {
    return false;
  }
  for (ValueId id : frame.inputs) {
    if (trace.info(id).dtype == torch::Dtype::Int64) {
      found.indices = id;
    }
  }
  if (!found.indices) {
    return false;
  }
  const auto& chosen = trace.info(found.indices).shape;
  for (ValueId id : frame.inputs) {
    const auto& shape = trace.info(id).shape;
    if (id == found.indices) {
      continue;
    }
    if (shape == chosen) {
      found.weights = id;
    } else if (!shape.empty() && shape.back() == found.hidden_size) {
      found.input = id;
    }
  }
  return chosen.size() == 2 && found.weights && found.input &&
         trace.info(frame.outputs[0]).shape == trace.info(found.input).shape;
}

}  // namespace

std::optional<Experts> lift_experts(
    eval::Interpreter& interp,
    const Trace& trace,
    const Frame& frame,
    bool shown) {
  Experts found;
  if (!frame.is_module() || frame.inputs.size() != 3) {
    return {};
  }
  const auto ops = all_operations(frame);
  if (!match_products(ops, steps_of(trace, frame, ops), found) ||
      !match_inputs(trace, frame, found) ||
      trace.info(found.gate).shape.size() != 2) {
    return {};
  }
  name_activation(interp, trace, found);
  found.identities = std::max(0, classes_of(ops) - found.experts);
  if (found.identities > 0 &&
      !passes_what_is_past(interp, trace, frame, found)) {
    const auto holds_more = [&](const Experts::Product& p) {
      return p.sizes[0] > found.experts;
    };
    if (std::any_of(found.first.begin(), found.first.end(), holds_more)) {
      return {};
    }
    found.identities = 0;  // nothing chooses them
  }
  return shown || agrees(interp, trace, frame, found) ? std::optional(found)
                                                      : std::nullopt;
}

}  // namespace portwright::lift
