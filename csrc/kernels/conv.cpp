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

#include "conv_window.h"

namespace wg {
namespace WG_NS {

constexpr index_t kStripBytes = 256 * 1024;
// Multiply-adds that repay a hand-over to another thread.
constexpr double kPartWork = 5e5;
// The largest number of slices of the batch in the gradient of w, and the most memory their partial sums may take.
constexpr index_t kMaxSlices = 16, kSliceBytes = 16 << 20;

// Short output rows with stride 1 are unrolled from a padded copy of the input, a vector of positions at a time:
// such a vector then is two or three masked loads and an aligned store, whatever the tap. Only where masks are
// cheap.
static index_t padded_row(const Conv& c) { return c.in[2] + 2 * c.padding[2]; }
static index_t padded_plane(const Conv& c, index_t rows) {
  return (rows + (c.kernel[1] - 1) * c.dilation[1]) * padded_row(c);
}
template <class T>
static bool reads_padded(const Conv& c) {
#if defined(WG_ISA_V4)
  constexpr index_t L = Simd<T>::kLanes;
  return c.in[0] == 1 && c.out[0] == 1 && c.kernel[0] == 1 && c.stride[1] == 1 && c.stride[2] == 1 &&
         c.kernel[1] * c.kernel[2] > 1 && c.out[2] % L != 0 && c.out[2] >= L / 2 && c.out[2] < 4 * L;
#else
  (void)c;
  return false;
#endif
}

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
    if (most >= c.out[2])  // whole output rows
      strip = quotient_up(c.out[0] * c.out[1], quotient_up(out_plane, most / c.out[2] * c.out[2])) * c.out[2];
    else
      strip = quotient_up(quotient_up(out_plane, quotient_up(out_plane, most)), kUnit) * kUnit;
    strips = quotient_up(out_plane, strip);
  }
  // Columns for `channels` channels: rows begin on whole vectors; runs may write a vector past their end.
  index_t column_row() const { return quotient_up(smaller(strip, out_plane), Simd<T>::kLanes) * Simd<T>::kLanes; }
  // Scratch for the columns of `channels` channels, then a padded copy of the rows they read.
  std::size_t column_bytes(const Conv& c, index_t channels) const {
    index_t size = channels * taps * column_row() + Simd<T>::kLanes;
    if (reads_padded<T>(c))
      size += channels * padded_plane(c, strip / c.out[2]) + 2 * padded_row(c) + Simd<T>::kLanes;
    return static_cast<std::size_t>(size) * sizeof(T);
  }
};

// ---- unrolling ----------------------------------------------------------------------------------------

// Output rows of one strip that read, for one tap, either consecutive input rows or only padding.
struct RowGroup {
  index_t row;     // of the columns
  index_t at;      // place of the first output row's piece in the strip
  index_t rows;    // output rows
  index_t len;     // positions of each
  index_t source;  // offset in the image of the first input row; -1: padding
  index_t first;   // where the first position reads, in the input row; may lie outside
};

// The range of i in [begin, end) for which i * stride + shift lies in [0, size).
static WG_INLINE void clip(index_t stride, index_t shift, index_t size, index_t* begin, index_t* end) {
  const index_t lo = shift >= 0 ? 0 : stride == 1 ? -shift : quotient_up(-shift, stride);
  const index_t room = size - shift;
  const index_t hi = room <= 0 ? 0 : stride == 1 ? room : quotient_up(room, stride);
  *begin = smaller(larger(*begin, lo), *end);
  *end = larger(smaller(*end, hi), *begin);
}

