// The power of two floats. Include vmath.h, not this file.
#pragma once
#include "wengert/vmath_f32.h"

namespace wg {
namespace WG_NS {
namespace vm {

// ln a for a float a >= 0, in float64 to 2**-36: as log, with a shorter polynomial and without subnormal numbers,
// which floats are not in float64.
WG_INLINE double log_of_float(float a) {
  constexpr std::int64_t kSqrtHalf = 0x3fe6a09e667f3bcd, kOne = 0x3ff0000000000000;
  double x = a;
  auto u = static_cast<std::uint64_t>(bits(x)) + static_cast<std::uint64_t>(kOne - kSqrtHalf);
  double f = from_bits(static_cast<std::int64_t>(u & 0x000fffffffffffff) + kSqrtHalf) - 1.0;
  // The biased exponent, as the low bits of 2**52.
  double n = from_bits(static_cast<std::int64_t>((u >> 52) | 0x4330000000000000)) - (4503599627370496.0 + 1023.0);
  constexpr double c[] = {0x1.5555554bb2b2cp-1, 0x1.9999eb5d84f14p-2, 0x1.245c438323e9ap-2, 0x1.ddced7078dd3ap-3};
  double s = f / (2.0 + f), z = s * s;
  double y = fma(n, kLn2Hi + kLn2Lo, fma(s * z, poly(z, c), s + s));
  return x > 0.0 ? (x < kInf ? y : x) : -kInf;
}
// e**x rounded to a float, from float64 to 2**-32: as exp, with a shorter polynomial and scaled in one step.
WG_INLINE float exp_to_float(double x) {
  double c = clamp(x, -300.0, 300.0);
  double t = fma(c, 1.44269504088896340736, kRound), n = t - kRound;
  double r = fma(n, -(kLn2Hi + kLn2Lo), c);
  constexpr double q[] = {0x1.0000000ba132cp-1, 0x1.5555555a800cdp-3,  0x1.5554e8a22b84cp-5,
                          0x1.1110e0c5c7f50p-7, 0x1.6d43af18200d3p-10, 0x1.a1256cd2f13c2p-13};
  double p = fma(poly(r, q), r * r, r);
  return static_cast<float>((p + 1.0) * pow2i(bits(t) - bits(kRound)));
}

// x**y = exp(y log|x|) with C's special cases: 1 for y = 0 or x = 1 whatever the other is, the sign of an odd whole
// y, NaN for a negative finite x with a fractional y. 0.51 ulp.
WG_INLINE float pow(float x, float y) {
  float a = abs(x), size = abs(y);
  // From 2**24 on every float is an even whole number.
  float capped = size < 16777216.0f ? size : 16777216.0f;
  std::int32_t whole = static_cast<std::int32_t>(capped);
  // All ones if y has a fraction: the difference is +0 or negative.
  std::int32_t fractional = bits(static_cast<float>(whole) - capped) >> 31;
  std::int32_t odd_sign = static_cast<std::int32_t>(static_cast<std::uint32_t>(whole) << 31) & ~fractional;
  float r = exp_to_float(static_cast<double>(y) * log_of_float(a));
  r = select((a == 1.0f) & (size == kInfF), 1.0f, r);
  r = from_bits(bits(r) | (odd_sign & bits(x)));
  r = select((x < 0.0f) & (a < kInfF) & (fractional != 0), kNanF, r);
  r = select((x != x) | (y != y), x + y, r);
  return select((x == 1.0f) | (y == 0.0f), 1.0f, r);
}

}  // namespace vm
}  // namespace WG_NS
}  // namespace wg
