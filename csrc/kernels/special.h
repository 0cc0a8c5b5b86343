// Elementwise special functions, in float64 inside; entries of the unit `gradient`.
#pragma once
#include "wengert/special_functions.h"

#include "wengert/elementwise.h"

namespace wg {
namespace WG_NS {
namespace {

#define WG_UNARY(name, expr)                 \
  struct name##_op {                         \
    template <class T>                       \
    static T at(T value) {                   \
      double x = static_cast<double>(value); \
      return static_cast<T>(expr);           \
    }                                        \
  };
#define WG_BINARY(name, expr)                                                 \
  struct name##_op {                                                          \
    template <class T>                                                        \
    static T at(T first, T second) {                                          \
      double a = static_cast<double>(first), b = static_cast<double>(second); \
      return static_cast<T>(expr);                                            \
    }                                                                         \
  };

WG_UNARY(i0, special::bessel_i(x, 0))
WG_UNARY(i0e, special::bessel_i_scaled(x, 0))
WG_UNARY(i1, special::bessel_i(x, 1))
WG_UNARY(i1e, special::bessel_i_scaled(x, 1))
WG_UNARY(bessel_j0, __builtin_j0(x))
WG_UNARY(bessel_j1, __builtin_j1(x))
WG_UNARY(bessel_y0, __builtin_y0(x))
WG_UNARY(bessel_y1, __builtin_y1(x))
WG_UNARY(erfcx, special::erfcx_of(x))
WG_UNARY(log_ndtr, special::log_ndtr_of(x))
WG_UNARY(ndtri, special::ndtri_of(x))
WG_BINARY(polygamma, special::polygamma_of(a, static_cast<int>(b)))
WG_BINARY(zeta, special::zeta_of(a, b))
WG_BINARY(igamma, special::gamma_part(a, b, false))
WG_BINARY(igammac, special::gamma_part(a, b, true))
#undef WG_UNARY
#undef WG_BINARY

struct gcd_op {
  template <class T>
  static T at(T a, T b) {
    return static_cast<T>(special::common_divisor(special::magnitude(a), special::magnitude(b)));
  }
};
// The smallest number that both divide; 0 where one of them is 0. Wraps where it does not fit.
struct lcm_op {
  template <class T>
  static T at(T a, T b) {
    std::uint64_t x = special::magnitude(a), y = special::magnitude(b), d = special::common_divisor(x, y);
    std::int64_t product = d ? static_cast<std::int64_t>(x / d * y) : 0;
    return static_cast<T>(product < 0 ? 0 - static_cast<std::uint64_t>(product) : product);
  }
};

}  // namespace
}  // namespace WG_NS
}  // namespace wg
