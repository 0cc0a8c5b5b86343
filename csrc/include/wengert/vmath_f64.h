// Float64 functions of vmath.h. Include vmath.h, not this file.
//
// exp, log and tanh are our own and vectorise; the float32 functions that need more digits use them too.
// The others call the C library (errors below 2 ulp with glibc 2.36).
#pragma once
#include "wengert/vmath_bits.h"

namespace wg {
namespace WG_NS {
namespace vm {

constexpr double kInf = __builtin_inf();
constexpr double kNan = __builtin_nan("");
// ln 2 in two parts; the first has 32 bits, so that its product with an exponent is exact without fma.
constexpr double kLn2Hi = 0x1.62e42feep-1, kLn2Lo = 0x1.a39ef35793c76p-33;
// 1.5 * 2**52: adding it rounds to an integer (ties to even), left in the low bits.
constexpr double kRound = 6755399441055744.0;

// e**x = 2**k (1 + p), p = r + v, v = r*r q(r), |r| <= ln(2)/2. Own minimax q, 2**-57 of e**r. `low` is a small
// addend of x beyond its last digit.
struct ExpParts64 {
  double p, r, v;
  std::int64_t k;
};
WG_INLINE ExpParts64 exp_parts(double x, double low = -0.0) {
  double t = fma(x, 1.44269504088896340736, kRound);
  double n = t - kRound;
  double r = fma(n, -kLn2Lo, fma(n, -kLn2Hi, x)) + low;
  constexpr double q[] = {0x1.000000000000ap-1,  0x1.55555555554f5p-3,  0x1.5555555550576p-5,
                          0x1.1111111128b99p-7,  0x1.6c16c184e00e5p-10, 0x1.a01a01267ecedp-13,
                          0x1.a0199803abc14p-16, 0x1.71df2a96714b1p-19, 0x1.28af690b3b81ap-22,
                          0x1.ad7c5e4e45c38p-26};
  double v = poly(r, q) * (r * r);
  return {r + v, r, v, bits(t) - bits(kRound)};
}
// 2**k for -1023 < k < 1024.
WG_INLINE double pow2i(std::int64_t k) { return bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52); }
// Half of an exponent, rounded down. AVX2 has no arithmetic shift of 64 bits, so the shift is of a positive number.
WG_INLINE std::int64_t half_of(std::int64_t k) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(k + 8192) >> 1) - 4096;
}

// e**x for any x. Cody-Waite reduction by ln 2, own polynomial, scaling in two steps so that subnormal results are
// right. 1 ulp. exp(-inf) = 0, exp(inf) = inf, NaN stays.
WG_INLINE double exp(double x) {
  double c = clamp(x, -746.0, 710.0);
  ExpParts64 e = exp_parts(c);
  std::int64_t half = half_of(e.k);
  return (e.p + 1.0) * pow2i(half) * pow2i(e.k - half);
}

// ln x, by s = f / (2 + f), f = m - 1, m in [sqrt(1/2), sqrt(2)): ln(1 + f) = 2s + s**3 R(s*s), own minimax R
// (2**-58). Subnormal x are scaled first. 0.9 ulp. log(+-0) = -inf, log(inf) = inf, x < 0 and NaN give NaN.
WG_INLINE double log(double x) {
  constexpr std::int64_t kSqrtHalf = 0x3fe6a09e667f3bcd, kOne = 0x3ff0000000000000;
  bool tiny = x < 2.2250738585072014e-308;
  double scaled = tiny ? x * 18014398509481984.0 : x;  // 2**54
  double bias = tiny ? 1077.0 : 1023.0;
  // Unsigned: the bits of NaN may run over.
  auto u = static_cast<std::int64_t>(static_cast<std::uint64_t>(bits(scaled)) + (kOne - kSqrtHalf));
  double f = from_bits((u & 0x000fffffffffffff) + kSqrtHalf) - 1.0;
  // The biased exponent, as the low bits of 2**52.
  std::int64_t e = static_cast<std::int64_t>((static_cast<std::uint64_t>(u) >> 52) | 0x4330000000000000);
  double n = from_bits(e) - 4503599627370496.0 - bias;
  constexpr double c[] = {0x1.5555555555597p-1, 0x1.999999997e24fp-2, 0x1.249249438aea8p-2, 0x1.c71c50aab0913p-3,
                          0x1.74668a61d76d1p-3, 0x1.3999c778a6ec9p-3, 0x1.2f58d1896fa33p-3};
  double s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
  double low = fma(n, kLn2Lo, s * fma(z, poly(z, c), half));
  double y = fma(n, kLn2Hi, f - (half - low));
  double special = x == 0.0 ? -kInf : x < 0.0 ? kNan : x;
  return x > 0.0 && x < kInf ? y : special;
}

