// Convolution in up to three dimensions, forward and both gradients, float32 and float64.
//
// A strip of output positions is unrolled into columns (one row for each channel and kernel tap, about 256 KiB,
// so that it stays in the second-level cache) and multiplied by the weights; the whole unrolled image never exists.
// A pointwise convolution multiplies the image itself.
//
// Sums. Forward: over (channel, tap) in the matrix product's order, then the bias. Gradient of x: strips ascending,
// within a strip taps ascending, each term a product over the output channels. Gradient of w: the batch is cut into
// slices by size alone; within a slice products over strips are added in order, and slices in order at the end.
// No cut depends on the number of threads.
#include "wengert/conv.h"

#include "wengert/alloc.h"
#include "wengert/kernels.h"
#include "wengert/parallel.h"

#include "gemm_kernel.h"

namespace wg {
namespace WG_NS {

static WG_INLINE index_t smaller(index_t a, index_t b) { return a < b ? a : b; }
static WG_INLINE index_t larger(index_t a, index_t b) { return a > b ? a : b; }
static WG_INLINE index_t quotient_up(index_t a, index_t b) { return (a + b - 1) / b; }

constexpr index_t kStripBytes = 256 * 1024;
// Multiply-adds that repay a hand-over to another thread.
constexpr double kPartWork = 5e5;
// The largest number of slices of the batch in the gradient of w, and the most memory their partial sums may take.
constexpr index_t kMaxSlices = 16, kSliceBytes = 16 << 20;

// Sizes that follow from a description.
template <class T>
struct Layout {
  index_t in_group, out_group;  // channels of a group
  index_t taps, depth;          // kernel positions; rows of the unrolled matrix
  index_t in_plane, out_plane;  // positions of a channel
  index_t strip, strips;        // positions of a strip
  bool pointwise;

