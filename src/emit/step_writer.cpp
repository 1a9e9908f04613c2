#include "emit/step_writer.h"

#include <fmt/format.h>

#include <cmath>

#include "emit/module_writer.h"
#include "lift/recurrence.h"

namespace portwright::emit {

std::vector<std::string> ModuleWriter::written_apart(
    const std::vector<ValueId>& outputs,
    const std::function<void()>& write) {
  std::vector<std::string> lines;
  const std::vector<ValueId> whole = outputs_;
  count_uses(outputs);
  std::swap(lines, statements_);
  const auto opening = std::exchange(opening_, 0);
  write();
  opening_ = opening;
  std::swap(lines, statements_);
  outputs_ = whole;
  return lines;
}

bool StepWriter::find(const std::vector<Update>& updates) {
  const Context& context = w_.context();
  std::vector<size_t> indices;
  for (const Update& update : updates) {
    indices.push_back(update.index);
    slots_.push_back(update.slot);
  }
  step_ = lift::find_step(
      context.trace,
      context.flows,
      w_.graph(),
      indices,
      context.evaluation.length);
  return any();
}

bool StepWriter::owns(ValueId id) const {
  return any() && std::any_of(
                      step_->outputs.begin(),
                      step_->outputs.end(),
                      [&](const auto& part) { return part.whole == id; });
}

std::vector<ValueId> StepWriter::dependencies() const {
  std::vector<ValueId> out;
  for (const auto& part : step_->inputs) {
    out.push_back(part.whole);
  }
  return out;
}

Expression StepWriter::produce(ValueId id) {
  write();
  return w_.value(id);
}

namespace {

/// What a token's step makes of a state, in the dtype that states are kept in.
std::string kept(ModuleWriter& w, const lift::Step::State& state) {
  const trace::Twin* half = w.context().evaluation.half;
  const auto dtype = half ? half->dtype(state.before) : std::nullopt;
  return w.converted(w.value(state.after), state.after, dtype).text;
}

/// An output of the token's, in the dtype of the activations where the source
/// has all of them so: it may be a state, which is not.
std::string handed_out(
    ModuleWriter& w,
    const lift::Step& step,
    const lift::Step::Part& part) {
  const trace::Twin* half = w.context().evaluation.half;
  const Expression e = w.value(part.token);
  const bool wide =
      half &&
      std::any_of(
          step.states.begin(), step.states.end(), [&](const auto& state) {
            return half->dtype(state.before) == torch::Dtype::Float32;
          });
  return wide && half->dtype(part.whole) == torch::Dtype::BFloat16
             ? w.narrowed(e).text
             : e.text;
}

/// `text[:, :, t : t + 1]`.
std::string token_of(const std::string& text, int axis) {
  std::string out = text + "[";
  for (int i = 0; i < axis; ++i) {
    out += ":, ";
  }
  return out + "t : t + 1]";
}

}  // namespace

/// An extent in terms of ModelArgs: that of a parameter whose sizes the source
/// spells out, or what the module keeps; "" where there is none.
std::string StepWriter::extent(int64_t value) {
  Context& context = w_.context();
  const std::string& path = w_.graph().frame->path;
  for (ValueId id = 1; id < context.trace.values.size(); ++id) {
    const auto& info = context.trace.info(id);
    const auto at = std::find(info.shape.begin(), info.shape.end(), value);
    if (!info.parameter.starts_with(path + ".") || at == info.shape.end() ||
        value == 1) {
      continue;
    }
    try {
      return w_.size_texts(id)[at - info.shape.begin()];
    } catch (const Hole&) {
      continue;
    }
  }
  return context.kept_integer(w_.graph().frame->module, value);
}

/// The same read from what the step is given; "" where nothing is that long.
std::string StepWriter::given_extent(int64_t value) {
  for (const auto& part : step_->inputs) {
    const auto& shape = w_.context().trace.info(part.whole).shape;
    for (size_t axis = 1; axis < shape.size(); ++axis) {
      if (shape[axis] == value && static_cast<int>(axis) != part.axis) {
        return fmt::format("{}.shape[{}]", w_.name(part.whole), axis);
      }
    }
  }
  return "";
}

/// The extent of the last axis of what is sliced x[..., -n:]; "" for anything
/// else.
std::string StepWriter::kept_extent(ValueId id) {
  const auto it = w_.graph().producers.find(id);
  const OpNode* op = it == w_.graph().producers.end() ? nullptr : it->second.op;
  if (!op || op->op->name != "getitem" || op->args.size() < 2) {
    return "";
  }
  const eval::Value& index = op->args[1];
  const eval::Value last =
      index.is(eval::Kind::Tuple) && !index.get<eval::Tuple>()->items.empty()
          ? index.get<eval::Tuple>()->items.back()
          : index;
  if (!last.is(eval::Kind::Slice)) {
    return "";
  }
  const auto* slice = last.get<eval::Slice>();
  const eval::Provenance* p = slice->lower.provenance();
  const auto& shape = w_.context().trace.info(id).shape;
  const bool from_end = slice->lower.is_int() && slice->upper.is_none() &&
                        !shape.empty() &&
                        slice->lower.as_int() == -shape.back() && p &&
                        p->kind == eval::Provenance::Kind::Unary && p->left;
  return from_end ? w_.context().args_text(p->left) : "";
}

/// The state's shape past the batch: an attribute, or read from what the step
/// is given.
std::string StepWriter::state_shape(const lift::Step::State& state) {
  Context& context = w_.context();
  const auto& shape = context.trace.info(state.before).shape;
  std::vector<std::string> sizes;
  bool known = true;
  for (size_t i = 1; i < shape.size(); ++i) {
    const std::string told =
        i + 1 == shape.size() ? kept_extent(state.after) : "";
    sizes.push_back(told.empty() ? extent(shape[i]) : told);
    known = known && !sizes.back().empty();
  }
  if (known) {
    const std::string attribute =
        step_->states.size() == 1
            ? "state_shape"
            : "state_shape" +
                  std::to_string(slots_[&state - &step_->states[0]]);
    w_.initialise(
        attribute, "(" + join(sizes) + (sizes.size() == 1 ? ",)" : ")"));
    return "*self." + attribute;
  }
  for (size_t i = 1; i < shape.size(); ++i) {
    const std::string given = given_extent(shape[i]);
    sizes[i - 1] =
        given.empty() ? context.integer_text(w_.graph().frame->module, shape[i])
                      : given;
  }
  return join(sizes);
}

/// The number that a state begins with everywhere.
float StepWriter::first_number(const lift::Step::State& state) {
  const auto& first = w_.context().evaluation.first_states;
  const auto updates = lift::find_state_updates(w_.graph());
  const auto it = first.find(updates.at(state.update).written);
  if (it != first.end() && std::isnan(it->second)) {
    w_.context().hole(
        w_.graph().frame->call, "a state does not begin with one number");
  }
  return it == first.end() ? 0 : it->second;
}

/// That number in the state's shape.
std::string StepWriter::first_state(const lift::Step::State& state) {
  Context& context = w_.context();
  const auto& shape = context.trace.info(state.before).shape;
  if (shape.empty() || shape[0] != context.evaluation.batch) {
    context.hole(
        w_.graph().frame->call, "a state is kept that is not of the rows");
  }
  const trace::Twin* half = context.evaluation.half;
  const auto dtype = half ? half->dtype(state.before) : std::nullopt;
  const float first = first_number(state);
  std::string number = fmt::format("{}", first);
  std::erase(number, '+');
  return fmt::format(
      "mx.{}((B, {}), {}dtype={})",
      first == 0 ? "zeros" : "full",
      state_shape(state),
      first == 0 ? "" : number + ", ",
      dtype == torch::Dtype::BFloat16 ? w_.states_dtype : "mx.float32");
}

void StepWriter::write() {
  w_.needs_shape = true;
  const auto& states = step_->states;
  std::vector<std::string> whole, names, made, outputs;
  const std::string cache = w_.state_cache(), mask = w_.state_mask();
  for (const auto& part : step_->inputs) {
    whole.push_back(w_.name(part.whole));
  }
  for (size_t i = 0; i < states.size(); ++i) {
    names.push_back(w_.fresh("state"));
    w_.statement(fmt::format(
        "{0} = {1}[{2}] if {1} is not None else None",
        names.back(),
        cache,
        slots_[i]));
    w_.statement("if " + names.back() + " is None:");
    w_.statement("    " + names.back() + " = " + first_state(states[i]));
  }
  for (const auto& part : step_->outputs) {
    outputs.push_back(w_.fresh(w_.house_of(part.whole)));
    w_.statement(outputs.back() + " = []");
  }
  w_.statement("for t in range(L):");
  std::vector<ValueId> results;
  for (const auto& state : states) {
    results.push_back(state.after);
  }
  for (const auto& part : step_->outputs) {
    results.push_back(part.token);
  }
  const auto body = w_.written_apart(results, [&] {
    for (size_t i = 0; i < whole.size(); ++i) {
      const auto& part = step_->inputs[i];
      const std::string name = w_.fresh(w_.house_of(part.token));
      w_.statement(name + " = " + token_of(whole[i], part.axis));
      w_.bind(part.token, name);
    }
    for (size_t i = 0; i < states.size(); ++i) {
      w_.bind(states[i].before, names[i]);
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto& part = step_->outputs[i];
      w_.statement(
          outputs[i] + ".append(" + handed_out(w_, *step_, part) + ")");
    }
    for (const auto& state : states) {
      made.push_back(kept(w_, state));
    }
    for (size_t i = 0; i < states.size(); ++i) {
      const std::string next = w_.fresh("new_state");
      w_.statement(next + " = " + made[i]);
      made[i] = next;
    }
    w_.statement("if " + mask + " is not None:");
    for (size_t i = 0; i < states.size(); ++i) {
      const auto axes = w_.rank(states[i].before) - 1;
      std::string index = mask + "[:, t";
      for (size_t k = 0; k < axes; ++k) {
        index += ", None";
      }
      w_.statement(fmt::format(
          "    {0} = mx.where({1}], {0}, {2})", made[i], index, names[i]));
    }
    for (size_t i = 0; i < states.size(); ++i) {
      w_.statement(names[i] + " = " + made[i]);
    }
  });
  for (const std::string& line : body) {
    w_.statement("    " + line);
  }
  w_.statement("if " + cache + " is not None:");
  for (size_t i = 0; i < states.size(); ++i) {
    w_.statement(fmt::format("    {}[{}] = {}", cache, slots_[i], names[i]));
  }
  if (advances_) {
    w_.statement("    " + cache + ".advance(L)");
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto& part = step_->outputs[i];
    w_.statement(fmt::format(
        "{0} = mx.concatenate({0}, axis={1})", outputs[i], part.axis));
    w_.bind(part.whole, outputs[i]);
  }
}

}  // namespace portwright::emit
