#include "torch/dispatch.h"
#include "torch/elementwise.h"

namespace portwright::torch {
namespace {

// A complex tensor and its pairs of floats share memory in torch. We copy, and
// refuse writes to either side from then on.
constexpr const char* kShared = "a tensor that a complex view shares";

Value shared_copy(Call& call, mx::array array) {
  Value out = call.make(std::move(array));
  call.tensor(0).storage->read_only = kShared;
  as_tensor(out)->storage->read_only = kShared;
  return out;
}

mx::array complex_from(const mx::array& re, const mx::array& im) {
  return mx::astype(re, mx::complex64) +
         mx::astype(im, mx::complex64) * mx::array(std::complex<float>(0, 1));
}

/// The last axis holds (real, imaginary).
Value view_as_complex(Call& call) {
  const Tensor& input = call.tensor(0);
  if (input.dim() == 0 || input.sizes.back() != 2 ||
      input.strides.back() != 1) {
    call.raise(
        "RuntimeError",
        "Tensor must have a last dimension of size 2 and stride 1");
  }
  if (input.dtype != Dtype::Float32) {
    call.refuse_operation("complex views of " + std::string(name(input.dtype)));
  }
  const mx::array x = input.array();
  return shared_copy(
      call, complex_from(mx::take(x, 0, -1), mx::take(x, 1, -1)));
}

Value view_as_real(Call& call) {
  const mx::array& x = call.array(0);
  if (!is_complex(call.tensor(0).dtype)) {
    call.raise(
        "RuntimeError", "view_as_real is only supported for complex tensors");
  }
  return shared_copy(call, mx::stack({mx::real(x), mx::imag(x)}, -1));
}

/// abs (cos(angle) + i sin(angle))
Value polar(Call& call) {
  auto e = elementwise(call, {0, 1});
  if (e.dtype != Dtype::Float32) {
    call.refuse_operation("polar of " + std::string(name(e.dtype)));
  }
  return call.make(
      complex_from(e.in[0] * mx::cos(e.in[1]), e.in[0] * mx::sin(e.in[1])));
}

Value real(Call& call) {
  const Tensor& input = call.tensor(0);
  return is_complex(input.dtype) ? shared_copy(call, mx::real(input.array()))
                                 : call.args[0];
}

Value imag(Call& call) {
  if (!is_complex(call.tensor(0).dtype)) {
    call.raise(
        "RuntimeError",
        "imag is not implemented for tensors with non-complex dtypes.");
  }
  return shared_copy(call, mx::imag(call.array(0)));
}

Value conj(Call& call) {
  const Tensor& input = call.tensor(0);
  return is_complex(input.dtype) ? call.make(mx::conjugate(input.array()))
                                 : call.args[0];
}

Value angle(Call& call) {
  const mx::array& x = call.array(0);
  if (!is_complex(call.tensor(0).dtype)) {
    call.refuse_operation("the angle of real numbers");
  }
  return call.make(mx::arctan2(mx::imag(x), mx::real(x)));
}

Value is_complex_op(Call& call) {
  return Value::boolean(is_complex(call.tensor(0).dtype));
}

Value rfft(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(2, input.dim());
  const mx::array x = cast_array(input.array(), Dtype::Float32);
  const int n = static_cast<int>(call.integer(1, x.shape(axis)));
  return call.make(mx::fft::rfftn(x, {n}, {axis}));
}

Value irfft(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(2, input.dim());
  const mx::array& x = input.array();
  const int n = static_cast<int>(call.integer(1, 2 * (x.shape(axis) - 1)));
  return call.make(mx::fft::irfftn(x, {n}, {axis}));
}

Value fft(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(2, input.dim());
  const mx::array x = cast_array(input.array(), Dtype::Complex64);
  const int n = static_cast<int>(call.integer(1, x.shape(axis)));
  return call.make(mx::fft::fftn(x, {n}, {axis}));
}

Value ifft(Call& call) {
  const Tensor& input = call.tensor(0);
  const int axis = call.axis(2, input.dim());
  const mx::array x = cast_array(input.array(), Dtype::Complex64);
  const int n = static_cast<int>(call.integer(1, x.shape(axis)));
  return call.make(mx::fft::ifftn(x, {n}, {axis}));
}

constexpr OpSpec kComplexOps[] = {
    {"view_as_complex(input)", view_as_complex, "torch"},
    {"view_as_real(input)", view_as_real, "torch"},
    {"polar(abs, angle)", polar, "torch"},
    {"real(input)", real, "torch; property"},
    {"imag(input)", imag, "torch; property"},
    {"conj(input)", conj, "torch; tensor"},
    {"angle(input)", angle, "torch; tensor"},
    {"is_complex(input)", is_complex_op, "torch; tensor"},
    {"fft.rfft(input, n=None, dim=-1)", rfft, "fft"},
    {"fft.irfft(input, n=None, dim=-1)", irfft, "fft"},
    {"fft.fft(input, n=None, dim=-1)", fft, "fft"},
    {"fft.ifft(input, n=None, dim=-1)", ifft, "fft"},
};

}  // namespace

std::span<const OpSpec> complex_ops() {
  return kComplexOps;
}

}  // namespace portwright::torch
