#include "lift/proof.h"

#include <cmath>
#include <limits>

#include "trace/replay.h"
#include "trace/trace.h"

namespace portwright::lift {

namespace {

/// Not yet computed; NaN stays.
mx::array lazy_error(const mx::array& a, const mx::array& b) {
  if (a.shape() != b.shape()) {
    return mx::array(std::numeric_limits<float>::infinity());
  }
  if (a.size() == 0) {
    return mx::array(0.0f);
  }
  const auto x = mx::astype(a, mx::float32);
  const auto y = mx::astype(b, mx::float32);
  const auto difference = mx::max(mx::abs(mx::subtract(x, y)));
  const auto size = mx::max(mx::abs(y));
  const mx::array none(0.0f);
  return mx::where(mx::equal(size, none), difference, difference / size);
}

}  // namespace

std::vector<double> relative_errors(
    const std::vector<std::pair<mx::array, mx::array>>& pairs) {
  std::vector<mx::array> errors;
  for (const auto& [a, b] : pairs) {
    errors.push_back(lazy_error(a, b));
  }
  mx::eval(errors);
  std::vector<double> out;
  for (const mx::array& error : errors) {
    const float e = error.item<float>();
    out.push_back(std::isnan(e) ? std::numeric_limits<double>::infinity() : e);
  }
  return out;
}

double relative_error(const mx::array& a, const mx::array& b) {
  return relative_errors({{a, b}}).front();
}

mx::Shape shape_of(const Trace& trace, ValueId id) {
  const auto& sizes = trace.info(id).shape;
  return mx::Shape(sizes.begin(), sizes.end());
}

namespace {

constexpr int kDrawn = 1 << 17;

/// Bell-shaped, of deviation one: each the sum of four that are evenly spread.
std::vector<float> bell_values() {
  // Four of 16 bits, each of variance 2^32 / 12.
  const float scale = std::sqrt(3.0f) / 65536, middle = 2 * 65535.0f;
  std::vector<float> out(kDrawn);
  uint64_t state = 0x5eed;
  for (float& value : out) {  // Steele, Lea and Flood's splitmix
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    const uint64_t sum =
        (z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48);
    value = (static_cast<float>(sum) - middle) * scale;
  }
  return out;
}

/// Evenly spread, of deviation one; those of a model's weights are asked for
/// again and again.
mx::array spread(int64_t count, uint64_t seed) {
  constexpr int64_t kKept = 1 << 26;
  static auto* known = new std::map<std::pair<int64_t, uint64_t>, mx::array>();
  static int64_t kept = 0;
  if (const auto it = known->find({count, seed}); it != known->end()) {
    return it->second;
  }
  if ((kept += count) > kKept) {
    known->clear();
    kept = count;
  }
  const mx::array bound(std::sqrt(3.0f));
  const mx::array values = mx::random::uniform(
      mx::negative(bound),
      bound,
      {static_cast<int>(count)},
      mx::float32,
      mx::random::key(seed));
  known->insert({{count, seed}, values});
  return values;
}

/// Drawing would take longer than computing with what is drawn: seeds are
/// places in values that are drawn once.
mx::array drawn(const mx::Shape& shape, uint64_t seed) {
  constexpr uint64_t kStride = 10007;
  static const auto* values = new mx::array([] {
    const auto all = bell_values();
    return mx::array(all.data(), {kDrawn}, mx::float32);
  }());
  int64_t count = 1;
  for (int size : shape) {
    count *= size;
  }
  if (count > kDrawn / 2) {
    return mx::reshape(spread(count, seed), shape);
  }
  const int at = static_cast<int>(seed * kStride % (kDrawn / 2));
  return mx::reshape(
      mx::slice(*values, {at}, {at + static_cast<int>(count)}), shape);
}

}  // namespace

mx::array random(const mx::Shape& shape, uint64_t seed, float scale) {
  return mx::multiply(drawn(shape, seed), mx::array(scale));
}

namespace {

/// Root mean square of a - b over that of b.
double distance(const mx::array& a, const mx::array& b) {
  const auto wide = mx::astype(a, mx::float32);
  return mx::sqrt(mx::divide(
                      mx::mean(mx::square(mx::subtract(wide, b))),
                      mx::mean(mx::square(b))))
      .item<float>();
}

}  // namespace

mx::array rounded(const mx::array& x, mx::Dtype dtype) {
  return mx::astype(mx::astype(x, mx::bfloat16), dtype);
}

bool agree_in_half(const Form& literal, const Form& lifted) {
  // What rounding the result alone costs; no form is asked to be better.
  constexpr double kRounding = 1.0 / 512;
  constexpr double kMargin = 2;  // another order of as many roundings
  try {
    const auto exact = mx::astype(literal(mx::float32), mx::float32);
    const auto theirs = literal(mx::bfloat16);
    const auto ours = lifted(mx::bfloat16);
    return ours.dtype() == theirs.dtype() && ours.shape() == exact.shape() &&
           distance(ours, exact) <=
               kMargin * std::max(distance(theirs, exact), kRounding);
  } catch (const eval::PythonError&) {
    return true;
  }
}

bool agree_in_half(
    eval::Interpreter& interp,
    const Trace& trace,
    const trace::Twin* half,
    const Given& given,
    ValueId output,
    const std::function<mx::array(const Given&)>& lifted) {
  auto has_twin = [&](ValueId id) { return half->dtype(id).has_value(); };
  if (!half || !has_twin(output) ||
      !std::all_of(given.begin(), given.end(), [&](const auto& item) {
        return has_twin(item.first);
      })) {
    return true;
  }
  auto of_dtype = [](const mx::array& x, mx::Dtype dtype) {
    return mx::issubdtype(x.dtype(), mx::floating) ? rounded(x, dtype) : x;
  };
  const Form literal = [&](mx::Dtype dtype) {
    const bool first = dtype == mx::float32;
    trace::Replay replay(interp, first ? trace : *half->trace);
    for (const auto& [id, x] : given) {
      const bool narrow = !first && half->dtype(id) == torch::Dtype::BFloat16;
      replay.replace(
          first ? id : half->ids[id],
          of_dtype(x, narrow ? mx::bfloat16 : mx::float32));
    }
    return mx::astype(
        replay.compute(first ? output : half->ids[output]), dtype);
  };
  return agree_in_half(literal, [&](mx::Dtype dtype) {
    Given converted;
    for (const auto& [id, x] : given) {
      converted.emplace(id, of_dtype(x, dtype));
    }
    return lifted(converted);
  });
}

RandomParameters::RandomParameters(
    eval::Interpreter& interp,
    const eval::Value& module,
    std::optional<mx::Dtype> half) {
  uint64_t seed = 71;
  interp.for_each(
      interp.call_method(module, "parameters"), [&](eval::Value parameter) {
        auto* t = torch::as_tensor(parameter);
        const mx::array old = torch::array_of(*t);
        saved_.emplace_back(parameter, old);
        const int fan_in = old.ndim() > 1 ? old.shape().back() : 1;
        const auto values =
            random(old.shape(), ++seed, 1.0f / std::sqrt(float(fan_in)));
        torch::load_data(
            *t,
            half ? rounded(values, *half) : mx::astype(values, old.dtype()));
      });
}

RandomParameters::~RandomParameters() {
  for (const auto& [parameter, old] : saved_) {
    torch::load_data(*torch::as_tensor(parameter), old);
  }
}

namespace {

/// What a module notes in flags and numbers is as it was afterwards: that it
/// has been called before, say.
class SavedFlags {
 public:
  SavedFlags(eval::Interpreter& interp, const eval::Value& module)
      : interp_(interp), module_(module) {
    for (const auto& [name, value] : module.object()->attrs->entries()) {
      if (value.is_bool() || value.is_number()) {
        saved_.emplace_back(name, value);
      }
    }
  }
  ~SavedFlags() {
    for (const auto& [name, value] : saved_) {
      interp_.setattr(module_, name, value);
    }
  }

 private:
  eval::Interpreter& interp_;
  eval::Value module_;
  std::vector<std::pair<base::Symbol, eval::Value>> saved_;
};

}  // namespace

mx::array call_module(
    eval::Interpreter& interp,
    const eval::Value& module,
    const std::vector<mx::array>& inputs) {
  std::vector<eval::Value> args;
  for (const auto& array : inputs) {
    args.emplace_back(torch::make_tensor(interp, array));
  }
  const SavedFlags flags(interp, module);
  const eval::Value result = interp.call(module, std::move(args));
  const auto tensors = trace::tensors_in(result);
  PW_CHECK(!tensors.empty(), "a module answered without a tensor");
  return torch::array_of(*tensors.front());
}

}  // namespace portwright::lift
