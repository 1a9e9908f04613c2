#include "emit/rope_forms.h"

#include <algorithm>
#include <cmath>

namespace portwright::emit {

using eval::Value;
using lift::Rotation;

std::optional<RopeParameters> RopeParameters::read(
    const Value& parameters,
    double max_positions) {
  if (!parameters.is(eval::Kind::Dict)) {
    return {};
  }
  auto find = [&](const char* key) {
    return parameters.get<eval::Dict>()->find(key);
  };
  auto number = [&](const char* key) -> std::optional<double> {
    const Value* v = find(key);
    return v && v->is_number() ? std::optional(v->as_double()) : std::nullopt;
  };
  auto numbers = [&](const char* key) {
    std::vector<double> out;
    if (const Value* v = find(key); v && v->is(eval::Kind::List)) {
      for (const Value& item : v->get<eval::List>()->items) {
        out.push_back(item.is_number() ? item.as_double() : NAN);
      }
    }
    return out;
  };
  RopeParameters out;
  const auto theta = number("rope_theta");
  if (!theta) {
    return {};
  }
  out.theta = *theta;
  if (const Value* type = find("rope_type"); type && type->is_str()) {
    out.type = type->str();
  }
  out.factor = number("factor");
  out.attention_factor = number("attention_factor");
  out.mscale = number("mscale");
  out.mscale_all_dim = number("mscale_all_dim");
  out.beta_fast = number("beta_fast");
  out.beta_slow = number("beta_slow");
  out.low_freq_factor = number("low_freq_factor");
  out.high_freq_factor = number("high_freq_factor");
  out.partial = number("partial_rotary_factor");
  out.original =
      number("original_max_position_embeddings").value_or(max_positions);
  if (const Value* truncate = find("truncate"); truncate) {
    out.truncate = truncate->is_bool() && truncate->as_bool();
  }
  out.short_factor = numbers("short_factor");
  out.long_factor = numbers("long_factor");
  out.max_positions = max_positions;
  return out;
}

namespace {

Rotation plain(double base, int dims, double factor = 1) {
  Rotation out;
  for (int i = 0; i < dims / 2; ++i) {
    out.frequencies.push_back(std::pow(base, -2.0 * i / dims) / factor);
  }
  return out;
}

Rotation llama3(const RopeParameters& p, int dims) {
  Rotation out = plain(p.theta, dims);
  const double low = p.low_freq_factor.value_or(1);
  const double high = p.high_freq_factor.value_or(4);
  for (double& f : out.frequencies) {
    const double waves = p.original * f / (2 * M_PI);
    const double smooth = std::clamp((waves - low) / (high - low), 0.0, 1.0);
    f *= (1 - smooth) / p.factor.value_or(1) + smooth;
  }
  return out;
}

double yarn_magnitude(double factor, double mscale) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

/// Each mscale counts beside the other alone.
double yarn_magnitude(const RopeParameters& p, double factor) {
  const bool both = p.mscale.value_or(0) && p.mscale_all_dim.value_or(0);
  return p.attention_factor.value_or(
      both ? yarn_magnitude(factor, *p.mscale) /
                 yarn_magnitude(factor, *p.mscale_all_dim)
           : yarn_magnitude(factor, 1));
}

Rotation yarn(const RopeParameters& p, int dims, bool truncate, double factor) {
  auto dimension = [&](double rotations) {
    return dims * std::log(p.original / (rotations * 2 * M_PI)) /
           (2 * std::log(p.theta));
  };
  auto or_default = [](std::optional<double> v, double fallback) {
    return v && *v != 0 ? *v : fallback;
  };
  double low = dimension(or_default(p.beta_fast, 32));
  double high = dimension(or_default(p.beta_slow, 1));
  if (truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dims - 1.0);
  high += low == high ? 0.001 : 0;
  Rotation out = plain(p.theta, dims);
  for (size_t i = 0; i < out.frequencies.size(); ++i) {
    const double ramp = std::clamp((i - low) / (high - low), 0.0, 1.0);
    out.frequencies[i] *= ramp / factor + 1 - ramp;
  }
  return out;
}

Rotation longrope(const RopeParameters& p, int dims, bool is_long) {
  Rotation out = plain(p.theta, dims);
  const auto& factors = is_long ? p.long_factor : p.short_factor;
  for (size_t i = 0; i < out.frequencies.size(); ++i) {
    out.frequencies[i] /= i < factors.size() ? factors[i] : NAN;
  }
  const double factor = p.factor.value_or(p.max_positions / p.original);
  out.magnitude = p.attention_factor.value_or(
      factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(p.original)));
  return out;
}

}  // namespace

// What initialize_rope does not do: yarn without `truncate`; longrope's short
// factors; dynamic with the offsets of a batch.
std::optional<Rotation> shared_rotation(const RopeParameters& p, int dims) {
  if (p.type == "default" || p.type == "linear") {
    return plain(p.theta, dims, p.type == "linear" ? p.factor.value_or(1) : 1);
  }
  if (p.type == "llama3") {
    return llama3(p, dims);
  }
  if (p.type == "proportional") {
    Rotation out = plain(p.theta, dims, p.factor.value_or(1));
    const int rotated = static_cast<int>(dims * p.partial.value_or(1));
    for (size_t i = (rotated + 1) / 2; i < out.frequencies.size(); ++i) {
      out.frequencies[i] = 0;
    }
    return out;
  }
  if (p.type == "yarn" && p.factor && p.truncate.value_or(true)) {
    // An emitted file gives YarnRoPE the mscale by which it comes to this.
    if (p.attention_factor && *p.factor <= 1) {
      return {};
    }
    Rotation out = yarn(p, dims, true, *p.factor);
    out.magnitude = yarn_magnitude(p, *p.factor);
    return out;
  }
  return {};
}

