// Activation and other composed functions, for both float types. Include vmath.h, not this file.
#pragma once
#include "wengert/vmath_bits.h"
#include "wengert/vmath_f32.h"
#include "wengert/vmath_f64.h"

namespace wg {
namespace WG_NS {
namespace vm {

// Half of an exponent, rounded down, and a bound beyond which x exp(-x) is 0.
WG_INLINE std::int32_t half_of(std::int32_t k) { return k >> 1; }
template <class T>
constexpr T kExpBound = sizeof(T) == 4 ? T(115) : T(760);

// c e / (1 + e), e = exp(-(u + u_low)), for 0 <= c <= u or c = 1. e = s (1 + p): the product c (1 + p) and the sum
// 1 + e keep their rounding errors, which correct the quotient; that takes 1 / (1 + e) to one digit only. The last
// scaling of e comes at the end, so that subnormal results are right.
template <class T>
WG_INLINE T times_tail(T c, T u, T u_low = T(0)) {
  constexpr T bound = kExpBound<T>;  // limits c too: beyond it the result is 0
  auto e = exp_parts(u > bound ? -bound : -u, -u_low);
  auto half = half_of(e.k);
  T first = pow2i(half), last = pow2i(e.k - half), s = first * last;
  T t = fma(e.p, s, s), d = T(1) + t, d_low = t - (d - T(1));
  c = (c > bound ? bound : c) * first;
  T more = c * e.p, m = c + more, m_low = (c - m) + more;
  T q = m / d;
  return fma(fma(-q, d_low, m_low), fma(t, T(-0.46), T(0.96)), q) * last;
}

// 1 / (1 + exp(-x)) = s / (1 + s + p), where exp(-x) = (1 + p) / s: the sum 1 + s keeps its rounding error, so that
// there are two more roundings only. s may be subnormal. 1.5 ulp in float32, 1.5 in float64. sigmoid(-inf) = 0,
// sigmoid(inf) = 1.
template <class T>
WG_INLINE T sigmoid(T x) {
  // From `ones` on the result is 1, below -`zeros` 0; 2**-k = 2**(digits - k) 2**-digits.
  constexpr T ones = sizeof(T) == 4 ? T(18) : T(38), zeros = sizeof(T) == 4 ? T(104) : T(746);
  constexpr int digits = sizeof(T) == 4 ? 24 : 54;
  auto e = exp_parts(clamp(-x, -ones, zeros));
  T s = pow2i(digits - e.k) * (sizeof(T) == 4 ? T(0x1p-24) : T(0x1p-54));
  T sum = T(1) + s, low = s - (sum - T(1));
  return s / (sum + (e.p + low));
}

// x sigmoid(u) = max(x, 0) - |x| exp(-|u|) / (1 + exp(-|u|)) for x and u of the same sign. NaN for x = -inf, as in
// PyTorch
// (-inf * 0).
template <class T>
WG_INLINE T from_tail(T x, T y) {
  y = x < T(0) ? -y : x - y;
  return x == -T(__builtin_inf()) ? T(__builtin_nan("")) : y;
}

// x sigmoid(x). 1.6 ulp in float32, 1.5 in float64.
template <class T>
WG_INLINE T silu(T x) {
  T a = abs(x);
  return from_tail(x, times_tail(a, a));
}

// x sigmoid(u), u = sqrt(8/pi) (x + 0.044715 x**3): the same as x/2 (1 + tanh(u/2)) without its cancellation. The
// relative error of u counts |u|-fold in the tail, so float32 goes through float64 (0.51 ulp) and float64 carries u
// = x (A + B x*x) in two parts (1.5 ulp). NaN at -inf.
WG_INLINE double gelu_tanh(double x) {
  constexpr double kA = 0x1.9884533d43651p+0, kALow = -0x1.cbc0d30ebfd15p-54;  // sqrt(8/pi)
  constexpr double kB = 0x1.2444f2a4d8b4bp-4, kBLow = -0x1.6c843a29d1c70p-61;  // 0.044715 times that
  double c = abs(x);
  c = c > 40.0 ? 40.0 : c;
  double square = c * c, square_low = product_less(c, c, square);
  double b = kB * square;
  double b_low = product_less(kB, square, b) + fma(kB, square_low, kBLow * square);
  double g = kA + b, part = g - kA;
  double g_low = (kA - (g - part)) + (b - part) + (b_low + kALow);
  double u = c * g;
  return from_tail(x, times_tail(c, u, fma(c, g_low, product_less(c, g, u))));
}
WG_INLINE float gelu_tanh(float x) {
  double d = x, u = 1.59576912160573071176 * d * fma(0.044715 * d, d, 1.0);
  float y = static_cast<float>(d / (1.0 + exp(-u)));
  return x == -kInfF ? kNanF : y;
}

// log(1 + e**x) = max(x, 0) + log1p(t), t = exp(-|x|). 1.7 ulp in float32, 1.5 in float64. In float32 t and 1 + t
// keep their rounding errors, which are added to the logarithm times 1 / (1 + t), to one digit but right at t = 0.
WG_INLINE float softplus(float x) {
  float a = abs(x);
  ExpParts32 e = exp_parts(a > 104.0f ? -104.0f : -a);
  auto half = half_of(e.k);
  float first = pow2i(half), last = pow2i(e.k - half);
  float one = 1.0f + e.p, t = one * first * last, t_low = (e.p - (one - 1.0f)) * first * last;
  float u = 1.0f + t, u_low = (t - (u - 1.0f)) + t_low;
  bool upper = u > 1.41421354f;
  float f = (upper ? 0.5f * u : u) - 1.0f, n = upper ? 1.0f : 0.0f;
  float low = fma(n, kLn2LoF, fma(u_low, fma(t, fma(t, 0.45f, -0.95f), 1.0f), log_tail(f)));
  float y = fma(n, kLn2HiF, f + fma(f * f, -0.5f, low));
  return (x < 0.0f ? 0.0f : x) + y;
}
WG_INLINE double softplus(double x) { return (x < 0.0 ? 0.0 : x) + log1p(exp(-abs(x))); }

// x tanh(softplus(x)) = x w / (w + 2), w = e (e + 2), e = exp(x). In float64 with t = exp(-|x|): x (1 - f), f =
// 2t*t / (1 + 2t + 2t*t) for x >= 0, and x t (1 - f), f = t (1 + t) / (2 + 2t + t*t) below, the product x t in two
// parts and scaled last. 0.51 ulp in float32, 1.9 in float64. NaN at -inf, as in PyTorch.
WG_INLINE double mish(double x) {
  constexpr double bound = kExpBound<double>;
  bool negative = x < 0.0;
  double size = abs(x);
  ExpParts64 e = exp_parts(size > bound ? -bound : -size);
  std::int64_t half = half_of(e.k);
  double first = pow2i(half), last = pow2i(e.k - half), s = first * last, t = fma(e.p, s, s);
  double c = (size > bound ? bound : size) * (negative ? first : 1.0), more = c * (negative ? e.p : 0.0);
  double m = c + more, m_low = (c - m) + more;
  double a = negative ? t : 2.0 * t, n = negative ? 2.0 : fma(2.0, t, 1.0);
  double b = fma(a, t, negative ? a : 0.0);
  double g = negative ? 2.0 + t : t, d = fma(a, g, n), d_low = fma(a, g, n - d);
  double f = b / d, rest = fma(f, d_low, product_less(f, d, b));
  // 1 / d is 0.2 at t = 1, where the error of f counts most.
  double y = m + fma(-m, f, fma(0.2 * m, rest, m_low));
  y = copysign(y * (negative ? last : 1.0), x);
  y = x > bound ? x : y;
  return x == -kInf ? kNan : y;
}
WG_INLINE float mish(float x) {
  double e = exp(x > 40.0f ? 40.0 : static_cast<double>(x)), w = e * (e + 2.0);
  float y = static_cast<float>(x * (w / (w + 2.0)));
  return x > 40.0f ? x : y;
}

// log(e**a + e**b) = max + log1p(exp(-|a - b|)). Equal infinities give themselves, NaN propagates.
WG_INLINE double logaddexp(double a, double b) {
  double high = a > b || a != a ? a : b;
  double y = high + log1p(exp(-abs(a - b)));
  return a == b && !isfinite(a) ? a : y;
}
WG_INLINE float logaddexp(float a, float b) {
  double high = a > b || a != a ? a : b;
  double e = exp(-abs(static_cast<double>(a) - static_cast<double>(b)));
  float y = static_cast<float>(high + (e < 1e-5 ? e - 0.5 * e * e : log(1.0 + e)));
  return a == b && !isfinite(a) ? a : y;
}

// The next float after x towards y, by stepping its bits.
WG_INLINE float nextafter(float x, float y) {
  std::int32_t i = bits(x);
  std::int32_t step = (y > x) == (x > 0.0f) ? 1 : -1;
  float moved = x == 0.0f ? copysign(from_bits(std::int32_t(1)), y) : from_bits(i + step);
  return x != x || y != y ? x + y : x == y ? y : moved;
}
WG_INLINE double nextafter(double x, double y) {
  std::int64_t i = bits(x);
  std::int64_t step = (y > x) == (x > 0.0) ? 1 : -1;
  double moved = x == 0.0 ? copysign(from_bits(std::int64_t(1)), y) : from_bits(i + step);
  return x != x || y != y ? x + y : x == y ? y : moved;
}

}  // namespace vm
}  // namespace WG_NS
}  // namespace wg
