// Factors, determinants and solutions of many small matrices.
//
// A matrix is copied into rows of float64 that are padded with zeros to a width of 4, 8, 16 or 32: loops along rows
// have a constant length then and run in vectors, and results of float32 are rounded once. Rows change places by
// their numbers. Every matrix is computed by itself, in the order of the textbook's right-looking algorithms, so
// its bits depend on nothing else.
#include "wengert/factor.h"

#include "wengert/kernels.h"
#include "wengert/reduction.h"
#include "wengert/vmath.h"

namespace wg {
namespace WG_NS {
namespace {

template <int W>
using Row = double[W];

// Rows of n elements, padded.
template <class T, int W>
WG_INLINE void take(const T* from, int n, Row<W>* to) {
  if (n == W) {
    for (int i = 0; i < W; ++i)
      for (int j = 0; j < W; ++j) to[i][j] = static_cast<double>(from[i * W + j]);
    return;
  }
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < W; ++j) to[i][j] = j < n ? static_cast<double>(from[i * n + j]) : 0.0;
}

// y -= f x from column `first` on; columns before it stay as they are.
template <int W>
WG_INLINE void subtract(double* y, double f, const double* x, int first) {
  constexpr int S = W < 8 ? W : 8;
  for (int c = first / S * S; c < W; c += S)
#pragma GCC ivdep
    for (int l = 0; l < S; ++l) y[c + l] = c + l >= first ? vm::fma(-f, x[c + l], y[c + l]) : y[c + l];
}

// A = P L U: U on and above the diagonal, L without its ones below it. Row k of the factors is m[at[k]].
template <int W>
struct Factors {
  alignas(64) Row<W> m[W];
  int at[W];
  bool odd = false;  // the permutation
  bool regular = true;

  template <class T>
  explicit WG_NOINLINE Factors(const T* a, int n) {
    take<T, W>(a, n, m);
    for (int k = 0; k < n; ++k) at[k] = k;
    for (int k = 0; k < n; ++k) eliminate(k, n);
  }
  double diagonal(int k) const { return m[at[k]][k]; }

 private:
  WG_INLINE void eliminate(int k, int n) {
    int p = k;
    double best = vm::abs(m[at[k]][k]);
    for (int i = k + 1; i < n; ++i) {
      const double size = vm::abs(m[at[i]][k]);
      p = size > best ? i : p;
      best = size > best ? size : best;
    }
    const int row = at[p];
    at[p] = at[k];
    at[k] = row;
    odd ^= p != k;
    const double* pivot = m[row];
    if (WG_UNLIKELY(pivot[k] == 0.0)) {
      regular = false;
      return;
    }
    for (int i = k + 1; i < n; ++i) {
      double* y = m[at[i]];
      const double f = y[k] / pivot[k];
      subtract<W>(y, f, pivot, k + 1);
      y[k] = f;
    }
  }
};

// x, whose rows are those of the right-hand side in the order of the factors, becomes the solution.
template <int W, int R>
WG_NOINLINE void substitute(const Factors<W>& f, int n, Row<R>* x) {
  for (int k = 0; k < n; ++k)
    for (int i = k + 1; i < n; ++i) subtract<R>(x[i], f.m[f.at[i]][k], x[k], 0);
  for (int k = n - 1; k >= 0; --k) {
    const double pivot = f.diagonal(k);
    for (int j = 0; j < R; ++j) x[k][j] /= pivot;
    for (int i = 0; i < k; ++i) subtract<R>(x[i], f.m[f.at[i]][k], x[k], 0);
  }
}

template <class T, int W>
WG_INLINE Factors<W> factors_of(const SmallMatrices& s, index_t at) {
  return Factors<W>(static_cast<const T*>(s.a) + at * s.n * s.n, static_cast<int>(s.n));
}

// Columns first .. first + R of the solution, of which there are `columns`.
template <class T, int W, int R>
WG_INLINE void solve_columns(const Factors<W>& f, int n, const T* b, T* out, index_t columns, index_t first) {
  alignas(64) Row<R> x[W];
  const index_t some = columns - first < R ? columns - first : R;
  for (int i = 0; i < n; ++i) {
    const T* from = b + f.at[i] * columns + first;
    for (int j = 0; j < R; ++j) x[i][j] = j < some ? static_cast<double>(from[j]) : 0.0;
  }
  substitute<W, R>(f, n, x);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < R; ++j)
      if (j < some) out[i * columns + first + j] = static_cast<T>(x[i][j]);
}

template <class T, int W>
struct Solve {
  static WG_INLINE bool run(const SmallMatrices& s, index_t at) {
    const int n = static_cast<int>(s.n);
    const Factors<W> f = factors_of<T, W>(s, at);
    const T* b = static_cast<const T*>(s.b) + at * s.n * s.columns;
    T* out = static_cast<T*>(s.out) + at * s.n * s.columns;
    if (s.columns <= 4) {
      solve_columns<T, W, 4>(f, n, b, out, s.columns, 0);
    } else {
      for (index_t first = 0; first < s.columns; first += W) solve_columns<T, W, W>(f, n, b, out, s.columns, first);
    }
    return f.regular;
  }
};

template <class T, int W>
struct Inverse {
  static WG_INLINE bool run(const SmallMatrices& s, index_t at) {
    const int n = static_cast<int>(s.n);
    const Factors<W> f = factors_of<T, W>(s, at);
    T* out = static_cast<T*>(s.out) + at * s.n * s.n;
    alignas(64) Row<W> x[W];
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < W; ++j) x[i][j] = j == f.at[i] ? 1.0 : 0.0;
    substitute<W, W>(f, n, x);
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < W; ++j)
        if (j < n) out[i * n + j] = static_cast<T>(x[i][j]);
    return f.regular;
  }
};

