#include "trace/replay.h"

#include <algorithm>

#include "base/check.h"

namespace portwright::trace {

using eval::Value;

void Replay::replace(ValueId id, const mx::array& array) {
  values_[id] = Value(torch::make_tensor(interp_, array));
  depends_[id] = true;
}

bool Replay::depends(ValueId id) {
  if (auto it = depends_.find(id); it != depends_.end()) {
    return it->second;
  }
  bool& answer = depends_[id];
  answer = false;
  if (const OpNode* node = trace_.info(id).producer) {
    bool any = false;
    for (ValueId input : node->inputs) {
      any = any || depends(input);
    }
    any =
        any || std::any_of(node->args.begin(), node->args.end(), [&](auto& v) {
          return changes(v);
        });
    depends_[id] = any;
    return any;
  }
  return false;
}

/// True where a number is changed, in a tuple or list too.
bool Replay::changes(const Value& arg) const {
  const auto any = [&](const std::vector<Value>& items) {
    return std::any_of(items.begin(), items.end(), [&](const Value& item) {
      return changes(item);
    });
  };
  return !changed_                  ? false
         : arg.is(eval::Kind::List) ? any(arg.get<eval::List>()->items)
         : arg.is(eval::Kind::Tuple)
             ? any(arg.get<eval::Tuple>()->items)
             : arg.is_number() && changed_(arg).defined();
}

Value Replay::substituted(
    const Value& arg,
    const std::vector<ValueId>& ids,
    size_t& next) {
  if (!arg.is_object()) {
    return changes(arg) ? changed_(arg) : arg;
  }
  auto all = [&](const std::vector<Value>& items) {
    std::vector<Value> out;
    for (const Value& item : items) {
      out.push_back(substituted(item, ids, next));
    }
    return out;
  };
  switch (arg.object()->kind) {
    case eval::Kind::Tensor:
      return tensor(ids[next++]);
    case eval::Kind::List:
      return eval::list(all(arg.get<eval::List>()->items));
    case eval::Kind::Tuple:
      return eval::tuple(all(arg.get<eval::Tuple>()->items));
    case eval::Kind::Slice: {
      const auto* s = arg.get<eval::Slice>();
      Value lower = substituted(s->lower, ids, next);
      Value upper = substituted(s->upper, ids, next);
      return Value(eval::make<eval::Slice>(
          std::move(lower), std::move(upper), substituted(s->step, ids, next)));
    }
    default:
      return arg;
  }
}

Value Replay::tensor(ValueId id) {
  if (auto it = values_.find(id); it != values_.end()) {
    return it->second;
  }
  const ValueInfo& info = trace_.info(id);
  if (!depends(id)) {
    return values_[id] = info.tensor;  // as it was
  }
  const OpNode& node = *info.producer;
  // In single static assignment an in-place op is what it computes, or works
  // on a copy.
  const bool on_copy = node.op->in_place && !node.op->functional;
  const torch::Op* op =
      node.op->in_place && !on_copy ? node.op->functional : node.op;
  std::vector<Value> args;
  size_t next = 0;
  for (const Value& arg : node.args) {
    args.push_back(substituted(arg, node.inputs, next));
  }
  if (on_copy) {
    const torch::Tensor& written = *torch::as_tensor(args[0]);
    args[0] = Value(
        torch::make_tensor(interp_, torch::array_of(written), written.dtype));
  }
  const Value result = torch::run_op(interp_, *op, args);
  const auto tensors = tensors_in(result);
  for (size_t i = 0; i < node.outputs.size() && i < tensors.size(); ++i) {
    values_[node.outputs[i]] = Value(static_cast<eval::Object*>(tensors[i]));
  }
  return values_.at(id);
}

mx::array Replay::compute(ValueId id) {
  return torch::array_of(*torch::as_tensor(tensor(id)));
}

}  // namespace portwright::trace
