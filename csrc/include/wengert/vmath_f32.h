// Float32 functions of vmath.h. Include vmath.h, not this file.
#pragma once
#include "wengert/vmath_bits.h"
#include "wengert/vmath_f64.h"

namespace wg {
namespace WG_NS {
namespace vm {

constexpr float kInfF = __builtin_inff();
constexpr float kNanF = __builtin_nanf("");
// ln 2 in two parts; the first has 9 bits, so that its product with an exponent is exact without fma.
constexpr float kLn2HiF = 0.693359375f, kLn2LoF = -2.12194440e-4f;
// 1.5 * 2**23: adding it rounds to an integer (ties to even), left in the low bits.
constexpr float kRoundF = 12582912.0f;

// e**x = 2**k (1 + p), p = r + v, v = r*r q(r), |r| <= ln(2)/2. Own minimax q, 2**-28 of e**r. `low` is a small
// addend of x beyond its last digit; -0 costs nothing.
struct ExpParts32 {
  float p, r, v;
  std::int32_t k;
};
WG_INLINE ExpParts32 exp_parts(float x, float low = -0.0f) {
  float t = fma(x, 1.44269504088896341f, kRoundF);
  float n = t - kRoundF;
  float r = fma(n, -kLn2LoF, fma(n, -kLn2HiF, x)) + low;
  constexpr float q[] = {0.49999994f, 0.16666518f, 0.041668415f, 0.008369056f, 0.0013814267f};
  float v = poly(r, q) * (r * r);
  return {r + v, r, v, static_cast<std::int32_t>(bits(t) - bits(kRoundF))};
}
// 2**k for -127 < k < 128.
WG_INLINE float pow2i(std::int32_t k) { return from_bits((k + 127) << 23); }

// e**x for any x. Cody-Waite reduction by ln 2, own polynomial, scaling in two steps so that subnormal results are
// right. 1 ulp. exp(-inf) = 0, exp(inf) = inf, NaN stays.
WG_INLINE float exp(float x) {
  float c = clamp(x, -104.0f, 89.0f);
  ExpParts32 e = exp_parts(c);
  std::int32_t half = e.k >> 1;
  return (e.p + 1.0f) * pow2i(half) * pow2i(e.k - half);
}

// 2**x = 2**k (1 + r q(r)), |r| <= 1/2, own minimax q (2**-33). 1.1 ulp. 0 and inf beyond the range, NaN stays.
WG_INLINE float exp2(float x) {
  float c = clamp(x, -151.0f, 129.0f);
  float t = c + kRoundF, r = c - (t - kRoundF);
  std::int32_t k = bits(t) - bits(kRoundF), half = k >> 1;
  constexpr float q[] = {0.6931472f,    0.2402265f,     0.05550411f,   0.009618057f,
                         0.0013333502f, 0.00015461445f, 1.5297324e-05f};
  return fma(poly(r, q), r, 1.0f) * pow2i(half) * pow2i(k - half);
}

// What ln(1 + f) has beyond f - f*f/2, for f in [sqrt(1/2) - 1, sqrt(2) - 1).
WG_INLINE float log_tail(float f) {
  constexpr float c[] = {0.33333313f, -0.2500001f,  0.20002119f,   -0.16668001f, 0.14219534f,
                         -0.1240551f, 0.118882105f, -0.116760515f, 0.067469776f};
  return poly(f, c) * f * (f * f);
}

// ln x. m in [sqrt(1/2), sqrt(2)), f = m - 1, ln m = f - f*f/2 + f*f*f P(f), own minimax P (2**-30).
// Subnormal x are scaled first. 0.8 ulp. log(+-0) = -inf, log(inf) = inf, x < 0 and NaN give NaN.
WG_INLINE float log(float x) {
  bool tiny = x < 1.17549435e-38f;
  float scaled = tiny ? x * 8388608.0f : x;
  float shift = tiny ? -23.0f : 0.0f;
  // Unsigned: the bits of negative numbers and of -0 may run over.
  auto u = static_cast<std::uint32_t>(bits(scaled));
  auto e = static_cast<std::int32_t>(u - 0x3f3504f3u) >> 23;
  float f = from_bits(static_cast<std::int32_t>(u - (static_cast<std::uint32_t>(e) << 23))) - 1.0f;
  float n = static_cast<float>(e) + shift;
  float low = fma(n, kLn2LoF, log_tail(f));
  float y = fma(n, kLn2HiF, f + fma(f * f, -0.5f, low));
  float special = x == 0.0f ? -kInfF : x < 0.0f ? kNanF : x;
  return x > 0.0f && x < kInfF ? y : special;
}

// tanh a = u / (u + 2), u = exp(2a) - 1, a = |x|. Below 0.55 it is a plus a small correction, which keeps the
// digits of a: a + (g - a u) / (u + 2), where g = u - 2a is put together without rounding u. tanh(+-0) = +-0,
// tanh(+-inf) = +-1. 1.5 ulp.
WG_INLINE float tanh(float x) {
  float a = abs(x);
  float c = a > 10.0f ? 10.0f : a;
  ExpParts32 e = exp_parts(c * 2.0f);
  float s = pow2i(e.k);
  float u = fma(e.p, s, s - 1.0f);
  float g = fma(e.v, s, fma(e.r, s, s - 1.0f) - 2.0f * c);
  bool small = c < 0.55f;
  float y = (small ? c : 0.0f) + (small ? fma(-c, u, g) : u) / (u + 2.0f);
  return copysign(y, x);
}

// Below this magnitude f(x) = x + O(x**2 or x**3) is x to float32's precision; above it float64 has digits to
// spare.
constexpr float kTinyF = 2.98023223876953125e-8f;  // 2**-25

// The next functions go through float64, whose exp and log vectorise too: at most 0.51 ulp.
// e**x - 1; -1 at -inf.
WG_INLINE float expm1(float x) {
  float y = static_cast<float>(exp(static_cast<double>(x)) - 1.0);
  return abs(x) < kTinyF ? x : y;
}
// Poles and domains are those of log.
WG_INLINE float log2(float x) { return static_cast<float>(log(static_cast<double>(x)) * 1.44269504088896340736); }
WG_INLINE float log10(float x) { return static_cast<float>(log(static_cast<double>(x)) * 0.43429448190325182765); }
// log(1 + x); -inf at -1, NaN below.
WG_INLINE float log1p(float x) {
  float y = static_cast<float>(log(1.0 + static_cast<double>(x)));
  return abs(x) < kTinyF ? x : y;
}
WG_INLINE float sinh(float x) {
  double e = exp(static_cast<double>(abs(x)));
  float y = copysign(static_cast<float>(0.5 * (e - 1.0 / e)), x);
  return abs(x) < kTinyF ? x : y;
}
WG_INLINE float cosh(float x) {
  double e = exp(static_cast<double>(abs(x)));
  return static_cast<float>(0.5 * (e + 1.0 / e));
}
// log(a + sqrt(a*a + 1)) with the sign of x.
WG_INLINE float asinh(float x) {
  double a = abs(x);
  float y = copysign(static_cast<float>(log(a + sqrt(a * a + 1.0))), x);
  return abs(x) < kTinyF ? x : y;
}
// log(x + sqrt(x*x - 1)); NaN below 1.
WG_INLINE float acosh(float x) {
  double a = x;
  return x < 1.0f ? kNanF : static_cast<float>(log(a + sqrt(a * a - 1.0)));
}
// log((1 + x) / (1 - x)) / 2; +-inf at +-1, NaN beyond.
WG_INLINE float atanh(float x) {
  double a = x;
  float y = static_cast<float>(0.5 * log((1.0 + a) / (1.0 - a)));
  return abs(x) < kTinyF ? x : y;
}
// erf t for 0 <= t < 0.93: t + t P(t*t), own minimax P (2**-31).
WG_INLINE float erf_near(float t) {
  constexpr float c[] = {0.12837917f,   -0.37612632f,  0.112836875f, -0.026858943f,
                         0.0051999073f, -0.000813002f, 8.316806e-05f};
  float z = t * t;
  return fma(poly(z, c), t, t);
}
// erf x. Below 0.92 as above, beyond 1 - exp(Q(|x|)), own minimax Q (2**-29). 1.3 ulp. erf(+-0) = +-0,
// erf(+-inf) = +-1.
WG_INLINE float erf(float x) {
  float t = abs(x);
  t = t > 4.0f ? 4.0f : t;
  constexpr float c[] = {-0.0001967828f, -1.1276709f,    -0.6371906f,   -0.10392405f,
                         0.022223165f,   -0.0030422478f, 0.00019583583f};
  ExpParts32 e = exp_parts(poly(t, c));
  float s = pow2i(e.k);
  float far = 1.0f - fma(e.p, s, s);
  return copysign(t < 0.92f ? erf_near(t) : far, x);
}

// x = n pi/2 + r by Cody-Waite in float64: |r| <= pi/4 to 2**-60 for |x| < 2**20 (n has 20 bits, the first part of
// pi/2 has 33, so n times it is exact). Arguments beyond are for the exact path of unary.cpp.
constexpr float kTrigBound = 1048576.0f;
struct TrigParts {
  double r;
  std::int32_t quadrant;
};
WG_INLINE TrigParts trig_parts(float x) {
  double d = x;
  double t = fma(d, 0.63661977236758134308, kRound);
  double n = t - kRound;
  double r = fma(n, -0x1.0b4611a626331p-34, fma(n, -0x1.921fb544p+0, d));
  return {r, static_cast<std::int32_t>(bits(t))};
}
// sin for even n, cos for odd, on |r| <= pi/4, own minimax polynomials (2**-37 and 2**-33), the sign from bit 1 of
// n.
WG_INLINE float trig_value(float r, std::int32_t quadrant) {
  float z = r * r;
  constexpr float cs[] = {-0.16666667f, 0.008333329f, -0.00019839325f, 2.718214e-06f};
  constexpr float cc[] = {0.041666646f, -0.0013887363f, 2.4437893e-05f};
  float s = fma(poly(z, cs) * z, r, r);
  float c = fma(poly(z, cc), z * z, fma(z, -0.5f, 1.0f));
  return from_bits(bits(quadrant & 1 ? c : s) ^ ((quadrant & 2) << 30));
}
// Below kTrigBound, 1.6 ulp each. The C library rounds better: beyond it 0.51 ulp.
WG_INLINE float sin(float x) {
  TrigParts p = trig_parts(x);
  float y = trig_value(static_cast<float>(p.r), p.quadrant);
  return x == 0.0f ? x : y;
}
WG_INLINE float cos(float x) {
  TrigParts p = trig_parts(x);
  return trig_value(static_cast<float>(p.r), p.quadrant + 1);
}
// sin / cos or -cos / sin of the reduced argument, in float64.
WG_INLINE float tan(float x) {
  TrigParts p = trig_parts(x);
  constexpr double cs[] = {-0x1.5555555552334p-3, 0x1.1111110c9623ep-7, -0x1.a019f94a9a7e2p-13,
                           0x1.71d774c31bfacp-19, -0x1.a963f6307814dp-26};
  constexpr double cc[] = {0x1.5555554f4413bp-5, -0x1.6c16b88dbd001p-10, 0x1.a01118bac01f2p-16,
                           -0x1.24294562ed505p-22};
  double z = p.r * p.r;
  double s = fma(poly(z, cs) * z, p.r, p.r);
  double c = fma(poly(z, cc), z * z, fma(z, -0.5, 1.0));
  bool odd = p.quadrant & 1;
  float y = static_cast<float>((odd ? -c : s) / (odd ? s : c));
  return x == 0.0f ? x : y;
}

// 0.51 ulp.
WG_INLINE float hypot(float x, float y) {
  double a = x, b = y;
  float h = static_cast<float>(sqrt(a * a + b * b));
  return select((abs(x) == kInfF) | (abs(y) == kInfF), kInfF, h);
}

// The remainder of x / y towards zero, exact: in float64, whose quotient rounds to a whole number of 28 bits, of
// which no digit is lost. For |x| < kFmodBound |y|; beyond it the C library steps through the digits.
constexpr double kFmodBound = 268435456.0;
WG_INLINE bool fmod_near(float x, float y) {
  return abs(static_cast<double>(x)) < kFmodBound * abs(static_cast<double>(y));
}
WG_INLINE float fmod_of_near(float x, float y) {
  double a = abs(static_cast<double>(x)), b = abs(static_cast<double>(y));
  double n = (a / b + kRound) - kRound, r = a - n * b;
  r = r < 0.0 ? r + b : r;
  return copysign(static_cast<float>(b == kInf ? a : r), x);
}
WG_INLINE float fmod(float x, float y) { return fmod_near(x, y) ? fmod_of_near(x, y) : __builtin_fmodf(x, y); }

}  // namespace vm
}  // namespace WG_NS
}  // namespace wg
