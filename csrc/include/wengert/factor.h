// Interfaces of the kernels for many small matrices (float32, float64). Everything is contiguous.
#pragma once
#include "wengert/config.h"

namespace wg {

constexpr index_t kMostSmall = 32;  // rows and columns of a small matrix

// `count` matrices a [n][n], n <= kMostSmall; b and, for "solve_small", out are [n][columns].
struct SmallMatrices {
  const void *a, *b;
  void* out;
  void* logs;  // "slogdet_small": the second result
  index_t count, n, columns;
};
// Each returns how many matrices have no result; what stands in their place is undefined.
//   "cholesky_small": out [n][n] is lower triangular with a = out out^T; only a's lower triangle is read.
//   "inverse_small", "solve_small": elimination with partial pivoting; no result where a pivot is 0.
//   "det_small": out [] is the determinant. "slogdet_small": its sign, and in logs the logarithm of its size.
using SmallMatricesFn = index_t (*)(const SmallMatrices&);

}  // namespace wg
