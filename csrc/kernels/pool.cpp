// Pooling in up to three dimensions: maximum and average, with windows or adaptive; float32 and float64.
//
// Maximum: the first of equal values wins; a NaN beats every number, and the last NaN the others. Average: the sum
// in ascending (depth, height, width), divided once. Adaptive windows run from floor(i * in / out) to ceil((i + 1)
// * in / out). Planes are independent: each is worked on by one thread.
#include "wengert/conv.h"
#include "wengert/index.h"
#include "wengert/kernels.h"
#include "wengert/parallel.h"

#include "strided_load.h"

namespace wg {
namespace WG_NS {

// Window elements whose visits repay a hand-over to another thread.
constexpr double kPartVisits = 2e5;

static WG_INLINE index_t volume(const index_t size[3]) { return size[0] * size[1] * size[2]; }

// Run body(plane) for every plane, `visits` elements being touched for each.
template <class F>
static void run_planes(const Pool& p, index_t visits, F&& body) {
  const double most = static_cast<double>(visits) * static_cast<double>(p.planes) / kPartVisits;
  if (p.planes == 0) return;
  const index_t parts = most < 2 ? 1 : most < static_cast<double>(p.planes) ? static_cast<index_t>(most) : p.planes;
  parallel_for(parts, [&](index_t part) {
    for (index_t i = p.planes * part / parts; i < p.planes * (part + 1) / parts; ++i) body(i);
  });
}

// The input places of one window along one dimension: begin, begin + step, ..., below end; size with padding.
struct Span {
  index_t begin, end, step, padded;
};

static WG_INLINE Span max_span(const Pool& p, int d, index_t i) {
  const index_t start = i * p.stride[d] - p.padding[d], step = p.dilation[d];
  const index_t begin = start >= 0 ? start : start + (-start + step - 1) / step * step;
  return {begin, smaller(start + (p.kernel[d] - 1) * step + 1, p.in[d]), step, 0};
}

static WG_INLINE Span average_span(const Pool& p, int d, index_t i) {
  const index_t start = i * p.stride[d] - p.padding[d];
  // In ceil mode a window may hang over the padding: what lies beyond it is not counted.
  const index_t end = smaller(start + p.kernel[d], p.in[d] + p.padding[d]);
  return {larger(start, 0), smaller(end, p.in[d]), 1, end - start};
}

static WG_INLINE Span adaptive_span(const Pool& p, int d, index_t i) {
  const index_t begin = i * p.in[d] / p.out[d], end = ((i + 1) * p.in[d] + p.out[d] - 1) / p.out[d];
  return {begin, end, 1, end - begin};
}

// Calls body(place of the output, spans) for every adaptive window of a plane.
template <class F>
static WG_INLINE void walk_windows(const Pool& p, F&& body) {
  index_t at = 0;
  for (index_t d = 0; d < p.out[0]; ++d) {
    const Span depth = adaptive_span(p, 0, d);
    for (index_t h = 0; h < p.out[1]; ++h) {
      const Span height = adaptive_span(p, 1, h);
      for (index_t w = 0; w < p.out[2]; ++w, ++at) body(at, depth, height, adaptive_span(p, 2, w));
    }
  }
}

// ---- maximum ------------------------------------------------------------------------------------------

// The later value wins when it is greater or NaN.
template <class T>
static WG_INLINE bool beats(T later, T earlier) {
  return (later > earlier) | (later != later);
}

// One row of output, kLanes windows at a time: every tap compares a vector of places, without branches.
template <class T>
static void max_row(const Pool& p, const T* x, index_t d, index_t h, T* y, std::int64_t* index) {
  using S = Simd<T>;
  using V = typename S::V;
  using Place = typename IntegerOf<T>::type;
  typedef Place Places __attribute__((vector_size(WG_VECTOR_BYTES)));
  constexpr index_t L = S::kLanes;
  const T lowest = -static_cast<T>(__builtin_inf());
  const Span depth = max_span(p, 0, d), height = max_span(p, 1, h);
  const index_t stride = p.stride[2], row_size = p.in[2], slab_size = p.in[1] * row_size;
  // Places count from the first row of the windows, so that they fit the lanes whatever the plane's size.
  const index_t origin = depth.begin * slab_size + height.begin * row_size;
  Places steps;
  for (index_t i = 0; i < L; ++i) steps[i] = static_cast<Place>(i * stride);
  for (index_t w = 0; w < p.out[2]; w += L) {
    const index_t lanes = smaller(L, p.out[2] - w);
    V best = S::splat(lowest);
    Places place{};
    for (index_t i = 0; i < lanes; ++i) place[i] = static_cast<Place>(max_span(p, 2, w + i).begin);
    for (index_t id = depth.begin; id < depth.end; id += depth.step)
      for (index_t ih = height.begin; ih < height.end; ih += height.step) {
        const index_t row = id * slab_size + ih * row_size;
        for (index_t kw = 0; kw < p.kernel[2]; ++kw) {
          const index_t first = w * stride - p.padding[2] + kw * p.dilation[2];
          const V v = load_strided(x + row, first, stride, row_size, lanes, lowest);
          const auto wins = (v > best) | (v != v);
          best = wins ? v : best;
          place = wins ? steps + static_cast<Place>(row - origin + first) : place;
        }
      }
    if (lanes == L)
      S::store(y + w, best);
    else
      store_lanes(y + w, best, LaneMask(static_cast<int>(lanes)));
    if (index)
      for (index_t i = 0; i < lanes; ++i) index[w + i] = origin + place[i];
  }
}

template <class T>
static WG_INLINE void adaptive_max_plane(const Pool& p, const T* x, T* y, std::int64_t* index) {
  walk_windows(p, [&](index_t at, const Span& depth, const Span& height, const Span& width) {
    index_t best = (depth.begin * p.in[1] + height.begin) * p.in[2] + width.begin;
    T value = x[best];
    for (index_t d = depth.begin; d < depth.end; d += depth.step)
      for (index_t h = height.begin; h < height.end; h += height.step) {
        const index_t row = (d * p.in[1] + h) * p.in[2];
        for (index_t w = width.begin; w < width.end; w += width.step)
          if (beats(x[row + w], value)) {
            value = x[row + w];
            best = row + w;
          }
      }
    y[at] = value;
    if (index) index[at] = best;
  });
}

template <class T>
static void max_pool(const Pool& p) {
  const index_t in = volume(p.in), out = volume(p.out);
  run_planes(p, out * volume(p.kernel), [&](index_t plane) {
    for (index_t row = 0; row < p.out[0] * p.out[1]; ++row) {
      const index_t at = plane * out + row * p.out[2];
      max_row(p, static_cast<const T*>(p.x) + plane * in, row / p.out[1], row % p.out[1], static_cast<T*>(p.y) + at,
              p.index ? p.index + at : nullptr);
    }
  });
}

template <class T>
static void adaptive_max_pool(const Pool& p) {
  const index_t in = volume(p.in), out = volume(p.out);
  run_planes(p, larger(in, out), [&](index_t plane) {
    adaptive_max_plane(p, static_cast<const T*>(p.x) + plane * in, static_cast<T*>(p.y) + plane * out,
                       p.index ? p.index + plane * out : nullptr);
  });
}

template <class T>
static void max_pool_backward(const Pool& p) {
  const index_t in = volume(p.in), out = volume(p.out);
  run_planes(p, in + out, [&](index_t plane) {
    T* x = static_cast<T*>(p.x) + plane * in;
    const T* y = static_cast<const T*>(p.y) + plane * out;
    const std::int64_t* index = p.index + plane * out;
    __builtin_memset(x, 0, static_cast<std::size_t>(in) * sizeof(T));
    for (index_t i = 0; i < out; ++i) x[position(index, i, in)] += y[i];
  });
}

// ---- average ------------------------------------------------------------------------------------------

static WG_INLINE index_t window_divisor(const Pool& p, const Span& depth, const Span& height, const Span& width) {
  if (p.divisor) return p.divisor;
  if (p.count_include_pad) return depth.padded * height.padded * width.padded;
  return (depth.end - depth.begin) * (height.end - height.begin) * (width.end - width.begin);
}

// Divisors of kLanes windows from w; 1 beyond the row.
template <class T>
static WG_INLINE typename Simd<T>::V row_divisors(const Pool& p, const Span& depth, const Span& height, index_t w,
                                                  index_t lanes) {
  const Span last = average_span(p, 2, w + lanes - 1), first = average_span(p, 2, w);
  // Windows between two that are whole are whole.
  if (lanes == Simd<T>::kLanes && first.end - first.begin == p.kernel[2] && last.end - last.begin == p.kernel[2])
    return Simd<T>::splat(static_cast<T>(window_divisor(p, depth, height, first)));
  T values[Simd<T>::kLanes];
  for (index_t i = 0; i < Simd<T>::kLanes; ++i)
    values[i] = i < lanes ? static_cast<T>(window_divisor(p, depth, height, average_span(p, 2, w + i))) : T(1);
  return Simd<T>::load(values);
}

template <class T>
static void average_row(const Pool& p, const T* x, index_t d, index_t h, T* y) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes;
  const Span depth = average_span(p, 0, d), height = average_span(p, 1, h);
  for (index_t w = 0; w < p.out[2]; w += L) {
    const index_t lanes = smaller(L, p.out[2] - w);
    typename S::V sum{};
    for (index_t id = depth.begin; id < depth.end; ++id)
      for (index_t ih = height.begin; ih < height.end; ++ih) {
        const T* row = x + (id * p.in[1] + ih) * p.in[2];
        for (index_t kw = 0; kw < p.kernel[2]; ++kw)
          sum += load_strided(row, w * p.stride[2] - p.padding[2] + kw, p.stride[2], p.in[2], lanes, T(0));
      }
    sum = sum / row_divisors<T>(p, depth, height, w, lanes);
    if (lanes == L)
      S::store(y + w, sum);
    else
      store_lanes(y + w, sum, LaneMask(static_cast<int>(lanes)));
  }
}

template <class T>
static void average_row_backward(const Pool& p, const T* y, index_t d, index_t h, T* x) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes;
  const Span depth = average_span(p, 0, d), height = average_span(p, 1, h);
  for (index_t w = 0; w < p.out[2]; w += L) {
    const index_t lanes = smaller(L, p.out[2] - w);
    const typename S::V g = lanes == L ? S::load(y + w) : load_lanes(y + w, LaneMask(static_cast<int>(lanes)));
    T share[L];
    S::store(share, g / row_divisors<T>(p, depth, height, w, lanes));
    for (index_t id = depth.begin; id < depth.end; ++id)
      for (index_t ih = height.begin; ih < height.end; ++ih) {
        T* row = x + (id * p.in[1] + ih) * p.in[2];
        for (index_t kw = 0; kw < p.kernel[2]; ++kw) {
          const index_t first = w * p.stride[2] - p.padding[2] + kw;
          const Reach reach(first, p.stride[2], p.in[2], lanes);
          for (index_t t = reach.lo; t < reach.hi; ++t) row[first + t * p.stride[2]] += share[t];
        }
      }
  }
}

