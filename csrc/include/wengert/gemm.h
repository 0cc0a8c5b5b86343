// The matrix product's kernel interface. Entries "gemm" exist for float32 and float64.
#pragma once
#include "wengert/config.h"

namespace wg {

// C[i] = A[i] @ B[i] (+ bias) for i in [0, batch), C row-major with contiguous columns. Strides are in elements
// and may be 0 or negative for A and B.
struct Gemm {
  index_t m, n, k;
  const void* a;
  index_t a_row, a_col;
  const void* b;
  index_t b_row, b_col;
  void* c;
  index_t c_row;
  index_t batch;            // 1 for a plain product
  const index_t* a_offset;  // element offset of each batch item; null: all 0
  const index_t* b_offset;
  index_t c_batch;   // element stride of C between batch items
  const void* bias;  // n values added to every row, after the sum over k; null: none
  bool accumulate;   // C += instead of C =, after the sum over k (and the bias)
};
using GemmFn = void (*)(const Gemm&);

}  // namespace wg
