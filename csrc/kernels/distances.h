// Euclidean distances of all rows of x to all rows of y, and their gradient: differences themselves, never the
// products that lose their digits where rows are close.
//
// Order: squares are added in ascending order of the columns, terms of the gradient in ascending order of y's rows,
// in pieces of kPiece whose sums are then added in order. What a thread takes does not matter.
#pragma once
#include "wengert/distance.h"

#include "wengert/alloc.h"
#include "wengert/reduction.h"
#include "wengert/vmath.h"

#include "gemm_kernel.h"

namespace wg {
namespace WG_NS {

constexpr index_t kPiece = 256;

// R rows of x from `x` on against C vectors of rows of y, which stand turned: turned[column][row].
template <class T, int R, int C>
static WG_INLINE void squared_distances(const T* x, index_t width, const T* turned,
                                        typename Simd<T>::V (&sum)[R][C]) {
  using S = Simd<T>;
  using V = typename S::V;
  for (int r = 0; r < R; ++r)
    for (int k = 0; k < C; ++k) sum[r][k] = V{};
  for (index_t c0 = 0; c0 < width; c0 += kPiece) {
    const index_t end = width - c0 < kPiece ? width : c0 + kPiece;
    V piece[R][C];
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int k = 0; k < C; ++k) piece[r][k] = V{};
    for (index_t c = c0; c < end; ++c) {
      V at[C];
#pragma GCC unroll 4
      for (int k = 0; k < C; ++k) at[k] = S::load(turned + (c * C + k) * S::kLanes);
#pragma GCC unroll 2
      for (int r = 0; r < R; ++r) {
        const V own = S::splat(x[r * width + c]);
#pragma GCC unroll 4
        for (int k = 0; k < C; ++k) {
          const V difference = own - at[k];
          piece[r][k] = fma(difference, difference, piece[r][k]);
        }
      }
    }
    for (int r = 0; r < R; ++r)
      for (int k = 0; k < C; ++k) sum[r][k] += piece[r][k];
  }
}

template <class T>
static bool distances(const Distances& a) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes, kColumns = 4, kAcross = kColumns * L, kDown = 128;
  const index_t down = (a.m + kDown - 1) / kDown, across = (a.n + kAcross - 1) / kAcross;
  bool failed = false;
  for_rows(a.batch * down * across, kDown * kAcross * (a.width + 4) / 8, [&](index_t part) {
    const index_t b = part / (down * across), i0 = part / across % down * kDown, j0 = part % across * kAcross;
    const index_t rows = a.m - i0 < kDown ? a.m - i0 : kDown, columns = a.n - j0 < kAcross ? a.n - j0 : kAcross;
    T* turned = static_cast<T*>(scratch(0, static_cast<std::size_t>((a.width + 1) * kAcross) * sizeof(T)));
    if (!turned) return __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
    const T* y = static_cast<const T*>(a.y) + (b * a.n + j0) * a.width;
    for (index_t c = 0; c < a.width; ++c)
      for (index_t j = 0; j < kAcross; ++j) turned[c * kAcross + j] = j < columns ? y[j * a.width + c] : T(0);
    const T* x = static_cast<const T*>(a.x) + (b * a.m + i0) * a.width;
    T* out = static_cast<T*>(a.out) + (b * a.m + i0) * a.n + j0;
    const auto some = [&](auto count, index_t i) __attribute__((always_inline)) {
      constexpr int R = decltype(count)::value;
      typename S::V sum[R][kColumns];
      squared_distances<T, R, kColumns>(x + i * a.width, a.width, turned, sum);
      for (int r = 0; r < R; ++r) {
        T row[kAcross];
        for (int k = 0; k < kColumns; ++k) S::store(row + k * L, sum[r][k]);
        for (index_t j = 0; j < kAcross; ++j) row[j] = vm::sqrt(row[j]);
        __builtin_memcpy(out + (i + r) * a.n, row, static_cast<std::size_t>(columns) * sizeof(T));
      }
    };
    index_t i = 0;
    for (; i + 2 <= rows; i += 2) some(std::integral_constant<int, 2>(), i);
    if (i < rows) some(std::integral_constant<int, 1>(), i);
  });
  return !failed;
}

// Columns c .. c + lanes of the gradient of R rows of x; weight is [R][n].
template <class T, int R>
static WG_INLINE void gradient_columns(const T* x, const T* y, const T* weight, index_t n, index_t width, index_t c,
                                       T* out) {
  using S = Simd<T>;
  using V = typename S::V;
  const LaneMask mask(static_cast<int>(width - c < S::kLanes ? width - c : S::kLanes));
  V own[R], sum[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    own[r] = load_lanes(x + r * width + c, mask);
    sum[r] = V{};
  }
  for (index_t j0 = 0; j0 < n; j0 += kPiece) {
    const index_t end = n - j0 < kPiece ? n : j0 + kPiece;
    V piece[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) piece[r] = V{};
    for (index_t j = j0; j < end; ++j) {
      const V other = load_lanes(y + j * width + c, mask);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) piece[r] = fma(S::splat(weight[r * n + j]), own[r] - other, piece[r]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sum[r] += piece[r];
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) store_lanes(out + r * width + c, sum[r], mask);
}

template <class T>
static bool distances_backward(const Distances& a) {
  constexpr index_t kRows = 4;
  const index_t down = (a.m + kRows - 1) / kRows;
  bool failed = false;
  for_rows(a.batch * down, kRows * a.n * (a.width + 4) / 8, [&](index_t part) {
    const index_t b = part / down, i0 = part % down * kRows, rows = a.m - i0 < kRows ? a.m - i0 : kRows;
    T* weight = static_cast<T*>(scratch(0, static_cast<std::size_t>(kRows * a.n) * sizeof(T)));
    if (!weight) return __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
    const index_t first = b * a.m + i0;
    const T *g = static_cast<const T*>(a.g) + first * a.n, *d = static_cast<const T*>(a.d) + first * a.n;
    for (index_t k = 0; k < rows * a.n; ++k) weight[k] = vm::select(d[k] == T(0), T(0), g[k] / d[k]);
    const T* x = static_cast<const T*>(a.x) + first * a.width;
    const T* y = static_cast<const T*>(a.y) + b * a.n * a.width;
    T* out = static_cast<T*>(a.out) + first * a.width;
    for (index_t c = 0; c < a.width; c += Simd<T>::kLanes) {
      if (rows == kRows) {
        gradient_columns<T, kRows>(x, y, weight, a.n, a.width, c, out);
      } else {
        for (index_t r = 0; r < rows; ++r)
          gradient_columns<T, 1>(x + r * a.width, y, weight + r * a.n, a.n, a.width, c, out + r * a.width);
      }
    }
  });
  return !failed;
}

}  // namespace WG_NS
}  // namespace wg
