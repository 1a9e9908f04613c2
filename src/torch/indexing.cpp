#include "torch/indexing.h"

#include <algorithm>

#include "torch/readable.h"
#include "torch/shapes.h"

namespace portwright::torch {
namespace {

/// As torch still does, a short list that holds more than numbers counts as a
/// tuple.
std::vector<Value> index_items(const Value& index) {
  if (index.is(eval::Kind::Tuple)) {
    return index.get<eval::Tuple>()->items;
  }
  if (index.is(eval::Kind::List)) {
    const auto& items = index.get<eval::List>()->items;
    const bool plain =
        std::all_of(items.begin(), items.end(), [](const Value& v) {
          return v.is_number();
        });
    if (!plain && items.size() < 32) {
      return items;
    }
  }
  return {index};
}

bool is_bool_tensor(const Tensor& t) {
  return t.dtype == Dtype::Bool || t.dtype == Dtype::UInt8;
}

/// A list or a range as an index tensor: ints or bools, possibly nested.
Value list_tensor(const Call& call, const Value& value) {
  std::vector<int64_t> elements;
  Sizes sizes;
  bool bools = true;
  std::function<void(const Value&, size_t)> walk = [&](const Value& v,
                                                       size_t depth) {
    if (v.is(eval::Kind::List) || v.is(eval::Kind::Tuple) ||
        v.is(eval::Kind::Range)) {
      const auto items = call.interp.to_vector(v);
      if (sizes.size() <= depth) {
        sizes.push_back(static_cast<int64_t>(items.size()));
      } else if (sizes[depth] != static_cast<int64_t>(items.size())) {
        call.raise("ValueError", "index lists of different lengths");
      }
      for (const Value& item : items) {
        walk(item, depth + 1);
      }
      return;
    }
    bools &= v.is_bool();
    elements.push_back(to_int64(call.interp, v));
  };
  walk(value, 0);
  mx::array a = elements.empty()
                    ? mx::zeros(to_shape(sizes), mx::int64)
                    : mx::array(elements.data(), to_shape(sizes), mx::int64);
  const bool mask = bools && !elements.empty();
  return call.make(mask ? mx::astype(a, mx::bool_) : a);
}

/// How many axes of the input an item takes.
int64_t axes_taken(const Value& item) {
  if (item.is_none() || item.is_bool()) {
    return 0;
  }
  if (const Tensor* t = as_tensor(item); t && is_bool_tensor(*t)) {
    return t->dim();
  }
  return 1;
}

int64_t slice_bound(
    const Call& call,
    const Value& bound,
    int64_t size,
    int64_t otherwise) {
  if (bound.is_none()) {
    return otherwise;
  }
  const int64_t at = to_int64(call.interp, bound);
  return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size);
}

/// The basic part of an index applied as views. What is advanced stays behind
/// in `advanced`, one entry per axis of `view`.
struct Indexed {
  Value view;
  std::vector<Value> advanced;  // Undefined: all of that axis
  bool has_advanced = false;
};

Indexed apply_basic(const Call& call, const Tensor& input, const Value& index) {
  std::vector<Value> items = index_items(index);
  int64_t taken = 0;
  for (Value& item : items) {
    if (item.is(eval::Kind::List) || item.is(eval::Kind::Tuple) ||
        item.is(eval::Kind::Range)) {
      item = list_tensor(call, item);
    }
    if (item.tag() != eval::Tag::Ellipsis) {
      taken += axes_taken(item);
    }
  }
  if (taken > input.dim()) {
    call.raise(
        "IndexError",
        fmt::format(
            "too many indices for tensor of dimension {}", input.dim()));
  }
  Indexed out{aliased(call, input), {}};
  int axis = 0;
  const auto current = [&]() -> const Tensor& { return *as_tensor(out.view); };
  for (const Value& item : items) {
    if (item.tag() == eval::Tag::Ellipsis) {
      axis += static_cast<int>(input.dim() - taken);
      out.advanced.resize(axis);
    } else if (item.is_none()) {
      out.view = unsqueezed(call, current(), axis++);
      out.advanced.emplace_back();
    } else if (item.is_bool()) {
      // A new axis, indexed by one position or by none.
      out.view = unsqueezed(call, current(), axis++);
      out.advanced.push_back(call.make(
          item.as_bool() ? mx::zeros({1}, mx::int64)
                         : mx::zeros({0}, mx::int64)));
      out.has_advanced = true;
    } else if (item.is(eval::Kind::Slice)) {
      const auto* s = item.get<eval::Slice>();
      const int64_t size = current().sizes[axis];
      const int64_t step =
          s->step.is_none() ? 1 : to_int64(call.interp, s->step);
      if (step <= 0) {
        call.raise("ValueError", "step must be greater than zero");
      }
      const int64_t start = slice_bound(call, s->lower, size, 0);
      const int64_t stop = slice_bound(call, s->upper, size, size);
      const int64_t length =
          stop > start ? (stop - start + step - 1) / step : 0;
      out.view = sliced(call, current(), axis, start, length, step);
      out.advanced.emplace_back();
      ++axis;
    } else if (const Tensor* t = as_tensor(item);
               t && (t->dim() > 0 || is_bool_tensor(*t))) {
      if (is_bool_tensor(*t)) {
        if (t->dim() == 0) {
          out.view = unsqueezed(call, current(), axis++);
          out.advanced.push_back(call.make(mx::zeros(
              {element(t->dtype, t->array()).as_int() ? 1 : 0}, mx::int64)));
        } else {
          for (int64_t i = 0; i < t->dim(); ++i) {
            if (t->sizes[i] != current().sizes[axis + i]) {
              call.raise(
                  "IndexError",
                  fmt::format(
                      "The shape of the mask {} at index {} does not match "
                      "the shape of the indexed tensor {} at index {}",
                      sizes_text(t->sizes),
                      i,
                      sizes_text(current().sizes),
                      axis + i));
            }
          }
          const Value each = nonzero_tuple(call, *t);
          for (const Value& v : each.get<eval::Tuple>()->items) {
            out.advanced.push_back(v);
            ++axis;
          }
        }
      } else {
        if (!is_integral(t->dtype)) {
          call.raise(
              "IndexError",
              "tensors used as indices must be long, int, byte or bool "
              "tensors");
        }
        out.advanced.push_back(item);
        ++axis;
      }
      out.has_advanced = true;
    } else {
      // An int, or a 0-dim integer tensor read as one.
      const int64_t size = current().sizes[axis];
      const int64_t at = to_int64(call.interp, item);
      if (at < -size || at >= size) {
        call.raise(
            "IndexError",
            fmt::format(
                "index {} is out of bounds for dimension {} with size {}",
                at,
                axis,
                size));
      }
      out.view = selected(call, current(), axis, at < 0 ? at + size : at);
    }
  }
  out.advanced.resize(current().sizes.size());
  return out;
}

/// Index arrays broadcast together, and where their axes go in the result.
struct Gather {
  std::vector<mx::array> indices;
  std::vector<int> axes;  // of the view
  mx::Shape shape;        // of the broadcast indices
  int at = 0;             // first result axis they take
};

Gather gather_plan(const Call& call, const Indexed& indexed) {
  const Tensor& view = *as_tensor(indexed.view);
  Gather plan;
  Sizes sizes;
  for (size_t i = 0; i < indexed.advanced.size(); ++i) {
    if (!indexed.advanced[i].defined()) {
      continue;
    }
    const Tensor& t = *as_tensor(indexed.advanced[i]);
    plan.axes.push_back(static_cast<int>(i));
    plan.indices.push_back(checked_index(call, t.array(), view.sizes[i], true));
    Sizes joined(std::max(sizes.size(), t.sizes.size()), 1);
    for (size_t k = 0; k < joined.size(); ++k) {
      const int64_t a = k < sizes.size() ? sizes[sizes.size() - 1 - k] : 1;
      const int64_t b =
          k < t.sizes.size() ? t.sizes[t.sizes.size() - 1 - k] : 1;
      if (a != b && a != 1 && b != 1) {
        call.raise(
            "IndexError",
            "shape mismatch: indexing tensors could not be broadcast together "
            "with shapes " +
                sizes_text(sizes) + ", " + sizes_text(t.sizes));
      }
      joined[joined.size() - 1 - k] = a == 1 ? b : a;
    }
    sizes = joined;
  }
  plan.shape = to_shape(sizes);
  for (mx::array& index : plan.indices) {
    index = mx::broadcast_to(index, plan.shape);
  }
  const bool together = plan.axes.back() - plan.axes.front() + 1 ==
                        static_cast<int>(plan.axes.size());
  plan.at = together ? plan.axes.front() : 0;
  return plan;
}

/// Axes of the view in the order (indexed ones, the others).
std::vector<int> indexed_first(const Gather& plan, int rank) {
  std::vector<int> order = plan.axes;
  for (int i = 0; i < rank; ++i) {
    if (std::find(order.begin(), order.end(), i) == order.end()) {
      order.push_back(i);
    }
  }
  return order;
}

/// Moves `count` leading axes to `at` (or back).
mx::array move_block(const mx::array& x, int count, int at, bool back) {
  if (at == 0 || count == 0) {
    return x;
  }
  const int rank = static_cast<int>(x.ndim());
  std::vector<int> order;
  if (back) {
    for (int i = 0; i < count; ++i) {
      order.push_back(at + i);
    }
    for (int i = 0; i < rank; ++i) {
      if (i < at || i >= at + count) {
        order.push_back(i);
      }
    }
  } else {
    for (int i = 0; i < at; ++i) {
      order.push_back(count + i);
    }
    for (int i = 0; i < count; ++i) {
      order.push_back(i);
    }
    for (int i = count + at; i < rank; ++i) {
      order.push_back(i);
    }
  }
  return mx::transpose(x, order);
}

}  // namespace

