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

// arctan w = w + w z P(z), z = w*w, for w up to 1; own minimax P, 2**-29. Greater arguments are pi/2 less that of
// their reciprocal.
WG_INLINE float arctan_below(float w) {
  constexpr float c[] = {-0.33333334f, 0.1999995f,    -0.14284004f, 0.11088262f,   -0.08931827f,
                         0.070319146f, -0.048960514f, 0.026305001f, -0.009144629f, 0.0014886919f};
  float z = w * w;
  return fma(poly(z, c) * z, w, w);
}
// 1.2 ulp.
WG_INLINE float atan(float x) {
  float a = abs(x);
  bool far = a > 1.0f;
  float y = arctan_below((far ? 1.0f : a) / (far ? a : 1.0f));
  return copysign(far ? kHalfPiF - (y - kHalfPiLowF) : y, x);
}
// The angle of (x, y), by C's rules for signed zeros and infinities. 1.5 ulp.
WG_INLINE float atan2(float y, float x) {
  float a = abs(x), b = abs(y), low = b > a ? a : b, high = b > a ? b : a;
  float w = low / high;
  w = low == high ? (high == 0.0f ? 0.0f : 1.0f) : w;
  float r = arctan_below(w);
  r = b > a ? kHalfPiF - (r - kHalfPiLowF) : r;
  r = signbit(x) ? 2.0f * kHalfPiF - (r - 2.0f * kHalfPiLowF) : r;
  return select((x != x) | (y != y), x + y, copysign(r, y));
}

}  // namespace vm
}  // namespace WG_NS
}  // namespace wg
