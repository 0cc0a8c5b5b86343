// Resizing along one dimension, and its gradient: weighted sums of rows or of elements.
//
// Order: the terms of a result are added in the order in which they are listed; every product is rounded. Threads
// split the results.
#include "wengert/resample.h"

#include "wengert/kernels.h"
#include "wengert/reduction.h"

namespace wg {
namespace WG_NS {
namespace {

template <class T>
struct Terms {
  const std::int64_t *first, *index;
  const T* weight;
};

// The sum over e in [begin, end) of weight[e] row[index[e]].
template <class T>
WG_INLINE T weighted(const T* row, const Terms<T>& t, index_t begin, index_t end) {
  if (begin == end) return T(0);
  T sum = t.weight[begin] * row[t.index[begin]];
  for (index_t e = begin + 1; e < end; ++e) sum += t.weight[e] * row[t.index[e]];
  return sum;
}

// Innermost dimension: kRows rows together share the look-up of their terms. kEach terms for each result; 0: any.
template <class T, int kRows, int kEach>
WG_NOINLINE void resize_rows(const T* src, T* out, index_t size, index_t count, const Terms<T>& t) {
  for (index_t j = 0; j < count; ++j) {
    const index_t begin = kEach ? kEach * j : t.first[j], end = kEach ? begin + kEach : t.first[j + 1];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) out[r * count + j] = weighted(src + r * size, t, begin, end);
  }
}

// N terms of one result, on rows of n elements; those after the first N are added to what is there.
template <class T, int N, bool kAdd>
WG_INLINE void blend(const T* src, T* out, const Terms<T>& t, index_t e, index_t n) {
  const T* row[N];
  T w[N];
  for (int k = 0; k < N; ++k) row[k] = src + t.index[e + k] * n, w[k] = t.weight[e + k];
#pragma GCC ivdep
  for (index_t i = 0; i < n; ++i) {
    T sum = kAdd ? out[i] + w[0] * row[0][i] : w[0] * row[0][i];
#pragma GCC unroll 4
    for (int k = 1; k < N; ++k) sum += w[k] * row[k][i];
    out[i] = sum;
  }
}

template <class T, bool kAdd>
WG_INLINE void blend_some(const T* src, T* out, const Terms<T>& t, index_t e, index_t terms, index_t n) {
  if (terms >= 4)
    blend<T, 4, kAdd>(src, out, t, e, n);
  else if (terms == 3)
    blend<T, 3, kAdd>(src, out, t, e, n);
  else if (terms == 2)
    blend<T, 2, kAdd>(src, out, t, e, n);
  else
    blend<T, 1, kAdd>(src, out, t, e, n);
}

template <class T>
WG_NOINLINE void blend_all(const T* src, T* out, const Terms<T>& t, index_t begin, index_t end, index_t n) {
  if (begin == end) {
    for (index_t i = 0; i < n; ++i) out[i] = T(0);
    return;
  }
  blend_some<T, false>(src, out, t, begin, end - begin, n);
  for (index_t e = begin + 4; e < end; e += 4) blend_some<T, true>(src, out, t, e, end - e, n);
}

template <class T>
void resample(const Resample& a) {
  const T* src = static_cast<const T*>(a.src);
  T* out = static_cast<T*>(a.out);
  const Terms<T> t{a.first, a.index, static_cast<const T*>(a.weight)};
  if (a.inner > 1) {
    for_rows(a.outer * a.count, a.inner, [&](index_t r) {
      const index_t o = r / a.count, j = r - o * a.count;
      blend_all(src + o * a.size * a.inner, out + r * a.inner, t, t.first[j], t.first[j + 1], a.inner);
    });
    return;
  }
  constexpr int kRows = 4;
  using Fn = void (*)(const T*, T*, index_t, index_t, const Terms<T>&);
  const Fn together = a.each == 2   ? resize_rows<T, kRows, 2>
                      : a.each == 4 ? resize_rows<T, kRows, 4>
                                    : resize_rows<T, kRows, 0>;
  for_rows((a.outer + kRows - 1) / kRows, kRows * a.count, [&](index_t group) {
    const index_t o = group * kRows;
    if (o + kRows <= a.outer) return together(src + o * a.size, out + o * a.count, a.size, a.count, t);
    for (index_t r = o; r < a.outer; ++r)
      resize_rows<T, 1, 0>(src + r * a.size, out + r * a.count, a.size, a.count, t);
  });
}

}  // namespace
}  // namespace WG_NS
}  // namespace wg

WG_UNIT(resample, {"resample", kOtherKernel, kFloat32, kFloat32, reinterpret_cast<void*>(resample<float>)},
        {"resample", kOtherKernel, kFloat64, kFloat64, reinterpret_cast<void*>(resample<double>)})
