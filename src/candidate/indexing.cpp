#include "candidate/indexing.h"

#include "eval/dispatch.h"

namespace portwright::candidate {
namespace {

using eval::Interpreter;
using eval::Kind;

/// One item of an index after `...` is written out: what it does to its axis.
struct Item {
  enum class What : uint8_t { NewAxis, Slice, Int, Array } what;
  eval::SliceRange range{0, 1, 0};
  std::optional<mx::array> indices;
};

struct Index {
  std::vector<Item> items;
  bool gathers = false;  // has an array; its ints are then gathered too
};

bool is_ellipsis(const Value& v) {
  return v.tag() == eval::Tag::Ellipsis;
}

std::vector<Value>
expanded(Interpreter& interp, const mx::array& x, const Value& index) {
  std::vector<Value> given =
      index.is(Kind::Tuple) ? interp.to_vector(index) : std::vector{index};
  const auto axes = static_cast<size_t>(
      std::count_if(given.begin(), given.end(), [](const Value& v) {
        return !v.is_none() && !is_ellipsis(v);
      }));
  if (axes > x.ndim()) {
    interp.raise(
        "ValueError",
        fmt::format(
            "Too many indices for array with {} dimensions.", x.ndim()));
  }
  auto at = std::find_if(given.begin(), given.end(), is_ellipsis);
  if (at == given.end()) {
    at = given.insert(given.end(), Value::ellipsis());
  }
  const Value all(
      eval::make<eval::Slice>(Value::none(), Value::none(), Value::none()));
  at = given.erase(at);
  given.insert(at, x.ndim() - axes, all);
  return given;
}

Item item_of(Interpreter& interp, const Value& v, int size) {
  Item item{Item::What::Slice};
  if (v.is(Kind::Slice)) {
    item.range = eval::resolve_slice(interp, *v.get<eval::Slice>(), size);
  } else if (v.is_int()) {
    const int64_t at = v.as_int() + (v.as_int() < 0 ? size : 0);
    item.what = Item::What::Int;
    item.range = {at, 1, 1};
  } else if (const Array* a = as_array(v)) {
    if (a->array.dtype() == mx::bool_) {
      interp.raise("ValueError", "boolean indices are not yet supported");
    }
    item.what = Item::What::Array;
    item.indices = a->array;
  } else if (v.is(Kind::List)) {
    item.what = Item::What::Array;
    item.indices = array_from(interp, v);
  } else {
    interp.raise(
        "ValueError",
        "Cannot index mlx array using the given type " +
            interp.class_of(v)->name + ".");
  }
  return item;
}

Index parse(Interpreter& interp, const mx::array& x, const Value& index) {
  Index out;
  int axis = 0;
  for (const Value& v : expanded(interp, x, index)) {
    if (v.is_none()) {
      out.items.push_back({Item::What::NewAxis});
      continue;
    }
    out.items.push_back(item_of(interp, v, x.shape(axis++)));
    out.gathers |= out.items.back().what == Item::What::Array;
  }
  return out;
}

/// The window that slices (and, where nothing is gathered, ints) cut out.
struct Window {
  mx::Shape start, stop, step;
};

Window window_of(const Index& index, const mx::array& x) {
  Window w;
  int axis = 0;
  for (const Item& item : index.items) {
    if (item.what == Item::What::NewAxis) {
      continue;
    }
    const bool whole = item.what == Item::What::Array ||
                       (item.what == Item::What::Int && index.gathers);
    const auto& r = item.range;
    const int size = x.shape(axis++);
    w.start.push_back(whole ? 0 : static_cast<int>(r.start));
    w.step.push_back(whole ? 1 : static_cast<int>(r.step));
    int64_t stop = r.start + r.count * r.step;
    if (r.step < 0 && stop < 0) {
      stop = -size - 1;  // past the first element
    }
    w.stop.push_back(whole ? size : static_cast<int>(stop));
  }
  return w;
}

/// The axes of the window without those of ints, with new ones.
mx::Shape viewed_shape(const Index& index, const mx::Shape& window) {
  mx::Shape out;
  size_t axis = 0;
  for (const Item& item : index.items) {
    if (item.what == Item::What::NewAxis) {
      out.push_back(1);
    } else if (const int size = window[axis++]; item.what != Item::What::Int) {
      out.push_back(size);
    }
  }
  return out;
}

bool is_gathered(const Item& item) {
  return item.what == Item::What::Array || item.what == Item::What::Int;
}

/// numpy's rule: gathered axes that stand apart go to the front.
bool stand_apart(const Index& index) {
  bool seen = false, gap = false;
  for (const Item& item : index.items) {
    if (is_gathered(item)) {
      if (seen && gap) {
        return true;
      }
      seen = true;
    } else {
      gap |= seen;
    }
  }
  return false;
}

mx::array gather(const Index& index, const mx::array& x) {
  std::vector<mx::array> indices;
  std::vector<int> axes;
  mx::Shape sizes = x.shape();
  int axis = 0;
  for (const Item& item : index.items) {
    if (item.what == Item::What::NewAxis) {
      continue;
    }
    if (is_gathered(item)) {
      indices.push_back(
          item.indices ? *item.indices
                       : mx::array(static_cast<int>(item.range.start)));
      axes.push_back(axis);
      sizes[axis] = 1;
    }
    ++axis;
  }
  indices = mx::broadcast_arrays(indices);
  const int front = static_cast<int>(indices[0].ndim());
  mx::array out = mx::gather(x, indices, axes, sizes);
  for (int& gathered : axes) {
    gathered += front;
  }
  return mx::squeeze(out, axes);
}

/// Puts the gathered axes, which lead, where they belong, and new axes in.
mx::array placed(const Index& index, mx::array x, int gathered) {
  const bool apart = stand_apart(index);
  std::vector<int> order, fresh;
  int next = gathered, at = 0;
  bool done = false;
  const auto put_gathered = [&] {
    for (int i = 0; i < gathered && !done; ++i) {
      order.push_back(i);
      ++at;
    }
    done = true;
  };
  if (apart) {
    put_gathered();
  }
  for (const Item& item : index.items) {
    if (is_gathered(item)) {
      put_gathered();
    } else if (item.what == Item::What::NewAxis) {
      fresh.push_back(at++);
    } else {
      order.push_back(next++);
      ++at;
    }
  }
  x = mx::transpose(x, order);
  return fresh.empty() ? x : mx::expand_dims(x, fresh);
}

mx::array get(const Index& index, const mx::array& x) {
  const Window w = window_of(index, x);
  const mx::array cut = mx::slice(x, w.start, w.stop, w.step);
  if (!index.gathers) {
    return mx::reshape(cut, viewed_shape(index, cut.shape()));
  }
  const mx::array gathered = gather(index, cut);
  int front = 0;
  for (const Item& item : index.items) {
    if (item.indices) {
      front = std::max(front, static_cast<int>(item.indices->ndim()));
    }
  }
  return placed(index, gathered, front);
}

/// Leading axes of one are dropped where there are too many, as MLX does.
mx::array fitted(mx::array value, const mx::Shape& shape) {
  while (value.ndim() > shape.size() && value.shape(0) == 1) {
    value = mx::squeeze(value, 0);
  }
  return mx::broadcast_to(value, shape);
}

/// By the positions of the elements written, in the flattened array.
mx::array
scattered(const Index& index, const mx::array& x, const mx::array& value) {
  const int count = static_cast<int>(x.size());
  const mx::array places =
      get(index, mx::reshape(mx::arange(count), x.shape()));
  const mx::array updates = mx::reshape(fitted(value, places.shape()), {-1, 1});
  return mx::reshape(
      mx::scatter(
          mx::reshape(x, {-1}), {mx::reshape(places, {-1})}, updates, {0}),
      x.shape());
}

/// x[mask] = value, for one value: everything else keeps what it has.
mx::array masked(
    Interpreter& interp,
    const mx::array& x,
    mx::array mask,
    const mx::array& value) {
  if (value.size() != 1) {
    interp.refuse(
        diagnostics::Kind::UnsupportedOperation,
        "assigning several values by a boolean mask");
  }
  while (mask.ndim() < x.ndim()) {
    mask = mx::expand_dims(mask, -1);
  }
  return mx::where(mask, mx::reshape(value, {}), x);
}

}  // namespace

mx::array
get_item(Interpreter& interp, const mx::array& x, const Value& index) {
  return get(parse(interp, x, index), x);
}

mx::array set_item(
    Interpreter& interp,
    const mx::array& x,
    const Value& index,
    const Value& value) {
  auto number = number_array(value, x.dtype());
  const mx::array update =
      mx::astype(number ? *number : array_from(interp, value), x.dtype());
  if (const Array* mask = as_array(index);
      mask && mask->array.dtype() == mx::bool_) {
    return masked(interp, x, mask->array, update);
  }
  const Index parsed = parse(interp, x, index);
  if (parsed.gathers) {
    return scattered(parsed, x, update);
  }
  const Window w = window_of(parsed, x);
  const mx::Shape window = mx::slice(x, w.start, w.stop, w.step).shape();
  return mx::slice_update(
      x,
      mx::reshape(fitted(update, viewed_shape(parsed, window)), window),
      w.start,
      w.stop,
      w.step);
}

}  // namespace portwright::candidate
