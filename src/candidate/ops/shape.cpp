#include "candidate/op.h"

namespace portwright::candidate {
namespace {

/// f(2, 3), f((2, 3)) and f([2, 3]) mean the same.
std::vector<int> spread(Call& c, size_t i) {
  const auto& items = c.args[i].get<eval::Tuple>()->items;
  if (items.size() == 1 && !items[0].is_integral()) {
    Value rest = items[0];
    Call inner(c.interp, c.state, {&rest, 1});
    return inner.integers(0);
  }
  return c.integers(i);
}

mx::Shape to_shape(const std::vector<int>& sizes) {
  return mx::Shape(sizes.begin(), sizes.end());
}

mx::array transposed(const mx::array& a, const std::vector<int>& axes) {
  return axes.empty() ? mx::transpose(a) : mx::transpose(a, axes);
}

Value split(Call& c) {
  const mx::array& a = c.array(0);
  const int axis = c.integer(2);
  return c.list(
      c.args[1].is_integral() ? mx::split(a, c.integer(1), axis)
                              : mx::split(a, c.shape(1), axis));
}

Value squeeze(Call& c) {
  const mx::array& a = c.array(0);
  return c.make(c.has(1) ? mx::squeeze(a, c.integers(1)) : mx::squeeze(a));
}

/// One width for all, (before, after) for all axes, or a pair per axis.
std::vector<std::pair<int, int>> pad_widths(Call& c, size_t rank) {
  using Pairs = std::vector<std::pair<int, int>>;
  if (c.args[1].is_integral()) {
    return Pairs(rank, {c.integer(1), c.integer(1)});
  }
  const auto items = c.interp.to_vector(c.args[1]);
  if (!items.empty() && items[0].is_integral()) {
    const auto both = c.integers(1);
    return Pairs(rank, {both.front(), both.back()});
  }
  Pairs out;
  for (Value item : items) {
    Call inner(c.interp, c.state, {&item, 1});
    const auto both = inner.integers(0);
    out.emplace_back(both.front(), both.back());
  }
  return out.size() == 1 ? Pairs(rank, out[0]) : out;
}

Value pad(Call& c) {
  const mx::array& a = c.array(0);
  auto pairs = pad_widths(c, a.ndim());
  std::vector<int> axes;
  mx::Shape low, high;
  for (size_t i = 0; i < pairs.size(); ++i) {
    axes.push_back(static_cast<int>(i));
    low.push_back(pairs[i].first);
    high.push_back(pairs[i].second);
  }
  return c.make(
      mx::pad(a, axes, low, high, c.operand(3, a.dtype()), c.text(2)));
}

Value roll(Call& c) {
  const mx::array& a = c.array(0);
  if (!c.has(2)) {
    return c.make(mx::roll(a, c.shape(1)));
  }
  return c.make(mx::roll(a, c.shape(1), c.integers(2)));
}

Value repeat(Call& c) {
  const mx::array& a = c.array(0);
  return c.make(
      c.has(2) ? mx::repeat(a, c.integer(1), c.integer(2))
               : mx::repeat(a, c.integer(1)));
}

Value concatenate(Call& c) {
  auto arrays = c.arrays(0);
  return c.make(
      c.has(1) ? mx::concatenate(std::move(arrays), c.integer(1))
               : mx::concatenate(std::move(arrays)));
}

Value stack(Call& c) {
  return c.make(
      c.has(1) ? mx::stack(c.arrays(0), c.integer(1)) : mx::stack(c.arrays(0)));
}

Value meshgrid(Call& c) {
  return c.list(mx::meshgrid(c.arrays(0), c.boolean(1), c.text(2)));
}

const OpSpec kShapeOps[] = {
    {"reshape(a, /, shape)",
     kModule,
     [](Call& c) { return c.make(mx::reshape(c.array(0), c.shape(1))); }},
    {"reshape(self, *shape)",
     kMethod,
     [](Call& c) {
       return c.make(mx::reshape(c.array(0), to_shape(spread(c, 1))));
     }},
    {"flatten(a, /, start_axis=0, end_axis=-1)",
     kBoth,
     [](Call& c) {
       return c.make(mx::flatten(c.array(0), c.integer(1), c.integer(2)));
     }},
    {"unflatten(a, /, axis, shape)",
     kModule,
     [](Call& c) {
       return c.make(mx::unflatten(c.array(0), c.integer(1), c.shape(2)));
     }},
    {"transpose(a, /, axes=None)",
     kModule,
     [](Call& c) {
       return c.make(transposed(
           c.array(0), c.has(1) ? c.integers(1) : std::vector<int>{}));
     }},
    {"permute_dims(a, /, axes=None)",
     kModule,
     [](Call& c) {
       return c.make(transposed(
           c.array(0), c.has(1) ? c.integers(1) : std::vector<int>{}));
     }},
    {"transpose(self, *axes)",
     kMethod,
     [](Call& c) { return c.make(transposed(c.array(0), spread(c, 1))); }},
    {"T(self)",
     kProperty,
     [](Call& c) { return c.make(mx::transpose(c.array(0))); }},
    {"mT(self)",
     kProperty,
     [](Call& c) { return c.make(mx::swapaxes(c.array(0), -1, -2)); }},
    {"swapaxes(a, /, axis1, axis2)",
     kBoth,
     [](Call& c) {
       return c.make(mx::swapaxes(c.array(0), c.integer(1), c.integer(2)));
     }},
    {"moveaxis(a, /, source, destination)",
     kBoth,
     [](Call& c) {
       return c.make(mx::moveaxis(c.array(0), c.integer(1), c.integer(2)));
     }},
    {"expand_dims(a, /, axis)",
     kModule,
     [](Call& c) {
       return c.make(mx::expand_dims(c.array(0), c.integers(1)));
     }},
    {"squeeze(a, /, axis=None)", kBoth, squeeze},
    {"split(a, /, indices_or_sections, axis=0)", kBoth, split},
    {"concatenate(arrays, axis=0)", kModule, concatenate},
    {"concat(arrays, axis=0)", kModule, concatenate},
    {"stack(arrays, axis=0)", kModule, stack},
    {"meshgrid(*arrays, sparse=False, indexing='xy')", kModule, meshgrid},
    {"repeat(array, repeats, axis=None)", kModule, repeat},
    {"tile(a, reps, /)",
     kModule,
     [](Call& c) { return c.make(mx::tile(c.array(0), c.integers(1))); }},
    {"roll(a, shift, axis=None)", kModule, roll},
    {"pad(a, pad_width, mode='constant', constant_values=0)", kModule, pad},
    {"broadcast_to(a, /, shape)",
     kModule,
     [](Call& c) {
       return c.make(mx::broadcast_to(c.operand(0), c.shape(1)));
     }},
    {"broadcast_arrays(*arrays)",
     kModule,
     [](Call& c) { return c.list(mx::broadcast_arrays(c.arrays(0))); }},
    {"as_strided(a, /, shape=None, strides=None, offset=0)",
     kModule,
     [](Call& c) {
       const mx::array& a = c.array(0);
       const mx::Shape shape = c.has(1) ? c.shape(1) : a.shape();
       mx::Strides strides(shape.size(), 1);
       for (size_t i = shape.size(); i-- > 1;) {
         strides[i - 1] = strides[i] * shape[i];
       }
       if (c.has(2)) {
         const auto given = c.integers(2);
         strides = mx::Strides(given.begin(), given.end());
       }
       return c.make(mx::as_strided(a, shape, strides, c.integer(3)));
     }},
    {"contiguous(a, /, allow_col_major=False)",
     kModule,
     [](Call& c) { return c.make(mx::contiguous(c.array(0), c.boolean(1))); }},
    {"view(a, dtype)",
     kBoth,
     [](Call& c) { return c.make(mx::view(c.array(0), *c.dtype(1))); }},
};

}  // namespace

std::span<const OpSpec> shape_ops() {
  return kShapeOps;
}

}  // namespace portwright::candidate
