#include "lift/norm.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "lift/memory.h"
#include "lift/proof.h"

namespace portwright::lift {

using eval::Value;

namespace {

/// What may be an eps: attributes that are small positive floats, and that of
/// float32, which torch takes where it is given none.
std::vector<std::pair<std::string, Value>> eps_candidates(const Value& module) {
  std::vector<std::pair<std::string, Value>> out;
  if (module.object()->attrs) {
    for (const auto& [name, value] : module.object()->attrs->entries()) {
      if (value.is_float() && value.as_double() > 0 &&
          value.as_double() < 0.1) {
        out.emplace_back(name.str(), value);
      }
    }
  }
  out.emplace_back("", Value::real(std::numeric_limits<float>::epsilon()));
  return out;
}

struct Parameters {
  std::optional<mx::array> weight, bias;
  bool others = false;
};

Parameters parameters_of(eval::Interpreter& interp, const Value& module) {
  Parameters out;
  interp.for_each(
      interp.call_method(module, "named_parameters"), [&](Value pair) {
        const auto& items = pair.get<eval::Tuple>()->items;
        const mx::array value = torch::array_of(*torch::as_tensor(items[1]));
        if (items[0].str() == "weight") {
          out.weight = value;
        } else if (items[0].str() == "bias") {
          out.bias = value;
        } else {
          out.others = true;
        }
      });
  return out;
}

mx::array apply(const Norm& norm, const mx::array& x, const Parameters& p) {
  const float eps = static_cast<float>(norm.eps.as_double());
  switch (norm.kind) {
    case Norm::Kind::Rms:
      return mx::fast::rms_norm(x, p.weight, eps);
    case Norm::Kind::RmsPlusOne:
      return mx::fast::rms_norm(
          x, mx::add(*p.weight, mx::array(1.0f, p.weight->dtype())), eps);
    case Norm::Kind::RmsPlain:
      return mx::fast::rms_norm(x, std::nullopt, eps);
    case Norm::Kind::Layer:
      return mx::fast::layer_norm(x, p.weight, p.bias, eps);
  }
  return x;
}

bool agrees(
    eval::Interpreter& interp,
    const Value& module,
    const Norm& norm,
    const Parameters& p) {
  const float eps = static_cast<float>(norm.eps.as_double());
  for (float scale : {1.0f, 30.0f, std::sqrt(eps)}) {
    const auto x =
        mx::add(random({3, 5, norm.dims}, 5, scale), mx::array(0.3f * scale));
    if (relative_error(apply(norm, x, p), call_module(interp, module, {x})) >
        kTolerance) {
      return false;
    }
  }
  return true;
}

bool agrees_in_half(
    eval::Interpreter& interp,
    const Value& module,
    const Norm& norm) {
  const auto x = random({3, 5, norm.dims}, 6);
  return agree_in_half(
      [&](mx::Dtype dtype) {
        RandomParameters parameters(interp, module, dtype);
        return call_module(interp, module, {rounded(x, dtype)});
      },
      [&](mx::Dtype dtype) {
        RandomParameters parameters(interp, module, dtype);
        return apply(norm, rounded(x, dtype), parameters_of(interp, module));
      });
}

std::optional<Norm>
recognised(eval::Interpreter& interp, const Value& module, int dims) {
  RandomParameters random_parameters(interp, module);
  const Parameters p = parameters_of(interp, module);
  auto is_vector = [&](const std::optional<mx::array>& a) {
    return !a || (a->ndim() == 1 && a->shape(0) == dims);
  };
  if (p.others || !is_vector(p.weight) || !is_vector(p.bias) ||
      (p.bias && !p.weight)) {
    return {};
  }
  std::vector<Norm::Kind> kinds;
  if (p.weight && !p.bias) {
    kinds = {Norm::Kind::Rms, Norm::Kind::RmsPlusOne, Norm::Kind::Layer};
  } else if (p.weight) {
    kinds = {Norm::Kind::Layer};
  } else {
    kinds = {Norm::Kind::RmsPlain, Norm::Kind::Layer};
  }
  for (const auto& [name, eps] : eps_candidates(module)) {
    for (Norm::Kind kind : kinds) {
      Norm norm{kind, p.bias.has_value(), name, eps, dims};
      try {
        if (agrees(interp, module, norm, p)) {
          return agrees_in_half(interp, module, norm) ? std::optional(norm)
                                                      : std::nullopt;
        }
      } catch (const eval::PythonError&) {
        return {};  // it takes no states of three axes
      }
    }
  }
  return {};
}

}  // namespace

std::optional<Norm>
lift_norm(eval::Interpreter& interp, const Value& module, int dims) {
  Memory& memory = Memory::of(interp);
  auto norm = memory.once<std::optional<Norm>>(
      fmt::format("norm:{}:", dims) + module_text(memory, module),
      [&] { return recognised(interp, module, dims); });
  if (norm && !norm->eps_attribute.empty()) {  // which knows where it came from
    norm->eps =
        *module.object()->attrs->find(base::Symbol(norm->eps_attribute));
  }
  return norm;
}

std::optional<Norm> lift_norm(
    eval::Interpreter& interp,
    const Trace& trace,
    const Flows& flows,
    const Frame& frame) {
  std::vector<ValueId> data;
  for (ValueId id : frame.inputs) {
    if (flows.of(id) == Flow::Data) {
      data.push_back(id);
    }
  }
  if (data.size() != 1 || frame.outputs.size() != 1) {
    return {};
  }
  const auto& in = trace.info(data[0]).shape;
  if (in.empty() || in != trace.info(frame.outputs[0]).shape) {
    return {};
  }
  return lift_norm(interp, frame.module, static_cast<int>(in.back()));
}

}  // namespace portwright::lift
