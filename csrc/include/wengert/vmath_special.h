// Rare special functions, one element at a time in float64. Include vmath.h, not this file.
#pragma once
#include "wengert/vmath_bits.h"
#include "wengert/vmath_f64.h"

namespace wg {
namespace WG_NS {
namespace vm {

// log|gamma(x)|, computed by the C library. lgamma(0) and lgamma(-n) are +inf.
WG_INLINE double lgamma(double x) { return __builtin_lgamma(x); }
WG_INLINE float lgamma(float x) { return static_cast<float>(__builtin_lgamma(static_cast<double>(x))); }

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
static WG_NOINLINE double erfinv(double x) {
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
WG_INLINE float erfinv(float x) { return static_cast<float>(erfinv(static_cast<double>(x))); }

}  // namespace vm
}  // namespace WG_NS
}  // namespace wg
