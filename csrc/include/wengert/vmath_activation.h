// Activation and other composed functions, for both float types. Include vmath.h, not this file.
#pragma once
#include "wengert/vmath.h"

namespace wg {
namespace WG_NS {
namespace vm {

// x sigmoid(x). silu(-inf) is NaN, as in PyTorch (-inf * 0).
template <class T>
WG_INLINE T silu(T x) { return x / (T(1) + exp(-x)); }

// x Phi(x), Phi the normal distribution function.
template <class T>
WG_INLINE T gelu(T x) { return T(0.5) * x * (T(1) + erf(x * T(0.70710678118654752440))); }

// x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x**3): the same as x/2 (1 + tanh u) without its cancellation.
template <class T>
WG_INLINE T gelu_tanh(T x) {
  T u = T(1.59576912160573071176) * x * fma(T(0.044715) * x, x, T(1));
  return x / (T(1) + exp(-u));
}

// log(1 + e**x) = max(x, 0) + log1p(exp(-|x|)).
template <class T>
WG_INLINE T softplus(T x) { return (x < T(0) ? T(0) : x) + log1p(exp(-abs(x))); }

// x tanh(softplus(x)) = x w / (w + 2), w = e (e + 2), e = exp(x). Above 20 the quotient is 1.
template <class T>
WG_INLINE T mish(T x) {
  T e = exp(x > T(20) ? T(20) : x);
  T w = e * (e + T(2));
  T y = x * (w / (w + T(2)));
  return x > T(20) ? x : y;
}

// log(e**a + e**b). Equal infinities give themselves.
template <class T>
WG_INLINE T logaddexp(T a, T b) {
  T high = a > b || a != a ? a : b;
  T y = high + log1p(exp(-abs(a - b)));
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