namespace {

/// The lowest and the highest of int64 values.
std::pair<int64_t, int64_t> extremes(const mx::array& values) {
  const mx::array wide = readable(values);
  const auto* data = wide.data<int64_t>();
  const auto [low, high] = std::minmax_element(data, data + wide.size());
  return {*low, *high};
}

}  // namespace

mx::array checked_index(
    const Call& call,
    const mx::array& index,
    int64_t size,
    bool allow_negative) {
  mx::array wide = mx::astype(index, mx::int64);
  if (index.size() == 0) {
    return wide;
  }
  const auto [low, high] = extremes(wide);
  if (high >= size || low < (allow_negative ? -size : 0)) {
    call.raise(
        "IndexError",
        fmt::format(
            "index {} is out of bounds for dimension with size {}",
            high >= size ? high : low,
            size));
  }
  return low >= 0 ? wide
                  : mx::where(
                        mx::less(wide, mx::array(int64_t{0}, mx::int64)),
                        wide + mx::array(size, mx::int64),
                        wide);
}

mx::array nonzero_positions(const Call&, const Tensor& input) {
  const mx::array mask = readable(cast_array(input.array(), Dtype::Bool));
  const int64_t rank = input.dim();
  std::vector<int64_t> out;
  const bool* data = mask.data<bool>();
  for (int64_t i = 0; i < input.numel(); ++i) {
    if (!data[i]) {
      continue;
    }
    int64_t rest = i;
    out.resize(out.size() + rank);
    for (int64_t axis = rank - 1; axis >= 0; --axis) {
      out[out.size() - rank + axis] = rest % input.sizes[axis];
      rest /= input.sizes[axis];
    }
  }
  if (rank == 0) {
    return mx::zeros({data[0] ? 1 : 0, 0}, mx::int64);
  }
  const int count = static_cast<int>(out.size() / rank);
  return count == 0
             ? mx::zeros({0, static_cast<int>(rank)}, mx::int64)
             : mx::array(
                   out.data(), {count, static_cast<int>(rank)}, mx::int64);
}

