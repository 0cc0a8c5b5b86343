// Interfaces of the indexing kernels. Everything is contiguous; indices are int64 in [0, n), as "check_index"
// leaves them. Entries that only move bytes take the item size and are registered once, under kInt64 (the type of
// the index).
#pragma once
#include "wengert/config.h"

namespace wg {

// The position at i, which was checked, read once; another thread of the user's may have written the index since,
// so what no longer lies in [0, n) counts as 0: a wrong element, never memory of others.
WG_INLINE index_t position(const std::int64_t* index, index_t i, index_t n) {
  std::int64_t at = __atomic_load_n(index + i, __ATOMIC_RELAXED);
  if (WG_UNLIKELY(static_cast<std::uint64_t>(at) >= static_cast<std::uint64_t>(n))) {
    asm volatile("" : "+r"(at));  // a branch: a conditional move would wait for the comparison (gather: 1.3 times)
    at = 0;
  }
  return at;
}

// "check_index": out[i] = index[i], plus n where negative; out may be index. Returns -1, or the first position
// whose value is outside [-n, n); what is written behind it is undefined.
using CheckIndexFn = index_t (*)(const std::int64_t* index, std::int64_t* out, index_t m, index_t n);
// "all_inside": whether all of m indices lie in [0, n).
using AllInsideFn = bool (*)(const std::int64_t* index, index_t m, index_t n);

// "gather_rows": out [outer][m][inner] = rows index[m] of x [outer][n][inner].
// "scatter_rows": x [outer][n][inner] gets src [outer][m][inner] at rows index[m]; of equal indices the last wins.
struct RowIndex {
  const void* src;
  const std::int64_t* index;  // [m]
  void* out;
  index_t outer, n, m, inner, item;
};
using RowIndexFn = void (*)(const RowIndex&);

// "scatter_add_rows" (float32, float64 and integers): out += src at rows index[m], in ascending order of m. `item`
// is not used.

// "gather": out[o][j][i] = src[o][index[o][j][i]][i], with src [outer][n][inner] and index, out [outer][m][inner].
// "scatter": out[o][index[o][j][i]][i] = src[o][j][i] with out [outer][n][inner]; of equal indices the last wins.
// "scatter_add", "scatter_prod", "scatter_amax", "scatter_amin" (float32, float64 and integers) combine with what
// is there in ascending order of j; NaN wins an extreme. With one_value, src is a single element (scatter forms
// only).
struct ElementIndex {
  const void* src;
  const std::int64_t* index;  // [outer][m][inner]
  void* out;
  index_t outer, n, m, inner, item;
  bool one_value;
};
using ElementIndexFn = void (*)(const ElementIndex&);

// "count_true": how many of n bytes of a mask are true. "mask_to_index": the positions of that many, ascending.
using CountTrueFn = index_t (*)(const void* mask, index_t n);
using MaskToIndexFn = void (*)(const void* mask, index_t n, std::int64_t* positions, index_t count);
// "unravel": coordinates [count][dims] of ascending flat positions in an array of the given shape.
using UnravelFn = void (*)(const std::int64_t* positions, index_t count, const index_t* shape, int dims,
                           std::int64_t* coordinates);

}  // namespace wg
