#include "emit/activations.h"

#include "lift/activation.h"
#include "lift/proof.h"

namespace portwright::emit {

namespace mx = mlx::core;
using eval::Value;
using lift::gelu;
using lift::gelu_approx;
using lift::relu;
using lift::silu;
using trace::Selection;

namespace {

struct Activation {
  const char* text;
  mx::array (*compute)(const mx::array&);
};

mx::array gelu_fast_approx(const mx::array& x) {
  return x * mx::sigmoid(mx::array(1.702f) * x);
}

mx::array relu2(const mx::array& x) {
  return mx::square(relu(x));
}

mx::array relu6(const mx::array& x) {
  return mx::minimum(relu(x), mx::array(6.0f));
}

mx::array hardswish(const mx::array& x) {
  return x * relu6(x + mx::array(3.0f)) / mx::array(6.0f);
}

mx::array leaky_relu(const mx::array& x) {
  return mx::maximum(mx::array(0.01f) * x, x);
}

mx::array mish(const mx::array& x) {
  return x * mx::tanh(mx::logaddexp(x, mx::array(0.0f)));
}

mx::array sigmoid(const mx::array& x) {
  return mx::sigmoid(x);
}

mx::array tanh(const mx::array& x) {
  return mx::tanh(x);
}

/// mlx.nn's formulas; where two agree, the first is written.
constexpr Activation kActivations[] = {
    {"nn.silu", silu},
    {"nn.gelu", gelu},
    {"nn.gelu_approx", gelu_approx},
    {"nn.gelu_fast_approx", gelu_fast_approx},
    {"nn.relu", relu},
    {"nn.relu2", relu2},
    {"nn.relu6", relu6},
    {"nn.hardswish", hardswish},
    {"nn.leaky_relu", leaky_relu},
    {"nn.mish", mish},
    {"nn.sigmoid", sigmoid},
    {"nn.tanh", tanh},
};

/// What configs choose from; others are added where a config has them.
constexpr const char* kCommon[] = {
    "gelu",
    "gelu_fast",
    "gelu_new",
    "gelu_pytorch_tanh",
    "quick_gelu",
    "relu",
    "relu2",
    "silu"};

bool agree(const mx::array& a, const mx::array& b) {
  constexpr float kRelative = 3e-6f, kAbsolute = 1e-6f;
  return a.shape() == b.shape() &&
         mx::all(
             mx::abs(a - b) <=
             mx::array(kRelative) * mx::abs(b) + mx::array(kAbsolute))
             .item<bool>();
}

/// What a registry's entry is in mlx.nn; "" when nothing there is alike.
const std::string& activation_text(
    Context& context,
    const Value& registry,
    const std::string& key) {
  auto& table = (*context.activation_tables)[registry.object()];
  const auto [it, fresh] = table.try_emplace(key);
  if (!fresh) {
    return it->second;
  }
  const base::Stopwatch lifting(context.lift_ms);
  // The tails included.
  const mx::array points = mx::concatenate(
      {mx::linspace(-14, 14, 225, mx::float32),
       mx::linspace(-0.05, 0.05, 11, mx::float32)});
  try {
    const mx::array y = lift::call_module(
        context.interp,
        context.interp.getitem(registry, eval::str(key)),
        {points});
    for (const Activation& activation : kActivations) {
      if (agree(y, activation.compute(points))) {
        it->second = activation.text;
        break;
      }
    }
  } catch (const eval::PythonError&) {  // it wants more than one tensor
  } catch (const eval::Refusal&) {
  }
  return it->second;
}

}  // namespace

ActivationTable activation_table(Context& context, const Value& registry) {
  for (const char* key : kCommon) {
    activation_text(context, registry, key);
  }
  ActivationTable out = (*context.activation_tables)[registry.object()];
  std::erase_if(out, [](const auto& entry) { return entry.second.empty(); });
  return out;
}

const Frame*
selected_activation(Context& context, ValueId id, const Frame& within) {
  const auto& selected = context.trace.selected;
  for (const Frame* frame = context.trace.info(id).frame;
       frame && frame != &within && frame->path.starts_with(within.path);
       frame = frame->parent) {
    const auto it = frame->is_module() ? selected.find(frame->module.object())
                                       : selected.end();
    if (it == selected.end()) {
      continue;
    }
    const Selection& selection = it->second;
    if (frame->outputs.size() == 1 && frame->outputs.front() == id &&
        frame->inputs.size() == 1 &&
        !activation_text(context, selection.registry, selection.text).empty()) {
      return frame;
    }
    context.specialised.insert(selection.field);
    return nullptr;
  }
  return nullptr;
}

void take_for_good(Context& context, ValueId id) {
  for (const Frame* frame = context.trace.info(id).frame; frame;
       frame = frame->parent) {
    if (frame->is_module()) {
      if (const auto it = context.trace.selected.find(frame->module.object());
          it != context.trace.selected.end()) {
        context.specialised.insert(it->second.field);
      }
      return;
    }
  }
}

void note_specialised(Context& context, const Frame& frame) {
  if (frame.is_module()) {
    const auto it = context.trace.selected.find(frame.module.object());
    if (it != context.trace.selected.end()) {
      context.specialised.insert(it->second.field);
    }
  }
  for (const auto& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      note_specialised(context, **child);
    }
  }
}

}  // namespace portwright::emit