template <class T>
static void avg_pool(const Pool& p) {
  const index_t in = volume(p.in), out = volume(p.out);
  run_planes(p, out * volume(p.kernel), [&](index_t plane) {
    for (index_t row = 0; row < p.out[0] * p.out[1]; ++row)
      average_row(p, static_cast<const T*>(p.x) + plane * in, row / p.out[1], row % p.out[1],
                  static_cast<T*>(p.y) + plane * out + row * p.out[2]);
  });
}

template <class T>
static void avg_pool_backward(const Pool& p) {
  const index_t in = volume(p.in), out = volume(p.out);
  run_planes(p, out * volume(p.kernel), [&](index_t plane) {
    T* x = static_cast<T*>(p.x) + plane * in;
    __builtin_memset(x, 0, static_cast<std::size_t>(in) * sizeof(T));
    for (index_t row = 0; row < p.out[0] * p.out[1]; ++row)
      average_row_backward(p, static_cast<const T*>(p.y) + plane * out + row * p.out[2], row / p.out[1],
                           row % p.out[1], x);
  });
}

// An adaptive window has no padding, and no divisor but its size.
static WG_INLINE index_t adaptive_size(const Span& depth, const Span& height, const Span& width) {
  return depth.padded * height.padded * width.padded;
}

template <class T>
static void adaptive_avg_pool(const Pool& p) {
  const index_t in = volume(p.in), out = volume(p.out);
  run_planes(p, larger(in, out), [&](index_t plane) {
    const T* x = static_cast<const T*>(p.x) + plane * in;
    T* y = static_cast<T*>(p.y) + plane * out;
    walk_windows(p, [&](index_t at, const Span& depth, const Span& height, const Span& width) {
      T sum = 0;
      for (index_t d = depth.begin; d < depth.end; ++d)
        for (index_t h = height.begin; h < height.end; ++h) {
          const T* row = x + (d * p.in[1] + h) * p.in[2];
          for (index_t w = width.begin; w < width.end; ++w) sum += row[w];
        }
      y[at] = sum / static_cast<T>(adaptive_size(depth, height, width));
    });
  });
}

