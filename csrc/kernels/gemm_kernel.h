// The matrix product's inner parts: vector type, register tile and panel packing.
//
// A register tile holds kTileRows rows by two vectors of C. Elements of A are broadcast, rows of B are loaded; the
// innermost loop runs over k, so that every element of C is one chain of multiply-adds in ascending k.
#pragma once
#include <type_traits>
#include <utility>

#include "wengert/config.h"
#include "wengert/gemm.h"
#if defined(__SSE2__)
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
WG_INLINE void store_lanes(float* p, Simd<float>::V v, LaneMask m) { _mm256_maskstore_ps(p, m.by4, (__m256)v); }
WG_INLINE void store_lanes(double* p, Simd<double>::V v, LaneMask m) { _mm256_maskstore_pd(p, m.by8, (__m256d)v); }
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

// Sums over k are cut into equal chunks of at most kDepth.
template <class T>
constexpr index_t kDepth = 1536 / static_cast<index_t>(sizeof(T));
template <class T>
static WG_INLINE index_t chunk_length(index_t k) {
  if (k <= kDepth<T>) return k;
  const index_t chunks = (k + kDepth<T> - 1) / kDepth<T>;
  return ((k + chunks - 1) / chunks + 7) / 8 * 8;
}

// Where a tile goes: value = sum over a chunk of k; plus `part` (earlier chunks), plus bias, plus what c holds.
template <class T>
struct Dest {
  T* c;
  index_t c_row;
  const T* part;  // null for the first chunk
  index_t part_row;
  const T* bias;                // one value for each column; null: none
  bool add;                     // c += value
  const T* row_bias = nullptr;  // one value for each row (convolution)
  WG_INLINE Dest at(index_t i, index_t j) const {
    return {c + i * c_row + j,         c_row, part ? part + i * part_row + j : nullptr, part_row,
            bias ? bias + j : nullptr, add,   row_bias ? row_bias + i : nullptr};
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
#pragma GCC unroll 8
    for (int j = 0; j < W; ++j) r[i][j] = V{};
  for (index_t p = 0; p < k; ++p) {
    V bv[W];
#pragma GCC unroll 8
    for (int j = 0; j < W; ++j)
      bv[j] = Tail && kMaskedLoads && j == W - 1 ? load_lanes(b + j * L, mask) : S::load(b + j * L);
    // Three rows share a base pointer: [base], [base + a_row], [base + 2 a_row] are addresses the machine knows.
    const T* base = a;
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i) {
      V av = S::splat(base[(i % 3) * a_row]);
#pragma GCC unroll 8
      for (int j = 0; j < W; ++j) r[i][j] = fma(av, bv[j], r[i][j]);
      if (i % 3 == 2) base += 3 * a_row;
    }
    a += a_col;
    b += b_row;
  }
  // Whole passes over the registers: one branch each instead of one for every vector.
  const auto each = [&](auto&& body) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < W; ++j) body(i, j, Tail && j == W - 1);
  };
  const auto read = [&](const T* p, bool narrow)
                        __attribute__((always_inline)) { return narrow ? load_lanes(p, mask) : S::load(p); };
  if (dest.part)
    each([&](int i, int j, bool narrow) __attribute__((always_inline)) {
      r[i][j] = read(dest.part + i * dest.part_row + j * L, narrow) + r[i][j];
    });
  if (dest.bias)
    each([&](int i, int j, bool narrow)
             __attribute__((always_inline)) { r[i][j] = r[i][j] + read(dest.bias + j * L, narrow); });
  if (dest.row_bias)
    each([&](int i, int j, bool)
             __attribute__((always_inline)) { r[i][j] = r[i][j] + S::splat(dest.row_bias[i]); });
  if (dest.add)
    each([&](int i, int j, bool narrow)
             __attribute__((always_inline)) { r[i][j] = read(dest.c + i * dest.c_row + j * L, narrow) + r[i][j]; });
  each([&](int i, int j, bool narrow) __attribute__((always_inline)) {
    T* c = dest.c + i * dest.c_row + j * L;
    if (narrow)
      store_lanes(c, r[i][j], mask);
    else
      S::store(c, r[i][j]);
  });
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