// Calls visit(group) for every channel, tap and group of output rows in positions [q0, q1).
template <class F>
static WG_INLINE void walk_columns(const Conv& c, index_t channels, index_t in_plane, index_t q0, index_t q1,
                                   F&& visit) {
  const index_t row0 = q0 / c.out[2], o0 = q0 % c.out[2], od0 = row0 / c.out[1], oh0 = row0 % c.out[1];
  RowGroup group{};
  for (index_t channel = 0; channel < channels; ++channel)
    for (index_t kd = 0; kd < c.kernel[0]; ++kd)
      for (index_t kh = 0; kh < c.kernel[1]; ++kh)
        for (index_t kw = 0; kw < c.kernel[2]; ++kw, ++group.row) {
          const index_t shift = kh * c.dilation[1] - c.padding[1];
          index_t od = od0, oh = oh0, o = o0;
          for (index_t q = q0; q < q1; ++od, oh = 0) {
            while (oh < c.out[1] && q < q1) {
              const bool whole = o == 0 && q1 - q >= c.out[2];
              group.len = whole ? c.out[2] : smaller(c.out[2] - o, q1 - q);
              group.first = o * c.stride[2] + kw * c.dilation[2] - c.padding[2];
              const index_t end = whole ? smaller(c.out[1], oh + (q1 - q) / c.out[2]) : oh + 1;
              const index_t id = od * c.stride[0] - c.padding[0] + kd * c.dilation[0];
              index_t lo = oh, hi = id >= 0 && id < c.in[0] ? end : oh;
              clip(c.stride[1], shift, c.in[1], &lo, &hi);
              const auto send = [&](index_t from, index_t to, bool inside) {
                if (from == to) return;
                group.at = q - q0 + (from - oh) * group.len;
                group.rows = to - from;
                group.source =
                    inside ? channel * in_plane + (id * c.in[1] + from * c.stride[1] + shift) * c.in[2] : -1;
                visit(group);
              };
              send(oh, lo, false);
              send(lo, hi, true);
              send(hi, end, false);
              q += (end - oh) * group.len;
              oh = end;
              o = 0;
            }
          }
        }
}

#if defined(WG_ISA_V4)
// The columns of output rows [row0, row1), by reads_padded's way; `padded` is scratch memory.
template <class T>
static void unroll_padded(const Conv& c, const T* x, index_t channels, index_t in_plane, index_t row0, index_t row1,
                          T* columns, index_t column_row, T* padded) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes;
  const index_t row = padded_row(c), plane = padded_plane(c, row1 - row0), pad = c.padding[2], out = c.out[2];
  for (index_t channel = 0; channel < channels; ++channel)
    for (index_t i = 0; i < plane / row; ++i) {
      const index_t ih = row0 + i - c.padding[1];
      const bool inside = ih >= 0 && ih < c.in[1];
      const T* from = x + channel * in_plane + (inside ? ih : 0) * c.in[2] - pad;
      T* d = padded + channel * plane + i * row;
      for (index_t t = 0; t < row; t += L)
        S::store(d + t, load_window(from + t, smaller(larger(pad - t, 0), L),
                                    inside ? smaller(larger(pad + c.in[2] - t, 0), L) : 0));
    }
  const index_t skip = row - out;  // from the end of one output row's reads to the beginning of the next
  for (index_t q = 0; q < (row1 - row0) * out; q += L) {
    const index_t left = out - q % out;  // lanes until the output row ends
    const T* base = padded + q / out * row + q % out;
    const unsigned all = (1u << L) - 1, second = left < L ? all & ~((1u << left) - 1) : 0;
    const unsigned third = left + out < L ? all & ~((1u << (left + out)) - 1) : 0;
    T* d = columns + q;
    const auto each_tap = [&](auto&& load) __attribute__((always_inline)) {
      for (index_t channel = 0; channel < channels; ++channel)
        for (index_t kh = 0; kh < c.kernel[1]; ++kh)
          for (index_t kw = 0; kw < c.kernel[2]; ++kw, d += column_row)
            S::store(d, load(base + channel * plane + kh * c.dilation[1] * row + kw * c.dilation[2]));
    };
    if (!second)
      each_tap([](const T* p) { return S::load(p); });
    else if (!third)
      each_tap([&](const T* p) { return load_filled(p + skip, second, S::load(p)); });
    else
      each_tap(
          [&](const T* p) { return load_filled(p + 2 * skip, third, load_filled(p + skip, second, S::load(p))); });
  }
}
#endif

// Rows are written in ascending order, each up to a vector past its end.
template <class T>
static void unroll(const Conv& c, const T* x, index_t channels, index_t in_plane, index_t q0, index_t q1,
                   T* columns, index_t column_row) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes;
#if defined(WG_ISA_V4)
  if (reads_padded<T>(c) && q0 % c.out[2] == 0 && q1 % c.out[2] == 0)
    return unroll_padded(c, x, channels, in_plane, q0 / c.out[2], q1 / c.out[2], columns, column_row,
                         columns + channels * c.kernel[1] * c.kernel[2] * column_row + L);
