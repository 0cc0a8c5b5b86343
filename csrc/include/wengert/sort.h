// Interfaces of the sorting kernels: every type but the halves. Rows are contiguous, [rows][n]; NaN counts as
// greater than everything, -0 equals +0, and equal elements keep their order. Functions that return bool return
// false when scratch memory is exhausted.
#pragma once
#include "wengert/config.h"

namespace wg {

// "sort": values and int64 positions, ascending or descending (NaN first then), stable both ways.
using SortFn = bool (*)(const void* x, void* values, std::int64_t* indices, index_t rows, index_t n,
                        bool descending);

// "topk": the k <= n largest (or smallest) of each row, best first; of equal elements the earlier ones.
using TopkFn = bool (*)(const void* x, void* values, std::int64_t* indices, index_t rows, index_t n, index_t k,
                        bool largest);

// "kthvalue": the element of rank k (from 0, ascending) and the position of its first occurrence.
// "median": of rank (n - 1) / 2, or the first NaN if there is one. "nanmedian": NaN left out (NaN if all are). Both
// take no notice of k. n >= 1.
using SelectFn = void (*)(const void* x, void* values, std::int64_t* indices, index_t rows, index_t n, index_t k);

// "searchsorted": for each value, the number of elements of its ascending row that are < it (right: <= it).
// sorted is [rows][n], or one row for all when one_row; values, out are [rows][m].
using SearchSortedFn = void (*)(const void* sorted, const void* values, std::int64_t* out, index_t rows, index_t n,
                                index_t m, bool right, bool one_row);

}  // namespace wg
