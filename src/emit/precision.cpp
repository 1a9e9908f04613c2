#include "emit/gaps.h"
#include "emit/module_writer.h"
#include "emit/operation_rules.h"

namespace portwright::emit {

using eval::Value;
using torch::Dtype;

namespace {

bool named(const OpNode& op, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), op.op->name) != names.end();
}

}  // namespace

/// The dtype that the source's bfloat16 model gives a value where this forward
/// first has it.
std::optional<Dtype> ModuleWriter::half_dtype(ValueId id) const {
  const trace::Twin* half = context_.evaluation.half;
  if (!half) {
    return {};
  }
  const auto it = graph_.producers.find(id);
  if (it != graph_.producers.end() && it->second.call) {
    return half->output_dtype(*it->second.call, it->second.index);
  }
  const auto given = std::find(frame_.inputs.begin(), frame_.inputs.end(), id);
  if (given != frame_.inputs.end()) {
    if (context_.wide_states.contains({&frame_, id})) {
      return Dtype::Float32;
    }
    return half->input_dtype(
        frame_, static_cast<size_t>(given - frame_.inputs.begin()));
  }
  return attention_.owns(id) || narrows(id) ? Dtype::BFloat16 : half->dtype(id);
}

/// True for what the source makes in float32 and then converts back, for all
/// that read it: it is converted where it is made.
bool ModuleWriter::narrows(ValueId id) const {
  const trace::Twin* half = context_.evaluation.half;
  const auto made = graph_.producers.find(id);
  if (!half || half->dtype(id) != Dtype::Float32 || attention_.owns(id) ||
      made == graph_.producers.end() || !made->second.op) {
    return false;
  }
  bool back = false, wide = false;
  if (const auto it = graph_.users.find(id); it != graph_.users.end()) {
    for (const OpNode* user : it->second) {
      const auto twin = half->ops.find(user);
      if (user->outputs == std::vector<ValueId>{id} &&
          twin != half->ops.end()) {  // a conversion
        const ValueId result = twin->second->outputs.front();
        back = back || half->trace->info(result).dtype == Dtype::BFloat16;
        continue;
      }
      for (size_t i = 0; i < user->inputs.size(); ++i) {
        wide = wide || (user->inputs[i] == id &&
                        half->input_dtype(*user, i) != Dtype::BFloat16);
      }
    }
  }
  for (const Frame* call : graph_.calls) {
    for (size_t i = 0; i < call->inputs.size(); ++i) {
      wide = wide || (call->inputs[i] == id &&
                      half->input_dtype(*call, i) != Dtype::BFloat16);
    }
  }
  for (size_t i = 0; i < frame_.outputs.size(); ++i) {
    wide = wide || (frame_.outputs[i] == id &&
                    half->output_dtype(frame_, i) != Dtype::BFloat16);
  }
  return back && !wide;
}

/// True when the expression of the value is float32 in a bfloat16 model: where
/// the source is, and no idiom of ours has taken it back.
bool ModuleWriter::is_wide(ValueId id) {
  return half_dtype(id) == Dtype::Float32 && is_made_wide(id);
}

/// The same of the expression that makes the value.
bool ModuleWriter::is_made_wide(ValueId id) {
  if (const auto known = wide_.find(id); known != wide_.end()) {
    return known->second;
  }
  if (id == context_.narrow_answer && frame_.path.empty()) {
    return false;
  }
  wide_[id] = true;  // of what reads itself
  const auto it = graph_.producers.find(id);
  bool wide = true;
  if (it != graph_.producers.end() && it->second.call) {
    ModuleWriter made(context_, *it->second.call);
    wide = made.half_dtype(id) != Dtype::Float32 || made.is_wide(id);
  } else if (norms_.owns(id)) {
    wide = norms_.answers_wide(id);
  } else if (it != graph_.producers.end()) {
    const OpNode& op = *it->second.op;
    bool any = false, floats = false;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      if (torch::is_floating_point(context_.trace.info(op.inputs[i]).dtype)) {
        floats = true;
        any = any || is_read_wide(op, i);
      }
    }
    // What is made of no floats, or converted from one, is as it says.
    // precise=True answers in the dtype of its input.
    const bool keeps = named(op, {"log_softmax"}) ||
                       (named(op, {"softmax"}) && !answers_wide(op));
    wide = any || !floats || (!keeps && given(op, "dtype"));
  }
  return wide_[id] = wide;
}

/// The same of an operation's i-th input as it is handed over.
bool ModuleWriter::is_read_wide(const OpNode& op, size_t i) {
  const trace::Twin* half = context_.evaluation.half;
  const auto wanted = half ? half->input_dtype(op, i) : std::nullopt;
  return wanted && wanted != half_dtype(op.inputs[i])
             ? *wanted == Dtype::Float32
             : is_wide(op.inputs[i]);
}

Expression ModuleWriter::converted(
    const Expression& e,
    ValueId id,
    std::optional<Dtype> wanted) {
  const trace::Twin* half = context_.evaluation.half;
  const bool floats = torch::is_floating_point(context_.trace.info(id).dtype);
  if (!half || !floats || constructing_ || !wanted ||
      wanted == half_dtype(id)) {
    return e;
  }
  if (*wanted == Dtype::Float32 && !is_wide(id)) {
    return method(e, "astype", {"mx.float32"});
  }
  if (*wanted == Dtype::BFloat16 && is_wide(id)) {
    return narrowed(e);
  }
  return e;
}

Expression ModuleWriter::wide_input(const OpNode& op) {
  const Expression e = read(op, 0);
  return is_read_wide(op, 0) ? e : method(e, "astype", {"mx.float32"});
}

Expression ModuleWriter::narrowed(const Expression& e) {
  // `x` is there, and of that dtype.
  const bool told = states_dtype != "x.dtype" ||
                    (!data_inputs_.empty() &&
                     half_dtype(data_inputs_.front()) != Dtype::Float32);
  const std::string dtype = told ? states_dtype : norm_dtype();
  return dtype.empty() ? e : method(e, "astype", {dtype});
}

std::string ModuleWriter::norm_dtype() {
  for (const Frame* call : graph_.calls) {
    const Value weight = context_.interp.try_getattr(call->module, "weight");
    const auto* tensor = weight.defined() ? torch::as_tensor(weight) : nullptr;
    if (tensor && tensor->dim() == 1) {
      const Expression norm = member(
          child_name(call->path),
          constructor_or_gap(context_, *call, {call->outputs.front()}));
      return norm.at(kPrimary) + ".weight.dtype";
    }
  }
  return "";
}

Expression ModuleWriter::read(const OpNode& op, size_t i) {
  const trace::Twin* half = context_.evaluation.half;
  const ValueId id = op.inputs[i];
  return converted(
      value(id), id, half ? half->input_dtype(op, i) : std::nullopt);
}

Expression ModuleWriter::operand_value(const OpNode& op, size_t parameter) {
  const auto it =
      std::find(op.inputs.begin(), op.inputs.end(), input_of(op, parameter));
  return read(op, static_cast<size_t>(it - op.inputs.begin()));
}

}  // namespace portwright::emit
