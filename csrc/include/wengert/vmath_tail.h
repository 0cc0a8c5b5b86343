// The tail of the normal distribution: erfc and gelu, for both float types. Include vmath.h, not this file.
//
// Both are exp(-scale t*t) h(t) / (1 + slope t) for t > 0.46 with a smooth h, a polynomial in w = (t - center) /
// (t + center) (own, by interpolation at Chebyshev nodes with mpmath: 2**-28.4 and 2**-58 or better). Every sum,
// product and quotient on the way keeps its rounding error, and the exponent its low digits, so the error is little
// more than that of the result.
#pragma once
#include "wengert/vmath_activation.h"

namespace wg {
namespace WG_NS {
namespace vm {

// e**(-scale t*t) with the square in two parts: `high` has half of the digits.
WG_INLINE ExpParts32 gaussian(float t, float scale) {
  float high = from_bits(bits(t) & static_cast<std::int32_t>(0xfffff000));
  return exp_parts(-scale * (high * high), -scale * ((t - high) * (t + high)));
}
WG_INLINE ExpParts64 gaussian(double t, double scale) {
  double high = from_bits(bits(t) & static_cast<std::int64_t>(0xfffffffff8000000));
  return exp_parts(-scale * (high * high), -scale * ((t - high) * (t + high)));
}

// h(w) = h0 + h0_low + w poly(w, c); inverse is 1 / h to one digit.
template <class T, int N>
struct TailCurve {
  T slope, center, inverse, h0, h0_low;
  T c[N];
};
template <class T>
struct TwoParts {
  T high, low;
};
// h(t) (1 + p) / (1 + slope t).
template <class T, int N>
WG_INLINE TwoParts<T> tail(T t, T p, const TailCurve<T, N>& curve) {
  T w = (t - curve.center) / (t + curve.center);
  T s = curve.slope * t, d = T(1) + s, d_low = s - (d - T(1));
  T bend = poly_wide(w, curve.c) * w;
  T h = curve.h0 + bend, h_low = (curve.h0 - h) + bend + curve.h0_low;
  T more = h * p;
  T m = h + more, m_low = (h - m) + more + fma(h_low, p, h_low);
  T q = m / d;
  T rest = m_low - fma(q, d_low, product_less(q, d, m));
  // 1 / d = q / m, to one digit.
  return {q, rest * (q * fma(p, T(-0.94) * curve.inverse, T(1.055) * curve.inverse))};
}

constexpr TailCurve<float, 10> kErfc32 = {
    2.0f,
    3.0f,
    0.83f,
    1.253008f,
    5.1062877e-08f,
    {-0.1356211f, -0.04756241f, 0.12964506f, -0.11927096f, 0.06831035f, -0.023792785f, 0.002507347f, 0.0019639235f,
     -0.0006929093f, -0.00019327815f}};
constexpr TailCurve<float, 10> kGelu32 = {
    1.0f,
    4.0f,
    2.2f,
    0.4720532f,
    6.563418e-09f,
    {-0.09670348f, 0.013999626f, 0.028600343f, -0.032197654f, 0.01793665f, -0.005003652f, -0.00029032445f,
     0.00069746474f, -7.8008554e-05f, -8.406951e-05f}};
constexpr TailCurve<double, 22> kErfc64 = {
    2.0,
    3.0,
    0.83,
    0x1.40c522d7e4987p+0,
    0x1.98b056b54e628p-55,
    {-0x1.15c084bb9e8f2p-3,  -0x1.85a15c58aa5d4p-5,  0x1.098366a5b4652p-3,  -0x1.e88b803a4926ap-4,
     0x1.17ca2877f351fp-4,   -0x1.8574c40bd27cep-6,  0x1.4b884e3ea9592p-9,  0x1.ef1bdd497827dp-10,
     -0x1.98db502daa049p-11, -0x1.b91274327d719p-14, 0x1.065a20505baf3p-13, 0x1.4c2431fb14648p-18,
     -0x1.51386af582a3ap-16, -0x1.88331ce4df448p-21, 0x1.d1cab554ecbb9p-19, 0x1.7bfa9bb9877a7p-22,
     -0x1.48fc9a75cd05ap-21, -0x1.246d679b7138bp-23, 0x1.a15e2cc63da60p-24, 0x1.33f398ca7e4d9p-25,
     -0x1.59ea9817f7aa8p-27, -0x1.53090ec88f2f7p-28}};
constexpr TailCurve<double, 22> kGelu64 = {
    1.0,
    5.0,
    2.2,
    0x1.d8979b0f2b39dp-2,
    0x1.c01499733ac75p-56,
    {-0x1.76ff86859eb15p-4, 0x1.fc66cc64a1428p-6,   0x1.47c1d03054d5ap-7,   -0x1.b08e0007b5f74p-6,
     0x1.92037bab4142fp-6,  -0x1.f11aab02ceb3bp-7,  0x1.ab6d038f054abp-8,   -0x1.b75f4f98c8cc8p-10,
     0x1.05717ec8667f7p-17, 0x1.7e61e6a588ccdp-13,  -0x1.c1b1905806a03p-15, -0x1.4c0f7635f598cp-17,
     0x1.30003f4b48506p-17, -0x1.2ca672d012364p-24, -0x1.5eef2b4c0c505p-20, 0x1.10c5bfab6cc00p-23,
     0x1.a3d1ad31b79d9p-23, -0x1.aebe0a827b48dp-26, -0x1.fbe0f54d20050p-26, 0x1.73537bc3c49c4p-29,
     0x1.be8737cd72f5cp-29, 0x1.f99c4a9677972p-37}};

// erf t for 0 <= t < 0.5: t + t P(t*t), 2**-58.
WG_INLINE double erf_near(double t) {
  constexpr double c[] = {0x1.06eba8214db69p-3,  -0x1.812746b0379e6p-2,  0x1.ce2f21a042b29p-4,
                          -0x1.b82ce3127f739p-6, 0x1.565bcd0aa6349p-8,   -0x1.c02db23d41138p-11,
                          0x1.f9a2a6635fe79p-14, -0x1.f4bb9f7301dedp-17, 0x1.b776442df3041p-20,
                          -0x1.39fb524e9c1f7p-23};
  return fma(poly_wide(t * t, c), t, t);
}

// The types of one precision: erfc is 0 beyond `erfc_end`, gelu(-x) beyond `gelu_end`.
template <class T>
struct Tails;
template <>
struct Tails<float> {
  static constexpr float erfc_end = 10.5f, gelu_end = 14.6f;
  static constexpr const TailCurve<float, 10>& erfc = kErfc32;
  static constexpr const TailCurve<float, 10>& gelu = kGelu32;
};
template <>
struct Tails<double> {
  static constexpr double erfc_end = 27.3, gelu_end = 38.6;
  static constexpr const TailCurve<double, 22>& erfc = kErfc64;
  static constexpr const TailCurve<double, 22>& gelu = kGelu64;
};

// 1 - erf x: below 0.46 by that formula, beyond without its cancellation. 1.5 ulp in float32, 1.5 in float64.
// erfc(-inf) = 2, erfc(inf) = 0.
template <class T>
WG_INLINE T erfc(T x) {
  T t = abs(x);
  t = t > Tails<T>::erfc_end ? Tails<T>::erfc_end : t;
  auto e = gaussian(t, T(1));
  auto half = half_of(e.k);
  TwoParts<T> f = tail(t, e.p, Tails<T>::erfc);
  T far = (f.high + f.low) * pow2i(half) * pow2i(e.k - half);
  T y = t < T(0.46) ? T(1) - erf_near(t) : far;
  return x < T(0) ? T(2) - y : y;
}

// x Phi(x), Phi the normal distribution function. |x| < 0.5: x/2 + x/2 erf(x / sqrt 2); beyond max(x, 0) - t
// Phi(-t), t = |x|, Phi(-t) = erfc(t / sqrt 2) / 2. 1.7 ulp in float32, 1.6 in float64. gelu(-inf) is NaN as in
// PyTorch, gelu(inf) = inf, gelu(+-0) = +-0.
template <class T>
WG_INLINE T gelu(T x) {
  T t = abs(x);
  t = t > Tails<T>::gelu_end ? Tails<T>::gelu_end : t;
  auto e = gaussian(t, T(0.5));
  auto half = half_of(e.k);
  TwoParts<T> f = tail(t, e.p, Tails<T>::gelu);
  T m = fma(t, f.high, t * f.low) * pow2i(half) * pow2i(e.k - half);
  T h = T(0.5) * x;
  T near = fma(h, copysign(erf_near(t * T(0.70710678118654752440)), x), h);
  T far = x < T(0) ? m : x - m;
  T y = copysign(t < T(0.5) ? near : far, x);
  return x == -T(__builtin_inf()) ? T(__builtin_nan("")) : y;
}

}  // namespace vm
}  // namespace WG_NS
}  // namespace wg
