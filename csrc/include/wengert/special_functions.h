// Special functions of mathematics in float64, one element at a time: polygamma and zeta, Bessel functions, the
// normal distribution, incomplete gamma functions, after the Digital Library of Mathematical Functions (DLMF).
#pragma once
#include <cstdint>

#include "wengert/config.h"

namespace wg {
namespace WG_NS {
namespace special {

constexpr double kPi = 3.14159265358979323846;
constexpr double kEps = 2.220446049250313e-16;

// ---- zeta and polygamma ----------------------------------------------------------------------------------

// Hurwitz zeta, the sum of (q + k)**-s for k >= 0, s > 1 and q > 0: terms until q + k is large, then the
// Euler-Maclaurin formula (DLMF 25.11.5) to the twelfth Bernoulli number.
static inline double zeta_positive(double s, double q) {
  double sum = 0.0, a = q;
  double far = s > 10.0 ? 1.5 * s : 12.0;
  while (a < far) {
    double term = __builtin_pow(a, -s);
    sum += term;
    if (term < kEps * sum * 1e-2) return sum;
    a += 1.0;
  }
  // B(2k) / (2k)!
  constexpr double b[] = {1.0 / 12,
                          -1.0 / 720,
                          1.0 / 30240,
                          -1.0 / 1209600,
                          1.0 / 47900160,
                          -691.0 / 1307674368000.0,
                          1.0 / 74724249600.0,
                          -3617.0 / 10670622842880000.0,
                          43867.0 / 5109094217170944000.0,
                          -174611.0 / 802857662698291200000.0,
                          77683.0 / 14101100039391805440000.0,
                          -236364091.0 / 1693824136731743669452800000.0};
  double power = __builtin_pow(a, -s);
  sum += power * a / (s - 1.0) + 0.5 * power;
  double factor = s * power / a, up = s;
  for (double c : b) {
    double term = c * factor;
    sum += term;
    if (__builtin_fabs(term) < kEps * __builtin_fabs(sum) * 0.1) break;
    factor *= (up + 1.0) * (up + 2.0) / (a * a);
    up += 2.0;
  }
  return sum;
}

// d**n/dx**n of pi cot(pi x), by the derivatives of a polynomial in the cotangent: cot' = -(1 + cot**2).
static inline double cotangent_derivative(int n, double x) {
  constexpr int kMost = 64;
  if (n > kMost) return __builtin_nan("");
  double p[kMost + 2] = {0.0, 1.0};
  for (int step = 0; step < n; ++step) {
    double next[kMost + 2] = {0.0};
    for (int k = 1; k <= step + 1; ++k) {
      next[k - 1] -= k * p[k];
      next[k + 1] -= k * p[k];
    }
    for (int k = 0; k <= step + 2; ++k) p[k] = next[k];
  }
  double whole = __builtin_nearbyint(x);  // the period is 1, and the distance to it is exact
  double c = 1.0 / __builtin_tan(kPi * (x - whole)), value = 0.0;
  for (int k = n + 1; k >= 0; --k) value = value * c + p[k];
  return value * __builtin_pow(kPi, n + 1);
}

// The n-th derivative of digamma, n >= 1: (-1)**(n+1) n! zeta(n + 1, x); for negative x by reflection
// (DLMF 5.15.6). Poles give inf, as does x = 0.
static inline double polygamma_of(double x, int n) {
  double sign = n & 1 ? 1.0 : -1.0;
  if (x != x) return x;
  if (x > 0.0) {
    if (x == __builtin_inf()) return sign * 0.0;
    return sign * __builtin_tgamma(n + 1.0) * zeta_positive(n + 1.0, x);
  }
  if (x == __builtin_floor(x)) return x == -__builtin_inf() ? __builtin_nan("") : __builtin_inf();
  double mirrored = sign * __builtin_tgamma(n + 1.0) * zeta_positive(n + 1.0, 1.0 - x);
  return (n & 1 ? -mirrored : mirrored) - cotangent_derivative(n, x);
}

// Hurwitz zeta for all arguments: 1 is the pole, below it there is no sum. A q of 0 or a negative whole number is a
// pole; other negative q only have a value for whole s.
static inline double zeta_of(double s, double q) {
  if (s != s || q != q) return __builtin_nan("");
  if (s == 1.0) return __builtin_inf();
  if (s < 1.0) return __builtin_nan("");
  if (q > 0.0) return q == __builtin_inf() ? 0.0 : zeta_positive(s, q);
  if (q == __builtin_floor(q)) return __builtin_inf();
  if (s != __builtin_floor(s) || s > 64.0) return __builtin_nan("");
  int n = static_cast<int>(s) - 1;
  return (n & 1 ? 1.0 : -1.0) * polygamma_of(q, n) / __builtin_tgamma(s);
}

// ---- modified Bessel functions of the first kind, orders 0 and 1 ---------------------------------------------

// exp(-|x|) I_order(x): the power series (DLMF 10.25.2), all terms positive, to |x| = 20; beyond, the expansion for
// large x (DLMF 10.40.1), whose smallest term is exp(-2 |x|).
static inline double bessel_i_scaled(double x, int order) {
  double a = __builtin_fabs(x), value;
  if (a <= 20.0) {
    double quarter = 0.25 * a * a, term = order ? 0.5 * a : 1.0, sum = term;
    for (int k = 1; k < 100 && term > kEps * 0.1 * sum; ++k) {
      term *= quarter / (static_cast<double>(k) * (k + order));
      sum += term;
    }
    value = sum * __builtin_exp(-a);
  } else {
    double mu = order ? 4.0 : 0.0, term = 1.0, sum = 1.0;
    for (int k = 1; k < 60; ++k) {
      double odd = 2.0 * k - 1.0;
      double next = -term * (mu - odd * odd) / (8.0 * k * a);
      if (!(__builtin_fabs(next) < __builtin_fabs(term)) || __builtin_fabs(next) < kEps * 0.1) break;
      sum += term = next;
    }
    value = a == __builtin_inf() ? 0.0 : sum / __builtin_sqrt(2.0 * kPi * a);
  }
  return order ? __builtin_copysign(value, x) : x != x ? x : value;
}
static inline double bessel_i(double x, int order) {
  double a = __builtin_fabs(x), scaled = bessel_i_scaled(x, order);
  if (a == __builtin_inf()) return order ? x : a;
  return a > 700.0 ? scaled * __builtin_exp(0.5 * a) * __builtin_exp(0.5 * a) : scaled * __builtin_exp(a);
}

// ---- the normal distribution ---------------------------------------------------------------------------------

// exp(x**2) erfc(x). To x = 10 the product, with the square in two parts so that its rounding does no harm; beyond,
// the expansion for large x (DLMF 7.12.1).
static inline double erfcx_of(double x) {
  if (x != x) return x;
  if (x < 10.0) {
    if (x < -26.7) return __builtin_inf();
    double square = x * x, rest = __builtin_fma(x, x, -square);
    return __builtin_exp(square) * (1.0 + rest) * __builtin_erfc(x);
  }
  double w = 0.5 / (x * x), term = 1.0, sum = 1.0;
  for (int k = 1; k < 20; ++k) {
    term *= -w * (2.0 * k - 1.0);
    sum += term;
    if (__builtin_fabs(term) < kEps * 0.1) break;
  }
  return sum / (x * __builtin_sqrt(kPi));
}

constexpr double kRootHalf = 0.70710678118654752440;

// log of the normal distribution function.
static inline double log_ndtr_of(double x) {
  if (x < -1.0) return __builtin_log(0.5 * erfcx_of(-x * kRootHalf)) - 0.5 * x * x;
  return __builtin_log1p(-0.5 * __builtin_erfc(x * kRootHalf));
}

// The inverse of the normal distribution function: Newton's steps on its logarithm, which is concave. 0 and 1 give
// -inf and inf, anything outside NaN.
static inline double ndtri_of(double p) {
  if (!(p >= 0.0 && p <= 1.0)) return __builtin_nan("");
  if (p == 0.0) return -__builtin_inf();
  if (p == 1.0) return __builtin_inf();
  if (p == 0.5) return 0.0;
  bool upper = p > 0.5;
  double tail = upper ? 1.0 - p : p, goal = __builtin_log(tail);
  double x = tail > 0.1 ? (tail - 0.5) * 2.5 : -__builtin_sqrt(-2.0 * goal);
  for (int step = 0; step < 40; ++step) {
    double slope = 0.79788456080286535588 / erfcx_of(-x * kRootHalf);  // sqrt(2 / pi)
    double move = (log_ndtr_of(x) - goal) / slope;
    x -= move;
    if (__builtin_fabs(move) <= kEps * __builtin_fabs(x)) break;
  }
  return upper ? -x : x;
}

// ---- incomplete gamma functions --------------------------------------------------------------------------------

// x**a exp(-x) / gamma(a + 1)
static inline double gamma_density(double a, double x) {
  return __builtin_exp(a * __builtin_log(x) - x - __builtin_lgamma(a + 1.0));
}
// P(a, x) by its series (DLMF 8.7.1), for x < a + 1.
static inline double gamma_series(double a, double x) {
  double term = 1.0, sum = 1.0;
  for (double k = a + 1.0; k < a + 10000.0 && term > kEps * 0.1 * sum; k += 1.0) sum += term *= x / k;
  return sum * gamma_density(a, x);
}
// Q(a, x) by its continued fraction (DLMF 8.9.2, Lentz's way), for x >= a + 1.
static inline double gamma_fraction(double a, double x) {
  double b = x + 1.0 - a, c = 1e300, d = 1.0 / b, h = d;
  for (int k = 1; k < 10000; ++k) {
    double n = -k * (k - a);
    b += 2.0;
    d = n * d + b;
    c = b + n / c;
    if (d == 0.0) d = 1e-300;
    if (c == 0.0) c = 1e-300;
    d = 1.0 / d;
    h *= d * c;
    if (__builtin_fabs(d * c - 1.0) < kEps) break;
  }
  return h * a * gamma_density(a, x);
}
// P(a, x), or with `upper` Q(a, x) = 1 - P(a, x). Negative arguments have no value.
static inline double gamma_part(double a, double x, bool upper) {
  double low;  // P
  if (!(a >= 0.0 && x >= 0.0)) return __builtin_nan("");
  if (a == 0.0)
    low = x > 0.0 ? 1.0 : __builtin_nan("");
  else if (x == 0.0)
    low = 0.0;
  else if (a == __builtin_inf())
    low = x == __builtin_inf() ? __builtin_nan("") : 0.0;
  else if (x == __builtin_inf())
    low = 1.0;
  else if (x < a + 1.0)
    low = gamma_series(a, x);
  else
    return upper ? gamma_fraction(a, x) : 1.0 - gamma_fraction(a, x);
  return upper ? 1.0 - low : low;
}

// ---- whole numbers ---------------------------------------------------------------------------------------------

static inline std::uint64_t magnitude(std::int64_t v) {
  return v < 0 ? 0 - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v);
}
static inline std::uint64_t common_divisor(std::uint64_t a, std::uint64_t b) {
  while (b) {
    std::uint64_t r = a % b;
    a = b;
    b = r;
  }
  return a;
}

}  // namespace special
}  // namespace WG_NS
}  // namespace wg