  explicit Layout(const Conv& c) {
    in_group = c.in_channels / c.groups;
    out_group = c.out_channels / c.groups;
    taps = c.kernel[0] * c.kernel[1] * c.kernel[2];
    depth = in_group * taps;
    in_plane = c.in[0] * c.in[1] * c.in[2];
    out_plane = c.out[0] * c.out[1] * c.out[2];
    pointwise = taps == 1;
    for (int d = 0; d < 3; ++d)
      pointwise = pointwise && c.stride[d] == 1 && c.padding[d] == 0 && c.in[d] == c.out[d];
    constexpr index_t kUnit = kTileCols<T>;
    const index_t fitting = kStripBytes / static_cast<index_t>(sizeof(T)) / depth / kUnit * kUnit;
    const index_t most = larger(fitting, kUnit);
    strip = quotient_up(quotient_up(out_plane, quotient_up(out_plane, most)), kUnit) * kUnit;
    strips = quotient_up(out_plane, strip);
  }
  // Columns for `channels` channels: rows begin on whole vectors; runs may write a vector past their end.
  index_t column_row() const { return quotient_up(smaller(strip, out_plane), Simd<T>::kLanes) * Simd<T>::kLanes; }
  std::size_t column_bytes(index_t channels) const {
    return static_cast<std::size_t>(channels * taps * column_row() + Simd<T>::kLanes) * sizeof(T);
  }
};

// ---- unrolling ----------------------------------------------------------------------------------------

// d[t] = from[t] for t in [lo, hi), 0 elsewhere in [0, len). May write up to one vector past d[len].
template <class T>
static WG_INLINE void copy_window(T* d, const T* from, index_t lo, index_t hi, index_t len) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes;
  for (index_t t = 0; t < len; t += L) {
    if (t >= lo && t + L <= hi) {
      S::store(d + t, S::load(from + t));
      continue;
    }
#if defined(WG_ISA_V4)
    const unsigned first = lo > t ? static_cast<unsigned>(smaller(lo - t, L)) : 0;
    const unsigned end = hi > t ? static_cast<unsigned>(smaller(hi - t, L)) : 0;
    LaneMask mask(static_cast<int>(end));
    mask.bits &= ~((1u << first) - 1);
    S::store(d + t, load_lanes(from + t, mask));
#else
    S::store(d + t, typename S::V{});
    for (index_t q = larger(t, lo); q < smaller(t + L, hi); ++q) d[q] = from[q];
#endif
  }
}

template <class T>
static WG_INLINE void add_run(T* WG_RESTRICT d, const T* WG_RESTRICT from, index_t n) {
#if defined(WG_ISA_V4)
  using S = Simd<T>;
  constexpr index_t L = S::kLanes;
  index_t t = 0;
  for (; t + L <= n; t += L) S::store(d + t, S::load(d + t) + S::load(from + t));
  if (t < n) {
    const LaneMask mask(static_cast<int>(n - t));
    store_lanes(d + t, load_lanes(d + t, mask) + load_lanes(from + t, mask), mask);
  }
#else
  for (index_t t = 0; t < n; ++t) d[t] += from[t];
#endif
}

// Calls run(row of columns, place in the strip, length, offset of the input row in its plane or -1 when it lies in
// the padding, first column) for every channel, tap and piece of an output row in positions [q0, q1).
// `first` is where the run's first element reads, in the input row: it may be negative.
template <class F>
static WG_INLINE void walk_columns(const Conv& c, index_t channels, index_t in_plane, index_t q0, index_t q1,
                                   F&& run) {
  const index_t row0 = q0 / c.out[2], o0 = q0 % c.out[2];
  index_t row = 0;
  for (index_t channel = 0; channel < channels; ++channel)
    for (index_t kd = 0; kd < c.kernel[0]; ++kd)
      for (index_t kh = 0; kh < c.kernel[1]; ++kh)
        for (index_t kw = 0; kw < c.kernel[2]; ++kw, ++row) {
          const index_t shift = kw * c.dilation[2] - c.padding[2];
          index_t od = row0 / c.out[1], oh = row0 % c.out[1], o = o0;
          for (index_t q = q0; q < q1;) {
            const index_t len = smaller(c.out[2] - o, q1 - q);
            const index_t id = od * c.stride[0] - c.padding[0] + kd * c.dilation[0];
            const index_t ih = oh * c.stride[1] - c.padding[1] + kh * c.dilation[1];
            const bool inside = id >= 0 && id < c.in[0] && ih >= 0 && ih < c.in[1];
            run(row, q - q0, len, inside ? channel * in_plane + (id * c.in[1] + ih) * c.in[2] : -1,
                o * c.stride[2] + shift);
            q += len;
            o = 0;
            if (++oh == c.out[1]) {
              oh = 0;
              ++od;
            }
          }
        }
}

// The steps t of a run of `len` whose place first + t * stride lies in [0, width): from lo up to hi.
struct Inside {
  index_t lo, hi;
  WG_INLINE Inside(index_t first, index_t stride, index_t width, index_t len) {
    lo = first >= 0 ? 0 : stride == 1 ? -first : quotient_up(-first, stride);
    const index_t room = width - first;
    hi = room <= 0 ? 0 : smaller(len, stride == 1 ? room : quotient_up(room, stride));
    lo = smaller(lo, hi);
  }
};

template <class T>
static void unroll(const Conv& c, const T* x, index_t channels, index_t in_plane, index_t q0, index_t q1,
                   T* columns, index_t column_row) {
  const index_t stride = c.stride[2], width = c.in[2];
  walk_columns(c, channels, in_plane, q0, q1,
               [&](index_t row, index_t at, index_t len, index_t source, index_t first) {
                 T* d = columns + row * column_row + at;
                 if (source < 0) return copy_window(d, x, 0, 0, len);
                 const Inside in(first, stride, width, len);
                 const T* from = x + source + first;
                 if (stride == 1) return copy_window(d, from, in.lo, in.hi, len);
                 for (index_t t = 0; t < in.lo; ++t) d[t] = 0;
                 for (index_t t = in.lo; t < in.hi; ++t) d[t] = from[t * stride];
                 for (index_t t = in.hi; t < len; ++t) d[t] = 0;
               });
}

template <class T>
static void roll_up(const Conv& c, const T* columns, index_t column_row, index_t channels, index_t in_plane,
                    index_t q0, index_t q1, T* x) {
  const index_t stride = c.stride[2], width = c.in[2];
  walk_columns(c, channels, in_plane, q0, q1,
               [&](index_t row, index_t at, index_t len, index_t target, index_t first) {
                 if (target < 0) return;
                 const T* from = columns + row * column_row + at;
                 const Inside in(first, stride, width, len);
                 T* d = x + target + first;
                 if (stride == 1) return add_run(d + in.lo, from + in.lo, in.hi - in.lo);
                 for (index_t t = in.lo; t < in.hi; ++t) d[t * stride] += from[t];
               });
}

// ---- entries ------------------------------------------------------------------------------------------

// Run body(i) for i in [0, n) in parts that each repay a hand-over; body returns false when memory is exhausted.
template <class F>
static bool run_parts(index_t n, double work, F&& body) {
  const double most = work / kPartWork;
  const index_t parts = most < 2 ? 1 : most < static_cast<double>(n) ? static_cast<index_t>(most) : n;
  bool failed = false;
  parallel_for(parts, [&](index_t part) {
    for (index_t i = n * part / parts; i < n * (part + 1) / parts; ++i)
      if (!body(i)) __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
  });
  return !failed;
}

static double work_of(const Conv& c, index_t depth, index_t out_plane) {
  return static_cast<double>(c.batch) * static_cast<double>(c.out_channels) * static_cast<double>(depth) *
         static_cast<double>(out_plane);
}

template <class T>
static bool conv_forward(const Conv& c) {
  const Layout<T> l(c);
  const index_t column_row = l.column_row();
  return run_parts(c.batch * c.groups * l.strips, work_of(c, l.depth, l.out_plane), [&](index_t part) {
    const index_t image = part / l.strips, group = image % c.groups;
    const index_t q0 = part % l.strips * l.strip, q1 = smaller(q0 + l.strip, l.out_plane);
    const T* x = static_cast<const T*>(c.x) + image * l.in_group * l.in_plane;
    const T* b = x + q0;
    index_t b_row = l.in_plane;
    if (!l.pointwise) {
      T* columns = static_cast<T*>(scratch(2, l.column_bytes(l.in_group)));
      if (!columns) return false;
      unroll(c, x, l.in_group, l.in_plane, q0, q1, columns, column_row);
      b = columns;
      b_row = column_row;
    }
    const T* bias = c.bias ? static_cast<const T*>(c.bias) + group * l.out_group : nullptr;
    multiply<T>({l.out_group,
                 q1 - q0,
                 l.depth,
                 static_cast<const T*>(c.w) + group * l.out_group * l.depth,
                 l.depth,
                 1,
                 b,
                 b_row,
                 1,
                 {static_cast<T*>(c.y) + image * l.out_group * l.out_plane + q0, l.out_plane, nullptr, 0, nullptr,
                  false, bias}});
    return true;
  });
}

// Channels are cut into blocks when there are few images: no sum crosses a channel of x.
static index_t channel_block(const Conv& c, index_t in_group) {
  const index_t images = c.batch * c.groups;
  return images >= 16 ? in_group : larger(quotient_up(in_group * images, 16), 1);
}

template <class T>
static bool conv_backward_input(const Conv& c) {
  const Layout<T> l(c);
  const index_t column_row = l.column_row(), block = channel_block(c, l.in_group);
  const index_t blocks = quotient_up(l.in_group, block);
  return run_parts(c.batch * c.groups * blocks, work_of(c, l.depth, l.out_plane), [&](index_t part) {
    const index_t image = part / blocks, group = image % c.groups, first = part % blocks * block;
    const index_t channels = smaller(block, l.in_group - first);
    T* x = static_cast<T*>(c.x) + (image * l.in_group + first) * l.in_plane;
    const T* y = static_cast<const T*>(c.y) + image * l.out_group * l.out_plane;
    const T* w = static_cast<const T*>(c.w) + group * l.out_group * l.depth + first * l.taps;
    const T* bias = c.bias ? static_cast<const T*>(c.bias) + group * l.in_group + first : nullptr;
    if (l.pointwise) {
      multiply<T>({channels,
                   l.out_plane,
                   l.out_group,
                   w,
                   1,
                   l.depth,
                   y,
                   l.out_plane,
                   1,
                   {x, l.in_plane, nullptr, 0, nullptr, c.accumulate, bias}});
      return true;
    }
    T* columns = static_cast<T*>(scratch(2, l.column_bytes(channels)));
    if (!columns) return false;
    if (!c.accumulate) __builtin_memset(x, 0, static_cast<std::size_t>(channels * l.in_plane) * sizeof(T));
    for (index_t q0 = 0; q0 < l.out_plane; q0 += l.strip) {
      const index_t q1 = smaller(q0 + l.strip, l.out_plane);
      multiply<T>({channels * l.taps,
                   q1 - q0,
                   l.out_group,
                   w,
                   1,
                   l.depth,
                   y + q0,
                   l.out_plane,
                   1,
                   {columns, column_row, nullptr, 0, nullptr, false}});
      roll_up(c, static_cast<const T*>(columns), column_row, channels, l.in_plane, q0, q1, x);
    }
    if (bias)
      for (index_t channel = 0; channel < channels; ++channel)
        for (index_t i = 0; i < l.in_plane; ++i) x[channel * l.in_plane + i] += bias[channel];
    return true;
  });
}

template <class T>
static bool conv_backward_weight(const Conv& c) {
  const Layout<T> l(c);
  const index_t column_row = l.column_row(), block = channel_block(c, l.in_group);
  const index_t blocks = quotient_up(l.in_group, block);
  // The transposed gradient (tap, output channel) of each slice: its rows are rows of the columns.
  const index_t size = c.groups * l.depth * l.out_group;
  const index_t affordable = larger(kSliceBytes / (size * static_cast<index_t>(sizeof(T))), 1);
  const index_t slices = larger(smaller(smaller(c.batch, kMaxSlices), affordable), 1);
  T* sums = static_cast<T*>(scratch(3, static_cast<std::size_t>(slices * size) * sizeof(T)));
  if (!sums) return false;
  const bool done = run_parts(slices * c.groups * blocks, work_of(c, l.depth, l.out_plane), [&](index_t part) {
    const index_t slice = part / (c.groups * blocks), group = part / blocks % c.groups;
    const index_t first = part % blocks * block, channels = smaller(block, l.in_group - first);
    T* sum = sums + slice * size + (group * l.depth + first * l.taps) * l.out_group;
    T* columns = nullptr;
    if (!l.pointwise) {
      columns = static_cast<T*>(scratch(2, l.column_bytes(channels)));
      if (!columns) return false;
    }
    bool add = false;
    const index_t end = c.batch * (slice + 1) / slices;
    for (index_t image = c.batch * slice / slices; image < end; ++image) {
      const T* x = static_cast<const T*>(c.x) + (image * c.in_channels + group * l.in_group + first) * l.in_plane;
      const T* y = static_cast<const T*>(c.y) + (image * c.out_channels + group * l.out_group) * l.out_plane;
      for (index_t q0 = 0; q0 < l.out_plane; q0 += l.strip) {
        const index_t q1 = smaller(q0 + l.strip, l.out_plane);
        if (!l.pointwise) unroll(c, x, channels, l.in_plane, q0, q1, columns, column_row);
        multiply<T>({channels * l.taps,
                     l.out_group,
                     q1 - q0,
                     l.pointwise ? x + q0 : columns,
                     l.pointwise ? l.in_plane : column_row,
                     1,
                     y + q0,
                     1,
                     l.out_plane,
                     {sum, l.out_group, nullptr, 0, nullptr, add}});
        add = true;
      }
    }
    return true;
  });
  if (!done) return false;
  for (index_t group = 0; group < c.groups; ++group)
    for (index_t o = 0; o < l.out_group; ++o) {
      T* w = static_cast<T*>(c.w) + (group * l.out_group + o) * l.depth;
      const T* from = sums + group * l.depth * l.out_group + o;
      for (index_t i = 0; i < l.depth; ++i) {
        T sum = c.batch ? from[i * l.out_group] : 0;
        for (index_t slice = 1; slice < slices; ++slice) sum += from[slice * size + i * l.out_group];
        w[i] = c.accumulate ? w[i] + sum : sum;
      }
    }
  return true;
}

}  // namespace WG_NS
}  // namespace wg

#define WG_CONV(name, dtype, fn) {name, kOtherKernel, dtype, dtype, reinterpret_cast<void*>(fn)}
WG_UNIT(conv, WG_CONV("conv_forward", kFloat32, conv_forward<float>),
        WG_CONV("conv_forward", kFloat64, conv_forward<double>),
        WG_CONV("conv_backward_input", kFloat32, conv_backward_input<float>),
        WG_CONV("conv_backward_input", kFloat64, conv_backward_input<double>),
        WG_CONV("conv_backward_weight", kFloat32, conv_backward_weight<float>),
        WG_CONV("conv_backward_weight", kFloat64, conv_backward_weight<double>))
