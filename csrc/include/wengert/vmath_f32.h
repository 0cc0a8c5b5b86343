// Float32 functions of vmath.h. Include vmath.h, not this file.
#pragma once
#include "wengert/vmath.h"

namespace wg {
namespace WG_NS {
namespace vm {

constexpr float kInfF = __builtin_inff();
constexpr float kNanF = __builtin_nanf("");
// ln 2 in two parts; the first has 9 bits, so that its product with an exponent is exact without fma.
constexpr float kLn2HiF = 0.693359375f, kLn2LoF = -2.12194440e-4f;
// 1.5 * 2**23: adding it rounds to an integer (ties to even), left in the low bits.
constexpr float kRoundF = 12582912.0f;

// exp(x) - 1 = 2**k (1 + p) - 1 with |r| <= ln(2)/2, p = r + r*r q(r). Own minimax q, 2**-28 of exp(r).
struct ExpParts {
  float p;
  std::int32_t k;
};
WG_INLINE ExpParts exp_parts(float x) {
  float t = fma(x, 1.44269504088896341f, kRoundF);
  float n = t - kRoundF;
  float r = fma(n, -kLn2LoF, fma(n, -kLn2HiF, x));
  constexpr float q[] = {0.49999994f, 0.16666518f, 0.041668415f, 0.008369056f, 0.0013814267f};
  return {fma(poly(r, q), r * r, r), static_cast<std::int32_t>(bits(t) - bits(kRoundF))};
}
// 2**k for -127 < k < 128.
WG_INLINE float pow2i(std::int32_t k) { return from_bits((k + 127) << 23); }

// e**x. Any x; Cody-Waite reduction by ln 2, own polynomial, scaling in two steps so that subnormal results are
// right. 0.99 ulp. exp(-inf) = 0, exp(inf) = inf, NaN stays.
WG_INLINE float exp(float x) {
  float c = x < -104.0f ? -104.0f : x;
  c = c > 89.0f ? 89.0f : c;
  ExpParts e = exp_parts(c);
  std::int32_t half = e.k >> 1;
  return (e.p + 1.0f) * pow2i(half) * pow2i(e.k - half);
}

// ln x. m in [sqrt(1/2), sqrt(2)), f = m - 1, ln m = f - f*f/2 + f*f*f P(f), own minimax P (2**-30).
// Subnormal x are scaled first. 0.8 ulp. log(+-0) = -inf, log(inf) = inf, x < 0 and NaN give NaN.
WG_INLINE float log(float x) {
  bool tiny = x < 1.17549435e-38f;
  float scaled = tiny ? x * 8388608.0f : x;
  float shift = tiny ? -23.0f : 0.0f;
  std::int32_t e = (bits(scaled) - 0x3f3504f3) >> 23;
  float f = from_bits(bits(scaled) - (e << 23)) - 1.0f;
  float n = static_cast<float>(e) + shift;
  constexpr float c[] = {0.33333313f,  -0.2500001f,  0.20002119f,   -0.16668001f, 0.14219534f,
                         -0.1240551f, 0.118882105f, -0.116760515f, 0.067469776f};
  float s = f * f;
  float low = fma(n, kLn2LoF, poly(f, c) * f * s);
  float y = fma(n, kLn2HiF, f + fma(s, -0.5f, low));
  float special = x == 0.0f ? -kInfF : x < 0.0f ? kNanF : x;
  return x > 0.0f && x < kInfF ? y : special;
}

// tanh x = -u / (2 + u), u = exp(-2|x|) - 1, with the sign of x. 1.6 ulp. tanh(+-0) = +-0, tanh(+-inf) = +-1.
WG_INLINE float tanh(float x) {
  float a = abs(x);
  float c = a > 10.0f ? 10.0f : a;
  ExpParts e = exp_parts(c * 2.0f);
  float s = pow2i(e.k);
  float u = fma(e.p, s, s - 1.0f);
  float y = u / (u + 2.0f);
  return copysign(y, x);
}

// 1 / (1 + exp(-x)). 2.3 ulp. sigmoid(-inf) = 0, sigmoid(inf) = 1.
WG_INLINE float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }

WG_INLINE float exp2(float x) { return __builtin_exp2f(x); }
WG_INLINE float expm1(float x) { return __builtin_expm1f(x); }
WG_INLINE float log2(float x) { return __builtin_log2f(x); }
WG_INLINE float log10(float x) { return __builtin_log10f(x); }
WG_INLINE float log1p(float x) { return __builtin_log1pf(x); }
WG_INLINE float sin(float x) { return __builtin_sinf(x); }
WG_INLINE float cos(float x) { return __builtin_cosf(x); }
WG_INLINE float tan(float x) { return __builtin_tanf(x); }
WG_INLINE float asin(float x) { return __builtin_asinf(x); }
WG_INLINE float acos(float x) { return __builtin_acosf(x); }
WG_INLINE float atan(float x) { return __builtin_atanf(x); }
WG_INLINE float sinh(float x) { return __builtin_sinhf(x); }
WG_INLINE float cosh(float x) { return __builtin_coshf(x); }
WG_INLINE float asinh(float x) { return __builtin_asinhf(x); }
WG_INLINE float acosh(float x) { return __builtin_acoshf(x); }
WG_INLINE float atanh(float x) { return __builtin_atanhf(x); }
WG_INLINE float erf(float x) { return __builtin_erff(x); }
WG_INLINE float erfc(float x) { return __builtin_erfcf(x); }
WG_INLINE float atan2(float y, float x) { return __builtin_atan2f(y, x); }
WG_INLINE float hypot(float x, float y) { return __builtin_hypotf(x, y); }
WG_INLINE float pow(float x, float y) { return __builtin_powf(x, y); }
WG_INLINE float fmod(float x, float y) { return __builtin_fmodf(x, y); }

}  // namespace vm
}  // namespace WG_NS
}  // namespace wg
