// Interface of the resampling kernel: weighted sums of rows, a few for each result.
#pragma once
#include "wengert/config.h"

namespace wg {

// "resample" (float32, float64): out [outer][count][inner], out[o][j][i] = the sum of weight[e] *
// src[o][index[e]][i] over e from first[j] to first[j + 1], in ascending order; 0 where there is none. src is
// [outer][size][inner], contiguous; index lies in [0, size). `each`: how many terms every result has, where that is
// one number; else 0.
struct Resample {
  const void* src;
  void* out;
  const std::int64_t *first, *index;
  const void* weight;  // of the kernel's type
  index_t outer, size, count, inner, each;
};
using ResampleFn = void (*)(const Resample&);

}  // namespace wg
