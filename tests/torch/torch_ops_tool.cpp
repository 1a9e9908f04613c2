// Interprets a file of snippets (tests/torch/snippets) with our evaluator and
// prints what every case computes as one JSON object.
//   torch_ops_tool FOLDER MODULE [CASE]

#include <cmath>
#include <iostream>

#include <mlx/mlx.h>
#include <nlohmann/json.hpp>

#include "eval/interpreter.h"
#include "torch/torch.h"

namespace {

using namespace portwright;
using eval::Value;
using nlohmann::ordered_json;
namespace mx = mlx::core;

ordered_json number(double x) {
  if (std::isnan(x)) {
    return "nan";
  }
  if (std::isinf(x)) {
    return x > 0 ? "inf" : "-inf";
  }
  return x;
}

ordered_json elements(const torch::Tensor& t) {
  ordered_json out = ordered_json::array();
  if (torch::is_complex(t.dtype)) {
    mx::array pairs = mx::contiguous(
        mx::stack({mx::real(t.array()), mx::imag(t.array())}, -1));
    mx::eval(pairs);
    for (int64_t i = 0; i < 2 * t.numel(); ++i) {
      out.push_back(number(pairs.data<float>()[i]));
    }
    return out;
  }
  const bool integral = torch::is_integral(t.dtype, true);
  mx::array wide =
      mx::contiguous(mx::astype(t.array(), integral ? mx::int64 : mx::float64));
  mx::eval(wide);
  for (int64_t i = 0; i < t.numel(); ++i) {
    if (integral) {
      out.push_back(wide.data<int64_t>()[i]);
    } else {
      out.push_back(number(wide.data<double>()[i]));
    }
  }
  return out;
}

ordered_json dump(eval::Interpreter& interp, const Value& value) {
  if (const torch::Tensor* t = torch::as_tensor(value)) {
    return {
        {"dtype", std::string(torch::name(t->dtype))},
        {"shape", t->sizes},
        {"values", elements(*t)}};
  }
  if (value.is(eval::Kind::Tuple) || value.is(eval::Kind::List)) {
    ordered_json out = ordered_json::array();
    for (const Value& item : interp.to_vector(value)) {
      out.push_back(dump(interp, item));
    }
    return out;
  }
  if (value.is_float()) {
    return number(value.as_double());
  }
  if (value.is_int()) {
    return value.as_int();
  }
  if (value.is_bool()) {
    return value.as_bool();
  }
  if (value.is_none()) {
    return nullptr;
  }
  return interp.to_str(value);
}

ordered_json run_case(eval::Interpreter& interp, const Value& function) {
  try {
    return {{"result", dump(interp, interp.call(function))}};
  } catch (const eval::PythonError& e) {
    return {
        {"raises", interp.class_of(e.value)->name},
        {"message", interp.to_str(e.value)}};
  } catch (const eval::Refusal& r) {
    return {{"refused", r.diagnostic.message}};
  } catch (const std::exception& e) {
    return {{"broken", e.what()}};
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: torch_ops_tool FOLDER MODULE [CASE]\n";
    return 2;
  }
  mx::set_default_device(mx::Device::cpu);
  eval::Interpreter interp;
  torch::install_torch(interp);
  ordered_json out;
  try {
    interp.register_package("support", std::string(argv[1]) + "/support");
    interp.register_package(argv[2], std::string(argv[1]) + "/" + argv[2]);
    const auto module = interp.import_module(argv[2]);
    const auto support = interp.import_module("support");
    const auto* cases = interp.getattr(support, "CASES").get<eval::Dict>();
    for (const auto& entry : std::vector(cases->entries())) {
      if (argc < 4 || entry.key.str() == argv[3]) {
        out[entry.key.str()] = run_case(interp, entry.value);
      }
    }
  } catch (const eval::PythonError& e) {
    std::cerr << diagnostics::render_text(interp.describe(e)) << "\n";
    return 1;
  } catch (const eval::Refusal& r) {
    std::cerr << diagnostics::render_text(r.diagnostic) << "\n";
    return 1;
  }
  std::cout << out.dump(1) << "\n";
  return 0;
}