std::optional<Rotation>
local_rotation(const RopeParameters& p, int dims, int length) {
  if (p.type == "yarn") {
    const double factor = p.factor.value_or(p.max_positions / p.original);
    Rotation out = yarn(p, dims, p.truncate.value_or(true), factor);
    out.magnitude = yarn_magnitude(p, factor);
    return out;
  }
  if (p.type == "longrope") {
    return longrope(p, dims, length > p.original);
  }
  if (p.type == "dynamic" && p.factor) {
    const double longest = std::max<double>(length, p.max_positions);
    const double growth =
        *p.factor * longest / p.max_positions - (*p.factor - 1);
    return plain(p.theta * std::pow(growth, dims / (dims - 2.0)), dims);
  }
  return {};
}

int rope_threshold(const RopeParameters& p) {
  return static_cast<int>(
      p.type == "longrope"  ? p.original
      : p.type == "dynamic" ? p.max_positions
                            : 0);
}

namespace {

constexpr const char* kYarn = R"py(class YarnRoPE(nn.Module):
    def __init__(self, dims, scaling, base, traditional, max_position_embeddings):
        super().__init__()
        self.dims = dims
        self.traditional = traditional
        original = scaling["original_max_position_embeddings"]
        factor = scaling["factor"] or max_position_embeddings / original

        def correction_dim(rotations):
            waves = original / (rotations * 2 * math.pi)
            return dims * math.log(waves) / (2 * math.log(base))

        low = correction_dim(scaling.get("beta_fast") or 32)
        high = correction_dim(scaling.get("beta_slow") or 1)
        if scaling.get("truncate", True):
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, dims - 1)
        if low == high:
            high += 0.001  # Prevent singularity
        ramp = mx.clip((mx.arange(dims // 2) - low) / (high - low), 0, 1)
        freqs = base ** (mx.arange(0, dims, 2, dtype=mx.float32) / dims)
        self._freqs = freqs / (ramp / factor + 1 - ramp)

        def magnitude(mscale):
            return 0.1 * mscale * math.log(factor) + 1.0 if factor > 1 else 1.0

        self.scale = scaling.get("attention_factor")
        if self.scale is None:
            mscale = scaling.get("mscale")
            mscale_all_dim = scaling.get("mscale_all_dim")
            if mscale and mscale_all_dim:
                self.scale = magnitude(mscale) / magnitude(mscale_all_dim)
            else:
                self.scale = magnitude(1)

    def __call__(self, x: mx.array, offset: Union[int, mx.array] = 0) -> mx.array:
        if self.scale != 1.0:
            x = x.at[..., : self.dims].multiply(self.scale)
        return mx.fast.rope(x, self.dims, traditional=self.traditional, base=None, scale=1.0, offset=offset, freqs=self._freqs)
)py";

constexpr const char* kLong = R"py(class LongRoPE(nn.Module):
    def __init__(self, dims, scaling, base, traditional, max_position_embeddings):
        super().__init__()
        self.dims = dims
        self.traditional = traditional
        self.original_length = scaling["original_max_position_embeddings"]
        freqs = base ** (mx.arange(0, dims, 2, dtype=mx.float32) / dims)
        self._short_freqs = mx.array(scaling["short_factor"]) * freqs
        self._long_freqs = mx.array(scaling["long_factor"]) * freqs

        self.scale = scaling.get("attention_factor")
        if self.scale is None:
            factor = scaling.get("factor")
            if factor is None:
                factor = max_position_embeddings / self.original_length
            ratio = math.log(max(factor, 1.0)) / math.log(self.original_length)
            self.scale = math.sqrt(1 + ratio)

    def __call__(self, x: mx.array, offset: Union[int, mx.array] = 0) -> mx.array:
        if self.scale != 1.0:
            x = x.at[..., : self.dims].multiply(self.scale)
        # The longest sequence of a batch chooses for all
        length = mx.max(mx.array(offset)) + x.shape[-2]
        freqs = mx.where(length > self.original_length, self._long_freqs, self._short_freqs)
        return mx.fast.rope(x, self.dims, traditional=self.traditional, base=None, scale=1.0, offset=offset, freqs=freqs)
)py";

constexpr const char* kDynamic =
    R"py(class DynamicRoPE(DynamicNTKScalingRoPE):
    def __call__(self, x: mx.array, offset: Union[int, mx.array] = 0) -> mx.array:
        # The longest sequence of a batch decides for all
        length = mx.max(mx.array(offset)) + x.shape[-2]
        growth = mx.maximum(length / self.max_position_embeddings - 1, 0)
        base = self.base * (1 + self.factor * growth) ** (self.dims / (self.dims - 2))
        freqs = base ** (mx.arange(0, self.dims, 2) / self.dims)
        kwargs = {"traditional": self.traditional, "base": None, "scale": 1.0}
        return mx.fast.rope(x, self.dims, offset=offset, freqs=freqs, **kwargs)
)py";

}  // namespace

RopeClass rope_class(const std::string& type) {
  return type == "yarn"       ? RopeClass{"YarnRoPE", kYarn}
         : type == "longrope" ? RopeClass{"LongRoPE", kLong}
                              : RopeClass{
                                    "DynamicRoPE",
                                    kDynamic,
                                    "dims, factor=scaling_config[\"factor\"]"};
}

}  // namespace portwright::emit
