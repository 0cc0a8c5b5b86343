// Convolution by unrolling: the columns of a strip of output positions (one row for each channel and kernel tap),
// and their way back into the image.
#pragma once
#include "wengert/conv.h"

#include "strided_load.h"

namespace wg {
namespace WG_NS {

constexpr index_t kStripBytes = 256 * 1024;

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

}  // namespace WG_NS
}  // namespace wg
