#include "torch/tensor.h"

#include "torch/views.h"

namespace portwright::torch {

Tensor::Tensor(eval::Class* cls, mx::array array, Dtype dtype, Sizes layout)
    : Object(eval::Kind::Tensor, cls),
      sizes(to_sizes(array.shape())),
      strides(layout.empty() ? row_major(sizes) : std::move(layout)),
      dtype(dtype) {
  PW_CHECK(array.dtype() == to_mlx(dtype), "array of another type");
  cache_ = array;
  storage =
      std::make_shared<Storage>(Storage{std::move(array), sizes, strides});
}

Tensor::Tensor(
    eval::Class* cls,
    const Tensor& source,
    Sizes sizes,
    Sizes strides,
    int64_t offset,
    mx::array value)
    : Object(eval::Kind::Tensor, cls),
      storage(source.storage),
      sizes(std::move(sizes)),
      strides(std::move(strides)),
      offset(offset),
      dtype(source.dtype),
      cache_(std::move(value)),
      cached_version_(storage->version) {
  PW_CHECK(to_sizes(cache_->shape()) == this->sizes, "view of another shape");
}

void Tensor::clear() {
  Object::clear();
  origin = nullptr;
}

int64_t Tensor::numel() const {
  return numel_of(sizes);
}

bool Tensor::is_contiguous() const {
  return is_row_major(sizes, strides);
}

const mx::array& Tensor::array() const {
  if (!cache_ || cached_version_ != storage->version) {
    cache_ = read_window(*storage, sizes, strides, offset);
    cached_version_ = storage->version;
  }
  return *cache_;
}

void Tensor::write(mx::array value) {
  PW_CHECK(to_sizes(value.shape()) == sizes, "write of another shape");
  PW_CHECK(value.dtype() == storage->data.dtype(), "write of another type");
  write_window(*storage, sizes, strides, offset, value);
  ++storage->version;
  cache_ = std::move(value);
  cached_version_ = storage->version;
}

void Tensor::rebind(const Tensor& other) {
  storage = other.storage;
  sizes = other.sizes;
  strides = other.strides;
  offset = other.offset;
  dtype = other.dtype;
  origin = other.origin;
  value_id = other.value_id;
  value_version = other.value_version;
  cache_ = std::nullopt;
}

}  // namespace portwright::torch
