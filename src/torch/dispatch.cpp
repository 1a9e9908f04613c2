#include "torch/dispatch.h"

#include <array>
#include <exception>

#include "base/check.h"
#include "torch/call.h"

namespace portwright::torch {
namespace {

using diagnostics::Kind;
using eval::Interpreter;
using eval::Signature;

/// Parameters that do not change what is computed here.
constexpr std::array<std::string_view, 19> kInert{
    "_stacklevel",
    "device",
    "layout",
    "pin_memory",
    "non_blocking",
    "memory_format",
    "requires_grad",
    "sparse_grad",
    "sparse",
    "scale_grad_by_freq",
    "persistent",
    "check_reduction",
    "stable",
    "padding_idx",
    "norm_type",
    "cudnn_enable",
    "assume_unique",
    "sorted",
    "output_size"};

bool is_unset(const Value& value, const Value& default_value) {
  return !value.defined() || value.is_none() || value.same(default_value);
}

void check_extra(
    Interpreter& interp,
    const Form& form,
    int at,
    const Value& value) {
  const auto& param = form.signature.params[at];
  const std::string& name = param.name.str();
  if (is_unset(value, param.default_value) ||
      std::find(kInert.begin(), kInert.end(), name) != kInert.end()) {
    return;
  }
  interp.refuse(
      Kind::UnsupportedArgument,
      form.op->name + "() is not supported with " + name + "=" +
          interp.repr(value),
      "leave " + name + " out, or write the operation in another way");
}

/// f(2, 3), f((2, 3)) and f(shape=[2, 3]) mean the same: the op sees a tuple.
Value unpacked(Interpreter& interp, const Value& rest) {
  if (rest.is(eval::Kind::List)) {
    return eval::tuple(interp.to_vector(rest));
  }
  if (!rest.is(eval::Kind::Tuple)) {
    return eval::tuple({rest});
  }
  const auto& items = rest.get<eval::Tuple>()->items;
  if (items.size() == 1 &&
      (items[0].is(eval::Kind::List) || items[0].is(eval::Kind::Tuple))) {
    return eval::tuple(interp.to_vector(items[0]));
  }
  return rest;
}

/// Computes the functional op, then writes the result into the first argument.
Value run_in_place(Call& call) {
  Tensor& self = call.self();
  call.check_writable(self);
  const Op& functional = *call.op.functional;
  Call inner(call.interp, call.state, functional, call.args);
  Value value = functional.body(inner);
  Tensor* result = as_tensor(value);
  PW_CHECK(result, call.op.name + " has no tensor to write");
  if (result->sizes != self.sizes) {
    call.raise(
        "RuntimeError",
        "output with shape " + sizes_text(self.sizes) +
            " doesn't match the broadcast shape " + sizes_text(result->sizes));
  }
  if (!can_cast(result->dtype, self.dtype)) {
    call.raise(
        "RuntimeError",
        "result type " + std::string(name(result->dtype)) +
            " can't be cast to the desired output type " +
            std::string(name(self.dtype)));
  }
  self.write(cast_array(result->array(), self.dtype));
  return call.args[0];
}

Value run_guarded(Call& call) {
  try {
    return call.op.functional ? run_in_place(call) : call.op.body(call);
  } catch (const base::InternalError&) {
    throw;
  } catch (const std::exception& e) {
    call.raise("RuntimeError", call.op.name + "(): " + e.what());
  }
}

void note_origin(
    const Op& op,
    std::span<const Value> args,
    const Value& result) {
  Tensor* made = as_tensor(result);
  if (!made) {
    if (result.is(eval::Kind::Tuple)) {
      for (const Value& item : result.get<eval::Tuple>()->items) {
        note_origin(op, args, item);
      }
    }
    return;
  }
  for (const Value& arg : args) {
    Tensor* source = as_tensor(arg);
    if (source && source != made && source->shares_storage(*made)) {
      made->origin = std::make_shared<const Origin>(
          Origin{source, &op, {args.begin(), args.end()}});
      return;
    }
  }
}

/// Ops that ops run are part of them.
struct Inside {
  explicit Inside(State& state) : state(state), before(state.inside_op) {
    state.inside_op = true;
  }
  ~Inside() {
    state.inside_op = before;
  }
  State& state;
  bool before;
};

}  // namespace

Value dispatch(
    State& state,
    Interpreter& interp,
    const Op& op,
    std::span<const Value> args) {
  interp.charge();
  Call call(interp, state, op, args);
  Value result;
  {
    Inside inside(state);
    result = run_guarded(call);
  }
  if (state.observer && !state.inside_op) {
    if (!op.in_place) {
      note_origin(op, args, result);
    }
    state.observer->on_op(op, args, result);
  }
  if (state.submission.early && !state.inside_op) {
    if (const Tensor* tensor = as_tensor(result)) {
      state.submission.built(tensor->array());
    }
  }
  return result;
}

Value call_form(
    State& state,
    Interpreter& interp,
    const Form& form,
    std::span<Value> bound) {
  const Op* op = form.op;
  for (int at : form.extra) {
    if (form.signature.params[at].name.str() != "inplace") {
      check_extra(interp, form, at, bound[at]);
    } else if (interp.truthy(bound[at])) {
      if (!form.in_place) {
        interp.refuse(
            Kind::UnsupportedArgument,
            op->name + "() is not supported with inplace=True",
            "use the form that returns its result");
      }
      op = form.in_place;
    }
  }
  const auto& params = form.op->signature.params;
  std::vector<Value> args;
  args.reserve(params.size());
  for (size_t i = 0; i < params.size(); ++i) {
    const int at = form.source[i];
    args.push_back(at < 0 ? params[i].default_value : std::move(bound[at]));
  }
  for (const auto& [at, param] : form.aliases) {
    if (bound[at].defined()) {
      args[param] = std::move(bound[at]);
    } else if (!args[param].defined()) {
      interp.raise(
          "TypeError",
          op->name + "() missing a required argument: '" +
              params[param].name.str() + "'");
    }
  }
  for (size_t i = 0; i < params.size(); ++i) {
    if (params[i].kind == Signature::ParamKind::VarArgs) {
      args[i] = unpacked(interp, args[i]);
    }
  }
  return dispatch(state, interp, *op, args);
}

Value run_op(Interpreter& interp, const Op& op, std::span<const Value> args) {
  State& state = state_of(interp);
  Inside inside(state);
  return dispatch(state, interp, op, args);
}

}  // namespace portwright::torch