// Tiles of one or two rows are wider, for enough independent chains and long runs of B.
template <class T>
WG_INLINE index_t wide_tile_cols(index_t h) {
  return h == 1 ? 8 * Simd<T>::kLanes : h == 2 ? 4 * Simd<T>::kLanes : kTileCols<T>;
}
template <class T>
WG_INLINE void wide_tile(index_t h, index_t k, const T* a, index_t a_row, index_t a_col, const T* b, index_t b_row,
                         const Dest<T>& dest) {
  if (h == 1)
    run_tile<T, 1, 8, false>(k, a, a_row, a_col, b, b_row, dest, Simd<T>::kLanes);
  else
    run_tile<T, 2, 4, false>(k, a, a_row, a_col, b, b_row, dest, Simd<T>::kLanes);
}

// ---- packing ------------------------------------------------------------------------------------------

// Elements of 128 bits: shuffles stay inside such a quarter, where every machine does them in one operation.
template <class T>
constexpr int kQuad = 16 / static_cast<int>(sizeof(T));

// The 128 bits at p, p + step, p + 2 step, ...
#if defined(WG_ISA_V4)
WG_INLINE Simd<float>::V load_quads(const float* p, index_t step) {
  __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(p));
  v = _mm512_mask_broadcast_f32x4(v, 0x00f0, _mm_loadu_ps(p + step));
  v = _mm512_mask_broadcast_f32x4(v, 0x0f00, _mm_loadu_ps(p + 2 * step));
  return (Simd<float>::V)_mm512_mask_broadcast_f32x4(v, 0xf000, _mm_loadu_ps(p + 3 * step));
}
WG_INLINE Simd<double>::V load_quads(const double* p, index_t step) {
  __m512d v = _mm512_castpd128_pd512(_mm_loadu_pd(p));
  v = _mm512_mask_broadcast_f64x2(v, 0x0c, _mm_loadu_pd(p + step));
  v = _mm512_mask_broadcast_f64x2(v, 0x30, _mm_loadu_pd(p + 2 * step));
  return (Simd<double>::V)_mm512_mask_broadcast_f64x2(v, 0xc0, _mm_loadu_pd(p + 3 * step));
}
#elif defined(WG_ISA_V3)
WG_INLINE Simd<float>::V load_quads(const float* p, index_t step) {
  return (Simd<float>::V)_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + step), 1);
}
WG_INLINE Simd<double>::V load_quads(const double* p, index_t step) {
  return (Simd<double>::V)_mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(p)), _mm_loadu_pd(p + step), 1);
}
#else
template <class T>
WG_INLINE typename Simd<T>::V load_quads(const T* p, index_t) {
  return Simd<T>::load(p);
}
#endif

// Within each 128 bits: take the low or high halves of x and y, element by element or (float32) in pairs.
enum Mix { kLowEach, kHighEach, kLowPairs, kHighPairs };
constexpr int mixed_lane(int i, Mix mix, int quad, int lanes) {
  const int base = i - i % quad, at = i % quad, half = quad / 2;
  const int high = mix == kHighEach || mix == kHighPairs ? half : 0;
  return mix < kLowPairs ? base + high + at / 2 + (at % 2 ? lanes : 0)
                         : base + high + at % half + (at >= half ? lanes : 0);
}
template <class T, Mix mix, int... I>
WG_INLINE typename Simd<T>::V mixed(typename Simd<T>::V x, typename Simd<T>::V y,
                                    std::integer_sequence<int, I...>) {
#if defined(__clang__) || __GNUC__ >= 12
  return __builtin_shufflevector(x, y, mixed_lane(I, mix, kQuad<T>, Simd<T>::kLanes)...);
#else
  using Index = typename std::conditional<sizeof(T) == 4, std::int32_t, std::int64_t>::type;
  typedef Index Indices __attribute__((vector_size(WG_VECTOR_BYTES)));
  return __builtin_shuffle(x, y, Indices{mixed_lane(I, mix, kQuad<T>, Simd<T>::kLanes)...});
#endif
}

