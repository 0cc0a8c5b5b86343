// Strided loops: one walk over the shape, any number of operands.
#pragma once
#include "wengert/array.h"

namespace wg {

constexpr int kMaxOperands = 4;

// The loop over a broadcast shape after dropping sizes of 1 and merging dimensions that are contiguous to each
// other in every operand. Strides are in bytes; dimension ndim - 1 is the innermost.
struct Loop {
  int ndim;
  int operands;
  index_t numel;
  index_t shape[kMaxDims];
  index_t stride[kMaxOperands][kMaxDims];
};

// arrays[i] must broadcast to `shape`; a stride is 0 where it does.
inline void loop_plan(Loop* loop, int ndim, const index_t* shape, const Array* const* arrays, int operands) {
  loop->operands = operands;
  loop->numel = 1;
  int n = 0;
  for (int d = 0; d < ndim; ++d) {
    index_t size = shape[d];
    loop->numel *= size;
    if (size == 1) continue;
    index_t strides[kMaxOperands];
    for (int i = 0; i < operands; ++i) {
      int own = d - (ndim - arrays[i]->ndim());
      strides[i] =
          own < 0 || arrays[i]->shape()[own] == 1 ? 0 : arrays[i]->strides()[own] * itemsize(arrays[i]->dtype);
    }
    bool merge = n > 0;
    for (int i = 0; merge && i < operands; ++i) merge = loop->stride[i][n - 1] == strides[i] * size;
    if (merge) {
      loop->shape[n - 1] *= size;
    } else {
      loop->shape[n] = size;
      ++n;
    }
    for (int i = 0; i < operands; ++i) loop->stride[i][n - 1] = strides[i];
  }
  if (n == 0) {
    loop->shape[0] = 1;
    for (int i = 0; i < operands; ++i) loop->stride[i][0] = 0;
    n = 1;
  }
  loop->ndim = n;
}

// Calls row(pointers) for each innermost row with index in [begin, end) of the outer dimensions.
template <class Row>
inline void loop_rows(const Loop& loop, char* const* base, index_t begin, index_t end, Row&& row) {
  index_t index[kMaxDims];
  char* p[kMaxOperands];
  index_t rest = begin;
  for (int i = 0; i < loop.operands; ++i) p[i] = base[i];
  for (int d = loop.ndim - 2; d >= 0; --d) {
    index[d] = rest % loop.shape[d];
    rest /= loop.shape[d];
    for (int i = 0; i < loop.operands; ++i) p[i] += index[d] * loop.stride[i][d];
  }
  for (index_t r = begin; r < end; ++r) {
    row(p);
    for (int d = loop.ndim - 2; d >= 0; --d) {
      for (int i = 0; i < loop.operands; ++i) p[i] += loop.stride[i][d];
      if (++index[d] < loop.shape[d]) break;
      for (int i = 0; i < loop.operands; ++i) p[i] -= loop.stride[i][d] * loop.shape[d];
      index[d] = 0;
    }
  }
}

inline index_t loop_outer(const Loop& loop) {
  index_t n = 1;
  for (int d = 0; d < loop.ndim - 1; ++d) n *= loop.shape[d];
  return n;
}

}  // namespace wg