Value nonzero_tuple(const Call& call, const Tensor& input) {
  const mx::array all = nonzero_positions(call, input);
  std::vector<Value> out;
  for (int64_t axis = 0; axis < input.dim(); ++axis) {
    out.push_back(call.make(
        all.shape(0) == 0 ? mx::zeros({0}, mx::int64)
                          : mx::take(all, static_cast<int>(axis), 1)));
  }
  return eval::tuple(std::move(out));
}

Value get_item(const Call& call, const Tensor& input, const Value& index) {
  const Indexed indexed = apply_basic(call, input, index);
  if (!indexed.has_advanced) {
    return indexed.view;
  }
  const Tensor& view = *as_tensor(indexed.view);
  const Gather plan = gather_plan(call, indexed);
  const int rank = static_cast<int>(view.dim());
  const int wide = static_cast<int>(plan.shape.size());
  mx::Shape result = plan.shape;
  mx::Shape slice_sizes(rank, 1);
  for (int i = 0; i < rank; ++i) {
    if (std::find(plan.axes.begin(), plan.axes.end(), i) == plan.axes.end()) {
      slice_sizes[i] = view.array().shape(i);
      result.push_back(view.array().shape(i));
    }
  }
  mx::array out = mx::zeros(result, view.array().dtype());
  if (out.size() > 0) {
    out = mx::reshape(
        mx::gather(view.array(), plan.indices, plan.axes, slice_sizes), result);
  }
  return call.make(move_block(out, wide, plan.at, false), input.dtype);
}

