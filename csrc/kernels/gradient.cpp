// Elementwise kernels of gradient rules and of special functions: none of them is worth a unit of its own.
#include "special.h"

namespace wg {
namespace WG_NS {

// a / b, but 0 where a is exactly 0: a masked gradient stays 0 whatever it is divided by.
struct zdiv_op {
  template <class T>
  static WG_INLINE T at(T a, T b) {
    return a == T(0) ? T(0) : a / b;
  }
};

}  // namespace WG_NS
}  // namespace wg

#define WG_ONE(name) WG_UNARY_ENTRY(name, float, float), WG_UNARY_ENTRY(name, double, double)
#define WG_TWO(name) WG_BINARY_ENTRY(name, float, float), WG_BINARY_ENTRY(name, double, double)
#define WG_WHOLE(name)                                                                                      \
  WG_BINARY_ENTRY(name, std::uint8_t, std::uint8_t), WG_BINARY_ENTRY(name, std::int8_t, std::int8_t),       \
      WG_BINARY_ENTRY(name, std::int16_t, std::int16_t), WG_BINARY_ENTRY(name, std::int32_t, std::int32_t), \
      WG_BINARY_ENTRY(name, std::int64_t, std::int64_t)
WG_UNIT(gradient, WG_TWO(zdiv), WG_ONE(i0), WG_ONE(i0e), WG_ONE(i1), WG_ONE(i1e), WG_ONE(bessel_j0),
        WG_ONE(bessel_j1), WG_ONE(bessel_y0), WG_ONE(bessel_y1), WG_ONE(erfcx), WG_ONE(log_ndtr), WG_ONE(ndtri),
        WG_TWO(polygamma), WG_TWO(zeta), WG_TWO(igamma), WG_TWO(igammac), WG_WHOLE(gcd), WG_WHOLE(lcm))
