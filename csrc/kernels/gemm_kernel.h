// The matrix product's inner parts: vector type, register tile and panel packing.
//
// A register tile holds kTileRows rows by two vectors of C. Elements of A are broadcast, rows of B are loaded; the
// innermost loop runs over k, so that every element of C is one chain of multiply-adds in ascending k.
#pragma once
#include <type_traits>
#include <utility>

#include "wengert/config.h"
#include "wengert/gemm.h"
#if defined(__FMA__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace wg {
namespace WG_NS {

template <class T>
struct Simd {
  static constexpr int kLanes = WG_VECTOR_BYTES / sizeof(T);
  typedef T V __attribute__((vector_size(WG_VECTOR_BYTES)));
  typedef T Loose __attribute__((vector_size(WG_VECTOR_BYTES), aligned(sizeof(T)), may_alias));
  static WG_INLINE V load(const T* p) { return *reinterpret_cast<const Loose*>(p); }
  static WG_INLINE void store(T* p, V v) { *reinterpret_cast<Loose*>(p) = v; }
  static WG_INLINE V splat(T x) { return x - V{}; }
};

#if defined(WG_ISA_V4)
constexpr bool kMaskedLoads = true;
constexpr int kTileRows = 12;
WG_INLINE Simd<float>::V fma(Simd<float>::V a, Simd<float>::V b, Simd<float>::V c) {
  return (Simd<float>::V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
WG_INLINE Simd<double>::V fma(Simd<double>::V a, Simd<double>::V b, Simd<double>::V c) {
  return (Simd<double>::V)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
struct LaneMask {
  unsigned bits;
  explicit WG_INLINE LaneMask(int lanes) : bits((1u << lanes) - 1) {}
};
WG_INLINE Simd<float>::V load_lanes(const float* p, LaneMask m) {
  return (Simd<float>::V)_mm512_maskz_loadu_ps((__mmask16)m.bits, p);
}
WG_INLINE Simd<double>::V load_lanes(const double* p, LaneMask m) {
  return (Simd<double>::V)_mm512_maskz_loadu_pd((__mmask8)m.bits, p);
}
WG_INLINE void store_lanes(float* p, Simd<float>::V v, LaneMask m) {
  _mm512_mask_storeu_ps(p, (__mmask16)m.bits, (__m512)v);
}
WG_INLINE void store_lanes(double* p, Simd<double>::V v, LaneMask m) {
  _mm512_mask_storeu_pd(p, (__mmask8)m.bits, (__m512d)v);
}
#elif defined(WG_ISA_V3)
constexpr bool kMaskedLoads = true;
constexpr int kTileRows = 6;
WG_INLINE Simd<float>::V fma(Simd<float>::V a, Simd<float>::V b, Simd<float>::V c) {
  return (Simd<float>::V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
WG_INLINE Simd<double>::V fma(Simd<double>::V a, Simd<double>::V b, Simd<double>::V c) {
  return (Simd<double>::V)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
struct LaneMask {
  __m256i by4, by8;  // masks of 32-bit and of 64-bit lanes
  explicit WG_INLINE LaneMask(int lanes)
      : by4(_mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))),
        by8(_mm256_cmpgt_epi64(_mm256_set1_epi64x(lanes), _mm256_setr_epi64x(0, 1, 2, 3))) {}
};
WG_INLINE Simd<float>::V load_lanes(const float* p, LaneMask m) {
  return (Simd<float>::V)_mm256_maskload_ps(p, m.by4);
}
WG_INLINE Simd<double>::V load_lanes(const double* p, LaneMask m) {
  return (Simd<double>::V)_mm256_maskload_pd(p, m.by8);
}
WG_INLINE void store_lanes(float* p, Simd<float>::V v, LaneMask m) {
  _mm256_maskstore_ps(p, m.by4, (__m256)v);
}
WG_INLINE void store_lanes(double* p, Simd<double>::V v, LaneMask m) {
  _mm256_maskstore_pd(p, m.by8, (__m256d)v);
}
#else
// No masked loads: the part of a vector goes through memory, and a narrow panel of B is always packed.
constexpr bool kMaskedLoads = false;
#if defined(__aarch64__)
constexpr int kTileRows = 12;
WG_INLINE Simd<float>::V fma(Simd<float>::V a, Simd<float>::V b, Simd<float>::V c) {
  return (Simd<float>::V)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
WG_INLINE Simd<double>::V fma(Simd<double>::V a, Simd<double>::V b, Simd<double>::V c) {
  return (Simd<double>::V)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
#else
constexpr int kTileRows = 6;
WG_INLINE Simd<float>::V fma(Simd<float>::V a, Simd<float>::V b, Simd<float>::V c) { return a * b + c; }
WG_INLINE Simd<double>::V fma(Simd<double>::V a, Simd<double>::V b, Simd<double>::V c) { return a * b + c; }
#endif
struct LaneMask {
  int lanes;
  explicit WG_INLINE LaneMask(int n) : lanes(n) {}
};
template <class T>
WG_INLINE typename Simd<T>::V load_lanes(const T* p, LaneMask m) {
  T part[Simd<T>::kLanes] = {};
  for (int i = 0; i < m.lanes; ++i) part[i] = p[i];
  return Simd<T>::load(part);
}
template <class T>
WG_INLINE void store_lanes(T* p, typename Simd<T>::V v, LaneMask m) {
  T part[Simd<T>::kLanes];
  Simd<T>::store(part, v);
  for (int i = 0; i < m.lanes; ++i) p[i] = part[i];
}
#endif

// Columns of a register tile, and so of a packed panel of B.
template <class T>
constexpr int kTileCols = 2 * Simd<T>::kLanes;

// Where a tile goes: value = sum over a chunk of k; plus `part` (earlier chunks), plus bias, plus what c holds.
template <class T>
struct Dest {
  T* c;
  index_t c_row;
  const T* part;  // null for the first chunk
  index_t part_row;
  const T* bias;  // null: none
  bool add;       // c += value
  WG_INLINE Dest at(index_t i, index_t j) const {
    return {c + i * c_row + j, c_row, part ? part + i * part_row + j : nullptr, part_row, bias ? bias + j : nullptr,
            add};
  }
};

// One tile of M rows and W vectors; with Tail the last vector has `lanes` lanes (1 up to all). Element (i, p) of
// A is a[i * a_row + p * a_col], row p of B begins at b + p * b_row. Without masked loads B must be readable for W
// whole vectors.
template <class T, int M, int W, bool Tail>
WG_NOINLINE void run_tile(index_t k, const T* a, index_t a_row, index_t a_col, const T* b, index_t b_row,
                          const Dest<T>& dest, int lanes) {
  using S = Simd<T>;
  using V = typename S::V;
  constexpr int L = S::kLanes;
  const LaneMask mask(lanes);
  V r[M][W];
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < W; ++j) r[i][j] = V{};
  for (index_t p = 0; p < k; ++p) {
    V bv[W];
#pragma GCC unroll 2
    for (int j = 0; j < W; ++j)
      bv[j] = Tail && kMaskedLoads && j == W - 1 ? load_lanes(b + j * L, mask) : S::load(b + j * L);
    // Three rows share a base pointer: [base], [base + a_row], [base + 2 a_row] are addresses the machine knows.
    const T* base = a;
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i) {
      V av = S::splat(base[(i % 3) * a_row]);
#pragma GCC unroll 2
      for (int j = 0; j < W; ++j) r[i][j] = fma(av, bv[j], r[i][j]);
      if (i % 3 == 2) base += 3 * a_row;
    }
    a += a_col;
    b += b_row;
  }
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < W; ++j) {
      const bool narrow = Tail && j == W - 1;
      V v = r[i][j];
      T* c = dest.c + i * dest.c_row + j * L;
      if (dest.part) {
        const T* q = dest.part + i * dest.part_row + j * L;
        v = (narrow ? load_lanes(q, mask) : S::load(q)) + v;
      }
      if (dest.bias) v = v + (narrow ? load_lanes(dest.bias + j * L, mask) : S::load(dest.bias + j * L));
      if (dest.add) v = (narrow ? load_lanes(c, mask) : S::load(c)) + v;
      if (narrow)
        store_lanes(c, v, mask);
      else
        S::store(c, v);
    }
}

template <class T>
using TileFn = void (*)(index_t k, const T* a, index_t a_row, index_t a_col, const T* b, index_t b_row,
                        const Dest<T>& dest, int lanes);

template <class T>
struct TileRow {
  TileFn<T> one, two, full;  // up to one vector, up to two, exactly two
};
template <class T, class Rows>
struct TileTable;
template <class T, int... I>
struct TileTable<T, std::integer_sequence<int, I...>> {
  static constexpr TileRow<T> rows[sizeof...(I)] = {
      {run_tile<T, I + 1, 1, true>, run_tile<T, I + 1, 2, true>, run_tile<T, I + 1, 2, false>}...};
};

// C rows [0, h) by columns [0, w), h <= kTileRows, w <= kTileCols<T>.
template <class T>
WG_INLINE void tile(index_t h, index_t w, index_t k, const T* a, index_t a_row, index_t a_col, const T* b,
                    index_t b_row, const Dest<T>& dest) {
  constexpr int L = Simd<T>::kLanes;
  const TileRow<T>& row = TileTable<T, std::make_integer_sequence<int, kTileRows>>::rows[h - 1];
  if (w == 2 * L)
    row.full(k, a, a_row, a_col, b, b_row, dest, L);
  else if (w > L)
    row.two(k, a, a_row, a_col, b, b_row, dest, static_cast<int>(w - L));
  else
    row.one(k, a, a_row, a_col, b, b_row, dest, static_cast<int>(w));
}

// ---- packing ------------------------------------------------------------------------------------------

// Lane i of one of the two results of exchanging blocks of H lanes between x (lanes 0..L-1) and y (L..2L-1).
constexpr int exchanged_lane(int i, int H, int L, bool high) {
  return high ? (i & H ? L + i : i + H) : (i & H ? L + i - H : i);
}
template <class T, int H, bool High, int... I>
WG_INLINE typename Simd<T>::V exchange(typename Simd<T>::V x, typename Simd<T>::V y,
                                       std::integer_sequence<int, I...>) {
  constexpr int L = Simd<T>::kLanes;
#if defined(__clang__) || __GNUC__ >= 12
  return __builtin_shufflevector(x, y, exchanged_lane(I, H, L, High)...);
#else
  using Index = typename std::conditional<sizeof(T) == 4, std::int32_t, std::int64_t>::type;
  typedef Index IV __attribute__((vector_size(WG_VECTOR_BYTES)));
  return __builtin_shuffle(x, y, IV{exchanged_lane(I, H, L, High)...});
#endif
}
template <class T, int H>
WG_INLINE void transpose_step(typename Simd<T>::V* r) {
  constexpr int L = Simd<T>::kLanes;
  using Lanes = std::make_integer_sequence<int, L>;
#pragma GCC unroll 16
  for (int i = 0; i < L; ++i)
    if (!(i & H)) {
      typename Simd<T>::V x = r[i], y = r[i + H];
      r[i] = exchange<T, H, false>(x, y, Lanes());
      r[i + H] = exchange<T, H, true>(x, y, Lanes());
    }
  if constexpr (H > 1) transpose_step<T, H / 2>(r);
}

// Copy w <= P vectors of length k (vector q, element p at s[q * sq + p * sp]) to d[p * P + q]. Lanes from w to P
// hold anything finite or not; nothing depends on them. Writes up to one vector past d[k * P].
template <class T, int P>
WG_NOINLINE void pack_panel(const T* s, index_t sq, index_t sp, index_t w, index_t k, T* d) {
  using S = Simd<T>;
  using V = typename S::V;
  constexpr int L = S::kLanes, N = (P + L - 1) / L;
  if (sq == 1 && (w == P || kMaskedLoads)) {
    // Ascending p: what a store writes past its row is written again by the next row.
    V v[N];
    for (index_t p = 0; p < k; ++p) {
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) {
        const index_t left = w - n * L;
        if (left <= 0) break;
        v[n] = left >= L ? S::load(s + p * sp + n * L)
                         : load_lanes(s + p * sp + n * L, LaneMask(static_cast<int>(left)));
        S::store(d + p * P + n * L, v[n]);
      }
    }
    return;
  }
  index_t p = 0;
  if (sp == 1) {
    for (; p < k; p += L) {
      const int len = static_cast<int>(k - p < L ? k - p : L);
      if (!kMaskedLoads && len < L) break;
      V r[N][L];
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) {
        if (n * L >= w) break;
#pragma GCC unroll 16
        for (int i = 0; i < L; ++i) {
          if (n * L + i >= P) {
            r[n][i] = V{};
            continue;
          }
          const index_t q = n * L + i < w ? n * L + i : w - 1;
          const T* from = s + q * sq + p;
          r[n][i] = len == L ? S::load(from) : load_lanes(from, LaneMask(len));
        }
        transpose_step<T, L / 2>(r[n]);
      }
#pragma GCC unroll 16
      for (int i = 0; i < L; ++i) {
        if (i >= len) break;
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) {
          if (n * L >= w) break;
          S::store(d + (p + i) * P + n * L, r[n][i]);
        }
      }
    }
  }
  for (; p < k; ++p)
    for (index_t q = 0; q < w; ++q) d[p * P + q] = s[q * sq + p * sp];
}

// The unit's entries (matmul.cpp), for other units of the same instruction set.
void gemm_f32(const Gemm& g);
void gemm_f64(const Gemm& g);

}  // namespace WG_NS
}  // namespace wg
