// Interfaces of the reduction kernels. Operands are contiguous; "inner" forms reduce each row of [rows][n],
// "outer" forms reduce the middle dimension of [outer][n][inner]. The order is Note [Order of a reduction].
#pragma once
#include "wengert/config.h"

namespace wg {

// One result per row or column. "_inner" and "_outer" of:
//   sum prod           same type for floats, int64 for integers and bool; 0 and 1 for n == 0
//   sumsq logsumexp    floats: sum of squares; log(sum(exp(x))), -inf for n == 0
//   max min            same type; NaN wins; n >= 1
//   argmax argmin      int64: position of the first NaN, else of the first extreme value; n >= 1
//   any all            bool; false and true for n == 0
//   count_nonzero      int64
using ReduceInnerFn = void (*)(const void* x, void* out, index_t rows, index_t n);
using ReduceOuterFn = void (*)(const void* x, void* out, index_t outer, index_t n, index_t inner);

// "max_with_index_inner", "min_with_index_inner" and "_outer": values (same type) and int64 positions; n >= 1.
using ExtremeInnerFn = void (*)(const void* x, void* values, std::int64_t* indices, index_t rows, index_t n);
using ExtremeOuterFn = void (*)(const void* x, void* values, std::int64_t* indices, index_t outer, index_t n,
                                index_t inner);

// "var_inner", "var_outer" (floats): the mean and sum((x - mean)**2) / max(n - correction, 0); NaN for n == 0.
using VarInnerFn = void (*)(const void* x, void* mean, void* var, index_t rows, index_t n, double correction);
using VarOuterFn = void (*)(const void* x, void* mean, void* var, index_t outer, index_t n, index_t inner,
                            double correction);

// "cumsum_inner", "cumprod_inner" are ReduceInnerFn, "cumsum_outer", "cumprod_outer" are ReduceOuterFn: out has
// the shape of x; same type for floats (accumulated in float64), int64 for integers and bool.

}  // namespace wg
