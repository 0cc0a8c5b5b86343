// Elementwise functions of one operand. Float functions come from vmath; integers wrap.
#include "wengert/elementwise.h"
#include "wengert/vmath.h"

namespace wg {
namespace WG_NS {
namespace {

#define WG_UNARY(name, expr)        \
  struct name##_op {                \
    template <class T>              \
    static WG_INLINE auto at(T x) { \
      return expr;                  \
    }                               \
  };

struct neg_op {
  template <class T>
  static WG_INLINE T at(T x) {
    if constexpr (is_floating<T>)
      return -x;
    else
      return static_cast<T>(Wrap<T>(0) - static_cast<Wrap<T>>(x));
  }
};
struct abs_op {
  template <class T>
  static WG_INLINE T at(T x) {
    if constexpr (is_floating<T>)
      return vm::abs(x);
    else if constexpr (is_signed_type<T>)
      return x < 0 ? neg_op::at(x) : x;
    else
      return x;
  }
};
struct square_op {
  template <class T>
  static WG_INLINE T at(T x) {
    if constexpr (is_floating<T>)
      return x * x;
    else
      return static_cast<T>(static_cast<Wrap<T>>(x) * static_cast<Wrap<T>>(x));
  }
};
struct bitwise_not_op {
  template <class T>
  static WG_INLINE T at(T x) {
    return static_cast<T>(~x);
  }
  static WG_INLINE bool at(bool x) { return !x; }
};
// sign(NaN) and sign(-0) are 0, as in PyTorch.
WG_UNARY(sign, static_cast<T>((T(0) < x) - (x < T(0))))

// Integers are whole already.
#define WG_ROUNDING(name, function) \
  struct name##_op {                \
    template <class T>              \
    static WG_INLINE T at(T x) {    \
      if constexpr (is_floating<T>) \
        return vm::function(x);     \
      else                          \
        return x;                   \
    }                               \
  };
WG_ROUNDING(floor, floor)
WG_ROUNDING(ceil, ceil)
WG_ROUNDING(trunc, trunc)
WG_ROUNDING(round, round_even)
#undef WG_ROUNDING
WG_UNARY(frac, x - vm::trunc(x))
WG_UNARY(sqrt, vm::sqrt(x))
WG_UNARY(rsqrt, T(1) / vm::sqrt(x))
WG_UNARY(reciprocal, T(1) / x)
WG_UNARY(cube, x * x * x)

WG_UNARY(exp, vm::exp(x))
WG_UNARY(exp2, vm::exp2(x))
WG_UNARY(expm1, vm::expm1(x))
WG_UNARY(log, vm::log(x))
WG_UNARY(log2, vm::log2(x))
WG_UNARY(log10, vm::log10(x))
WG_UNARY(log1p, vm::log1p(x))
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
// 0 - y rather than -y: the limit at infinity is +0.
WG_UNARY(logsigmoid, T(0) - vm::softplus(-x))
WG_UNARY(mish, vm::mish(x))
WG_UNARY(hardsigmoid, vm::clamp(x + T(3), T(0), T(6)) / T(6))
// The division first: 6x may be out of range.
WG_UNARY(hardswish, x*(vm::clamp(x + T(3), T(0), T(6)) / T(6)))

WG_UNARY(conj, x)
WG_UNARY(logical_not, x == T(0))
struct isnan_op {
  template <class T>
  static WG_INLINE bool at(T x) {
    return x != x;
  }
};
struct isinf_op {
  template <class T>
  static WG_INLINE bool at(T x) {
    if constexpr (is_floating<T>)
      return vm::abs(x) == T(__builtin_inf());
    else
      return false;
  }
};
struct isfinite_op {
  template <class T>
  static WG_INLINE bool at(T x) {
    if constexpr (is_floating<T>)
      return vm::abs(x) < T(__builtin_inf());
    else
      return true;
  }
};
struct signbit_op {
  template <class T>
  static WG_INLINE bool at(T x) {
    if constexpr (is_floating<T>)
      return vm::signbit(x);
    else
      return x < T(0);
  }
};
#undef WG_UNARY

// Note [Two paths of sin, cos and tan]
// float32 arguments below kTrigBound are reduced in float64 and vectorise; the others need the digits of pi that
// the C library carries. Each element chooses by its own size alone, but a block without a large one runs the plain
// loop.
#define WG_TRIG(name)                                                 \
  struct name##_op {                                                  \
    static WG_INLINE float near_zero(float x) { return vm::name(x); } \
    static WG_INLINE float at(float x) {                              \
      if (WG_LIKELY(vm::abs(x) < vm::kTrigBound)) return vm::name(x); \
      return static_cast<float>(vm::name(static_cast<double>(x)));    \
    }                                                                 \
    static WG_INLINE double at(double x) { return vm::name(x); }      \
  };
WG_TRIG(sin)
WG_TRIG(cos)
WG_TRIG(tan)
#undef WG_TRIG

