#pragma once

namespace portwright::torch {

/// MLX's wheel for Linux multiplies matrices by the reference BLAS, ten times
/// slower than the machine can. A program that links this function has a
/// `cblas_sgemm` of ours, which the loader finds before that one. Elsewhere
/// (macOS has Accelerate) nothing changes.
void bring_products();

}  // namespace portwright::torch
