#include "lift/recurrence.h"

#include "eval/code.h"
#include "lift/proof.h"
#include "lift/step.h"
#include "torch/torch.h"

namespace portwright::lift {

mx::array token(const mx::array& x, int t, int axis) {
  return mx::take(x, mx::array(t), axis);
}

using eval::Signature;
using eval::Value;

namespace {

bool is_state_read(const Frame& frame) {
  return is_kept_by_cache(frame) &&
         frame.function->name == "get_recurrent_state";
}

/// The value with the tensors in it replaced, in order.
Value replaced(
    eval::Interpreter& interp,
    const Value& arg,
    const std::vector<mx::array>& tensors,
    size_t& next,
    std::optional<size_t> none) {
  if (torch::as_tensor(arg)) {
    const size_t at = next++;
    return none == at ? Value::none()
                      : Value(torch::make_tensor(interp, tensors[at]));
  }
  const auto all = [&](const std::vector<Value>& items) {
    std::vector<Value> out;
    for (const Value& item : items) {
      out.push_back(replaced(interp, item, tensors, next, none));
    }
    return out;
  };
  if (arg.is(eval::Kind::Tuple)) {
    return eval::tuple(all(arg.get<eval::Tuple>()->items));
  }
  if (arg.is(eval::Kind::List)) {
    return eval::list(all(arg.get<eval::List>()->items));
  }
  return arg;
}

}  // namespace

namespace {

bool in_step(const Frame* frame) {
  return frame && (is_step(*frame) || in_step(frame->parent));
}

}  // namespace

std::vector<StateUpdate> find_state_updates(const Graph& graph) {
  std::vector<StateUpdate> out;
  for (const Frame* f : graph.functions) {
    // The cache calls the update of one layer's cache.
    const bool inner = f->parent && is_state_update(*f->parent);
    if (!inner && !in_step(f) && is_state_update(*f) && !f->inputs.empty() &&
        !f->outputs.empty()) {
      out.push_back(
          {f,
           f->function->name == "update_conv_state",
           f->inputs.front(),
           f->outputs.front()});
    }
  }
  return out;
}

RecurrenceKey key_of(
    eval::Interpreter& interp,
    const Trace& trace,
    const Recurrence& recurrence) {
  std::string text = std::to_string(recurrence.state) + ":";
  for (ValueId id : recurrence.call->inputs) {
    const auto& shape = trace.info(id).shape;
    text += std::to_string(shape.size()) + "(";
    for (size_t i = 2; i < shape.size(); ++i) {
      text += std::to_string(shape[i]) + ",";
    }
    text += ")";
  }
  for (const Value& arg : recurrence.call->args) {
    const bool scalar = !arg.is_object() || arg.is_str();
    text += !arg.defined() ? "-" : scalar ? interp.repr(arg) : "*";
    text += ";";
  }
  return {recurrence.call->function->code, text};
}

ValueId unconverted(const Graph& graph, ValueId id) {
  for (;;) {
    const auto it = graph.producers.find(id);
    const OpNode* op = it == graph.producers.end() ? nullptr : it->second.op;
    if (!op || (op->op->name != "to" && op->op->name != "float" &&
                op->op->name != "contiguous" && op->op->name != "type_as")) {
      return id;
    }
    id = op->inputs.front();
  }
}

std::optional<Recurrence> find_recurrence(
    const Trace& trace,
    const Graph& graph,
    const StateUpdate& update) {
  const ValueId next = unconverted(graph, update.written);
  std::vector<ValueId> kept;
  for (const Frame* f : graph.functions) {
    if (is_state_read(*f)) {
      kept.insert(kept.end(), f->outputs.begin(), f->outputs.end());
    }
  }
  for (const Frame* f : graph.functions) {
    const auto state = std::find_first_of(
        f->inputs.begin(), f->inputs.end(), kept.begin(), kept.end());
    const bool hands_on =
        std::find(f->outputs.begin(), f->outputs.end(), next) !=
        f->outputs.end();
    if (!hands_on || f->outputs.size() != 2 || is_state_update(*f)) {
      continue;
    }
    Recurrence out;
    out.call = f;
    if (state != f->inputs.end()) {
      out.state = static_cast<size_t>(state - f->inputs.begin());
    }
    out.next = next;
    out.output = f->outputs[f->outputs[0] == next ? 1 : 0];
    if (trace.info(out.output).shape.size() >= 3) {
      return out;
    }
  }
  return {};
}

std::optional<Recurrence::Answer> Recurrence::operator()(
    eval::Interpreter& interp,
    const std::vector<mx::array>& inputs,
    bool with_state) const {
  const auto& params = call->function->code->signature.params;
  const auto none = with_state ? std::nullopt : std::optional(state);
  eval::CallArgs args;
  size_t next_tensor = 0;
  for (size_t i = 0; i < params.size(); ++i) {
    const Value arg =
        replaced(interp, call->args[i], inputs, next_tensor, none);
    switch (params[i].kind) {
      case Signature::ParamKind::PositionalOnly:
        args.positional.push_back(arg);
        break;
      case Signature::ParamKind::VarArgs:
        break;
      case Signature::ParamKind::VarKeywords:
        break;
      default:
        args.keywords.emplace_back(params[i].name, arg);
    }
  }
  try {
    const Value result = interp.call(Value(call->function), std::move(args));
    const auto tensors = trace::tensors_in(result);
    if (tensors.size() != 2) {
      return {};
    }
    const bool state_first = call->outputs[0] == this->next;
    return Answer{
        torch::array_of(*tensors[state_first ? 1 : 0]),
        torch::array_of(*tensors[state_first ? 0 : 1])};
  } catch (const eval::PythonError&) {
    return {};
  } catch (const eval::Refusal&) {
    return {};
  }
}

bool Recurrence::follows(
    eval::Interpreter& interp,
    const std::vector<mx::array>& inputs,
    bool with_state,
    const Law& law) const {
  const auto got = (*this)(interp, inputs, with_state);
  if (!got) {
    return false;
  }
  const auto wanted =
      law(with_state ? std::optional(inputs[state]) : std::nullopt);
  return relative_error(got->output, wanted.output) < kTolerance &&
         relative_error(got->state, wanted.state) < kTolerance;
}

}  // namespace portwright::lift
