// Pooling in up to three dimensions: maximum and average, with windows or adaptive; float32 and float64.
//
// Maximum: the first of equal values wins; the first NaN beats everything. Average: the sum in ascending (depth,
// height, width), divided once. Adaptive windows run from floor(i * in / out) to ceil((i + 1) * in / out). Planes
// are independent: each is worked on by one thread.
#include "wengert/conv.h"
#include "wengert/kernels.h"
#include "wengert/parallel.h"

namespace wg {
namespace WG_NS {

static WG_INLINE index_t smaller(index_t a, index_t b) { return a < b ? a : b; }
static WG_INLINE index_t larger(index_t a, index_t b) { return a > b ? a : b; }

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

using SpanFn = Span (*)(const Pool&, int, index_t);

// Calls body(place of the output, spans) for every window of a plane.
template <SpanFn span, class F>
static WG_INLINE void walk_windows(const Pool& p, F&& body) {
  index_t at = 0;
  for (index_t d = 0; d < p.out[0]; ++d) {
    const Span depth = span(p, 0, d);
    for (index_t h = 0; h < p.out[1]; ++h) {
      const Span height = span(p, 1, h);
      for (index_t w = 0; w < p.out[2]; ++w, ++at) body(at, depth, height, span(p, 2, w));
    }
  }
}

// ---- maximum ------------------------------------------------------------------------------------------

// Two by two windows, two apart, wholly inside: the common case, one comparison tree for each row of output.
static bool is_two_by_two(const Pool& p) {
  bool plain = p.kernel[0] == 1 && p.stride[0] == 1 && p.padding[0] == 0 && p.in[0] == p.out[0];
  for (int d = 1; d < 3; ++d)
    plain = plain && p.kernel[d] == 2 && p.stride[d] == 2 && p.padding[d] == 0 && p.dilation[d] == 1 &&
            2 * p.out[d] <= p.in[d];
  return plain;
}

// The later value wins when it is greater or NaN, unless the earlier one is NaN already.
template <class T>
static WG_INLINE bool beats(T later, T earlier) {
  return (later > earlier) | ((later != later) & (earlier == earlier));
}

template <class T>
static void max_two_by_two(const Pool& p, const T* x, T* y, std::int64_t* index) {
  const index_t width = p.in[2];
  for (index_t d = 0; d < p.out[0]; ++d)
    for (index_t h = 0; h < p.out[1]; ++h) {
      const index_t row = (d * p.in[1] + 2 * h) * width;
      const T* WG_RESTRICT a = x + row;
      const T* WG_RESTRICT b = a + width;
      T* WG_RESTRICT out = y + (d * p.out[1] + h) * p.out[2];
      std::int64_t* WG_RESTRICT place = index ? index + (d * p.out[1] + h) * p.out[2] : nullptr;
      if (place) {
        for (index_t w = 0; w < p.out[2]; ++w) {
          const T a0 = a[2 * w], a1 = a[2 * w + 1], b0 = b[2 * w], b1 = b[2 * w + 1];
          const bool upper = beats(a1, a0), lower = beats(b1, b0);
          const T top = upper ? a1 : a0, bottom = lower ? b1 : b0;
          const bool below = beats(bottom, top);
          out[w] = below ? bottom : top;
          const std::int64_t first = row + 2 * w;
          place[w] = below ? first + width + lower : first + upper;
        }
      } else {
        for (index_t w = 0; w < p.out[2]; ++w) {
          const T a0 = a[2 * w], a1 = a[2 * w + 1], b0 = b[2 * w], b1 = b[2 * w + 1];
          const T top = beats(a1, a0) ? a1 : a0, bottom = beats(b1, b0) ? b1 : b0;
          out[w] = beats(bottom, top) ? bottom : top;
        }
      }
    }
}

template <class T, SpanFn span>
static WG_INLINE void max_plane(const Pool& p, const T* x, T* y, std::int64_t* index) {
  walk_windows<span>(p, [&](index_t at, const Span& depth, const Span& height, const Span& width) {
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
  const bool simple = is_two_by_two(p);
  run_planes(p, out * volume(p.kernel), [&](index_t plane) {
    const T* x = static_cast<const T*>(p.x) + plane * in;
    T* y = static_cast<T*>(p.y) + plane * out;
    std::int64_t* index = p.index ? p.index + plane * out : nullptr;
    if (simple)
      max_two_by_two(p, x, y, index);
    else
      max_plane<T, max_span>(p, x, y, index);
  });
}

template <class T>
static void adaptive_max_pool(const Pool& p) {
  const index_t in = volume(p.in), out = volume(p.out);
  run_planes(p, larger(in, out), [&](index_t plane) {
    max_plane<T, adaptive_span>(p, static_cast<const T*>(p.x) + plane * in, static_cast<T*>(p.y) + plane * out,
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
    for (index_t i = 0; i < out; ++i) x[index[i]] += y[i];
  });
}

// ---- average ------------------------------------------------------------------------------------------

template <class T>
static WG_INLINE T window_divisor(const Pool& p, const Span& depth, const Span& height, const Span& width) {
  if (p.divisor) return static_cast<T>(p.divisor);
  if (p.count_include_pad) return static_cast<T>(depth.padded * height.padded * width.padded);
  return static_cast<T>((depth.end - depth.begin) * (height.end - height.begin) * (width.end - width.begin));
}

template <class T, SpanFn span>
static WG_INLINE void average(const Pool& p, index_t visits) {
  const index_t in = volume(p.in), out = volume(p.out);
  run_planes(p, visits, [&](index_t plane) {
    const T* x = static_cast<const T*>(p.x) + plane * in;
    T* y = static_cast<T*>(p.y) + plane * out;
    walk_windows<span>(p, [&](index_t at, const Span& depth, const Span& height, const Span& width) {
      T sum = 0;
      for (index_t d = depth.begin; d < depth.end; ++d)
        for (index_t h = height.begin; h < height.end; ++h) {
          const T* row = x + (d * p.in[1] + h) * p.in[2];
          for (index_t w = width.begin; w < width.end; ++w) sum += row[w];
        }
      y[at] = sum / window_divisor<T>(p, depth, height, width);
    });
  });
}

template <class T, SpanFn span>
static WG_INLINE void average_backward(const Pool& p, index_t visits) {
  const index_t in = volume(p.in), out = volume(p.out);
  run_planes(p, visits, [&](index_t plane) {
    T* x = static_cast<T*>(p.x) + plane * in;
    const T* y = static_cast<const T*>(p.y) + plane * out;
    __builtin_memset(x, 0, static_cast<std::size_t>(in) * sizeof(T));
    walk_windows<span>(p, [&](index_t at, const Span& depth, const Span& height, const Span& width) {
      const T share = y[at] / window_divisor<T>(p, depth, height, width);
      for (index_t d = depth.begin; d < depth.end; ++d)
        for (index_t h = height.begin; h < height.end; ++h) {
          T* row = x + (d * p.in[1] + h) * p.in[2];
          for (index_t w = width.begin; w < width.end; ++w) row[w] += share;
        }
    });
  });
}

template <class T>
static void avg_pool(const Pool& p) {
  average<T, average_span>(p, volume(p.out) * volume(p.kernel));
}
template <class T>
static void avg_pool_backward(const Pool& p) {
  average_backward<T, average_span>(p, volume(p.out) * volume(p.kernel));
}

// An adaptive window has no padding and no divisor of its own.
static Pool without_padding(const Pool& p) {
  Pool q = p;
  q.count_include_pad = false;
  q.divisor = 0;
  return q;
}
template <class T>
static void adaptive_avg_pool(const Pool& p) {
  average<T, adaptive_span>(without_padding(p), larger(volume(p.in), volume(p.out)));
}
template <class T>
static void adaptive_avg_pool_backward(const Pool& p) {
  average_backward<T, adaptive_span>(without_padding(p), larger(volume(p.in), volume(p.out)));
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
