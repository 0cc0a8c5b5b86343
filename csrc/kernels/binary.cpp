// Elementwise functions of two operands: arithmetic, comparison, logic, bits.
//
// Integers wrap. Integer division and remainder by zero give 0 and never trap: forward_elementwise asks "any_zero"
// first and raises the error. The smallest integer divided by -1 wraps to itself.
#include "wengert/elementwise.h"
#include "wengert/vmath.h"

namespace wg {
namespace WG_NS {
namespace {

#define WG_BINARY(name, expr)            \
  struct name##_op {                     \
    template <class T>                   \
    static WG_INLINE auto at(T a, T b) { \
      return expr;                       \
    }                                    \
  };
// An arithmetic operator: integers in their unsigned type, bool by its own expression.
#define WG_ARITHMETIC(name, op, on_bool)                                           \
  struct name##_op {                                                               \
    template <class T>                                                             \
    static WG_INLINE T at(T a, T b) {                                              \
      if constexpr (is_floating<T>)                                                \
        return a op b;                                                             \
      else                                                                         \
        return static_cast<T>(static_cast<Wrap<T>>(a) op static_cast<Wrap<T>>(b)); \
    }                                                                              \
    static WG_INLINE bool at(bool a, bool b) { return on_bool; }                   \
  };

WG_ARITHMETIC(add, +, a | b)
WG_ARITHMETIC(sub, -, a != b)
WG_ARITHMETIC(mul, *, a& b)
WG_BINARY(div, a / b)

// The incoming gradient a times a local derivative b: where no gradient comes in, none goes on, whatever b is.
struct zmul_op {
  template <class T>
  static WG_INLINE T at(T a, T b) {
    return a == T(0) ? T(0) : a * b;
  }
};

// Quotient towards zero; 0 for b == 0.
template <class T>
WG_INLINE T int_quotient(T a, T b) {
  if (b == 0) return 0;
  if constexpr (is_signed_type<T>) {
    if (b == -1) return static_cast<T>(Wrap<T>(0) - static_cast<Wrap<T>>(a));
  }
  return static_cast<T>(a / b);
}
// Remainder with the sign of a; 0 for b == 0.
template <class T>
WG_INLINE T int_fmod(T a, T b) {
  if (b == 0) return 0;
  if constexpr (is_signed_type<T>) {
    if (b == -1) return 0;
  }
  return static_cast<T>(a % b);
}

struct fmod_op {
  template <class T>
  static WG_INLINE T at(T a, T b) {
    if constexpr (is_floating<T>)
      return vm::fmod(a, b);
    else
      return int_fmod(a, b);
  }
};
// Remainder with the sign of b.
struct remainder_op {
  template <class T>
  static WG_INLINE T at(T a, T b) {
    T r = fmod_op::at(a, b);
    return r != T(0) && (r < T(0)) != (b < T(0)) ? static_cast<T>(r + b) : r;
  }
};
// Floats: (a - remainder) / b, which is a whole number up to rounding, so it is rounded; a / 0 is a / 0.
struct floor_divide_op {
  template <class T>
  static WG_INLINE T at(T a, T b) {
    if constexpr (is_floating<T>) {
      T quotient = a / b;
      T r = vm::fmod(a, b);
      T whole = (a - r) / b;
      whole = r != T(0) && (r < T(0)) != (b < T(0)) ? whole - T(1) : whole;
      T down = vm::floor(whole);
      down = whole - down > T(0.5) ? down + T(1) : down;
      return b == T(0) ? quotient : whole == T(0) ? vm::copysign(T(0), quotient) : down;
    } else {
      T q = int_quotient(a, b);
      return int_fmod(a, b) != 0 && (a < 0) != (b < 0) ? static_cast<T>(q - 1) : q;
    }
  }
};
// Integers: by squaring, wrapping; a negative exponent gives 0 unless the base is 1 or -1.
struct pow_op {
  template <class T>
  static WG_INLINE T at(T a, T b) {
    if constexpr (is_floating<T>) {
      return vm::pow(a, b);
    } else {
      if constexpr (is_signed_type<T>) {
        if (b < 0) return a == 1 ? T(1) : a == -1 ? (b & 1 ? T(-1) : T(1)) : T(0);
      }
      Wrap<T> result = 1, square = static_cast<Wrap<T>>(a);
      for (Wrap<T> e = static_cast<Wrap<T>>(b); e; e >>= 1, square *= square)
        if (e & 1) result *= square;
      return static_cast<T>(result);
    }
  }
};

// NaN of either operand propagates.
WG_BINARY(maximum, a > b || a != a ? a : b)
WG_BINARY(minimum, a < b || a != a ? a : b)
// NaN only if both are; of equal zeros the first.
WG_BINARY(fmax, a >= b || b != b ? a : b)
WG_BINARY(fmin, a <= b || b != b ? a : b)
WG_BINARY(atan2, vm::atan2(a, b))
WG_BINARY(hypot, vm::hypot(a, b))
WG_BINARY(copysign, vm::copysign(a, b))
WG_BINARY(nextafter, vm::nextafter(a, b))
WG_BINARY(logaddexp, vm::logaddexp(a, b))
// a log b, 0 where a is 0, NaN where b is NaN.
WG_BINARY(xlogy, vm::select((a == T(0)) & (b == b), T(0), a* vm::log(b)))

WG_BINARY(bitwise_and, static_cast<T>(a& b))
WG_BINARY(bitwise_or, static_cast<T>(a | b))
WG_BINARY(bitwise_xor, static_cast<T>(a ^ b))
// Shifts by a negative amount or by the width or more give what an endless shift would: 0, or -1 for a negative
// number shifted right.
template <class T>
constexpr unsigned kBits = 8 * sizeof(T);
struct bitwise_left_shift_op {
  template <class T>
  static WG_INLINE T at(T a, T b) {
    bool out = static_cast<Wrap<T>>(b) >= kBits<T>;
    return out ? T(0) : static_cast<T>(static_cast<Wrap<T>>(a) << (b & (kBits<T> - 1)));
  }
};
struct bitwise_right_shift_op {
  template <class T>
  static WG_INLINE T at(T a, T b) {
    bool out = static_cast<Wrap<T>>(b) >= kBits<T>;
    return out ? static_cast<T>(a < T(0) ? -1 : 0) : static_cast<T>(a >> (b & (kBits<T> - 1)));
  }
};

WG_BINARY(eq, a == b)
WG_BINARY(ne, a != b)
WG_BINARY(lt, a < b)
WG_BINARY(le, a <= b)
WG_BINARY(gt, a > b)
WG_BINARY(ge, a >= b)
WG_BINARY(logical_and, (a != T(0)) & (b != T(0)))
WG_BINARY(logical_or, (a != T(0)) | (b != T(0)))
WG_BINARY(logical_xor, (a != T(0)) != (b != T(0)))
#undef WG_BINARY
#undef WG_ARITHMETIC

// pow of float32. Of one positive base the logarithm is taken once; the bits are those of the general form.
void pow_float(const void* a, const void* b, void* out, index_t n, int scalars) {
  const float base = scalars & 1 ? *static_cast<const float*>(a) : 0.0f;
  if (scalars != 1 || n == 1 || !(base > 0.0f && base < vm::kInfF) || base == 1.0f)
    return binary_loop<pow_op, float, float>(a, b, out, n, scalars);
  const double log_base = vm::log_of_float(base);
  const float* y = static_cast<const float*>(b);
  float* to = static_cast<float*>(out);
#pragma GCC ivdep
  for (index_t i = 0; i < n; ++i) {
    const float r = vm::exp_to_float(static_cast<double>(y[i]) * log_base);
    to[i] = vm::select(y[i] != y[i], base + y[i], r);
  }
}

// fmod and remainder of float32. Each element chooses its way by itself, but a block without a great quotient runs
// a plain loop.
struct fmod_near_op {
  static WG_INLINE float of(float r, float) { return r; }
};
struct remainder_near_op {
  static WG_INLINE float of(float r, float b) { return r != 0.0f && (r < 0.0f) != (b < 0.0f) ? r + b : r; }
};
template <class Op>
void fmod_float(const void* a, const void* b, void* out, index_t n, int scalars) {
  float* to = static_cast<float*>(out);
  alignas(64) float same[2][kBlock];
  const float* from[2] = {static_cast<const float*>(a), static_cast<const float*>(b)};
  const float value[2] = {n > 0 ? *from[0] : 0.0f, n > 0 ? *from[1] : 0.0f};
  for (int k = 0; k < 2; ++k)
    if (scalars >> k & 1)
      for (index_t i = 0; i < (n < kBlock ? n : kBlock); ++i) same[k][i] = value[k];
  for (index_t start = 0; start < n; start += kBlock) {
    const index_t m = n - start < kBlock ? n - start : kBlock;
    const float* x = scalars & 1 ? same[0] : from[0] + start;
    const float* y = scalars & 2 ? same[1] : from[1] + start;
    std::int32_t near = -1;
    for (index_t i = 0; i < m; ++i) near &= -static_cast<std::int32_t>(vm::fmod_near(x[i], y[i]));
    float* result = to + start;
    if (WG_LIKELY(near)) {
#pragma GCC ivdep
      for (index_t i = 0; i < m; ++i) result[i] = Op::of(vm::fmod_of_near(x[i], y[i]), y[i]);
    } else {
      for (index_t i = 0; i < m; ++i) result[i] = Op::of(vm::fmod(x[i], y[i]), y[i]);
    }
  }
}

// Whether an operand holds a zero: the core's question before an integer division.
template <class T>
bool any_zero(const void* p, index_t n) {
  const T* x = static_cast<const T*>(p);
  for (index_t i = 0; i < n; ++i)
    if (x[i] == 0) return true;
  return false;
}

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_SAME(name, T) WG_BINARY_ENTRY(name, T, T)
#define WG_TEST(name, T) WG_BINARY_ENTRY(name, T, bool)
#define WG_FLOATS(name) WG_SAME(name, float), WG_SAME(name, double)
#define WG_TEST_FLOATS(name) WG_TEST(name, float), WG_TEST(name, double)
#define WG_INTS(name)                                                                   \
  WG_SAME(name, std::uint8_t), WG_SAME(name, std::int8_t), WG_SAME(name, std::int16_t), \
      WG_SAME(name, std::int32_t), WG_SAME(name, std::int64_t)
#define WG_TEST_INTS(name)                                                                                   \
  WG_TEST(name, bool), WG_TEST(name, std::uint8_t), WG_TEST(name, std::int8_t), WG_TEST(name, std::int16_t), \
      WG_TEST(name, std::int32_t), WG_TEST(name, std::int64_t)
#define WG_BOOL_INTS(name) WG_SAME(name, bool), WG_INTS(name)
#define WG_POW_FLOAT {"pow", kBinaryKernel, kFloat32, kFloat32, reinterpret_cast<void*>(pow_float)}
#define WG_FMOD_FLOAT(name, op) \
  {name, kBinaryKernel, kFloat32, kFloat32, reinterpret_cast<void*>(static_cast<BinaryFn>(fmod_float<op>))}
#define WG_ANY_ZERO(T) {"any_zero", kOtherKernel, DTypeOf<T>::value, kBool, reinterpret_cast<void*>(any_zero<T>)}

// Functions that vectorise: worth a copy for each instruction set.
#define WG_FAST                                                                                                  \
  WG_FLOATS(add), WG_FLOATS(sub), WG_FLOATS(mul), WG_FLOATS(div), WG_FLOATS(zmul), WG_FLOATS(maximum),           \
      WG_FLOATS(minimum), WG_FLOATS(fmax), WG_FLOATS(fmin), WG_FLOATS(copysign), WG_FLOATS(nextafter),           \
      WG_FLOATS(xlogy), WG_POW_FLOAT, WG_SAME(atan2, float), WG_SAME(hypot, float),                              \
      WG_FMOD_FLOAT("fmod", fmod_near_op), WG_FMOD_FLOAT("remainder", remainder_near_op),                        \
      WG_SAME(logaddexp, float), WG_TEST_FLOATS(eq), WG_TEST_FLOATS(ne), WG_TEST_FLOATS(lt), WG_TEST_FLOATS(le), \
      WG_TEST_FLOATS(gt), WG_TEST_FLOATS(ge), WG_TEST_FLOATS(logical_and), WG_TEST_FLOATS(logical_or),           \
      WG_TEST_FLOATS(logical_xor)
// Functions that call the C library for each element.
#define WG_SLOW                                                                                     \
  WG_FLOATS(floor_divide), WG_SAME(remainder, double), WG_SAME(fmod, double), WG_SAME(pow, double), \
      WG_SAME(atan2, double), WG_SAME(hypot, double), WG_SAME(logaddexp, double)

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(binary, WG_FAST)
#else
WG_UNIT(binary, WG_FAST, WG_SLOW, WG_BOOL_INTS(add), WG_INTS(sub), WG_BOOL_INTS(mul), WG_INTS(floor_divide),
        WG_INTS(remainder), WG_INTS(fmod), WG_INTS(pow), WG_BOOL_INTS(maximum), WG_BOOL_INTS(minimum),
        WG_BOOL_INTS(fmax), WG_BOOL_INTS(fmin), WG_BOOL_INTS(bitwise_and), WG_BOOL_INTS(bitwise_or),
        WG_BOOL_INTS(bitwise_xor), WG_INTS(bitwise_left_shift), WG_INTS(bitwise_right_shift), WG_TEST_INTS(eq),
        WG_TEST_INTS(ne), WG_TEST_INTS(lt), WG_TEST_INTS(le), WG_TEST_INTS(gt), WG_TEST_INTS(ge),
        WG_TEST_INTS(logical_and), WG_TEST_INTS(logical_or), WG_TEST_INTS(logical_xor), WG_ANY_ZERO(std::uint8_t),
        WG_ANY_ZERO(std::int8_t), WG_ANY_ZERO(std::int16_t), WG_ANY_ZERO(std::int32_t), WG_ANY_ZERO(std::int64_t))
#endif
