// Loops and registration shared by the elementwise units (unary, binary, ternary, cast).
//
// A functor has `template <class T> static ... at(T...)`; the loops below inline it. `ivdep` is sound because the
// output is either the same memory as an operand, element for element, or does not overlap it.
#pragma once
#include "wengert/complex.h"
#include "wengert/dtype.h"
#include "wengert/kernels.h"

namespace wg {
namespace WG_NS {

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<bool> {
  static constexpr DType value = kBool;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = kUInt8;
};
template <>
struct DTypeOf<std::int8_t> {
  static constexpr DType value = kInt8;
};
template <>
struct DTypeOf<std::int16_t> {
  static constexpr DType value = kInt16;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = kInt32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = kInt64;
};
template <>
struct DTypeOf<half_t> {
  static constexpr DType value = kFloat16;
};
template <>
struct DTypeOf<bfloat_t> {
  static constexpr DType value = kBFloat16;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = kFloat32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = kFloat64;
};

template <>
struct DTypeOf<Complex<float>> {
  static constexpr DType value = kComplex64;
};
template <>
struct DTypeOf<Complex<double>> {
  static constexpr DType value = kComplex128;
};

// The unsigned type in which T's arithmetic wraps without undefined behaviour (never promoted to int).
template <class T>
struct WrapOf {
  using type = std::uint32_t;
};
template <>
struct WrapOf<std::int64_t> {
  using type = std::uint64_t;
};
template <class T>
using Wrap = typename WrapOf<T>::type;

template <class T>
constexpr bool is_floating = false;
template <>
constexpr bool is_floating<float> = true;
template <>
constexpr bool is_floating<double> = true;
template <class T>
constexpr bool is_complex_type = DTypeOf<T>::value >= kComplex64;
template <class T>
constexpr bool is_signed_type = T(-1) < T(0);

// n == 1 comes first: a 0-d tensor must not pay for the prologue of a vector loop.
template <class Op, class T, class R>
static void unary_loop(const void* a, void* out, index_t n) {
  const T* x = static_cast<const T*>(a);
  R* y = static_cast<R*>(out);
  if (n == 1) {
    *y = Op::at(*x);
    return;
  }
#pragma GCC ivdep
  for (index_t i = 0; i < n; ++i) y[i] = Op::at(x[i]);
}

template <class Op, class T, class R>
static void binary_loop(const void* a, const void* b, void* out, index_t n, int scalars) {
  const T* x = static_cast<const T*>(a);
  const T* z = static_cast<const T*>(b);
  R* y = static_cast<R*>(out);
  if (n == 1) {
    *y = Op::at(*x, *z);
    return;
  }
  if (WG_LIKELY(scalars == 0)) {
#pragma GCC ivdep
    for (index_t i = 0; i < n; ++i) y[i] = Op::at(x[i], z[i]);
    return;
  }
  if (n == 0) return;
  const T s = *x, t = *z;
  if (scalars == 1) {
#pragma GCC ivdep
    for (index_t i = 0; i < n; ++i) y[i] = Op::at(s, z[i]);
  } else if (scalars == 2) {
#pragma GCC ivdep
    for (index_t i = 0; i < n; ++i) y[i] = Op::at(x[i], t);
  } else {
    const R v = Op::at(s, t);
#pragma GCC ivdep
    for (index_t i = 0; i < n; ++i) y[i] = v;
  }
}

}  // namespace WG_NS
}  // namespace wg

#define WG_UNARY_ENTRY(name, T, R)                            \
  {#name, kUnaryKernel, DTypeOf<T>::value, DTypeOf<R>::value, \
   reinterpret_cast<void*>(static_cast<UnaryFn>(unary_loop<name##_op, T, R>))}
#define WG_BINARY_ENTRY(name, T, R)                            \
  {#name, kBinaryKernel, DTypeOf<T>::value, DTypeOf<R>::value, \
   reinterpret_cast<void*>(static_cast<BinaryFn>(binary_loop<name##_op, T, R>))}
