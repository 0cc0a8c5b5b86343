// The positions of extremes. NaN counts as the extreme; of equal values the first is found.
#include <type_traits>

#include "wengert/kernels.h"
#include "wengert/reduce.h"
#include "wengert/reduction.h"

namespace wg {
namespace WG_NS {
namespace {

template <class T>
struct RowLoad {
  const T* p;
  WG_INLINE T operator()(index_t i) const { return p[i]; }
};

// Whether `a` takes the place of the best so far: strictly better, or the first NaN.
template <bool Greatest, class A>
WG_INLINE bool beats(A a, A best) {
  return (Greatest ? a > best : a < best) | ((a != a) & (best == best));
}

// The first place from `start` on where `is` holds; there is one. Whole vectors are passed over at once.
template <class T, class Is>
WG_INLINE index_t first_place(const T* row, index_t start, index_t n, Is is) {
  constexpr index_t kStep = 64;
  for (; start + kStep <= n; start += kStep) {
    int found = 0;
    for (index_t i = 0; i < kStep; ++i) found |= is(row[start + i]);
    if (found) break;
  }
  while (!is(row[start])) ++start;
  return start;
}

// The extreme value of each chunk is found by lanes; only the chunk that holds the winner is searched.
template <bool Greatest, class T>
void extreme_inner(const void* x, void* values, std::int64_t* indices, index_t rows, index_t n) {
  using Op = typename std::conditional<Greatest, MaxOp<T>, MinOp<T>>::type;
  const T* p = static_cast<const T*>(x);
  for_rows(rows, n, [&](index_t r) {
    const T* row = p + r * n;
    T best = row[0];
    index_t start = 0;
    for (index_t s = 0; s < n; s += kChunk) {
      T v = reduce_chunk<T>(RowLoad<T>{row}, s, n - s < kChunk ? n - s : kChunk, Op());
      if (beats<Greatest>(v, best)) best = v, start = s;
    }
    start = best == best ? first_place(row, start, n, [best](T a) { return a == best; })
                         : first_place(row, start, n, [](T a) { return a != a; });
    if (values) static_cast<T*>(values)[r] = row[start];
    indices[r] = start;
  });
}

template <bool Greatest, class T, class Idx>
void extreme_columns(const T* x, T* values, std::int64_t* indices, index_t n, index_t stride, int w) {
  T best[kTile];
  Idx where[kTile];
  for (int l = 0; l < w; ++l) best[l] = x[l], where[l] = 0;
  for (index_t j = 1; j < n; ++j) {
    const T* row = x + j * stride;
    const Idx at = static_cast<Idx>(j);
    for (int l = 0; l < w; ++l) {
      T a = row[l];
      bool wins = beats<Greatest>(a, best[l]);
      best[l] = wins ? a : best[l];
      where[l] = wins ? at : where[l];
    }
  }
  for (int l = 0; l < w; ++l) indices[l] = where[l];
  if (values) {
    for (int l = 0; l < w; ++l) values[l] = static_cast<T>(best[l]);
  }
}

template <bool Greatest, class T>
void extreme_outer(const void* x, void* values, std::int64_t* indices, index_t outer, index_t n, index_t inner) {
  // Positions as wide as the elements keep the loop in vectors.
  using Idx = typename std::conditional<sizeof(T) == 8, std::int64_t, std::int32_t>::type;
  const T* p = static_cast<const T*>(x);
  T* v = static_cast<T*>(values);
  for_tiles(outer, n, inner, [&](index_t o, index_t c, int w) {
    const index_t at = o * inner + c;
    const T* column = p + o * n * inner + c;
    if (n <= INT32_MAX) {
      extreme_columns<Greatest, T, Idx>(column, v ? v + at : nullptr, indices + at, n, inner, w);
    } else {
      extreme_columns<Greatest, T, std::int64_t>(column, v ? v + at : nullptr, indices + at, n, inner, w);
    }
  });
}

template <bool Greatest, class T>
void arg_inner(const void* x, void* out, index_t rows, index_t n) {
  extreme_inner<Greatest, T>(x, nullptr, static_cast<std::int64_t*>(out), rows, n);
}
template <bool Greatest, class T>
void arg_outer(const void* x, void* out, index_t outer, index_t n, index_t inner) {
  extreme_outer<Greatest, T>(x, nullptr, static_cast<std::int64_t*>(out), outer, n, inner);
}

void* entry(ReduceInnerFn f) { return reinterpret_cast<void*>(f); }
void* entry(ReduceOuterFn f) { return reinterpret_cast<void*>(f); }
void* entry(ExtremeInnerFn f) { return reinterpret_cast<void*>(f); }
void* entry(ExtremeOuterFn f) { return reinterpret_cast<void*>(f); }

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_PAIR(name, in, out, fn_inner, fn_outer) \
  {name "_inner", kOtherKernel, in, out, entry(fn_inner)}, { name "_outer", kOtherKernel, in, out, entry(fn_outer) }
#define WG_EXTREMES(dt, T)                                                                   \
  WG_PAIR("argmax", dt, kInt64, (arg_inner<true, T>), (arg_outer<true, T>)),                 \
      WG_PAIR("argmin", dt, kInt64, (arg_inner<false, T>), (arg_outer<false, T>)),           \
      WG_PAIR("max_with_index", dt, dt, (extreme_inner<true, T>), (extreme_outer<true, T>)), \
      WG_PAIR("min_with_index", dt, dt, (extreme_inner<false, T>), (extreme_outer<false, T>))

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(extreme, WG_EXTREMES(kFloat32, float), WG_EXTREMES(kFloat64, double))
#else
WG_UNIT(extreme, WG_EXTREMES(kFloat32, float), WG_EXTREMES(kFloat64, double), WG_EXTREMES(kBool, std::uint8_t),
        WG_EXTREMES(kUInt8, std::uint8_t), WG_EXTREMES(kInt8, std::int8_t), WG_EXTREMES(kInt16, std::int16_t),
        WG_EXTREMES(kInt32, std::int32_t), WG_EXTREMES(kInt64, std::int64_t))
#endif
