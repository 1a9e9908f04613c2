#include "checkpoint/safetensors.h"
#include "library/guarded.h"
#include "torch/torch.h"

namespace portwright::library {
namespace {

using checkpoint::Dtype;
using checkpoint::TensorView;
using eval::Interpreter;
using eval::Value;

std::optional<torch::Dtype> tensor_dtype(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool:
      return torch::Dtype::Bool;
    case Dtype::U8:
      return torch::Dtype::UInt8;
    case Dtype::I8:
      return torch::Dtype::Int8;
    case Dtype::I16:
      return torch::Dtype::Int16;
    case Dtype::I32:
      return torch::Dtype::Int32;
    case Dtype::I64:
      return torch::Dtype::Int64;
    case Dtype::F16:
      return torch::Dtype::Float16;
    case Dtype::BF16:
      return torch::Dtype::BFloat16;
    case Dtype::F32:
      return torch::Dtype::Float32;
    default:
      return std::nullopt;
  }
}

bool aligned(const void* data, size_t bytes) {
  return reinterpret_cast<uintptr_t>(data) % bytes == 0;
}

/// A tensor that refers to the mapped file and keeps it open.
Value mapped_tensor(
    Interpreter& interp,
    const std::string& name,
    const TensorView& view,
    const std::shared_ptr<const checkpoint::Checkpoint>& owner) {
  mx::Shape shape(view.shape.begin(), view.shape.end());
  const auto dtype = tensor_dtype(view.dtype);
  if (!dtype) {
    const auto floats = checkpoint::to_floats(view);
    if (!floats) {
      interp.refuse(
          diagnostics::Kind::CheckpointError,
          fmt::format(
              "tensor '{}' has the element type {}",
              name,
              checkpoint::name(view.dtype)),
          "this element type cannot be computed with");
    }
    return Value(torch::make_tensor(
        interp, mx::array(floats->data(), shape), torch::Dtype::Float32));
  }
  const mx::Dtype type = torch::to_mlx(*dtype);
  void* data = const_cast<std::byte*>(view.data.data());
  std::vector<std::byte> copy;
  if (view.size() == 0) {
    return Value(torch::make_tensor(interp, mx::zeros(shape, type), *dtype));
  }
  if (!aligned(data, mx::size_of(type))) {
    auto held = std::make_shared<std::vector<uint64_t>>(
        (view.data.size() + sizeof(uint64_t) - 1) / sizeof(uint64_t));
    std::memcpy(held->data(), view.data.data(), view.data.size());
    return Value(torch::make_tensor(
        interp,
        mx::array(held->data(), shape, type, [held](void*) {}),
        *dtype));
  }
  return Value(torch::make_tensor(
      interp, mx::array(data, shape, type, [owner](void*) {}), *dtype));
}

std::vector<std::string>
names(Interpreter& interp, const Value& report, const char* key) {
  std::vector<std::string> out;
  interp.for_each(interp.getitem(report, eval::str(key)), [&](Value name) {
    out.push_back(name.str());
  });
  return out;
}

}  // namespace

Evaluated<WeightReport> load_weights(
    Interpreter& interp,
    const Value& model,
    const fs::path& directory) {
  auto opened = checkpoint::Checkpoint::open(directory);
  if (!opened) {
    return tl::unexpected(diagnostics::Diagnostic{
        diagnostics::Kind::CheckpointError,
        opened.error().message,
        {},
        opened.error().hint,
        "",
        {}});
  }
  const auto owner =
      std::make_shared<const checkpoint::Checkpoint>(std::move(*opened));
  return guarded(interp, [&] {
    auto tensors = eval::dict();
    for (const auto& [name, view] : owner->tensors()) {
      tensors->set(name, mapped_tensor(interp, name, view, owner));
    }
    const Value loading{interp.import_module("portwright.loading")};
    const Value report = interp.call(
        interp.getattr(loading, "load_weights"), {model, Value(tensors)});
    return WeightReport{
        names(interp, report, "missing"),
        names(interp, report, "unused"),
        names(interp, report, "mismatched")};
  });
}

}  // namespace portwright::library
