#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mlx/mlx.h>

#include "eval/interpreter.h"
#include "lift/graph.h"
#include "torch/torch.h"
#include "trace/twin.h"

namespace portwright::lift {

namespace mx = mlx::core;

/// Largest |a - b| over the largest |b|, both as float32; infinity when the
/// shapes differ or either holds a NaN.
double relative_error(const mx::array& a, const mx::array& b);
/// That of many pairs, which are waited for once.
std::vector<double> relative_errors(
    const std::vector<std::pair<mx::array, mx::array>>& pairs);

/// Idioms must agree to this in float32; it covers a reordered sum, and no
/// wrong constant that matters.
constexpr double kTolerance = 2e-5;

/// The shape that what stands for a value must have.
mx::Shape shape_of(const Trace& trace, ValueId id);

/// Bell-shaped random values of deviation one, times `scale`, from a fixed
/// seed.
mx::array random(const mx::Shape& shape, uint64_t seed, float scale = 1);

/// One form of a computation, on inputs and parameters of that dtype whose
/// values are numbers of bfloat16.
using Form = std::function<mx::array(mx::Dtype)>;

/// True when `lifted` may stand for `literal` in a bfloat16 model: it answers
/// in the same dtype, and errs no more. Errors are measured against the literal
/// form in float32, and its own in bfloat16 are the noise floor. Also true
/// where the source itself raises in bfloat16.
bool agree_in_half(const Form& literal, const Form& lifted);

/// Arrays for values of a recording.
using Given = std::map<ValueId, mx::array>;

/// The same of `output` as it was recorded, computed anew from `given`; `half`
/// is that forward in bfloat16, and without it the answer is true. `lifted` is
/// handed bfloat16 and answers in it: what the source has in float32 before and
/// behind an idiom is converted there.
bool agree_in_half(
    eval::Interpreter& interp,
    const Trace& trace,
    const trace::Twin* half,
    const Given& given,
    ValueId output,
    const std::function<mx::array(const Given&)>& lifted);

/// Values of bfloat16 as `dtype`.
mx::array rounded(const mx::array& x, mx::Dtype dtype);

/// Replaces the values of a module's parameters for the time of its life: in
/// their own dtype, or rounded and in another.
class RandomParameters {
 public:
  RandomParameters(
      eval::Interpreter& interp,
      const eval::Value& module,
      std::optional<mx::Dtype> half = {});
  ~RandomParameters();

 private:
  std::vector<std::pair<eval::Value, mx::array>> saved_;
};

/// Calls a module of the source on arrays; the first tensor of its answer.
mx::array call_module(
    eval::Interpreter& interp,
    const eval::Value& module,
    const std::vector<mx::array>& inputs);

}  // namespace portwright::lift