// Read the block of kLanes rows (row_step apart) by kQuad columns at s; column c goes to out[c].
template <class T>
WG_INLINE void load_turned(const T* s, index_t row_step, typename Simd<T>::V* out) {
  using V = typename Simd<T>::V;
  using Lanes = std::make_integer_sequence<int, Simd<T>::kLanes>;
  constexpr int Q = kQuad<T>;
  V x[Q];
#pragma GCC unroll 4
  for (int r = 0; r < Q; ++r) x[r] = load_quads(s + r * row_step, Q * row_step);
  if constexpr (Q == 2) {
    out[0] = mixed<T, kLowEach>(x[0], x[1], Lanes());
    out[1] = mixed<T, kHighEach>(x[0], x[1], Lanes());
  } else {
    const V a = mixed<T, kLowEach>(x[0], x[1], Lanes()), b = mixed<T, kLowEach>(x[2], x[3], Lanes());
    const V c = mixed<T, kHighEach>(x[0], x[1], Lanes()), d = mixed<T, kHighEach>(x[2], x[3], Lanes());
    out[0] = mixed<T, kLowPairs>(a, b, Lanes());
    out[1] = mixed<T, kHighPairs>(a, b, Lanes());
    out[2] = mixed<T, kLowPairs>(c, d, Lanes());
    out[3] = mixed<T, kHighPairs>(c, d, Lanes());
  }
}

// Transpose a block of kQuad by kQuad.
WG_INLINE void turn_quad(const float* s, index_t s_row, float* d, index_t d_row) {
#if defined(__SSE2__)
  __m128 a = _mm_loadu_ps(s), b = _mm_loadu_ps(s + s_row), c = _mm_loadu_ps(s + 2 * s_row),
         e = _mm_loadu_ps(s + 3 * s_row);
  _MM_TRANSPOSE4_PS(a, b, c, e);
  _mm_storeu_ps(d, a);
  _mm_storeu_ps(d + d_row, b);
  _mm_storeu_ps(d + 2 * d_row, c);
  _mm_storeu_ps(d + 3 * d_row, e);
#else
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) d[j * d_row + i] = s[i * s_row + j];
#endif
}
WG_INLINE void turn_quad(const double* s, index_t s_row, double* d, index_t d_row) {
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) d[j * d_row + i] = s[i * s_row + j];
}

// Copy w <= P vectors of length k (vector q, element p at s[q * sq + p * sp]) to d[p * P + q]. Lanes from w to P
// hold anything; nothing depends on them. May write up to one vector past d[k * P].
template <class T, int P>
WG_NOINLINE void pack_panel(const T* s, index_t sq, index_t sp, index_t w, index_t k, T* d) {
  using S = Simd<T>;
  using V = typename S::V;
  constexpr int L = S::kLanes, Q = kQuad<T>;
  if (sq == 1 && (w == P || kMaskedLoads)) {
    // Ascending p: what a store writes past its row is written again by the next row.
    const index_t whole = w / L * L;
    const int rest = static_cast<int>(w - whole);
    for (index_t p = 0; p < k; ++p) {
      for (index_t q = 0; q < whole; q += L) S::store(d + p * P + q, S::load(s + p * sp + q));
      if (rest) S::store(d + p * P + whole, load_lanes(s + p * sp + whole, LaneMask(rest)));
    }
    return;
  }
  index_t done = 0;  // vectors [0, done) are copied for all p below k - k % Q
  if (sp == 1) {
    for (; done + L <= w; done += L)
      for (index_t p = 0; p + Q <= k; p += Q) {
        V x[Q];
        load_turned(s + done * sq + p, sq, x);
#pragma GCC unroll 4
        for (int i = 0; i < Q; ++i) S::store(d + (p + i) * P + done, x[i]);
      }
    for (; done + Q <= w; done += Q)
      for (index_t p = 0; p + Q <= k; p += Q) turn_quad(s + done * sq + p, sq, d + p * P + done, P);
    for (index_t p = k - k % Q; p < k; ++p)
      for (index_t q = 0; q < done; ++q) d[p * P + q] = s[q * sq + p];
  }
  for (index_t q = done; q < w; ++q)
    for (index_t p = 0; p < k; ++p) d[p * P + q] = s[q * sq + p * sp];
}

// One product without batch, on the calling thread: uses scratch slots 0 and 1. Defined in matmul.cpp.
template <class T>
struct Product {
  index_t m, n, k;
  const T* a;
  index_t a_row, a_col;
  const T* b;
  index_t b_row, b_col;
  Dest<T> dest;
};
template <class T>
void multiply(const Product<T>& g);
extern template void multiply<float>(const Product<float>&);
extern template void multiply<double>(const Product<double>&);

}  // namespace WG_NS
}  // namespace wg
