// Float64 functions of vmath.h. Include vmath.h, not this file.
#pragma once
#include "wengert/vmath.h"

namespace wg {
namespace WG_NS {
namespace vm {

constexpr double kInf = __builtin_inf();
constexpr double kNan = __builtin_nan("");

WG_INLINE double exp(double x) { return __builtin_exp(x); }
WG_INLINE double exp2(double x) { return __builtin_exp2(x); }
WG_INLINE double expm1(double x) { return __builtin_expm1(x); }
WG_INLINE double log(double x) { return __builtin_log(x); }
WG_INLINE double log2(double x) { return __builtin_log2(x); }
WG_INLINE double log10(double x) { return __builtin_log10(x); }
WG_INLINE double log1p(double x) { return __builtin_log1p(x); }
WG_INLINE double sin(double x) { return __builtin_sin(x); }
WG_INLINE double cos(double x) { return __builtin_cos(x); }
WG_INLINE double tan(double x) { return __builtin_tan(x); }
WG_INLINE double asin(double x) { return __builtin_asin(x); }
WG_INLINE double acos(double x) { return __builtin_acos(x); }
WG_INLINE double atan(double x) { return __builtin_atan(x); }
WG_INLINE double sinh(double x) { return __builtin_sinh(x); }
WG_INLINE double cosh(double x) { return __builtin_cosh(x); }
WG_INLINE double tanh(double x) { return __builtin_tanh(x); }
WG_INLINE double asinh(double x) { return __builtin_asinh(x); }
WG_INLINE double acosh(double x) { return __builtin_acosh(x); }
WG_INLINE double atanh(double x) { return __builtin_atanh(x); }
WG_INLINE double erf(double x) { return __builtin_erf(x); }
WG_INLINE double erfc(double x) { return __builtin_erfc(x); }
WG_INLINE double atan2(double x, double y) { return __builtin_atan2(x, y); }
WG_INLINE double hypot(double x, double y) { return __builtin_hypot(x, y); }
WG_INLINE double pow(double x, double y) { return __builtin_pow(x, y); }
WG_INLINE double fmod(double x, double y) { return __builtin_fmod(x, y); }
WG_INLINE double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

}  // namespace vm
}  // namespace WG_NS
}  // namespace wg
