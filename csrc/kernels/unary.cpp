// Elementwise functions of one operand. Float functions come from vmath; integers wrap.
#include "wengert/elementwise.h"
#include "wengert/vmath.h"

namespace wg {
namespace WG_NS {
namespace {

#define WG_UNARY(name, expr)                      \
  struct name##_op {                              \
    template <class T>                            \
    static WG_INLINE auto at(T x) { return expr; } \
  };

struct neg_op {
  template <class T>
  static WG_INLINE T at(T x) {
    if constexpr (is_floating<T>) return -x;
    else return static_cast<T>(Wrap<T>(0) - static_cast<Wrap<T>>(x));
  }
};
struct abs_op {
  template <class T>
  static WG_INLINE T at(T x) {
    if constexpr (is_floating<T>) return vm::abs(x);
    else if constexpr (is_signed_type<T>) return x < 0 ? neg_op::at(x) : x;
    else return x;
  }
};
struct square_op {
  template <class T>
  static WG_INLINE T at(T x) {
    if constexpr (is_floating<T>) return x * x;
    else return static_cast<T>(static_cast<Wrap<T>>(x) * static_cast<Wrap<T>>(x));
  }
};
struct bitwise_not_op {
  template <class T>
  static WG_INLINE T at(T x) { return static_cast<T>(~x); }
  static WG_INLINE bool at(bool x) { return !x; }
};
// sign(NaN) and sign(-0) are 0, as in PyTorch.
WG_UNARY(sign, static_cast<T>((T(0) < x) - (x < T(0))))

WG_UNARY(floor, vm::floor(x))
WG_UNARY(ceil, vm::ceil(x))
WG_UNARY(trunc, vm::trunc(x))
WG_UNARY(round, vm::round_even(x))
WG_UNARY(frac, x - vm::trunc(x))
WG_UNARY(sqrt, vm::sqrt(x))
WG_UNARY(rsqrt, T(1) / vm::sqrt(x))
WG_UNARY(reciprocal, T(1) / x)

WG_UNARY(exp, vm::exp(x))
WG_UNARY(exp2, vm::exp2(x))
WG_UNARY(expm1, vm::expm1(x))
WG_UNARY(log, vm::log(x))
WG_UNARY(log2, vm::log2(x))
WG_UNARY(log10, vm::log10(x))
WG_UNARY(log1p, vm::log1p(x))
WG_UNARY(sin, vm::sin(x))
WG_UNARY(cos, vm::cos(x))
WG_UNARY(tan, vm::tan(x))
WG_UNARY(asin, vm::asin(x))
WG_UNARY(acos, vm::acos(x))
WG_UNARY(atan, vm::atan(x))
WG_UNARY(sinh, vm::sinh(x))
WG_UNARY(cosh, vm::cosh(x))
WG_UNARY(tanh, vm::tanh(x))
WG_UNARY(asinh, vm::asinh(x))
WG_UNARY(acosh, vm::acosh(x))
WG_UNARY(atanh, vm::atanh(x))
WG_UNARY(erf, vm::erf(x))
WG_UNARY(erfc, vm::erfc(x))
WG_UNARY(erfinv, vm::erfinv(x))
WG_UNARY(lgamma, vm::lgamma(x))
WG_UNARY(digamma, vm::digamma(x))

// NaN passes: the comparison is false.
WG_UNARY(relu, x < T(0) ? T(0) : x)
WG_UNARY(sigmoid, vm::sigmoid(x))
WG_UNARY(silu, vm::silu(x))
WG_UNARY(gelu, vm::gelu(x))
WG_UNARY(gelu_tanh, vm::gelu_tanh(x))
WG_UNARY(softplus, vm::softplus(x))
WG_UNARY(logsigmoid, -vm::softplus(-x))
WG_UNARY(mish, vm::mish(x))
WG_UNARY(hardsigmoid, vm::clamp(x + T(3), T(0), T(6)) / T(6))
WG_UNARY(hardswish, x * vm::clamp(x + T(3), T(0), T(6)) / T(6))

WG_UNARY(logical_not, x == T(0))
struct isnan_op {
  template <class T>
  static WG_INLINE bool at(T x) { return x != x; }
};
struct isinf_op {
  template <class T>
  static WG_INLINE bool at(T x) {
    if constexpr (is_floating<T>) return vm::abs(x) == T(__builtin_inf());
    else return false;
  }
};
struct isfinite_op {
  template <class T>
  static WG_INLINE bool at(T x) {
    if constexpr (is_floating<T>) return vm::abs(x) < T(__builtin_inf());
    else return true;
  }
};
struct signbit_op {
  template <class T>
  static WG_INLINE bool at(T x) {
    if constexpr (is_floating<T>) return vm::signbit(x);
    else return x < T(0);
  }
};
#undef WG_UNARY

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_SAME(name, T) WG_UNARY_ENTRY(name, T, T)
#define WG_TEST(name, T) WG_UNARY_ENTRY(name, T, bool)
#define WG_FLOATS(name) WG_SAME(name, float), WG_SAME(name, double)
#define WG_TEST_FLOATS(name) WG_TEST(name, float), WG_TEST(name, double)
#define WG_INTS(name) \
  WG_SAME(name, std::uint8_t), WG_SAME(name, std::int8_t), WG_SAME(name, std::int16_t), \
  WG_SAME(name, std::int32_t), WG_SAME(name, std::int64_t)
#define WG_TEST_INTS(name) \
  WG_TEST(name, bool), WG_TEST(name, std::uint8_t), WG_TEST(name, std::int8_t), WG_TEST(name, std::int16_t), \
  WG_TEST(name, std::int32_t), WG_TEST(name, std::int64_t)

// Functions that vectorise: worth a copy for each instruction set.
#define WG_FAST \
  WG_FLOATS(neg), WG_FLOATS(abs), WG_FLOATS(sign), WG_FLOATS(square), WG_FLOATS(floor), WG_FLOATS(ceil), \
  WG_FLOATS(trunc), WG_FLOATS(round), WG_FLOATS(frac), WG_FLOATS(sqrt), WG_FLOATS(rsqrt), \
  WG_FLOATS(reciprocal), WG_FLOATS(exp), WG_FLOATS(log), WG_FLOATS(tanh), WG_FLOATS(sigmoid), WG_FLOATS(relu), \
  WG_FLOATS(silu), WG_FLOATS(gelu), WG_FLOATS(gelu_tanh), WG_FLOATS(hardsigmoid), WG_FLOATS(hardswish), \
  WG_TEST_FLOATS(logical_not), WG_TEST_FLOATS(isnan), WG_TEST_FLOATS(isinf), WG_TEST_FLOATS(isfinite), \
  WG_TEST_FLOATS(signbit)
// Functions that call the C library for each element.
#define WG_SLOW \
  WG_FLOATS(exp2), WG_FLOATS(expm1), WG_FLOATS(log2), WG_FLOATS(log10), WG_FLOATS(log1p), WG_FLOATS(sin), \
  WG_FLOATS(cos), WG_FLOATS(tan), WG_FLOATS(asin), WG_FLOATS(acos), WG_FLOATS(atan), WG_FLOATS(sinh), \
  WG_FLOATS(cosh), WG_FLOATS(asinh), WG_FLOATS(acosh), WG_FLOATS(atanh), WG_FLOATS(erf), WG_FLOATS(erfc), \
  WG_FLOATS(erfinv), WG_FLOATS(lgamma), WG_FLOATS(digamma), WG_FLOATS(softplus), WG_FLOATS(logsigmoid), \
  WG_FLOATS(mish)

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(unary, WG_FAST)
#else
WG_UNIT(unary, WG_FAST, WG_SLOW, WG_INTS(neg), WG_INTS(abs), WG_INTS(sign), WG_INTS(square), WG_INTS(bitwise_not),
        WG_SAME(bitwise_not, bool), WG_TEST_INTS(logical_not), WG_TEST_INTS(isnan), WG_TEST_INTS(isinf),
        WG_TEST_INTS(isfinite), WG_TEST_INTS(signbit))
#endif