template <class Op>
void trig_loop(const void* a, void* out, index_t n) {
  const float* x = static_cast<const float*>(a);
  float* y = static_cast<float*>(out);
  if (n == 1) {
    *y = Op::at(*x);
    return;
  }
  for (index_t start = 0; start < n; start += kBlock) {
    const index_t stop = n - start < kBlock ? n : start + kBlock;
    std::int32_t largest = 0;
    for (index_t i = start; i < stop; ++i) {
      std::int32_t size = vm::bits(vm::abs(x[i]));
      largest = size > largest ? size : largest;
    }
    if (WG_LIKELY(largest < vm::bits(vm::kTrigBound))) {
#pragma GCC ivdep
      for (index_t i = start; i < stop; ++i) y[i] = Op::near_zero(x[i]);
    } else {
      for (index_t i = start; i < stop; ++i) y[i] = Op::at(x[i]);
    }
  }
}

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_SAME(name, T) WG_UNARY_ENTRY(name, T, T)
#define WG_TEST(name, T) WG_UNARY_ENTRY(name, T, bool)
#define WG_FLOATS(name) WG_SAME(name, float), WG_SAME(name, double)
#define WG_TEST_FLOATS(name) WG_TEST(name, float), WG_TEST(name, double)
#define WG_INTS(name)                                                                   \
  WG_SAME(name, std::uint8_t), WG_SAME(name, std::int8_t), WG_SAME(name, std::int16_t), \
      WG_SAME(name, std::int32_t), WG_SAME(name, std::int64_t)
#define WG_TEST_INTS(name)                                                                                   \
  WG_TEST(name, bool), WG_TEST(name, std::uint8_t), WG_TEST(name, std::int8_t), WG_TEST(name, std::int16_t), \
      WG_TEST(name, std::int32_t), WG_TEST(name, std::int64_t)

// A real number's direction is its sign.
#define WG_SGN(T)                                             \
  {"sgn", kUnaryKernel, DTypeOf<T>::value, DTypeOf<T>::value, \
   reinterpret_cast<void*>(static_cast<UnaryFn>(unary_loop<sign_op, T, T>))}
#define WG_TRIG_ENTRY(name) \
  {#name, kUnaryKernel, kFloat32, kFloat32, reinterpret_cast<void*>(static_cast<UnaryFn>(trig_loop<name##_op>))}
// Functions that vectorise: worth a copy for each instruction set.
#define WG_FAST                                                                                                    \
  WG_FLOATS(neg), WG_FLOATS(abs), WG_FLOATS(sign), WG_FLOATS(square), WG_FLOATS(floor), WG_FLOATS(ceil),           \
      WG_FLOATS(trunc), WG_FLOATS(round), WG_FLOATS(frac), WG_FLOATS(sqrt), WG_FLOATS(rsqrt),                      \
      WG_FLOATS(reciprocal), WG_FLOATS(cube), WG_FLOATS(exp), WG_FLOATS(log), WG_FLOATS(tanh), WG_FLOATS(sigmoid), \
      WG_FLOATS(relu), WG_FLOATS(silu), WG_FLOATS(gelu), WG_FLOATS(erfc), WG_FLOATS(gelu_tanh), WG_FLOATS(mish),   \
      WG_FLOATS(hardsigmoid), WG_FLOATS(hardswish), WG_SAME(exp2, float), WG_SAME(expm1, float),                   \
      WG_SAME(log2, float), WG_SAME(log10, float), WG_SAME(log1p, float), WG_SAME(sinh, float),                    \
      WG_SAME(cosh, float), WG_SAME(asinh, float), WG_SAME(acosh, float), WG_SAME(atanh, float),                   \
      WG_SAME(erf, float), WG_SAME(asin, float), WG_SAME(acos, float), WG_SAME(atan, float),                       \
      WG_SAME(erfinv, float), WG_SAME(lgamma, float), WG_SAME(softplus, float), WG_SAME(logsigmoid, float),        \
      WG_TRIG_ENTRY(sin), WG_TRIG_ENTRY(cos), WG_TRIG_ENTRY(tan), WG_TEST_FLOATS(logical_not),                     \
      WG_TEST_FLOATS(isnan), WG_TEST_FLOATS(isinf), WG_TEST_FLOATS(isfinite), WG_TEST_FLOATS(signbit),             \
      WG_SGN(float), WG_SGN(double)
// Functions that call the C library for each element.
#define WG_SLOW                                                                                      \
  WG_SAME(exp2, double), WG_SAME(expm1, double), WG_SAME(log2, double), WG_SAME(log10, double),      \
      WG_SAME(log1p, double), WG_SAME(sin, double), WG_SAME(cos, double), WG_SAME(tan, double),      \
      WG_SAME(asin, double), WG_SAME(acos, double), WG_SAME(atan, double), WG_SAME(sinh, double),    \
      WG_SAME(cosh, double), WG_SAME(asinh, double), WG_SAME(acosh, double), WG_SAME(atanh, double), \
      WG_SAME(erf, double), WG_SAME(erfinv, double), WG_SAME(lgamma, double), WG_FLOATS(digamma),    \
      WG_SAME(softplus, double), WG_SAME(logsigmoid, double)

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(unary, WG_FAST)
#else
WG_UNIT(unary, WG_FAST, WG_SLOW, WG_FLOATS(conj), WG_INTS(neg), WG_INTS(abs), WG_INTS(sign), WG_INTS(square),
        WG_INTS(floor), WG_INTS(ceil), WG_INTS(trunc), WG_INTS(round), WG_INTS(relu), WG_SAME(sign, bool),
        WG_INTS(bitwise_not), WG_SAME(bitwise_not, bool), WG_TEST_INTS(logical_not), WG_TEST_INTS(isnan),
        WG_TEST_INTS(isinf), WG_TEST_INTS(isfinite), WG_TEST_INTS(signbit), WG_SGN(bool), WG_SGN(std::uint8_t),
        WG_SGN(std::int8_t), WG_SGN(std::int16_t), WG_SGN(std::int32_t), WG_SGN(std::int64_t))
#endif