template <class T>
static void adaptive_avg_pool_backward(const Pool& p) {
  const index_t in = volume(p.in), out = volume(p.out);
  run_planes(p, larger(in, out), [&](index_t plane) {
    T* x = static_cast<T*>(p.x) + plane * in;
    const T* y = static_cast<const T*>(p.y) + plane * out;
    __builtin_memset(x, 0, static_cast<std::size_t>(in) * sizeof(T));
    walk_windows(p, [&](index_t at, const Span& depth, const Span& height, const Span& width) {
      const T share = y[at] / static_cast<T>(adaptive_size(depth, height, width));
      for (index_t d = depth.begin; d < depth.end; ++d)
        for (index_t h = height.begin; h < height.end; ++h) {
          T* row = x + (d * p.in[1] + h) * p.in[2];
          for (index_t w = width.begin; w < width.end; ++w) row[w] += share;
        }
    });
  });
}

}  // namespace WG_NS
}  // namespace wg

// clang-format off
#define WG_POOL(fn)                                                             \
  {#fn, kOtherKernel, kFloat32, kFloat32, reinterpret_cast<void*>(fn<float>)},  \
  {#fn, kOtherKernel, kFloat64, kFloat64, reinterpret_cast<void*>(fn<double>)}
WG_UNIT(pool, WG_POOL(max_pool), WG_POOL(max_pool_backward), WG_POOL(adaptive_max_pool), WG_POOL(avg_pool),
        WG_POOL(avg_pool_backward), WG_POOL(adaptive_avg_pool), WG_POOL(adaptive_avg_pool_backward))
// clang-format on
