// Reductions and cumulative sums. Order of additions: Note [Order of a reduction] in reduction.h, the same for
// all that is summed here. Integers wrap around, as uint64. NaN: sums and extremes propagate it.
#include "wengert/reduce.h"

#include <type_traits>

#include "wengert/kernels.h"
#include "wengert/reduction.h"
#include "wengert/vmath.h"

#include "distances.h"

namespace wg {
namespace WG_NS {
namespace {

template <class T>
constexpr bool kIsFloat = !std::is_integral<T>::value;

// The float itself, uint64 (two's complement sums of int64) for integers.
template <class T>
using SumOf = typename std::conditional<std::is_integral<T>::value, std::uint64_t, T>::type;
template <class T>
using SumOut = typename std::conditional<std::is_integral<T>::value, std::int64_t, T>::type;

// ---- one value per element, combined: sum, prod, any, all, counts, extremes -----------------------------

template <class T>
struct SumSpec {
  using In = T;
  using Acc = SumOf<T>;
  using Out = SumOut<T>;
  using Op = AddOp<Acc>;
  static WG_INLINE Acc map(T v) { return static_cast<Acc>(v); }
  static WG_INLINE Acc empty() { return 0; }
};
template <class T>
struct ProdSpec : SumSpec<T> {
  using Acc = SumOf<T>;
  using Op = MulOp<Acc>;
  static WG_INLINE Acc empty() { return 1; }
};
template <class T>
struct SumSqSpec : SumSpec<T> {
  static WG_INLINE SumOf<T> map(T v) { return v * v; }
};
template <class T>
struct CountSpec {
  using In = T;
  using Acc = std::int64_t;
  using Out = std::int64_t;
  using Op = AddOp<Acc>;
  static WG_INLINE Acc map(T v) { return v != 0; }
  static WG_INLINE Acc empty() { return 0; }
};
struct OrOp {
  WG_INLINE std::uint8_t operator()(std::uint8_t a, std::uint8_t b) const { return a | b; }
};
struct AndOp {
  WG_INLINE std::uint8_t operator()(std::uint8_t a, std::uint8_t b) const { return a & b; }
};
template <class T>
struct AnySpec {
  using In = T;
  using Acc = std::uint8_t;
  using Out = std::uint8_t;
  using Op = OrOp;
  static WG_INLINE Acc map(T v) { return v != 0; }
  static WG_INLINE Acc empty() { return 0; }
};
template <class T>
struct AllSpec : AnySpec<T> {
  using Op = AndOp;
  static WG_INLINE std::uint8_t empty() { return 1; }
};
template <class T>
struct MaxSpec {
  using In = T;
  using Acc = T;
  using Out = T;
  using Op = MaxOp<Acc>;
  static WG_INLINE Acc map(T v) { return v; }
  static WG_INLINE Acc empty() { return 0; }
};
template <class T>
struct MinSpec : MaxSpec<T> {
  using Op = MinOp<T>;
};

template <class S>
struct MapLoad {
  const typename S::In* p;
  const typename S::Acc* aux;
  WG_INLINE typename S::Acc operator()(index_t i) const { return S::map(p[i]); }
  WG_INLINE typename S::Acc operator()(index_t i, int) const { return S::map(p[i]); }
};

template <class S>
void inner(const void* x, void* out, index_t rows, index_t n) {
  using Acc = typename S::Acc;
  const auto* p = static_cast<const typename S::In*>(x);
  auto* o = static_cast<typename S::Out*>(out);
  auto store = [&](index_t r, Acc v) { o[r] = static_cast<typename S::Out>(v); };
  if (n == 0) {
    for (index_t r = 0; r < rows; ++r) store(r, S::empty());
    return;
  }
  reduce_rows<Acc>(rows, n, [=](index_t r) { return MapLoad<S>{p + r * n, nullptr}; }, typename S::Op(), store);
}

template <class S>
void outer(const void* x, void* out, index_t outer, index_t n, index_t inner) {
  using Acc = typename S::Acc;
  const auto* p = static_cast<const typename S::In*>(x);
  auto* o = static_cast<typename S::Out*>(out);
  if (n == 0) {
    for (index_t i = 0; i < outer * inner; ++i) o[i] = static_cast<typename S::Out>(S::empty());
    return;
  }
  reduce_outer<Acc>(
      outer, n, inner, [=](index_t k) { return MapLoad<S>{p + k * n * inner, nullptr}; }, typename S::Op(),
      [&](index_t k, index_t c0, int w, const Acc* v) {
        for (int l = 0; l < w; ++l) o[k * inner + c0 + l] = static_cast<typename S::Out>(v[l]);
      });
}

// ---- sums piece by piece -------------------------------------------------------------------------------

template <class T>
void sum_lanes(const void* x, void* to, index_t m, bool first) {
  using A = SumOf<T>;
  const T* p = static_cast<const T*>(x);
  A* lanes = static_cast<A*>(to);
  A acc[kLanes];
  index_t i = first ? kLanes : 0;
  for (int l = 0; l < kLanes; ++l) acc[l] = first ? static_cast<A>(p[l]) : lanes[l];
  for (; i + kLanes <= m; i += kLanes)
    for (int l = 0; l < kLanes; ++l) acc[l] += static_cast<A>(p[i + l]);
  for (int l = 0; i < m; ++i, ++l) acc[l] += static_cast<A>(p[i]);
  for (int l = 0; l < kLanes; ++l) lanes[l] = acc[l];
}

template <class T>
void sum_fold(const void* lanes, void* out) {
  using A = SumOf<T>;
  A acc[kLanes];
  for (int l = 0; l < kLanes; ++l) acc[l] = static_cast<const A*>(lanes)[l];
  *static_cast<A*>(out) = fold_lanes(acc, kLanes, AddOp<A>());
}

template <class T>
void sum_rows(const void* x, void* to, index_t rows, index_t w, bool first) {
  using A = SumOf<T>;
  const T* p = static_cast<const T*>(x);
  A* acc = static_cast<A*>(to);
  if (first) {
    for (index_t l = 0; l < w; ++l) acc[l] = static_cast<A>(p[l]);
  }
  for (index_t r = first; r < rows; ++r) {
    const T* row = p + r * w;
#pragma GCC ivdep
    for (index_t l = 0; l < w; ++l) acc[l] += static_cast<A>(row[l]);
  }
}

template <class T>
void sum_tree(const void* parts, void* out, index_t outer, index_t count, index_t w) {
  using A = SumOf<T>;
  const A* p = static_cast<const A*>(parts);
  A* o = static_cast<A*>(out);
  for (index_t k = 0; k < outer; ++k)
    for (index_t l = 0; l < w; ++l) o[k * w + l] = combine_blocks(p + k * count * w + l, count, w, AddOp<A>());
}

// ---- variance ------------------------------------------------------------------------------------------

// Elements less a center: one value for a row, load.aux for columns.
template <class T, bool Square>
struct DeviationLoad {
  using A = SumOf<T>;
  const T* p;
  const A* aux;
  A center;
  static WG_INLINE A map(A d) { return Square ? d * d : d; }
  WG_INLINE A operator()(index_t i) const { return map(p[i] - center); }
  WG_INLINE A operator()(index_t i, int l) const { return map(p[i] - aux[l]); }
};
// d and sq: sums of x - mean and of its square. The first corrects the second for the rounding of the mean.
template <class A>
WG_INLINE A variance(A d, A sq, index_t n, double correction) {
  double dof = static_cast<double>(n) - correction, s = static_cast<double>(sq) - static_cast<double>(d) * d / n;
  return static_cast<A>((s < 0 ? 0 : s) / (dof < 0 ? 0 : dof));
}

template <class T>
void var_inner(const void* x, void* mean, void* var, index_t rows, index_t n, double correction) {
  using A = SumOf<T>;
  const T* p = static_cast<const T*>(x);
  T *m = static_cast<T*>(mean), *v = static_cast<T*>(var);
  if (n == 0) {
    for (index_t r = 0; r < rows; ++r) m[r] = v[r] = static_cast<T>(__builtin_nanf(""));
    return;
  }
  for_rows(rows, n, [&](index_t r) {
    const T* row = p + r * n;
    A mu = reduce_row<A>(MapLoad<SumSpec<T>>{row, nullptr}, 0, n, AddOp<A>()) / static_cast<A>(n);
    A d = reduce_row<A>(DeviationLoad<T, false>{row, nullptr, mu}, 0, n, AddOp<A>());
    A sq = reduce_row<A>(DeviationLoad<T, true>{row, nullptr, mu}, 0, n, AddOp<A>());
    m[r] = static_cast<T>(mu);
    v[r] = static_cast<T>(variance(d, sq, n, correction));
  });
}

template <class T>
void var_outer(const void* x, void* mean, void* var, index_t outer, index_t n, index_t inner, double correction) {
  using A = SumOf<T>;
  const T* p = static_cast<const T*>(x);
  T *m = static_cast<T*>(mean), *v = static_cast<T*>(var);
  if (n == 0) {
    for (index_t i = 0; i < outer * inner; ++i) m[i] = v[i] = static_cast<T>(__builtin_nanf(""));
    return;
  }
  for_tiles(outer, n, inner, [&](index_t o, index_t c, int w) {
    const T* part = p + o * n * inner;
    A mu[kTile], d[kTile], sq[kTile];
    reduce_tile<A>(MapLoad<SumSpec<T>>{part, nullptr}, 0, n, inner, c, w, mu, AddOp<A>());
    for (int l = 0; l < w; ++l) mu[l] /= static_cast<A>(n);
    reduce_tile<A>(DeviationLoad<T, false>{part, mu, 0}, 0, n, inner, c, w, d, AddOp<A>());
    reduce_tile<A>(DeviationLoad<T, true>{part, mu, 0}, 0, n, inner, c, w, sq, AddOp<A>());
    for (int l = 0; l < w; ++l) {
      m[o * inner + c + l] = static_cast<T>(mu[l]);
      v[o * inner + c + l] = static_cast<T>(variance(d[l], sq[l], n, correction));
    }
  });
}

// ---- log(sum(exp(x))) ----------------------------------------------------------------------------------

WG_INLINE float log_scalar(float v) { return __builtin_logf(v); }
WG_INLINE double log_scalar(double v) { return __builtin_log(v); }

template <class T>
struct ExpLoad {
  using A = SumOf<T>;
  const T* p;
  const A* aux;
  A shift;
  WG_INLINE A operator()(index_t i) const { return vm::exp(p[i] - shift); }
  WG_INLINE A operator()(index_t i, int l) const { return vm::exp(p[i] - aux[l]); }
};

// The shift: the greatest value (a NaN may be lost, the sum has it), 0 where that is infinite (so that inf - inf
// never occurs).
template <class A>
WG_INLINE A shift_of(A greatest) {
  return __builtin_isinf(greatest) ? A(0) : greatest;
}

template <class T>
void logsumexp_inner(const void* x, void* out, index_t rows, index_t n) {
  using A = SumOf<T>;
  using Shift = QuickMax<A>;
  const T* p = static_cast<const T*>(x);
  T* o = static_cast<T*>(out);
  if (n == 0) {
    for (index_t r = 0; r < rows; ++r) o[r] = static_cast<T>(-__builtin_inff());
    return;
  }
  for_rows(rows, n, [&](index_t r) {
    const T* row = p + r * n;
    A m = shift_of(reduce_row<A>(MapLoad<MaxSpec<T>>{row, nullptr}, 0, n, Shift()));
    A s = reduce_row<A>(ExpLoad<T>{row, nullptr, m}, 0, n, AddOp<A>());
    o[r] = static_cast<T>(log_scalar(s) + m);
  });
}

template <class T>
void logsumexp_outer(const void* x, void* out, index_t outer, index_t n, index_t inner) {
  using A = SumOf<T>;
  using Shift = QuickMax<A>;
  const T* p = static_cast<const T*>(x);
  T* o = static_cast<T*>(out);
  if (n == 0) {
    for (index_t i = 0; i < outer * inner; ++i) o[i] = static_cast<T>(-__builtin_inff());
    return;
  }
  for_tiles(outer, n, inner, [&](index_t k, index_t c, int w) {
    const T* part = p + k * n * inner;
    A m[kTile], s[kTile];
    reduce_tile<A>(MapLoad<MaxSpec<T>>{part, nullptr}, 0, n, inner, c, w, m, Shift());
    for (int l = 0; l < w; ++l) m[l] = shift_of(m[l]);
    reduce_tile<A>(ExpLoad<T>{part, m, 0}, 0, n, inner, c, w, s, AddOp<A>());
    for (int l = 0; l < w; ++l) o[k * inner + c + l] = static_cast<T>(log_scalar(s[l]) + m[l]);
  });
}

// ---- cumulative sums and products ----------------------------------------------------------------------

// In ascending order, in float64 for all floats; every prefix is rounded once.
template <template <class> class Op, class T>
void scan_inner(const void* x, void* out, index_t rows, index_t n) {
  using A = typename std::conditional<kIsFloat<T>, double, std::uint64_t>::type;
  using Out = SumOut<T>;
  const T* p = static_cast<const T*>(x);
  Out* o = static_cast<Out*>(out);
  for_rows(rows, n, [&](index_t r) {
    A a = Op<A>::identity();
    for (index_t i = r * n; i < r * n + n; ++i) {
      a = Op<A>()(a, static_cast<A>(p[i]));
      o[i] = static_cast<Out>(a);
    }
  });
}

template <template <class> class Op, class T>
void scan_outer(const void* x, void* out, index_t outer, index_t n, index_t inner) {
  using A = typename std::conditional<kIsFloat<T>, double, std::uint64_t>::type;
  using Out = SumOut<T>;
  const T* p = static_cast<const T*>(x);
  Out* o = static_cast<Out*>(out);
  for_tiles(outer, n, inner, [&](index_t k, index_t c, int w) {
    const index_t start = k * n * inner + c;
    A a[kTile];
    for (int l = 0; l < w; ++l) a[l] = Op<A>::identity();
    for (index_t j = 0; j < n; ++j) {
      const T* row = p + start + j * inner;
      Out* to = o + start + j * inner;
      for (int l = 0; l < w; ++l) {
        a[l] = Op<A>()(a[l], static_cast<A>(row[l]));
        to[l] = static_cast<Out>(a[l]);
      }
    }
  });
}

void* entry(ReduceInnerFn f) { return reinterpret_cast<void*>(f); }
void* entry(ReduceOuterFn f) { return reinterpret_cast<void*>(f); }
void* entry(SumLanesFn f) { return reinterpret_cast<void*>(f); }
void* entry(SumFoldFn f) { return reinterpret_cast<void*>(f); }
void* entry(SumRowsFn f) { return reinterpret_cast<void*>(f); }
void* entry(VarInnerFn f) { return reinterpret_cast<void*>(f); }
void* entry(VarOuterFn f) { return reinterpret_cast<void*>(f); }
void* entry(DistancesFn f) { return reinterpret_cast<void*>(f); }

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_PAIR(name, in, out, fn_inner, fn_outer) \
  {name "_inner", kOtherKernel, in, out, entry(fn_inner)}, { name "_outer", kOtherKernel, in, out, entry(fn_outer) }
#define WG_SPEC(name, in, out, spec) WG_PAIR(name, in, out, (inner<spec>), (outer<spec>))
// For every type: `sum` is the type of sums.
#define WG_ALL(dt, T, sum)                                                                                        \
  WG_SPEC("sum", dt, sum, SumSpec<T>), WG_SPEC("prod", dt, sum, ProdSpec<T>), WG_SPEC("max", dt, dt, MaxSpec<T>), \
      WG_SPEC("min", dt, dt, MinSpec<T>), WG_SPEC("any", dt, kBool, AnySpec<T>),                                  \
      WG_SPEC("all", dt, kBool, AllSpec<T>), WG_SPEC("count_nonzero", dt, kInt64, CountSpec<T>),                  \
      WG_PAIR("cumsum", dt, sum, (scan_inner<AddOp, T>), (scan_outer<AddOp, T>)),                                 \
      WG_PAIR("cumprod", dt, sum, (scan_inner<MulOp, T>), (scan_outer<MulOp, T>))
#define WG_PIECES(dt, T, sum)                                    \
  {"sum_lanes", kOtherKernel, dt, sum, entry(sum_lanes<T>)},     \
      {"sum_fold", kOtherKernel, dt, sum, entry(sum_fold<T>)},   \
      {"sum_rows", kOtherKernel, dt, sum, entry(sum_rows<T>)}, { \
    "sum_tree", kOtherKernel, dt, sum, entry(sum_tree<T>)        \
  }
#define WG_FLOAT(dt, T)                                                            \
  WG_ALL(dt, T, dt), WG_PIECES(dt, T, dt), WG_SPEC("sumsq", dt, dt, SumSqSpec<T>), \
      WG_PAIR("var", dt, dt, var_inner<T>, var_outer<T>),                          \
      WG_PAIR("logsumexp", dt, dt, logsumexp_inner<T>, logsumexp_outer<T>),        \
      {"distances", kOtherKernel, dt, dt, entry(distances<T>)}, {                  \
    "distances_backward", kOtherKernel, dt, dt, entry(distances_backward<T>)       \
  }

// Comparisons of wide integers are vector operations in the newer instruction sets only.
#define WG_EXTREMES(dt, T) WG_SPEC("max", dt, dt, MaxSpec<T>), WG_SPEC("min", dt, dt, MinSpec<T>)

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(reduce, WG_FLOAT(kFloat32, float), WG_FLOAT(kFloat64, double), WG_EXTREMES(kInt32, std::int32_t),
        WG_EXTREMES(kInt64, std::int64_t))
#else
WG_UNIT(reduce, WG_FLOAT(kFloat32, float), WG_FLOAT(kFloat64, double), WG_ALL(kBool, std::uint8_t, kInt64),
        WG_ALL(kUInt8, std::uint8_t, kInt64), WG_ALL(kInt8, std::int8_t, kInt64),
        WG_ALL(kInt16, std::int16_t, kInt64), WG_ALL(kInt32, std::int32_t, kInt64),
        WG_ALL(kInt64, std::int64_t, kInt64), WG_PIECES(kBool, std::uint8_t, kInt64),
        WG_PIECES(kInt64, std::int64_t, kInt64))
#endif
