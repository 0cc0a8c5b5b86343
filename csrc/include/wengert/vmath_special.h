// Rare special functions: of float64 one element at a time. Include vmath.h, not this file.
#pragma once
#include "wengert/vmath_bits.h"
#include "wengert/vmath_f32.h"
#include "wengert/vmath_f64.h"

namespace wg {
namespace WG_NS {
namespace vm {

// log|gamma(x)|, computed by the C library. lgamma(0) and lgamma(-n) are +inf.
WG_INLINE double lgamma(double x) { return __builtin_lgamma(x); }
// Of floats in float64, without a branch. With y = x, or 1 - x below 1/2, and z = y, or y + 8 below 8: Stirling's
// series at z (DLMF 5.11.1, 1e-11), less the log of the product of the numbers stepped over, and by reflection
// log(pi / |sin pi x|) - log gamma(y) below 1/2; sin pi r / r by its own minimax polynomial for |r| <= 1/2
// (2**-42).
WG_INLINE float lgamma(float value) {
  constexpr double sine[] = {0x1.921fb54442bb4p+1,  -0x1.4abbce624ad99p+2, 0x1.466bc66ed3d1cp+1,
                             -0x1.32d2c9b2d1df5p-1, 0x1.50770f6a5a66bp-4,  -0x1.e29b82ab98ea9p-8,
                             0x1.d53abdeb199c1p-12};
  constexpr double series[] = {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680};
  double x = value;
  bool reflected = x < 0.5;
  double y = reflected ? 1.0 - x : x;
  bool shifted = y < 8.0;
  double product = y;
#pragma GCC unroll 8
  for (int k = 1; k < 8; ++k) product *= y + k;
  product = shifted ? product : 1.0;
  double z = shifted ? y + 8.0 : y, inverse = 1.0 / z;
  double stirling = fma(z - 0.5, log(z), 0.91893853320467274178 - z) + inverse * poly(inverse * inverse, series);
  // Beyond 2**51 every float is whole.
  double r = abs(x) < 2251799813685248.0 ? x - ((x + kRound) - kRound) : 0.0;
  double over = log(reflected ? 3.14159265358979323846 * product / abs(poly(r * r, sine) * r) : product);
  double found = reflected ? over - stirling : stirling - over;
  found = abs(x) == kInf ? kInf : found;
  return static_cast<float>(reflected & (r == 0.0) ? kInf : found);
}

// psi(x) = d/dx log gamma(x). Negative x by reflection psi(1-x) - pi/tan(pi x), x < 10 by the recurrence
// psi(x) = psi(x+1) - 1/x, then the asymptotic series (DLMF 5.11.2) to x**-14. Error < 1e-13 (relative, or absolute
// near a zero). psi(+-0) = -+inf, psi(-n) = NaN, psi(-inf) = NaN, psi(inf) = inf.
static WG_NOINLINE double digamma(double x) {
  constexpr double kPi = 3.14159265358979323846;
  if (x == 0.0) return copysign(__builtin_inf(), -x);
  double sum = 0.0;
  if (x < 0.0) {
    double whole = round_even(x);
    if (whole == x || !isfinite(x)) return __builtin_nan("");
    // tan has period pi: only the distance to the nearest whole number matters, and it is exact.
    sum = -kPi / __builtin_tan(kPi * (x - whole));
    x = 1.0 - x;
  }
  while (x < 10.0) {
    sum -= 1.0 / x;
    x += 1.0;
  }
  if (x > 1e17) return sum + __builtin_log(x);
  double w = 1.0 / (x * x);
  // Bernoulli numbers B(2k) / (2k), k = 1..7.
  constexpr double c[] = {1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12};
  return sum + (__builtin_log(x) - 0.5 / x - w * poly(w, c));
}
WG_INLINE float digamma(float x) { return static_cast<float>(digamma(static_cast<double>(x))); }

// Inverse of erf: a first guess from sqrt-log asymptotics (Winitzki 2008), then Halley steps on erf, or on erfc in
// the tails where erf has no digits left. Error < 1e-14 relative. erfinv(+-1) = +-inf, |x| > 1 and NaN give NaN.
[[maybe_unused]] static WG_NOINLINE double erfinv(double x) {
  double a = abs(x);
  if (!(a < 1.0)) return a == 1.0 ? copysign(__builtin_inf(), x) : __builtin_nan("");
  constexpr double kTwoOverSqrtPi = 1.12837916709551257390;
  if (a < 1e-9) return x / kTwoOverSqrtPi;  // the next term is relative x*x*pi/12
  double l = __builtin_log1p(-a * a);
  double b = 4.33074675078997 + 0.5 * l;  // 2 / (pi * 0.147) + l / 2
  double y = sqrt(sqrt(b * b - l / 0.147) - b);
  for (int step = 0; step < 3; ++step) {
    double e = a < 0.5 ? __builtin_erf(y) - a : (1.0 - a) - __builtin_erfc(y);
    double u = e / (kTwoOverSqrtPi * __builtin_exp(-y * y));
    y -= u / (1.0 + y * u);
  }
  return copysign(y, x);
}
// Of floats: x P(w), w = -log(1 - x*x), as Giles (2010) splits it: below 5 a polynomial in w, beyond in sqrt(w).
// Own minimax P (2**-27). 2 ulp.
WG_INLINE float erfinv(float x) {
  constexpr float near[] = {1.5014093f,     0.2466403f,     -0.00417732f,    -0.0012527485f,
                            0.00021825773f, -4.959692e-06f, -3.4234142e-06f, 4.654174e-07f,
                            1.5984305e-08f, -8.73901e-09f,  4.6719323e-10f};
  constexpr float far[] = {2.8329768f,     1.0016752f,    0.009445525f,    -0.007643216f,
                           0.005684935f,   -0.003563986f, 0.0014869792f,   -0.00013029455f,
                           -0.0002983082f, 0.0001772467f, -1.6613169e-05f, -1.0527834e-05f};
  float a = abs(x), w = -log((1.0f - a) * (1.0f + a));
  float p = w < 5.0f ? poly(w - 2.5f, near) : poly(sqrt(w) - 3.0f, far);
  return select(a == 1.0f, copysign(kInfF, x), p * x);
}

}  // namespace vm
}  // namespace WG_NS
}  // namespace wg
