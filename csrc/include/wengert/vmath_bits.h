// The smallest parts of vmath.h: bits, rounding, fma, choices, polynomials. Include vmath.h, not this file.
#pragma once
#include "wengert/config.h"

namespace wg {
namespace WG_NS {
namespace vm {

template <class To, class From>
WG_INLINE To bit_cast(From x) {
  static_assert(sizeof(To) == sizeof(From), "bit_cast keeps the size");
  To y;
  __builtin_memcpy(&y, &x, sizeof y);
  return y;
}
WG_INLINE std::int32_t bits(float x) { return bit_cast<std::int32_t>(x); }
WG_INLINE std::int64_t bits(double x) { return bit_cast<std::int64_t>(x); }
WG_INLINE float from_bits(std::int32_t i) { return bit_cast<float>(i); }
WG_INLINE double from_bits(std::int64_t i) { return bit_cast<double>(i); }

constexpr std::int32_t kSign32 = INT32_MIN;
constexpr std::int64_t kSign64 = INT64_MIN;

WG_INLINE float abs(float x) { return from_bits(bits(x) & ~kSign32); }
WG_INLINE double abs(double x) { return from_bits(bits(x) & ~kSign64); }
WG_INLINE float copysign(float x, float s) { return from_bits((bits(x) & ~kSign32) | (bits(s) & kSign32)); }
WG_INLINE double copysign(double x, double s) { return from_bits((bits(x) & ~kSign64) | (bits(s) & kSign64)); }
WG_INLINE bool signbit(float x) { return bits(x) < 0; }
WG_INLINE bool signbit(double x) { return bits(x) < 0; }
WG_INLINE bool isfinite(float x) { return (bits(x) & 0x7f800000) != 0x7f800000; }
WG_INLINE bool isfinite(double x) { return abs(x) < __builtin_inf(); }

WG_INLINE float fma(float a, float b, float c) { return WG_FMAF(a, b, c); }
WG_INLINE double fma(double a, double b, double c) { return WG_FMA(a, b, c); }
// a * b - c where the difference is small: the rounding error of a product c, or what a quotient a = c / b leaves.
// Without fma float32 takes its product in float64 and float64 halves its factors (Dekker 1971; |a|, |b| < 2**996).
WG_INLINE float product_less(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return WG_FMAF(a, b, -c);
#else
  return static_cast<float>(static_cast<double>(a) * b - c);
#endif
}
WG_INLINE double product_less(double a, double b, double c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return WG_FMA(a, b, -c);
#else
  double sa = 134217729.0 * a, sb = 134217729.0 * b, p = a * b;
  double ah = sa - (sa - a), bh = sb - (sb - b), al = a - ah, bl = b - bh;
  return (p - c) + (((ah * bh - p) + ah * bl + al * bh) + al * bl);
#endif
}
WG_INLINE float sqrt(float x) { return __builtin_sqrtf(x); }
WG_INLINE double sqrt(double x) { return __builtin_sqrt(x); }
WG_INLINE float floor(float x) { return __builtin_floorf(x); }
WG_INLINE double floor(double x) { return __builtin_floor(x); }
WG_INLINE float ceil(float x) { return __builtin_ceilf(x); }
WG_INLINE double ceil(double x) { return __builtin_ceil(x); }
WG_INLINE float trunc(float x) { return __builtin_truncf(x); }
WG_INLINE double trunc(double x) { return __builtin_trunc(x); }
WG_INLINE float round_even(float x) { return __builtin_rintf(x); }
WG_INLINE double round_even(double x) { return __builtin_rint(x); }

// c ? a : b by masks. Where b is costly the compiler turns a plain choice into a branch around it, and a loop with
// a branch does not vectorise.
WG_INLINE float select(bool c, float a, float b) {
  std::int32_t mask = -static_cast<std::int32_t>(c);
  return from_bits((bits(a) & mask) | (bits(b) & ~mask));
}
WG_INLINE double select(bool c, double a, double b) {
  std::int64_t mask = -static_cast<std::int64_t>(c);
  return from_bits((bits(a) & mask) | (bits(b) & ~mask));
}

// NaN passes; bounds are numbers.
template <class T>
WG_INLINE T clamp(T x, T lo, T hi) {
  T y = x < lo ? lo : x;
  return y > hi ? hi : y;
}

// c[0] + c[1] x + ..., by Horner's rule; `c` must be a constant expression for the loop to unroll.
template <class T, int N>
WG_INLINE T poly(T x, const T (&c)[N]) {
  T p = c[N - 1];
#pragma GCC unroll 32
  for (int i = N - 2; i >= 0; --i) p = fma(p, x, c[i]);
  return p;
}
// The same as four polynomials in x**4 side by side: a chain a third as long, for degrees that a loop waits for.
template <class T, int N>
WG_INLINE T poly_wide(T x, const T (&c)[N]) {
  static_assert(N >= 4, "four chains");
  T p[4], square = x * x, fourth = square * square;
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    constexpr int last = N - 1;
    p[k] = c[last - (last - k) % 4];
#pragma GCC unroll 32
    for (int i = last - (last - k) % 4 - 4; i >= 0; i -= 4) p[k] = fma(p[k], fourth, c[i]);
  }
  return fma(fma(p[3], x, p[2]), square, fma(p[1], x, p[0]));
}

}  // namespace vm
}  // namespace WG_NS
}  // namespace wg
