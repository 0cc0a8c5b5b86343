// Activations with a parameter, which is the second operand: most often a single value.
#include "wengert/elementwise.h"
#include "wengert/vmath.h"

namespace wg {
namespace WG_NS {

struct leaky_relu_op {
  template <class T>
  static WG_INLINE T at(T x, T slope) {
    return x > T(0) ? x : x * slope;
  }
};

struct elu_op {
  template <class T>
  static WG_INLINE T at(T x, T alpha) {
    return x > T(0) ? x : alpha * vm::expm1(x);
  }
};

// A parabola between -b and b, straight lines of slope 1 and -1 beyond.
struct smooth_abs_op {
  template <class T>
  static WG_INLINE T at(T x, T b) {
    const T size = vm::abs(x);
    return vm::select(size < b, size * size * (T(0.5) / b), size - T(0.5) * b);
  }
};

}  // namespace WG_NS
}  // namespace wg

WG_UNIT(activation, WG_BINARY_ENTRY(leaky_relu, float, float), WG_BINARY_ENTRY(leaky_relu, double, double),
        WG_BINARY_ENTRY(elu, float, float), WG_BINARY_ENTRY(elu, double, double),
        WG_BINARY_ENTRY(smooth_abs, float, float), WG_BINARY_ENTRY(smooth_abs, double, double))