void set_item(
    const Call& call,
    Tensor& input,
    const Value& index,
    const Value& value) {
  call.check_writable(input);
  const Indexed indexed = apply_basic(call, input, index);
  Tensor& view = *as_tensor(indexed.view);
  const Tensor* source = as_tensor(value);
  if (!source && !value.is_number()) {
    call.raise(
        "TypeError",
        "can't assign a " + call.interp.class_of(value)->name +
            " to a torch tensor");
  }
  mx::array what = source ? cast_array(source->array(), input.dtype)
                          : number_array(value, input.dtype);
  if (!indexed.has_advanced) {
    call.store(view, what);
    return;
  }
  const Gather plan = gather_plan(call, indexed);
  const int rank = static_cast<int>(view.dim());
  const int wide = static_cast<int>(plan.shape.size());
  // Indexed axes first, so that one scatter along leading axes will do.
  const auto order = indexed_first(plan, rank);
  mx::array x = mx::transpose(view.array(), order);
  mx::Shape result = plan.shape;
  for (size_t i = plan.axes.size(); i < order.size(); ++i) {
    result.push_back(x.shape(static_cast<int>(i)));
  }
  mx::Shape placed = result;  // as Python sees the indexed elements
  if (plan.at > 0) {
    placed.clear();
    const int others = static_cast<int>(result.size()) - wide;
    for (int i = 0; i < plan.at; ++i) {
      placed.push_back(result[wide + i]);
    }
    placed.insert(placed.end(), result.begin(), result.begin() + wide);
    for (int i = plan.at; i < others; ++i) {
      placed.push_back(result[wide + i]);
    }
  }
  while (what.ndim() > placed.size() && what.shape(0) == 1) {
    what = mx::squeeze(what, 0);
  }
  try {
    what = mx::broadcast_to(what, placed);
  } catch (const std::exception&) {
    call.raise(
        "RuntimeError",
        "shape mismatch: value tensor of shape " +
            sizes_text(to_sizes(what.shape())) +
            " cannot be broadcast to indexing result of shape " +
            sizes_text(to_sizes(placed)));
  }
  if (what.size() == 0) {
    return;
  }
  what = move_block(what, wide, plan.at, true);
  mx::Shape update = plan.shape;
  std::vector<int> leading;
  for (size_t i = 0; i < plan.axes.size(); ++i) {
    update.push_back(1);
    leading.push_back(static_cast<int>(i));
  }
  update.insert(update.end(), result.begin() + wide, result.end());
  x = mx::scatter(x, plan.indices, mx::reshape(what, update), leading);
  std::vector<int> back(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    back[order[i]] = static_cast<int>(i);
  }
  view.write(mx::transpose(x, back));
}

}  // namespace portwright::torch
