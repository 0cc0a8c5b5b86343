// Convolution in up to three dimensions, forward and both gradients, float32 and float64.
//
// A strip of output positions is unrolled into columns (one row for each channel and kernel tap, about 256 KiB,
// so that it stays in the second-level cache) and multiplied by the weights; the whole unrolled image never exists.
// A pointwise convolution multiplies the image itself.
//
// Convolution of each channel by itself has kernels and an order of sums of its own (conv_depthwise.h).
//
// Sums. Forward: over (channel, tap) in the matrix product's order, then the bias. Gradient of x: strips ascending,
// within a strip taps ascending, each term a product over the output channels. Gradient of w: the batch is cut into
// slices by size alone; within a slice products over strips are added in order, and slices in order at the end.
// No cut depends on the number of threads.
#include "wengert/conv.h"

#include "wengert/alloc.h"
#include "wengert/kernels.h"
#include "wengert/parallel.h"

#include "conv_columns.h"
#include "conv_depthwise.h"
#include "conv_window.h"

namespace wg {
namespace WG_NS {

// Multiply-adds that repay a hand-over to another thread.
constexpr double kPartWork = 5e5;
// The largest number of slices of the batch in the gradient of w, and the most memory their partial sums may take.
constexpr index_t kMaxSlices = 16, kSliceBytes = 16 << 20;

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

// Whether windows are faster than columns for sums of `depth` terms: where the channels of the result fill the
// lanes well, and the sums are long enough to pay for the turning. (Measured with AVX-512; 3 of 4 lanes against
// columns whose tails waste as much.)
template <class T>
static bool fills_window(index_t depth, index_t channels) {
  const index_t lanes = padded_channels<T>(channels);
  return depth >= 24 && (4 * channels >= 3 * lanes || (depth >= 256 && 2 * channels >= lanes));
}

// y (+)= x * w (+ bias) by windows; pack(group, first, lanes, count, to) writes the weights of `count` output
// channels of a group from `first` on as (channel, tap) rows of `lanes`.
template <class T, class Pack>
static bool convolve(const Conv& c, const T* x, T* y, const T* bias, bool add, Pack&& pack) {
  constexpr index_t L = Simd<T>::kLanes;
  const Layout<T> l(c);
  const Window<T> w(c, l.in_group);
  const index_t panels = padded_channels<T>(l.out_group) * l.depth;
  char* shared = static_cast<char*>(
      scratch(3, (l.depth + 8) * sizeof(index_t) + static_cast<std::size_t>(c.groups * panels + L) * sizeof(T)));
  if (!shared) return false;
  index_t* offsets = reinterpret_cast<index_t*>(shared);
  T* weights = reinterpret_cast<T*>(shared + (l.depth + 7) / 8 * 8 * sizeof(index_t));
  w.offsets(c, offsets);
  for (index_t group = 0; group < c.groups; ++group)
    for (index_t j = 0; j < l.out_group; j += 2 * L)
      pack(group, j, panel_lanes<T>(l.out_group - j), smaller(2 * L, l.out_group - j),
           weights + group * panels + j * l.depth);

  const index_t chunk = chunk_length<T>(l.depth), images = c.batch * c.groups;
  return run_parts(images * w.strips, work_of(c, l.depth, l.out_plane), [&](index_t part) {
    const index_t image = part / w.strips, group = image % c.groups;
    const Strip strip(c, w, part % w.strips);
    T* copy = static_cast<T*>(scratch(2, static_cast<std::size_t>(w.copy_size(c)) * sizeof(T)));
    if (!copy) return false;
    copy_window(c, w, strip, l.in_group, x + image * l.in_group * l.in_plane, copy);
    alignas(64) T sum[(kWindowRows + L - 1) / L * L * 2 * L] = {};
    const index_t tiles = quotient_up(strip.cols, kWindowRows);
    for (index_t j = 0; j < l.out_group; j += 2 * L) {
      const index_t lanes = panel_lanes<T>(l.out_group - j);
      const T* panel = weights + group * panels + j * l.depth;
      if (has_long_rows<T>(strip.cols, l.depth)) {
        for (index_t row = 0; row < strip.rows; ++row)
          window_row(strip.cols, l.depth, copy + row * w.pitch, offsets, panel, lanes,
                     smaller(lanes, l.out_group - j),
                     WindowDest<T>{y + (image * l.out_group + j) * l.out_plane + strip.at + row * c.out[2],
                                   l.out_plane, bias ? bias + group * l.out_group + j : nullptr, add, 0});
        continue;
      }
      for (index_t row = 0; row < strip.rows; ++row)
        for (index_t t = 0; t < tiles; ++t) {
          const index_t i = strip.cols * t / tiles, m = strip.cols * (t + 1) / tiles - i;
          const WindowFn<T> tile = WindowTiles<T>::result[m - 1][lanes / L - 1];
          for (index_t p = 0; p < l.depth; p += chunk)
            tile(smaller(chunk, l.depth - p), copy + row * w.pitch + i, offsets + p, panel + p * lanes, sum, p > 0);
          store_turned(sum, lanes, m, smaller(lanes, l.out_group - j),
                       WindowDest<T>{y + (image * l.out_group + j) * l.out_plane + strip.at + row * c.out[2] + i,
                                     l.out_plane, bias ? bias + group * l.out_group + j : nullptr, add,
                                     add ? 0 : (strip.rows - row) * strip.cols - i});
        }
    }
    return true;
  });
}

template <class T>
static bool conv_forward(const Conv& c) {
  const Layout<T> l(c);
  const auto run = [&](index_t n, auto&& body) { return run_parts(n, work_of(c, l.depth, l.out_plane), body); };
  if (is_depthwise(c))
    return depthwise(c, static_cast<const T*>(c.x), static_cast<const T*>(c.w), 0, 1, static_cast<T*>(c.y),
                     static_cast<const T*>(c.bias), false, run);
  if (!l.pointwise && fills_window<T>(l.depth, l.out_group))
    return convolve(c, static_cast<const T*>(c.x), static_cast<T*>(c.y), static_cast<const T*>(c.bias), false,
                    [&](index_t group, index_t first, index_t lanes, index_t count, T* to) {
                      pack_channels(static_cast<const T*>(c.w) + (group * l.out_group + first) * l.depth, l.depth,
                                    1, lanes, count, l.depth, to);
                    });
  const index_t column_row = l.column_row();
  return run_parts(c.batch * c.groups * l.strips, work_of(c, l.depth, l.out_plane), [&](index_t part) {
    const index_t image = part / l.strips, group = image % c.groups;
    const index_t q0 = part % l.strips * l.strip, q1 = smaller(q0 + l.strip, l.out_plane);
    const T* x = static_cast<const T*>(c.x) + image * l.in_group * l.in_plane;
    const T* b = x + q0;
    index_t b_row = l.in_plane;
    if (!l.pointwise) {
      T* columns = static_cast<T*>(scratch(2, l.column_bytes(c, l.in_group)));
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

// With stride 1 the gradient of x is the convolution of y's gradient with the reversed kernel.
static Conv reversed(const Conv& c) {
  Conv r = c;
  r.in_channels = c.out_channels;
  r.out_channels = c.in_channels;
  for (int d = 0; d < 3; ++d) {
    r.in[d] = c.out[d];
    r.out[d] = c.in[d];
    r.padding[d] = (c.kernel[d] - 1) * c.dilation[d] - c.padding[d];
  }
  return r;
}

template <class T>
static bool conv_backward_input(const Conv& c) {
  const Layout<T> l(c);
  const bool steps = c.stride[0] * c.stride[1] * c.stride[2] == 1;
  const auto run = [&](index_t n, auto&& body) { return run_parts(n, work_of(c, l.depth, l.out_plane), body); };
  const Conv r = reversed(c);
  if (steps && is_depthwise(r) && r.padding[1] >= 0 && r.padding[2] >= 0)
    return depthwise(r, static_cast<const T*>(c.y), static_cast<const T*>(c.w), l.taps - 1, -1,
                     static_cast<T*>(c.x), static_cast<const T*>(c.bias), c.accumulate, run);
  if (!l.pointwise && steps && fills_window<T>(l.out_group * l.taps, l.in_group))
    return convolve(reversed(c), static_cast<const T*>(c.y), static_cast<T*>(c.x), static_cast<const T*>(c.bias),
                    c.accumulate, [&](index_t group, index_t first, index_t lanes, index_t count, T* to) {
                      const T* w = static_cast<const T*>(c.w) + group * l.out_group * l.depth + first * l.taps;
                      for (index_t o = 0; o < l.out_group; ++o)
                        pack_channels(w + o * l.depth + l.taps - 1, l.taps, -1, lanes, count, l.taps,
                                      to + o * l.taps * lanes);
                    });
  const index_t column_row = l.column_row(), block = channel_block(c, l.in_group);
  const index_t blocks = quotient_up(l.in_group, block);
  const bool gathered = c.in[0] == 1 && c.kernel[0] == 1 && c.out[0] == 1 && c.stride[1] == 1 && c.stride[2] == 1 &&
                        l.strip % c.out[2] == 0;
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
    T* columns = static_cast<T*>(scratch(2, l.column_bytes(c, channels)));
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
      if (gathered)
        roll_up_rows<T>(c, columns, column_row, channels, l.in_plane, q0 / c.out[2], q1 / c.out[2], x);
      else
        roll_up<T>(c, columns, column_row, channels, l.in_plane, q0, q1, x);
    }
    if (bias)
      for (index_t channel = 0; channel < channels; ++channel)
        for (index_t i = 0; i < l.in_plane; ++i) x[channel * l.in_plane + i] += bias[channel];
    return true;
  });
}

// Slices of the batch whose sums, of `bytes` each, are kept apart.
static index_t slices_of(const Conv& c, index_t bytes) {
  return larger(smaller(smaller(c.batch, kMaxSlices), kSliceBytes / bytes), 1);
}

// The gradient of w by windows.
template <class T>
static bool correlate(const Conv& c, const Layout<T>& l) {
  constexpr index_t L = Simd<T>::kLanes;
  const index_t block = channel_block(c, l.in_group), blocks = quotient_up(l.in_group, block);
  const Window<T> w(c, block);
  // Sums of each slice: panels of output channels, a row for each (channel, tap).
  const index_t panels = padded_channels<T>(l.out_group) * l.depth, size = c.groups * panels;
  const index_t slices = slices_of(c, size * static_cast<index_t>(sizeof(T)));
  char* shared = static_cast<char*>(scratch(
      3, (w.depth + 8) * sizeof(index_t) + static_cast<std::size_t>(slices * size + 2 * L * L) * sizeof(T)));
  if (!shared) return false;
  index_t* offsets = reinterpret_cast<index_t*>(shared);
  T* sums = reinterpret_cast<T*>(shared + (w.depth + 7) / 8 * 8 * sizeof(index_t));
  w.offsets(c, offsets);
  const bool done = run_parts(slices * c.groups * blocks, work_of(c, l.depth, l.out_plane), [&](index_t part) {
    const index_t slice = part / (c.groups * blocks), group = part / blocks % c.groups;
    const index_t first = part % blocks * block, channels = smaller(block, l.in_group - first);
    const index_t depth = channels * l.taps, tiles = quotient_up(depth, kWindowRows);
    const index_t copy_size = quotient_up(w.copy_size(c), L) * L;
    T* copy = static_cast<T*>(
        scratch(2, static_cast<std::size_t>(copy_size + (w.rows * w.cols * 2 + 1) * L) * sizeof(T)));
    if (!copy) return false;
    T* turned = copy + copy_size;
    const index_t begin = c.batch * slice / slices, end = c.batch * (slice + 1) / slices;
    for (index_t i = begin * w.strips; i < end * w.strips; ++i) {
      const index_t image = i / w.strips;
      const Strip strip(c, w, i % w.strips);
      const T* x = static_cast<const T*>(c.x) + (image * c.in_channels + group * l.in_group + first) * l.in_plane;
      copy_window(c, w, strip, channels, x, copy);
      for (index_t j = 0; j < l.out_group; j += 2 * L) {
        const T* y = static_cast<const T*>(c.y) + (image * c.out_channels + group * l.out_group + j) * l.out_plane;
        const index_t lanes = panel_lanes<T>(l.out_group - j);
        pack_channels(y + strip.at, l.out_plane, 1, lanes, smaller(lanes, l.out_group - j), strip.rows * strip.cols,
                      turned);
        T* sum = sums + slice * size + group * panels + j * l.depth + first * l.taps * lanes;
        for (index_t t = 0; t < tiles; ++t) {
          const index_t p = depth * t / tiles, m = depth * (t + 1) / tiles - p;
          WindowTiles<T>::gradient[m - 1][lanes / L - 1](strip.rows, strip.cols, w.pitch, copy, offsets + p, turned,
                                                         sum + p * lanes, i > begin * w.strips);
        }
      }
    }
    return true;
  });
  if (!done) return false;
  const index_t across = quotient_up(l.out_group, 2 * L);
  return run_parts(c.groups * across, static_cast<double>(slices * size), [&](index_t part) {
    const index_t group = part / across, j = part % across * 2 * L, lanes = panel_lanes<T>(l.out_group - j);
    T* sum = sums + group * panels + j * l.depth;
    for (index_t slice = 1; slice < slices; ++slice)
      for (index_t i = 0; i < l.depth * lanes; i += L)
        Simd<T>::store(sum + i, Simd<T>::load(sum + i) + Simd<T>::load(sum + slice * size + i));
    store_turned(sum, lanes, l.depth, smaller(lanes, l.out_group - j),
                 WindowDest<T>{static_cast<T*>(c.w) + (group * l.out_group + j) * l.depth, l.depth, nullptr,
                               c.accumulate, c.accumulate ? 0 : l.depth});
    return true;
  });
}

template <class T>
static bool conv_backward_weight(const Conv& c) {
  const Layout<T> l(c);
  if (is_depthwise(c) && c.batch)
    return depthwise_backward_weight<T>(
        c, [&](index_t n, auto&& body) { return run_parts(n, work_of(c, l.depth, l.out_plane), body); });
  // Nothing is turned for each position here, so fewer lanes and taps are enough.
  if (!l.pointwise && c.batch && l.depth >= 8 && 8 * l.out_group >= 3 * padded_channels<T>(l.out_group))
    return correlate(c, l);
  const index_t column_row = l.column_row(), block = channel_block(c, l.in_group);
  const index_t blocks = quotient_up(l.in_group, block);
  // The transposed gradient (tap, output channel) of each slice: its rows are rows of the columns.
  const index_t size = c.groups * l.depth * l.out_group;
  const index_t slices = slices_of(c, size * static_cast<index_t>(sizeof(T)));
  T* sums = static_cast<T*>(scratch(3, static_cast<std::size_t>(slices * size) * sizeof(T)));
  if (!sums) return false;
  const bool done = run_parts(slices * c.groups * blocks, work_of(c, l.depth, l.out_plane), [&](index_t part) {
    const index_t slice = part / (c.groups * blocks), group = part / blocks % c.groups;
    const index_t first = part % blocks * block, channels = smaller(block, l.in_group - first);
    T* sum = sums + slice * size + (group * l.depth + first * l.taps) * l.out_group;
    T* columns = nullptr;
    if (!l.pointwise) {
      columns = static_cast<T*>(scratch(2, l.column_bytes(c, channels)));
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
