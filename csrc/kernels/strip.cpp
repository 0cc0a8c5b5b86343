// The interpreter of strip programs (wengert/strip.h).
#include "wengert/strip.h"

#include "gemm_kernel.h"
#include "wengert/elementwise.h"

namespace wg {
namespace WG_NS {
namespace {

constexpr int kWide = 8;  // vectors of a strip: enough independent chains, and registers are left for operands

// A strip of U whole vectors.
template <class T, int U>
struct Whole {
  using S = Simd<T>;
  using V = typename S::V;
  static constexpr int kVectors = U;
  index_t at;
  WG_INLINE V load(const char* p, int u) const {
    return S::load(reinterpret_cast<const T*>(p) + at + u * S::kLanes);
  }
  WG_INLINE void store(char* p, int u, V v) const { S::store(reinterpret_cast<T*>(p) + at + u * S::kLanes, v); }
};
// The last elements, fewer than a vector.
template <class T>
struct Rest {
  using S = Simd<T>;
  using V = typename S::V;
  static constexpr int kVectors = 1;
  index_t at;
  std::size_t bytes;
  WG_INLINE V load(const char* p, int) const {
    V v{};
    __builtin_memcpy(&v, p + at * static_cast<index_t>(sizeof(T)), bytes);
    return v;
  }
  WG_INLINE void store(char* p, int, V v) const {
    __builtin_memcpy(p + at * static_cast<index_t>(sizeof(T)), &v, bytes);
  }
};

template <class T>
WG_INLINE typename Simd<T>::V root(typename Simd<T>::V v) {
  for (int l = 0; l < Simd<T>::kLanes; ++l) v[l] = sizeof(T) == 4 ? __builtin_sqrtf(v[l]) : __builtin_sqrt(v[l]);
  return v;
}
#if defined(WG_ISA_V4)
template <>
WG_INLINE Simd<float>::V root<float>(Simd<float>::V v) {
  return (Simd<float>::V)_mm512_maskz_sqrt_ps(0xffff, (__m512)v);
}
template <>
WG_INLINE Simd<double>::V root<double>(Simd<double>::V v) {
  return (Simd<double>::V)_mm512_maskz_sqrt_pd(0xff, (__m512d)v);
}
#elif defined(WG_ISA_V3)
template <>
WG_INLINE Simd<float>::V root<float>(Simd<float>::V v) {
  return (Simd<float>::V)_mm256_sqrt_ps((__m256)v);
}
template <>
WG_INLINE Simd<double>::V root<double>(Simd<double>::V v) {
  return (Simd<double>::V)_mm256_sqrt_pd((__m256d)v);
}
#endif

template <class T>
using Bits = typename std::conditional<sizeof(T) == 4, std::int32_t, std::int64_t>::type;

template <class T>
WG_INLINE typename Simd<T>::V magnitude(typename Simd<T>::V v) {
  typedef Bits<T> I __attribute__((vector_size(WG_VECTOR_BYTES)));
  constexpr Bits<T> mask = static_cast<Bits<T>>(~std::uint64_t{0} >> (sizeof(T) == 4 ? 33 : 1));
  return (typename Simd<T>::V)((I)v & mask);
}

// An operand: one value, or the elements of the strip.
template <class V>
struct Single {
  V value;
  WG_INLINE V operator[](int) const { return value; }
};
template <class Strip>
struct Elements {
  const Strip& strip;
  const char* p;
  WG_INLINE typename Strip::V operator[](int u) const { return strip.load(p, u); }
};

template <int U, class V, class A, class B, class F>
WG_INLINE void update(V* acc, A v, B w, F f) {
#pragma GCC unroll 8
  for (int u = 0; u < U; ++u) acc[u] = f(acc[u], v[u], w[u]);
}

template <class T, class Strip>
WG_INLINE void run_strip(const Strip& strip, const StripStep* step, int count, char* const* reg) {
  using V = typename Simd<T>::V;
  constexpr int U = Strip::kVectors;
  V acc[U];
#pragma GCC unroll 8
  for (int u = 0; u < U; ++u) acc[u] = V{};
  const V zero{};
  const Single<V> none{zero};
  auto one = [&](const StripStep& s, auto f) __attribute__((always_inline)) {
    auto g = [&](V a, V v, V) { return f(a, v); };
    if (s.scalars & 1)
      update<U>(acc, Single<V>{Simd<T>::splat(*reinterpret_cast<const T*>(reg[s.v]))}, none, g);
    else
      update<U>(acc, Elements<Strip>{strip, reg[s.v]}, none, g);
  };
  auto two = [&](const StripStep& s, auto f) __attribute__((always_inline)) {
    const Elements<Strip> v{strip, reg[s.v]}, w{strip, reg[s.w]};
    const Single<V> one_v{Simd<T>::splat(*reinterpret_cast<const T*>(reg[s.v]))};
    const Single<V> one_w{Simd<T>::splat(*reinterpret_cast<const T*>(reg[s.w]))};
    switch (s.scalars & 3) {
      case 0:
        update<U>(acc, v, w, f);
        break;
      case 1:
        update<U>(acc, one_v, w, f);
        break;
      case 2:
        update<U>(acc, v, one_w, f);
        break;
      default:
        update<U>(acc, one_v, one_w, f);
    }
  };
  auto self = [&](auto f)
                  __attribute__((always_inline)) { update<U>(acc, none, none, [&](V a, V, V) { return f(a); }); };
  for (const StripStep* end = step + count; step != end; ++step) {
    const StripStep& s = *step;
    switch (static_cast<StripCode>(s.code)) {
        // clang-format off
      case kStripLoad: one(s, [](V, V v) { return v; }); break;
      case kStripAdd: one(s, [](V a, V v) { return a + v; }); break;
      case kStripSub: one(s, [](V a, V v) { return a - v; }); break;
      case kStripSubFrom: one(s, [](V a, V v) { return v - a; }); break;
      case kStripMul: one(s, [](V a, V v) { return a * v; }); break;
      case kStripSquare: self([](V a) { return a * a; }); break;
      case kStripDiv: one(s, [](V a, V v) { return a / v; }); break;
      case kStripDivInto: one(s, [](V a, V v) { return v / a; }); break;
      case kStripZmul: one(s, [&](V a, V v) { return a == zero ? zero : a * v; }); break;
      case kStripZmulInto: one(s, [&](V a, V v) { return v == zero ? zero : v * a; }); break;
      case kStripZdiv: one(s, [&](V a, V v) { return a == zero ? zero : a / v; }); break;
      case kStripZdivInto: one(s, [&](V a, V v) { return v == zero ? zero : v / a; }); break;
      case kStripMulAdd: two(s, [](V a, V v, V w) { return a * v + w; }); break;
      case kStripAddMul: two(s, [](V a, V v, V w) { return v * w + a; }); break;
      case kStripMulSub: two(s, [](V a, V v, V w) { return a * v - w; }); break;
      case kStripMulSubFrom: two(s, [](V a, V v, V w) { return v * w - a; }); break;
      case kStripSubMul: two(s, [](V a, V v, V w) { return w - a * v; }); break;
      case kStripSubMulFrom: two(s, [](V a, V v, V w) { return a - v * w; }); break;
      case kStripMaximum: one(s, [](V a, V v) { return (a > v) | (a != a) ? a : v; }); break;
      case kStripMaximumInto: one(s, [](V a, V v) { return (v > a) | (v != v) ? v : a; }); break;
      case kStripMinimum: one(s, [](V a, V v) { return (a < v) | (a != a) ? a : v; }); break;
      case kStripMinimumInto: one(s, [](V a, V v) { return (v < a) | (v != v) ? v : a; }); break;
      case kStripNeg: self([](V a) { return -a; }); break;
      case kStripAbs: self([](V a) { return magnitude<T>(a); }); break;
      case kStripRelu: self([&](V a) { return a < zero ? zero : a; }); break;
      case kStripSqrt: self([](V a) { return root<T>(a); }); break;
      case kStripSign: self([&](V a) { return zero < a ? zero + 1 : a < zero ? zero - 1 : zero; }); break;
        // clang-format on
    }
    if (s.keep >= 0) {
      char* to = reg[s.keep];
#pragma GCC unroll 8
      for (int u = 0; u < U; ++u) strip.store(to, u, acc[u]);
    }
  }
}

template <class T>
void run(const StripStep* steps, int count, char* const* reg, index_t n) {
  constexpr index_t L = Simd<T>::kLanes;
  index_t i = 0;
  for (; i + kWide * L <= n; i += kWide * L) run_strip<T>(Whole<T, kWide>{i}, steps, count, reg);
  for (; i + L <= n; i += L) run_strip<T>(Whole<T, 1>{i}, steps, count, reg);
  if (i < n) run_strip<T>(Rest<T>{i, static_cast<std::size_t>(n - i) * sizeof(T)}, steps, count, reg);
}

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_STRIP(T)                                             \
  {"strip", kOtherKernel, DTypeOf<T>::value, DTypeOf<T>::value, \
   reinterpret_cast<void*>(static_cast<StripFn>(run<T>))}
WG_UNIT(strip, WG_STRIP(float), WG_STRIP(double))
