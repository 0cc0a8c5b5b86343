// Attention in blocks: softmax(scale q k^T + mask) v without the matrix of scores. Entries "attention"
// (AttentionFn) and "attention_backward" (AttentionBackwardFn) exist for float32 and float64.
//
// Heads of keys and values are numbered 0 to heads - 1; each serves `group` heads of queries, numbered head * group
// + g. Offsets and strides are in elements; the innermost stride of q, k, v and of what has their shape is 1.
#pragma once
#include "wengert/config.h"
#include "wengert/random.h"

namespace wg {

// Matrices of one kind, a matrix for each head.
struct HeadMatrices {
  void* data;
  const index_t* offset;
  index_t row;
};

struct AttentionShape {
  index_t heads, group, rows, columns, width, value_width;  // of queries, keys, q and k, v
  HeadMatrices q, k, v;
  const void* mask;  // bytes (not 0: takes part) with mask_is_bool, else added to the scores; null: none
  const index_t* mask_offset;
  index_t mask_row, mask_column;
  bool mask_is_bool, causal;  // causal: query i sees keys 0 to i
  double scale;
  // Weights are dropped as the kernel "dropout" does it, row by row: row i of query head h draws from the counter
  // offset + (h * rows + i) * ceil(columns / 8) on. Null: none are dropped.
  DropoutFn drop;
  double p;
  std::uint64_t seed, offset;
};

struct Attention : AttentionShape {
  HeadMatrices y;
  void* lse;  // [heads * group][rows]: log of the sum of exp(scores); inf for a row that sees nothing, whose y is 0
};
// False when scratch memory is exhausted.
using AttentionFn = bool (*)(const Attention&);

struct AttentionBackward : AttentionShape {
  HeadMatrices y, grad_y;
  const void* lse;
  HeadMatrices grad_q, grad_k, grad_v;
};
using AttentionBackwardFn = bool (*)(const AttentionBackward&);

}  // namespace wg
