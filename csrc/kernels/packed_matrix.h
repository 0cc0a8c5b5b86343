// A matrix that many products share: packed once into panels of columns, then multiplied from the left any number
// of times. For units of csrc/kernels only.
#pragma once
#include "gemm_kernel.h"

namespace wg {
namespace WG_NS {

// B (k by n), its panels of `width` columns one after the other, each k rows of `width` elements. An element of a
// product is one chain of multiply-adds in ascending k, whatever the width, the rows and the place.
template <class T>
struct PackedMatrix {
  const T* panels;
  index_t k, n, width;

  // Elements of memory that the panels take. The kernel may read and write up to a vector past the last one.
  static index_t size(index_t k, index_t n, index_t width) {
    return (n + width - 1) / width * width * k + Simd<T>::kLanes;
  }
  // The width that suits products of at most `rows` rows: one or two rows need wide tiles for independent chains.
  static index_t width_for(index_t rows) { return wide_tile_cols<T>(rows); }
};

// Element (p, j) of B is b[p * b_row + j * b_col]; `memory` holds PackedMatrix::size elements.
template <class T>
PackedMatrix<T> pack_matrix(const T* b, index_t b_row, index_t b_col, index_t k, index_t n, index_t width,
                            T* memory) {
  constexpr index_t L = Simd<T>::kLanes;
  for (index_t j = 0; j < n; j += width) {
    const index_t w = n - j < width ? n - j : width;
    const T* from = b + j * b_col;
    T* to = memory + j * k;
    if (width == 8 * L)
      pack_panel<T, 8 * L>(from, b_col, b_row, w, k, to);
    else if (width == 4 * L)
      pack_panel<T, 4 * L>(from, b_col, b_row, w, k, to);
    else
      pack_panel<T, 2 * L>(from, b_col, b_row, w, k, to);
  }
  return {memory, k, n, width};
}

// m rows of A times columns [first, first + n) of B's rows [from, from + k); `first` begins a panel. `dest` says
// where the product goes.
template <class T>
void multiply_packed(index_t m, const T* a, index_t a_row, index_t a_col, const PackedMatrix<T>& b, index_t from,
                     index_t k, index_t first, index_t n, const Dest<T>& dest) {
  constexpr index_t P = kTileCols<T>;
  const index_t wide = wide_tile_cols<T>(m);
  for (index_t j = 0; j < n;) {
    const index_t at = (first + j) % b.width;
    const T* panel = b.panels + (first + j - at) * b.k + from * b.width + at;
    if (m <= 2 && at + wide <= b.width && j + wide <= n) {
      wide_tile(m, k, a, a_row, a_col, panel, b.width, dest.at(0, j));
      j += wide;
      continue;
    }
    const index_t w = n - j < P ? n - j : P;
    for (index_t i = 0; i < m; i += kTileRows) {
      const index_t h = m - i < kTileRows ? m - i : kTileRows;
      tile(h, w, k, a + i * a_row, a_row, a_col, panel, b.width, dest.at(i, j));
    }
    j += w;
  }
}
template <class T>
void multiply_packed(index_t m, const T* a, index_t a_row, const PackedMatrix<T>& b, const Dest<T>& dest) {
  multiply_packed<T>(m, a, a_row, 1, b, 0, b.k, 0, b.n, dest);
}

}  // namespace WG_NS
}  // namespace wg
