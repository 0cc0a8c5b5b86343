// Interfaces of the reduction kernels. Operands are contiguous; "inner" forms reduce each row of [rows][n],
// "outer" forms reduce the middle dimension of [outer][n][inner]. The order is Note [Order of a reduction].
#pragma once
#include "wengert/config.h"

namespace wg {

// Sizes in the order of a reduction.
constexpr index_t kSumChunk = 4096;  // elements of a chunk of a row
constexpr int kSumLanes = 64;        // that they are dealt out to
constexpr index_t kSumRun = 64;      // rows of one run of columns
// Rows of columns that are taken together when `inner` is narrow.
inline index_t column_group(index_t n, index_t inner) {
  index_t g = inner < kSumLanes ? kSumLanes / inner : 1;
  return g < n ? g : n;
}

// One result per row or column. "_inner" and "_outer" of:
//   sum prod           same type for floats, int64 for integers and bool; 0 and 1 for n == 0
//   sumsq logsumexp    floats: sum of squares; log(sum(exp(x))), -inf for n == 0
//   max min            same type; NaN wins; n >= 1
//   argmax argmin      int64: position of the first NaN, else of the first extreme value; n >= 1
//   any all            bool; false and true for n == 0
//   count_nonzero      int64
using ReduceInnerFn = void (*)(const void* x, void* out, index_t rows, index_t n);
using ReduceOuterFn = void (*)(const void* x, void* out, index_t outer, index_t n, index_t inner);

// Sums piece by piece, in the order of "sum_inner" and "sum_outer" (plans add up what a group makes). Accumulators
// are of the type of the results:
//   sum_lanes  adds m elements of a chunk of at least 64 to its 64 lanes; each piece but the last of a chunk is a
//              multiple of 64, and `first` says that it begins the chunk
//   sum_fold   the sum of a chunk from its lanes
//   sum_rows   adds rows of w elements to w accumulators; `first`: the first row begins them
//   sum_tree   [outer][count][w] to [outer][w]: the balanced tree over chunks or runs
using SumLanesFn = void (*)(const void* x, void* lanes, index_t m, bool first);
using SumFoldFn = void (*)(const void* lanes, void* out);
using SumRowsFn = void (*)(const void* x, void* acc, index_t rows, index_t w, bool first);
using SumTreeFn = ReduceOuterFn;

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
