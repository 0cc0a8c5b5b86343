// Elementwise functions of three operands: where, clamp, lerp, and pairs of operations that plans run as one.
#include "wengert/elementwise.h"
#include "wengert/vmath.h"

namespace wg {
namespace WG_NS {
namespace {

// An operand that is an array or a single value; the choice is made outside the loop.
template <class T>
struct Array {
  const T* p;
  WG_INLINE T operator[](index_t i) const { return p[i]; }
};
template <class T>
struct Single {
  T value;
  WG_INLINE T operator[](index_t) const { return value; }
};

template <class Op, class R, class A, class B, class C>
WG_INLINE void run(A a, B b, C c, R* y, index_t n) {
#pragma GCC ivdep
  for (index_t i = 0; i < n; ++i) y[i] = Op::at(a[i], b[i], c[i]);
}
template <class Op, class R, class A, class B, class T>
WG_INLINE void run_last(A a, B b, const T* c, R* y, index_t n, bool single) {
  if (single)
    run<Op>(a, b, Single<T>{*c}, y, n);
  else
    run<Op>(a, b, Array<T>{c}, y, n);
}
template <class Op, class A, class T>
WG_INLINE void run_tail(A a, const T* b, const T* c, T* y, index_t n, int scalars) {
  if (scalars & 2)
    run_last<Op>(a, Single<T>{*b}, c, y, n, scalars & 4);
  else
    run_last<Op>(a, Array<T>{b}, c, y, n, scalars & 4);
}

// M is the type of the first operand, T that of the others and of the result.
template <class Op, class M, class T>
void ternary_loop(const void* a, const void* b, const void* c, void* out, index_t n, int scalars) {
  const M* x = static_cast<const M*>(a);
  const T* v = static_cast<const T*>(b);
  const T* w = static_cast<const T*>(c);
  T* y = static_cast<T*>(out);
  if (n == 1) {
    *y = Op::at(*x, *v, *w);
    return;
  }
  if (n == 0) return;
  if (scalars & 1)
    run_tail<Op>(Single<M>{*x}, v, w, y, n, scalars);
  else
    run_tail<Op>(Array<M>{x}, v, w, y, n, scalars);
}

// c ? a : b by masks: a branch would keep the loop out of vectors, and be mispredicted at every other element.
template <class T>
WG_INLINE T choose(bool c, T a, T b) {
  if constexpr (is_floating<T>)
    return vm::select(c, a, b);
  else
    return static_cast<T>((a & -static_cast<T>(c)) | (b & ~-static_cast<T>(c)));
}

struct where_op {
  template <class T>
  static WG_INLINE T at(std::uint8_t mask, T b, T c) {
    return choose(mask != 0, b, c);
  }
};
// min(max(x, lo), hi): hi wins over lo, NaN of any of the three propagates.
struct clamp_op {
  template <class T>
  static WG_INLINE T at(T x, T lo, T hi) {
    const T y = choose((x > lo) | (x != x), x, lo);
    return choose((y < hi) | (y != y), y, hi);
  }
};
// From the nearer end, so that w = 0 and w = 1 give a and b themselves.
struct lerp_op {
  template <class T>
  static WG_INLINE T at(T a, T b, T w) {
    T d = b - a;
    return vm::abs(w) < T(0.5) ? a + w * d : b - d * (T(1) - w);
  }
};

// A product and a sum, each rounded: the bits of two operations in one pass over the block.
struct mul_add_op {
  template <class T>
  static WG_INLINE T at(T a, T b, T c) {
    return a * b + c;
  }
};
struct add_scaled_op {
  template <class T>
  static WG_INLINE T at(T a, T b, T c) {
    return a + b * c;
  }
};
struct mul_sub_op {
  template <class T>
  static WG_INLINE T at(T a, T b, T c) {
    return a * b - c;
  }
};
struct sub_mul_op {
  template <class T>
  static WG_INLINE T at(T a, T b, T c) {
    return c - a * b;
  }
};

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_TERNARY_ENTRY(name, M, T)                            \
  {#name, kTernaryKernel, DTypeOf<T>::value, DTypeOf<T>::value, \
   reinterpret_cast<void*>(static_cast<TernaryFn>(ternary_loop<name##_op, M, T>))}
#define WG_WHERE(T) WG_TERNARY_ENTRY(where, std::uint8_t, T)
#define WG_WHERE_BOOL                     \
  {"where", kTernaryKernel, kBool, kBool, \
   reinterpret_cast<void*>(static_cast<TernaryFn>(ternary_loop<where_op, std::uint8_t, std::uint8_t>))}
#define WG_SAME(name, T) WG_TERNARY_ENTRY(name, T, T)
#define WG_FLOATS                                                                                              \
  WG_WHERE(float), WG_WHERE(double), WG_SAME(clamp, float), WG_SAME(clamp, double), WG_SAME(lerp, float),      \
      WG_SAME(lerp, double), WG_SAME(mul_add, float), WG_SAME(mul_add, double), WG_SAME(add_scaled, float),    \
      WG_SAME(add_scaled, double), WG_SAME(mul_sub, float), WG_SAME(mul_sub, double), WG_SAME(sub_mul, float), \
      WG_SAME(sub_mul, double)

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(ternary, WG_FLOATS)
#else
WG_UNIT(ternary, WG_FLOATS, WG_WHERE_BOOL, WG_WHERE(std::uint8_t), WG_WHERE(std::int8_t), WG_WHERE(std::int16_t),
        WG_WHERE(std::int32_t), WG_WHERE(std::int64_t), WG_SAME(clamp, std::uint8_t), WG_SAME(clamp, std::int8_t),
        WG_SAME(clamp, std::int16_t), WG_SAME(clamp, std::int32_t), WG_SAME(clamp, std::int64_t))
#endif
