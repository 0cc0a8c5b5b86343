// Elementwise kernels that gradient rules need beside the public functions.
#include "wengert/elementwise.h"
#include "wengert/vmath.h"

namespace wg {
namespace WG_NS {

// a / b, but 0 where a is exactly 0: a masked gradient stays 0 whatever it is divided by.
struct zdiv_op {
  template <class T>
  static WG_INLINE T at(T a, T b) {
    return a == T(0) ? T(0) : a / b;
  }
};

#if !defined(WG_ISA_V3) && !defined(WG_ISA_V4)
// psi'(x). Negative x by reflection pi**2 / sin(pi x)**2 - psi'(1 - x); x < 10 by psi'(x) = psi'(x+1) + 1/x**2;
// then the asymptotic series 1/x + 1/(2x**2) + sum B(2k) / x**(2k+1) to k = 7 (DLMF 5.15.8). Relative error <
// 1e-13. psi'(+-0) = inf, psi'(-n) = inf, psi'(inf) = 0.
static double trigamma_value(double x) {
  constexpr double kPi = 3.14159265358979323846;
  double sign = 1.0, sum = 0.0;
  if (x <= 0.0) {
    double whole = vm::round_even(x);  // the distance to it is exact
    if (whole == x) return __builtin_inf();
    double s = __builtin_sin(kPi * (x - whole));
    sum = -(kPi / s) * (kPi / s);
    sign = -1.0;
    x = 1.0 - x;
  }
  while (x < 10.0) {
    sum += 1.0 / (x * x);
    x += 1.0;
  }
  double w = 1.0 / (x * x);
  constexpr double b[] = {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6};
  double series = 0.0;
  for (int k = 6; k >= 0; --k) series = series * w + b[k];
  return sign * (sum + 1.0 / x + 0.5 * w + series * w / x);
}
struct trigamma_op {
  template <class T>
  static T at(T x) {
    return static_cast<T>(trigamma_value(static_cast<double>(x)));
  }
};
#endif

}  // namespace WG_NS
}  // namespace wg

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(gradient, WG_BINARY_ENTRY(zdiv, float, float), WG_BINARY_ENTRY(zdiv, double, double))
#else
WG_UNIT(gradient, WG_BINARY_ENTRY(zdiv, float, float), WG_BINARY_ENTRY(zdiv, double, double),
        WG_UNARY_ENTRY(trigamma, float, float), WG_UNARY_ENTRY(trigamma, double, double))
#endif
