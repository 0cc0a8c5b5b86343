// Functions of complex numbers. Elementary ones are the C library's, in double precision for both types, so that
// complex64 results are rounded once and nothing overflows on the way.
#include "wengert/complex.h"

#include "wengert/elementwise.h"
#include "wengert/reduce.h"

namespace wg {
namespace WG_NS {
namespace {

template <class T>
using C = Complex<T>;

#define WG_BINARY(name, expr)                  \
  struct name##_op {                           \
    template <class T>                         \
    static WG_INLINE auto at(C<T> a, C<T> b) { \
      return expr;                             \
    }                                          \
  };
WG_BINARY(add, a + b)
WG_BINARY(sub, a - b)
WG_BINARY(mul, a* b)
// 0 where the first operand is exactly 0, whatever the other is.
WG_BINARY(zmul, a == C<T>(0) ? C<T>(0) : a * b)

struct neg_op {
  template <class T>
  static WG_INLINE C<T> at(C<T> x) {
    return -x;
  }
};
struct conj_op {
  template <class T>
  static WG_INLINE C<T> at(C<T> x) {
    return {x.re, -x.im};
  }
};

struct times_i_op {
  template <class T>
  static WG_INLINE C<T> at(C<T> x) {
    return {-x.im, x.re};
  }
};

#if !defined(WG_ISA_V3) && !defined(WG_ISA_V4)

using Z = __complex__ double;

template <class T>
WG_INLINE Z wide(C<T> x) {
  Z z;
  __real__ z = static_cast<double>(x.re);
  __imag__ z = static_cast<double>(x.im);
  return z;
}
template <class T>
WG_INLINE C<T> narrow(Z z) {
  return {static_cast<T>(__real__ z), static_cast<T>(__imag__ z)};
}

// The quotient after scaling by the larger part of b (Smith 1962), so that |b|^2 does not overflow.
WG_INLINE C<double> quotient(C<double> a, C<double> b) {
  if (__builtin_fabs(b.re) >= __builtin_fabs(b.im)) {
    if (b.re == 0 && b.im == 0) return {a.re / __builtin_fabs(b.re), a.im / __builtin_fabs(b.re)};
    const double ratio = b.im / b.re, scale = 1.0 / (b.re + b.im * ratio);
    return {(a.re + a.im * ratio) * scale, (a.im - a.re * ratio) * scale};
  }
  const double ratio = b.re / b.im, scale = 1.0 / (b.re * ratio + b.im);
  return {(a.re * ratio + a.im) * scale, (a.im * ratio - a.re) * scale};
}
template <class T>
WG_INLINE C<T> divide(C<T> a, C<T> b) {
  C<double> q = quotient(C<double>(a.re, a.im), C<double>(b.re, b.im));
  return {static_cast<T>(q.re), static_cast<T>(q.im)};
}
WG_BINARY(div, divide(a, b))
WG_BINARY(zdiv, a == C<T>(0) ? C<T>(0) : divide(a, b))

// 0 to the power 0 is 1, and 0 to any other power with a positive real part is 0, as in PyTorch.
template <class T>
WG_INLINE C<T> power(C<T> a, C<T> b) {
  if (b == C<T>(0)) return C<T>(1);
  if (b == C<T>(2)) return a * a;
  if (a == C<T>(0) && b.im == 0 && b.re > 0) return C<T>(0);
  return narrow<T>(__builtin_cpow(wide(a), wide(b)));
}
WG_BINARY(pow, power(a, b))
WG_BINARY(eq, a == b)
WG_BINARY(ne, a != b)
WG_BINARY(logical_and, a != C<T>(0) && b != C<T>(0))
WG_BINARY(logical_or, a != C<T>(0) || b != C<T>(0))
WG_BINARY(logical_xor, (a != C<T>(0)) != (b != C<T>(0)))

#define WG_UNARY(name, expr)           \
  struct name##_op {                   \
    template <class T>                 \
    static WG_INLINE auto at(C<T> x) { \
      return expr;                     \
    }                                  \
  };
#define WG_LIBRARY(name) WG_UNARY(name, narrow<T>(__builtin_c##name(wide(x))))
WG_LIBRARY(exp)
WG_LIBRARY(log)
WG_LIBRARY(sqrt)
WG_LIBRARY(sin)
WG_LIBRARY(cos)
WG_LIBRARY(tan)
WG_LIBRARY(asin)
WG_LIBRARY(acos)
WG_LIBRARY(atan)
WG_LIBRARY(sinh)
WG_LIBRARY(cosh)
WG_LIBRARY(tanh)
WG_LIBRARY(asinh)
WG_LIBRARY(acosh)
WG_LIBRARY(atanh)
#undef WG_LIBRARY

// log(1 + x): its real part is log1p(re (2 + re) + im^2) / 2 near 0, where 1 + x would lose digits.
WG_INLINE C<double> log1p_double(C<double> x) {
  const double size = __builtin_hypot(1.0 + x.re, x.im);
  const double re =
      size > 0.5 && size < 2.0 ? 0.5 * __builtin_log1p(x.re * (2.0 + x.re) + x.im * x.im) : __builtin_log(size);
  return {re, __builtin_atan2(x.im, 1.0 + x.re)};
}
// exp(x) - 1: expm1(re) cos(im) - 2 sin(im / 2)^2 for the real part.
WG_INLINE C<double> expm1_double(C<double> x) {
  const double grow = __builtin_expm1(x.re), half = __builtin_sin(0.5 * x.im);
  return {grow * __builtin_cos(x.im) - 2.0 * half * half, (grow + 1.0) * __builtin_sin(x.im)};
}
template <class T>
WG_INLINE C<T> unit(C<T> x) {
  const double size = __builtin_hypot(static_cast<double>(x.re), static_cast<double>(x.im));
  if (size == 0) return C<T>(0);
  return {static_cast<T>(x.re / size), static_cast<T>(x.im / size)};
}
template <class T>
WG_INLINE C<T> scaled(Z z, double by) {
  return {static_cast<T>(__real__ z * by), static_cast<T>(__imag__ z * by)};
}
template <class T>
WG_INLINE C<T> back(C<double> x) {
  return {static_cast<T>(x.re), static_cast<T>(x.im)};
}
template <class T>
WG_INLINE C<double> forth(C<T> x) {
  return {static_cast<double>(x.re), static_cast<double>(x.im)};
}
constexpr double kLn2 = 0.693147180559945309417232, kLn10 = 2.302585092994045684017991;

WG_UNARY(square, x* x)
WG_UNARY(reciprocal, divide(C<T>(1), x))
WG_UNARY(rsqrt, divide(C<T>(1), narrow<T>(__builtin_csqrt(wide(x)))))
WG_UNARY(exp2, narrow<T>(__builtin_cexp(wide(x) * kLn2)))
WG_UNARY(expm1, back<T>(expm1_double(forth(x))))
WG_UNARY(log1p, back<T>(log1p_double(forth(x))))
WG_UNARY(log2, scaled<T>(__builtin_clog(wide(x)), 1.0 / kLn2))
WG_UNARY(log10, scaled<T>(__builtin_clog(wide(x)), 1.0 / kLn10))
WG_UNARY(sigmoid, back<T>(quotient(C<double>(1), C<double>(1) + forth(narrow<double>(__builtin_cexp(wide(-x)))))))
WG_UNARY(sgn, unit(x))
WG_UNARY(abs, static_cast<T>(__builtin_hypot(static_cast<double>(x.re), static_cast<double>(x.im))))
WG_UNARY(angle, static_cast<T>(__builtin_atan2(static_cast<double>(x.im), static_cast<double>(x.re))))
WG_UNARY(logical_not, x == C<T>(0))
WG_UNARY(isnan, x.re != x.re || x.im != x.im)
WG_UNARY(isinf, static_cast<bool>(__builtin_isinf(x.re) || __builtin_isinf(x.im)))
WG_UNARY(isfinite, static_cast<bool>(__builtin_isfinite(x.re) && __builtin_isfinite(x.im)))

// Two real operands: the parts of a complex result.
struct complex_op {
  template <class T>
  static WG_INLINE C<T> at(T re, T im) {
    return {re, im};
  }
};

// where and lerp: operands of one length, or single values by the bits of `scalars`.
template <class Op, class M, class T>
void ternary(const void* a, const void* b, const void* c, void* out, index_t n, int scalars) {
  const M* x = static_cast<const M*>(a);
  const T *y = static_cast<const T*>(b), *z = static_cast<const T*>(c);
  T* o = static_cast<T*>(out);
  const index_t i_step = !(scalars & 1), j_step = !(scalars & 2), k_step = !(scalars & 4);
  for (index_t i = 0; i < n; ++i) o[i] = Op::at(x[i * i_step], y[i * j_step], z[i * k_step]);
}
struct where_op {
  template <class T>
  static WG_INLINE T at(bool mask, T b, T c) {
    return mask ? b : c;
  }
};
struct lerp_op {
  template <class T>
  static WG_INLINE C<T> at(C<T> a, C<T> b, C<T> w) {
    return a + w * (b - a);
  }
};

// Products and running products, in ascending order and in double precision.
template <class T>
void prod_outer(const void* x, void* out, index_t outer, index_t n, index_t inner) {
  const C<T>* p = static_cast<const C<T>*>(x);
  C<T>* o = static_cast<C<T>*>(out);
  for (index_t k = 0; k < outer; ++k)
    for (index_t i = 0; i < inner; ++i) {
      C<double> total(1);
      for (index_t j = 0; j < n; ++j) total = total * forth(p[(k * n + j) * inner + i]);
      o[k * inner + i] = back<T>(total);
    }
}
template <class T>
void prod_inner(const void* x, void* out, index_t rows, index_t n) {
  prod_outer<T>(x, out, rows, n, 1);
}
template <class T>
void cumprod_outer(const void* x, void* out, index_t outer, index_t n, index_t inner) {
  const C<T>* p = static_cast<const C<T>*>(x);
  C<T>* o = static_cast<C<T>*>(out);
  for (index_t k = 0; k < outer; ++k)
    for (index_t i = 0; i < inner; ++i) {
      C<double> total(1);
      for (index_t j = 0; j < n; ++j) {
        const index_t at = (k * n + j) * inner + i;
        total = total * forth(p[at]);
        o[at] = back<T>(total);
      }
    }
}
template <class T>
void cumprod_inner(const void* x, void* out, index_t rows, index_t n) {
  cumprod_outer<T>(x, out, rows, n, 1);
}

#undef WG_UNARY
#endif
#undef WG_BINARY

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_BOTH(entry, name) \
  entry(name, Complex<float>, Complex<float>), entry(name, Complex<double>, Complex<double>)
#define WG_PARTS(entry, name) entry(name, Complex<float>, float), entry(name, Complex<double>, double)
#define WG_TRUTH(entry, name) entry(name, Complex<float>, bool), entry(name, Complex<double>, bool)
#define WG_TERNARY(name, op, M, T)                             \
  {name, kTernaryKernel, DTypeOf<T>::value, DTypeOf<T>::value, \
   reinterpret_cast<void*>(static_cast<TernaryFn>(ternary<op, M, T>))}
#define WG_ALONG(name, T)                                                                 \
  {#name "_inner", kOtherKernel, DTypeOf<Complex<T>>::value, DTypeOf<Complex<T>>::value,  \
   reinterpret_cast<void*>(static_cast<ReduceInnerFn>(name##_inner<T>))},                 \
  {                                                                                       \
    #name "_outer", kOtherKernel, DTypeOf<Complex<T>>::value, DTypeOf<Complex<T>>::value, \
        reinterpret_cast<void*>(static_cast<ReduceOuterFn>(name##_outer<T>))              \
  }

// What vectorises has a copy for each instruction set.
#define WG_FAST                                                                                    \
  WG_BOTH(WG_BINARY_ENTRY, add), WG_BOTH(WG_BINARY_ENTRY, sub), WG_BOTH(WG_BINARY_ENTRY, mul),     \
      WG_BOTH(WG_BINARY_ENTRY, zmul), WG_BOTH(WG_UNARY_ENTRY, neg), WG_BOTH(WG_UNARY_ENTRY, conj), \
      WG_BOTH(WG_UNARY_ENTRY, times_i)

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(complex, WG_FAST)
#else
WG_UNIT(complex, WG_FAST, WG_BOTH(WG_BINARY_ENTRY, div), WG_BOTH(WG_BINARY_ENTRY, zdiv),
        WG_BOTH(WG_BINARY_ENTRY, pow), WG_TRUTH(WG_BINARY_ENTRY, eq), WG_TRUTH(WG_BINARY_ENTRY, ne),
        WG_TRUTH(WG_BINARY_ENTRY, logical_and), WG_TRUTH(WG_BINARY_ENTRY, logical_or),
        WG_TRUTH(WG_BINARY_ENTRY, logical_xor), WG_BOTH(WG_UNARY_ENTRY, exp), WG_BOTH(WG_UNARY_ENTRY, log),
        WG_BOTH(WG_UNARY_ENTRY, sqrt), WG_BOTH(WG_UNARY_ENTRY, sin), WG_BOTH(WG_UNARY_ENTRY, cos),
        WG_BOTH(WG_UNARY_ENTRY, tan), WG_BOTH(WG_UNARY_ENTRY, asin), WG_BOTH(WG_UNARY_ENTRY, acos),
        WG_BOTH(WG_UNARY_ENTRY, atan), WG_BOTH(WG_UNARY_ENTRY, sinh), WG_BOTH(WG_UNARY_ENTRY, cosh),
        WG_BOTH(WG_UNARY_ENTRY, tanh), WG_BOTH(WG_UNARY_ENTRY, asinh), WG_BOTH(WG_UNARY_ENTRY, acosh),
        WG_BOTH(WG_UNARY_ENTRY, atanh), WG_BOTH(WG_UNARY_ENTRY, square), WG_BOTH(WG_UNARY_ENTRY, reciprocal),
        WG_BOTH(WG_UNARY_ENTRY, rsqrt), WG_BOTH(WG_UNARY_ENTRY, exp2), WG_BOTH(WG_UNARY_ENTRY, expm1),
        WG_BOTH(WG_UNARY_ENTRY, log1p), WG_BOTH(WG_UNARY_ENTRY, log2), WG_BOTH(WG_UNARY_ENTRY, log10),
        WG_BOTH(WG_UNARY_ENTRY, sigmoid), WG_BOTH(WG_UNARY_ENTRY, sgn), WG_PARTS(WG_UNARY_ENTRY, abs),
        WG_PARTS(WG_UNARY_ENTRY, angle), WG_TRUTH(WG_UNARY_ENTRY, logical_not), WG_TRUTH(WG_UNARY_ENTRY, isnan),
        WG_TRUTH(WG_UNARY_ENTRY, isinf), WG_TRUTH(WG_UNARY_ENTRY, isfinite),
        WG_BINARY_ENTRY(complex, float, Complex<float>), WG_BINARY_ENTRY(complex, double, Complex<double>),
        WG_TERNARY("where", where_op, bool, Complex<float>), WG_TERNARY("where", where_op, bool, Complex<double>),
        WG_TERNARY("lerp", lerp_op, Complex<float>, Complex<float>),
        WG_TERNARY("lerp", lerp_op, Complex<double>, Complex<double>), WG_ALONG(prod, float),
        WG_ALONG(prod, double), WG_ALONG(cumprod, float), WG_ALONG(cumprod, double))
#endif
