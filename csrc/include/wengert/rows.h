// What row kernels share: sums over rows in the order of reduction.h, and cutting rows into blocks that stay in
// cache. For units of csrc/kernels only.
#pragma once
#include "wengert/reduction.h"
#include "wengert/vmath.h"

// The loop that follows may run in vectors: its output is either apart from its inputs or exactly one of them.
#define WG_IVDEP _Pragma("GCC ivdep")

namespace wg {
namespace WG_NS {

constexpr index_t kBlockElements = 1024;

// Elements of rows, and of columns with what differs by column in aux.
template <class T>
struct ValueLoad {
  const T* p;
  const T* aux;
  WG_INLINE T operator()(index_t i) const { return p[i]; }
  WG_INLINE T operator()(index_t i, int) const { return p[i]; }
};
template <class T>
struct SquareLoad {
  const T* p;
  const T* aux;
  T center;
  WG_INLINE T operator()(index_t i) const { return (p[i] - center) * (p[i] - center); }
  WG_INLINE T operator()(index_t i, int l) const { return (p[i] - aux[l]) * (p[i] - aux[l]); }
};
// p * (q - center)
template <class T>
struct ProductLoad {
  const T* p;
  const T* q;
  const T* aux;
  T center;
  WG_INLINE T operator()(index_t i) const { return p[i] * (q[i] - center); }
  WG_INLINE T operator()(index_t i, int l) const { return p[i] * (q[i] - aux[l]); }
};
// p * q * (r - center)
template <class T>
struct TripleLoad {
  const T* p;
  const T* q;
  const T* r;
  T center;
  WG_INLINE T operator()(index_t i) const { return p[i] * q[i] * (r[i] - center); }
};
template <class T>
struct ExpLoad {
  const T* p;
  T shift;
  WG_INLINE T operator()(index_t i) const { return vm::exp(p[i] - shift); }
};

template <class T>
T row_sum(const T* p, index_t n) {
  return reduce_row<T>(ValueLoad<T>{p, nullptr}, 0, n, AddOp<T>());
}
// The maximum of a row, as the shift of its exponentials: a NaN may be lost here, their sum has it.
template <class T>
T row_max(const T* p, index_t n) {
  return reduce_row<T>(ValueLoad<T>{p, nullptr}, 0, n, QuickMax<T>());
}
template <class T>
T row_dot(const T* p, const T* q, T center, index_t n) {
  return reduce_row<T>(ProductLoad<T>{p, q, nullptr, center}, 0, n, AddOp<T>());
}
template <class T>
T row_squares(const T* p, T center, index_t n) {
  return reduce_row<T>(SquareLoad<T>{p, nullptr, center}, 0, n, AddOp<T>());
}
template <class T>
T rstd_of(T var, double eps) {
  return T(1) / vm::sqrt(var + static_cast<T>(eps));
}

// Blocks of rows: body(first, end) with at least one row and at most kBlockElements elements; parts of about
// kPartElements run in parallel.
template <class Body>
void for_row_blocks(index_t rows, index_t n, Body body) {
  if (rows <= 0 || n <= 0) return;
  const index_t block = n >= kBlockElements ? 1 : kBlockElements / n;
  const index_t part = (kPartElements / n + block) / block * block;
  parallel_for((rows + part - 1) / part, [&](index_t p) {
    const index_t stop = (p + 1) * part < rows ? (p + 1) * part : rows;
    for (index_t r = p * part; r < stop; r += block) body(r, r + block < stop ? r + block : stop);
  });
}

}  // namespace WG_NS
}  // namespace wg