#endif
  const index_t stride = c.stride[2], width = c.in[2], row_step = c.stride[1] * width;
  walk_columns(c, channels, in_plane, q0, q1, [&](const RowGroup& g) {
    T* d = columns + g.row * column_row + g.at;
    if (g.source < 0) {
      for (index_t t = 0; t < g.rows * g.len; t += L) S::store(d + t, typename S::V{});
      return;
    }
    const T* from = x + g.source;
    if (stride != 1) {
      for (index_t r = 0; r < g.rows; ++r, d += g.len, from += row_step)
        for (index_t t = 0; t < g.len; t += L)
          S::store(d + t, load_strided(from, g.first + t * stride, stride, width, smaller(L, g.len - t), T(0)));
      return;
    }
    const Reach reach(g.first, 1, width, g.len);
    from += g.first;
    if (g.len <= L) {
      for (index_t r = 0; r < g.rows; ++r, d += g.len, from += row_step)
        S::store(d, load_window(from, reach.lo, reach.hi));
      return;
    }
    for (index_t r = 0; r < g.rows; ++r, d += g.len, from += row_step)
      for (index_t t = 0; t < g.len; t += L)
        S::store(d + t, t >= reach.lo && t + L <= reach.hi
                            ? S::load(from + t)
                            : load_window(from + t, smaller(larger(reach.lo - t, 0), L),
                                          smaller(larger(reach.hi - t, 0), L)));
  });
}

// x += the columns of a strip, tap by tap.
template <class T>
static void roll_up(const Conv& c, const T* columns, index_t column_row, index_t channels, index_t in_plane,
                    index_t q0, index_t q1, T* x) {
  const index_t stride = c.stride[2], width = c.in[2];
  walk_columns(c, channels, in_plane, q0, q1, [&](const RowGroup& g) {
    if (g.source < 0) return;
    const Reach reach(g.first, stride, width, g.len);
    for (index_t r = 0; r < g.rows; ++r) {
      const T* WG_RESTRICT from = columns + g.row * column_row + g.at + r * g.len;
      T* WG_RESTRICT d = x + g.source + g.first + r * c.stride[1] * width;
      if (stride == 1)
        for (index_t t = reach.lo; t < reach.hi; ++t) d[t] += from[t];
      else
        for (index_t t = reach.lo; t < reach.hi; ++t) d[t * stride] += from[t];
    }
  });
}

// The same sums for one dimension of depth, stride 1 and strips of whole rows, gathered by rows of x so that a
// strip loads and stores each vector of x once.
template <class T>
static void roll_up_rows(const Conv& c, const T* columns, index_t column_row, index_t channels, index_t in_plane,
                         index_t row0, index_t row1, T* x) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes;
  const index_t taps = c.kernel[1] * c.kernel[2], width = c.in[2], out = c.out[2];
  const index_t begin = larger(row0 - c.padding[1], 0);
  const index_t end = smaller(row1 - c.padding[1] + (c.kernel[1] - 1) * c.dilation[1], c.in[1]);
  for (index_t channel = 0; channel < channels; ++channel)
    for (index_t ih = begin; ih < end; ++ih)
      for (index_t iw = 0; iw < width; iw += L) {
        T* row = x + channel * in_plane + ih * width + iw;
        const LaneMask mask(static_cast<int>(smaller(L, width - iw)));
        typename S::V sum = load_lanes(row, mask);
        const T* from = columns + channel * taps * column_row + iw + c.padding[2];
        for (index_t kh = 0; kh < c.kernel[1]; ++kh, from += c.kernel[2] * column_row) {
          const index_t oh = ih + c.padding[1] - kh * c.dilation[1];
          if (oh < row0 || oh >= row1) continue;
          const T* tap = from + (oh - row0) * out;
          index_t first = iw + c.padding[2];
          for (index_t kw = 0; kw < c.kernel[2]; ++kw, tap += column_row - c.dilation[2], first -= c.dilation[2]) {
            if (first >= 0 && first + L <= out)
              sum += S::load(tap);
            else
              sum += load_window(tap, smaller(larger(-first, 0), L), smaller(larger(out - first, 0), L));
          }
        }
        store_lanes(row, sum, mask);
      }
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