template <class T, int W>
struct Det {
  static WG_INLINE bool run(const SmallMatrices& s, index_t at) {
    const Factors<W> f = factors_of<T, W>(s, at);
    double product = f.odd ? -1.0 : 1.0;
    for (int k = 0; k < static_cast<int>(s.n); ++k) product *= f.diagonal(k);
    static_cast<T*>(s.out)[at] = static_cast<T>(product);
    return true;
  }
};

template <class T, int W>
struct SlogDet {
  static WG_INLINE bool run(const SmallMatrices& s, index_t at) {
    const int n = static_cast<int>(s.n);
    const Factors<W> f = factors_of<T, W>(s, at);
    double sign = f.odd ? -1.0 : 1.0, logs[W], sum = 0;
    for (int k = 0; k < W; ++k) logs[k] = k < n ? vm::abs(f.diagonal(k)) : 1.0;
    for (int k = 0; k < W; ++k) logs[k] = vm::log(logs[k]);
    for (int k = 0; k < n; ++k) {
      const double d = f.diagonal(k);
      sign = d > 0.0 ? sign : d < 0.0 ? -sign : d;  // 0 and NaN stay
      sum += logs[k];
    }
    static_cast<T*>(s.out)[at] = static_cast<T>(f.regular ? sign : 0.0);
    static_cast<T*>(s.logs)[at] = static_cast<T>(sum);
    return true;
  }
};

// The rows of the transposed factor: row k of it, divided by the root of its diagonal, is subtracted from those
// below.
template <class T, int W>
struct Cholesky {
  static WG_INLINE bool run(const SmallMatrices& s, index_t at) {
    const int n = static_cast<int>(s.n);
    const T* a = static_cast<const T*>(s.a) + at * s.n * s.n;
    T* out = static_cast<T*>(s.out) + at * s.n * s.n;
    alignas(64) Row<W> m[W];
    for (int k = 0; k < n; ++k)
      for (int j = 0; j < W; ++j) m[k][j] = 0.0;
    for (int j = 0; j < n; ++j)
      for (int k = 0; k <= j; ++k) m[k][j] = static_cast<double>(a[j * n + k]);
    bool positive = true;
    for (int k = 0; k < n; ++k) {
      positive &= m[k][k] > 0.0;
      const double root = vm::sqrt(m[k][k]);
      for (int j = 0; j < W; ++j) m[k][j] /= root;
      for (int i = k + 1; i < n; ++i) subtract<W>(m[i], m[k][i], m[k], i);
    }
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) out[i * n + j] = j <= i ? static_cast<T>(m[j][i]) : T(0);
    return positive;
  }
};

template <template <class, int> class Op, class T, int W>
index_t each(const SmallMatrices& s) {
  index_t failed = 0;
  for_rows(s.count, s.n * s.n * s.n, [&](index_t at) {
    if (!Op<T, W>::run(s, at)) __atomic_fetch_add(&failed, 1, __ATOMIC_RELAXED);
  });
  return failed;
}

template <template <class, int> class Op, class T>
index_t small(const SmallMatrices& s) {
  if (s.n <= 4) return each<Op, T, 4>(s);
  if (s.n <= 8) return each<Op, T, 8>(s);
  if (s.n <= 16) return each<Op, T, 16>(s);
  return each<Op, T, 32>(s);
}

template <class Fn>
void* entry(Fn* f) {
  return reinterpret_cast<void*>(f);
}

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_ROW(name, dt, fn) {name, kOtherKernel, dt, dt, entry(fn)}
#define WG_SMALL(dt, T)                                                                                 \
  WG_ROW("cholesky_small", dt, (small<Cholesky, T>)), WG_ROW("inverse_small", dt, (small<Inverse, T>)), \
      WG_ROW("solve_small", dt, (small<Solve, T>)), WG_ROW("det_small", dt, (small<Det, T>)),           \
      WG_ROW("slogdet_small", dt, (small<SlogDet, T>))

WG_UNIT(factor, WG_SMALL(kFloat32, float), WG_SMALL(kFloat64, double))
