#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <mlx/array.h>

#include "eval/objects.h"
#include "torch/dtype.h"

namespace portwright::torch {

struct Op;

/// Sizes and strides, in elements, as torch counts them.
using Sizes = std::vector<int64_t>;

/// What the aliases of one tensor share. `data` has the storage's own layout:
/// its axes are `sizes`, which lie in memory by the dense `strides`.
struct Storage {
  mx::array data;
  Sizes sizes;
  Sizes strides;
  /// Grows with every write, so that aliases know when to read again.
  uint64_t version = 0;
  /// Why in-place writes must be refused (views we cannot follow); else null.
  const char* read_only = nullptr;
};

struct Tensor;

/// How a tensor came to share another one's storage.
struct Origin {
  eval::Ref<Tensor> source;
  const Op* op;
  std::vector<eval::Value> args;  // as bound to op->signature
};

/// A torch tensor: a strided window on a storage.
struct Tensor : eval::Object {
  /// A fresh tensor on a storage of its own. `strides` is the dense layout
  /// torch would give it; empty means row-major.
  Tensor(eval::Class* cls, mx::array array, Dtype dtype, Sizes strides = {});
  /// An alias; `value` is what the window shows now.
  Tensor(
      eval::Class* cls,
      const Tensor& source,
      Sizes sizes,
      Sizes strides,
      int64_t offset,
      mx::array value);
  void clear() override;

  std::shared_ptr<Storage> storage;
  Sizes sizes;
  Sizes strides;
  int64_t offset = 0;
  Dtype dtype;
  bool requires_grad = false;
  bool is_parameter = false;  // nn.Parameter
  bool is_buffer = false;     // nn.Buffer
  bool persistent = true;     // of a buffer: part of the state dict
  /// Set by a trace; 0 means none. It names the value the tensor had when its
  /// storage was at `value_version`.
  uint32_t value_id = 0;
  uint64_t value_version = 0;
  /// Of an alias made while an observer was attached.
  std::shared_ptr<const Origin> origin;

  int64_t dim() const {
    return static_cast<int64_t>(sizes.size());
  }
  int64_t numel() const;
  bool is_contiguous() const;
  bool shares_storage(const Tensor& other) const {
    return storage == other.storage;
  }

  /// The current elements; lazily read again after writes through aliases.
  const mx::array& array() const;
  /// Stores `value` (of this tensor's shape and array type) so that every
  /// alias sees it. The caller has checked that writing is allowed.
  void write(mx::array value);
  /// Becomes another tensor (`.data = x`, set_()); identity stays.
  void rebind(const Tensor& other);
  /// Calls with what holds its elements, which may be given to an array of the
  /// same elements.
  template <typename Each>
  void each_array(const Each& each) {
    each(storage->data);
    if (cache_) {
      each(*cache_);
    }
  }

 private:
  mutable std::optional<mx::array> cache_;
  mutable uint64_t cached_version_ = 0;
};

/// Null for anything but a tensor.
inline Tensor* as_tensor(const eval::Value& value) {
  return value.is(eval::Kind::Tensor) ? value.get<Tensor>() : nullptr;
}

}  // namespace portwright::torch
