// Loads of vectors that hang over the ends of a row, one element in `stride`.
#pragma once
#include "gemm_kernel.h"

namespace wg {
namespace WG_NS {

WG_INLINE index_t smaller(index_t a, index_t b) { return a < b ? a : b; }
WG_INLINE index_t larger(index_t a, index_t b) { return a > b ? a : b; }
WG_INLINE index_t quotient_up(index_t a, index_t b) { return (a + b - 1) / b; }

// The steps t in [0, lanes) whose place first + t * stride lies in [0, width): from lo up to hi.
struct Reach {
  index_t lo, hi;
  WG_INLINE Reach(index_t first, index_t stride, index_t width, index_t lanes) : lo(0), hi(lanes) {
    if (first < 0) lo = smaller((-first + stride - 1) / stride, lanes);
    if (first + (lanes - 1) * stride >= width)
      hi = first < width ? smaller((width - first + stride - 1) / stride, lanes) : 0;
    hi = larger(lo, hi);
  }
};

template <class T>
struct IntegerOf {
  using type = std::int32_t;
};
template <>
struct IntegerOf<double> {
  using type = std::int64_t;
};

#if defined(WG_ISA_V4)
WG_INLINE Simd<float>::V load_filled(const float* p, unsigned mask, Simd<float>::V fill) {
  return (Simd<float>::V)_mm512_mask_loadu_ps((__m512)fill, (__mmask16)mask, p);
}
WG_INLINE Simd<double>::V load_filled(const double* p, unsigned mask, Simd<double>::V fill) {
  return (Simd<double>::V)_mm512_mask_loadu_pd((__m512d)fill, (__mmask8)mask, p);
}
#endif

template <class T, int... I>
WG_INLINE
    typename Simd<T>::V even_lanes(typename Simd<T>::V a, typename Simd<T>::V b, std::integer_sequence<int, I...>) {
#if defined(__clang__) || __GNUC__ >= 12
  return __builtin_shufflevector(a, b, (2 * I)...);
#else
  typedef typename IntegerOf<T>::type Indices __attribute__((vector_size(WG_VECTOR_BYTES)));
  return __builtin_shuffle(a, b, Indices{(2 * I)...});
#endif
}

// Lane t is row[first + t * stride] where that lies in [0, width) and t < lanes, else `fill`.
template <class T>
WG_INLINE typename Simd<T>::V load_strided(const T* row, index_t first, index_t stride, index_t width,
                                           index_t lanes, T fill) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes;
  using Lanes = std::make_integer_sequence<int, static_cast<int>(L)>;
  const bool whole = lanes == L && first >= 0;
  if (stride == 1 && whole && first + L <= width) return S::load(row + first);
  if (stride == 2 && whole && first + 2 * L <= width)
    return even_lanes<T>(S::load(row + first), S::load(row + first + L), Lanes());
  const Reach reach(first, stride, width, lanes);
#if defined(WG_ISA_V4)
  if (stride <= 2) {
    const typename S::V filled = S::splat(fill);
    // Bits [lo, hi) of each element read; with stride 2 the elements between are read as well, but the last.
    const std::uint64_t one = 1;
    const index_t lo = reach.lo * stride, hi = reach.hi > reach.lo ? (reach.hi - 1) * stride + 1 : lo;
    const std::uint64_t bits = ((one << hi) - 1) & ~((one << lo) - 1);
    const typename S::V low = load_filled(row + first, static_cast<unsigned>(bits), filled);
    if (stride == 1) return low;
    return even_lanes<T>(low, load_filled(row + first + L, static_cast<unsigned>(bits >> L), filled), Lanes());
  }
#endif
  T values[L];
  for (index_t t = 0; t < L; ++t) values[t] = fill;
  for (index_t t = reach.lo; t < reach.hi; ++t) values[t] = row[first + t * stride];
  return S::load(values);
}

// Loads lanes [lo, hi) and fills the others with 0; 0 <= lo, hi <= kLanes.
template <class T>
struct LaneWindow {
#if defined(WG_ISA_V4) || defined(WG_ISA_V3)
  LaneMask mask;
  WG_INLINE LaneWindow(index_t lo, index_t hi) : mask(static_cast<int>(hi)) {
#if defined(WG_ISA_V4)
    mask.bits &= ~((1u << lo) - 1);
#else
    const LaneMask before(static_cast<int>(lo));
    mask.by4 = _mm256_andnot_si256(before.by4, mask.by4);
    mask.by8 = _mm256_andnot_si256(before.by8, mask.by8);
#endif
  }
  WG_INLINE typename Simd<T>::V load(const T* from) const { return load_lanes(from, mask); }
#else
  index_t lo, hi;
  WG_INLINE LaneWindow(index_t lo_, index_t hi_) : lo(lo_), hi(hi_) {}
  WG_INLINE typename Simd<T>::V load(const T* from) const {
    T values[Simd<T>::kLanes] = {};
    for (index_t t = lo; t < hi; ++t) values[t] = from[t];
    return Simd<T>::load(values);
  }
#endif
};

template <class T>
WG_INLINE typename Simd<T>::V load_window(const T* from, index_t lo, index_t hi) {
  return LaneWindow<T>(lo, hi).load(from);
}

}  // namespace WG_NS
}  // namespace wg
