// Conversions between element types, named "to_<target>" with the source as dtype.
//
// Float to integer outside the target's range is undefined in C++; here it is what x86-64 does, as in PyTorch:
// int32 and int64 give their smallest value (also for NaN), narrower integers keep the low bits of the conversion
// to int32. Float to bool is x != 0, so NaN is true. Integer to integer keeps the low bits.
#include "wengert/elementwise.h"

namespace wg {
namespace WG_NS {
namespace {

template <class T>
WG_INLINE std::int32_t float_to_int32(T x) {
  return x >= T(-2147483648.0) && x < T(2147483648.0) ? static_cast<std::int32_t>(x) : INT32_MIN;
}
template <class T>
WG_INLINE std::int64_t float_to_int64(T x) {
  return x >= T(-9223372036854775808.0) && x < T(9223372036854775808.0) ? static_cast<std::int64_t>(x) : INT64_MIN;
}

template <class R, class T>
WG_INLINE R convert(T x) {
  constexpr DType to = DTypeOf<R>::value, from = DTypeOf<T>::value;
  if constexpr (from == kFloat16) {
    if constexpr (to == kFloat16)
      return x;
    else
      return convert<R>(half_to_float(x));
  } else if constexpr (from == kBFloat16) {
    if constexpr (to == kBFloat16)
      return x;
    else
      return convert<R>(bfloat_to_float(x));
  } else if constexpr (is_complex_type<T>) {
    if constexpr (is_complex_type<R>)
      return R{static_cast<decltype(R::re)>(x.re), static_cast<decltype(R::re)>(x.im)};
    else if constexpr (to == kBool)
      return x.re != 0 || x.im != 0;
    else
      return convert<R>(x.re);  // the imaginary part is dropped
  } else if constexpr (is_complex_type<R>) {
    return R{convert<decltype(R::re)>(x), 0};
  } else if constexpr (to == kFloat16) {
    return float_to_half(static_cast<float>(x));
  } else if constexpr (to == kBFloat16) {
    return float_to_bfloat(static_cast<float>(x));
  } else if constexpr (to == kBool) {
    return x != T(0);
  } else if constexpr (is_floating<T> && !is_floating<R>) {
    if constexpr (to == kInt64)
      return float_to_int64(x);
    else
      return static_cast<R>(float_to_int32(x));
  } else {
    return static_cast<R>(x);
  }
}

template <class R>
struct to_op {
  template <class T>
  static WG_INLINE R at(T x) {
    return convert<R>(x);
  }
};

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_CAST(name, R, T)                                         \
  {"to_" #name, kUnaryKernel, DTypeOf<T>::value, DTypeOf<R>::value, \
   reinterpret_cast<void*>(static_cast<UnaryFn>(unary_loop<to_op<R>, T, R>))}
#define WG_CAST_FROM_ALL(name, R)                                                                              \
  WG_CAST(name, R, bool), WG_CAST(name, R, std::uint8_t), WG_CAST(name, R, std::int8_t),                       \
      WG_CAST(name, R, std::int16_t), WG_CAST(name, R, std::int32_t), WG_CAST(name, R, std::int64_t),          \
      WG_CAST(name, R, half_t), WG_CAST(name, R, bfloat_t), WG_CAST(name, R, float), WG_CAST(name, R, double), \
      WG_CAST(name, R, Complex<float>), WG_CAST(name, R, Complex<double>)

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(cast, WG_CAST(float32, float, double), WG_CAST(float64, double, float),
        WG_CAST(float32, float, std::int64_t), WG_CAST(float32, float, half_t), WG_CAST(float32, float, bfloat_t),
        WG_CAST(float16, half_t, float), WG_CAST(bfloat16, bfloat_t, float))
#else
WG_UNIT(cast, WG_CAST_FROM_ALL(bool, bool), WG_CAST_FROM_ALL(uint8, std::uint8_t),
        WG_CAST_FROM_ALL(int8, std::int8_t), WG_CAST_FROM_ALL(int16, std::int16_t),
        WG_CAST_FROM_ALL(int32, std::int32_t), WG_CAST_FROM_ALL(int64, std::int64_t),
        WG_CAST_FROM_ALL(float16, half_t), WG_CAST_FROM_ALL(bfloat16, bfloat_t), WG_CAST_FROM_ALL(float32, float),
        WG_CAST_FROM_ALL(float64, double), WG_CAST_FROM_ALL(complex64, Complex<float>),
        WG_CAST_FROM_ALL(complex128, Complex<double>))
#endif