// tanh a = u / (u + 2), u = exp(2a) - 1, a = |x|. Below 0.55 it is a plus a small correction, which keeps the
// digits of a: a + (g - a u) / (u + 2), where g = u - 2a is put together without rounding u. tanh(+-0) = +-0,
// tanh(+-inf) = +-1. 1.8 ulp.
WG_INLINE double tanh(double x) {
  double a = abs(x);
  double c = a > 22.0 ? 22.0 : a;
  ExpParts64 e = exp_parts(c * 2.0);
  double s = pow2i(e.k);
  double u = fma(e.p, s, s - 1.0);
  double g = fma(e.v, s, fma(e.r, s, s - 1.0) - 2.0 * c);
  bool small = c < 0.55;
  double y = (small ? c : 0.0) + (small ? fma(-c, u, g) : u) / (u + 2.0);
  return copysign(y, x);
}

// log(1 + a), a = t + sqrt(t*(t + 2)), t = x - 1, with the digits that t*(t + 2), its root and the sum lose. 1.4
// ulp (the C library of glibc 2.36: 2.3). NaN below 1, inf at inf.
WG_INLINE double acosh(double x) {
  if (!(x >= 1.0 && x < 1e9)) return __builtin_acosh(x);
  double t = x - 1.0, v = t * (t + 2.0);
  double s = sqrt(v);
  double low = product_less(t, t + 2.0, v) - t * (((t + 2.0) - 2.0) - t) - product_less(s, s, v);
  double a = s + t, rest = (s - a) + t + (s > 0.0 ? 0.5 * low / s : 0.0);
  return __builtin_log1p(a) + rest / (1.0 + a);
}

WG_INLINE double exp2(double x) { return __builtin_exp2(x); }
WG_INLINE double expm1(double x) { return __builtin_expm1(x); }
WG_INLINE double log2(double x) { return __builtin_log2(x); }
WG_INLINE double log10(double x) { return __builtin_log10(x); }
WG_INLINE double log1p(double x) { return __builtin_log1p(x); }
WG_INLINE double sin(double x) { return __builtin_sin(x); }
WG_INLINE double cos(double x) { return __builtin_cos(x); }
WG_INLINE double tan(double x) { return __builtin_tan(x); }
WG_INLINE double asin(double x) { return __builtin_asin(x); }
WG_INLINE double acos(double x) { return __builtin_acos(x); }
WG_INLINE double atan(double x) { return __builtin_atan(x); }
WG_INLINE double sinh(double x) { return __builtin_sinh(x); }
WG_INLINE double cosh(double x) { return __builtin_cosh(x); }
WG_INLINE double asinh(double x) { return __builtin_asinh(x); }
WG_INLINE double atanh(double x) { return __builtin_atanh(x); }
WG_INLINE double erf(double x) { return __builtin_erf(x); }
WG_INLINE double atan2(double x, double y) { return __builtin_atan2(x, y); }
WG_INLINE double hypot(double x, double y) { return __builtin_hypot(x, y); }
WG_INLINE double pow(double x, double y) { return __builtin_pow(x, y); }
WG_INLINE double fmod(double x, double y) { return __builtin_fmod(x, y); }

}  // namespace vm
}  // namespace WG_NS
}  // namespace wg
