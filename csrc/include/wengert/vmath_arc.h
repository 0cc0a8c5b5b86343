// Inverse sine, cosine and tangent of floats. Include vmath.h, not this file.
#pragma once
#include "wengert/vmath_f32.h"

namespace wg {
namespace WG_NS {
namespace vm {

// pi/2 in two parts.
constexpr float kHalfPiF = 1.57079637f, kHalfPiLowF = -4.37113883e-8f;

// With a = |x|: arcsin s = s + s t, t = z P(z), z = s*s, for s = a up to 1/2, and beyond pi/2 - arcsin a = 2 arcsin
// s, s = sqrt((1 - a) / 2). Own minimax P, 2**-30 of the result. Beyond 1 s is NaN.
struct ArcParts {
  float s, t;
  bool near;
};
WG_INLINE ArcParts arc_parts(float a) {
  constexpr float c[] = {0.16666666f, 0.07500094f, 0.044599403f, 0.031100662f, 0.017149238f, 0.033690847f};
  bool near = a <= 0.5f;
  float z = select(near, a * a, fma(a, -0.5f, 0.5f));
  return {select(near, a, sqrt(z)), poly(z, c) * z, near};
}
// pi/2 - 2 s is exact where it is small. 1.9 ulp.
WG_INLINE float asin(float x) {
  ArcParts p = arc_parts(abs(x));
  float far = (kHalfPiF - 2.0f * p.s) - (2.0f * p.s * p.t - kHalfPiLowF);
  return copysign(select(p.near, fma(p.s, p.t, p.s), far), x);
}
// 1.1 ulp.
WG_INLINE float acos(float x) {
  ArcParts p = arc_parts(abs(x));
  bool negative = x < 0.0f;
  float s = negative ? -p.s : p.s;
  float near = kHalfPiF - (s - fma(-s, p.t, kHalfPiLowF));
  float far = fma(2.0f * s, p.t, negative ? 2.0f * kHalfPiLowF : 0.0f) + 2.0f * s;
  return select(p.near, near, (negative ? 2.0f * kHalfPiF : 0.0f) + far);
}

// arctan w = w + w z P(z), z = w*w, for w = |x| up to 1 and pi/2 - arctan(1 / |x|) beyond. Own minimax P,
// 2**-29. 1.2 ulp.
WG_INLINE float atan(float x) {
  constexpr float c[] = {-0.33333334f, 0.1999995f,    -0.14284004f, 0.11088262f,   -0.08931827f,
                         0.070319146f, -0.048960514f, 0.026305001f, -0.009144629f, 0.0014886919f};
  float a = abs(x);
  bool far = a > 1.0f;
  float w = (far ? 1.0f : a) / (far ? a : 1.0f), z = w * w;
  float y = fma(poly(z, c) * z, w, w);
  return copysign(far ? kHalfPiF - (y - kHalfPiLowF) : y, x);
}

}  // namespace vm
}  // namespace WG_NS
}  // namespace wg
