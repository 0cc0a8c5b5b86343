// Convolution without unrolling: channels of the result fill the lanes, its positions the rows of a register tile.
//
// A strip of output positions reads a padded copy of its input in which the positions of one kernel tap are
// consecutive, whatever the stride: with stride s a copy has s phases, phase f holding the elements f, f + s, ...
// of a padded row. Element i of a tile at tap p then is copy[offset(p) + i], which is broadcast, and the weights of
// one tap are a vector of output channels. The result is turned while it is stored.
//
// Sums over (channel, tap) follow the order of the matrix product (chunk_length), so the bits are those of the
// product with the unrolled image.
#pragma once
#include "wengert/conv.h"

#include "strided_load.h"

namespace wg {
namespace WG_NS {

// Positions of a tile: with two vectors of channels, sums and operands fill the registers.
#if defined(WG_ISA_V4)
constexpr int kWindowRows = 14;
#else
constexpr int kWindowRows = kTileRows;
#endif

// The cut of the output into strips, and the layout of the copy that a strip reads.
template <class T>
struct Window {
  static constexpr index_t L = Simd<T>::kLanes;
  // Bytes of a strip's copy, so that it stays near with the weights; most positions of a strip, which bounds the
  // length of a chain in the gradient of the weights.
  static constexpr index_t kCopyBytes = 128 * 1024, kMostPositions = 1024;

  index_t channels, depth;           // input channels of a group; (channel, tap) pairs
  index_t phases[2], extra[2];       // of height and width; what a strip reads beyond one place for each position
  index_t rows, cols;                // output positions of a whole strip: whole rows, or a part of one
  index_t down, across, strips;      // strips of one plane, of one image
  index_t plane_rows, pitch, plane;  // of one phase of one channel

  Window(const Conv& c, index_t channels_) : channels(channels_) {
    depth = channels * c.kernel[0] * c.kernel[1] * c.kernel[2];
    for (int d = 0; d < 2; ++d) {
      const index_t reach = (c.kernel[d + 1] - 1) * c.dilation[d + 1];
      phases[d] = smaller(c.stride[d + 1], reach + 1);
      extra[d] = reach / c.stride[d + 1];
    }
    const index_t height = c.out[1], width = c.out[2];
    const index_t room =
        kCopyBytes / static_cast<index_t>(sizeof(T)) / (channels * c.kernel[0] * phases[0] * phases[1]);
    const index_t widest =
        larger(smaller(room / (1 + extra[0]) - extra[1], kMostPositions), static_cast<index_t>(2 * kWindowRows));
    across = quotient_up(width, widest);
    cols = quotient_up(width, across);
    across = quotient_up(width, cols);
    // A few images are cut further, so that there is something to share out.
    const index_t planes = c.batch * c.groups * c.out[0] * across;
    const index_t least = planes < 4 ? smaller(4, height) : 1;
    const index_t most = smaller(room / (cols + extra[1]) - extra[0], kMostPositions / cols);
    down = across > 1 ? height : larger(quotient_up(height, larger(most, 1)), least);
    rows = quotient_up(height, down);
    down = quotient_up(height, rows);
    strips = c.out[0] * down * across;
    plane_rows = rows + extra[0];
    pitch = cols + extra[1];
    plane = plane_rows * pitch;
  }

  index_t copy_size(const Conv& c) const { return channels * c.kernel[0] * phases[0] * phases[1] * plane + L; }

  // Where tap p = (channel, kd, kh, kw) of a strip's first position is in the copy.
  void offsets(const Conv& c, index_t* out) const {
    for (index_t slab = 0; slab < channels * c.kernel[0]; ++slab)
      for (index_t kh = 0; kh < c.kernel[1]; ++kh)
        for (index_t kw = 0; kw < c.kernel[2]; ++kw) {
          const index_t y = kh * c.dilation[1], x = kw * c.dilation[2], sy = c.stride[1], sx = c.stride[2];
          *out++ = ((slab * phases[0] + y % sy) * phases[1] + x % sx) * plane + y / sy * pitch + x / sx;
        }
  }
};

// One strip of an image: output rows [row, row + rows) of slab `depth`, columns [col, col + cols); `at` is its
// first position in the output plane. Its positions are consecutive there.
struct Strip {
  index_t depth, row, rows, col, cols, at;
  template <class T>
  Strip(const Conv& c, const Window<T>& w, index_t i) {
    depth = i / (w.down * w.across);
    row = i / w.across % w.down * w.rows;
    rows = smaller(w.rows, c.out[1] - row);
    col = i % w.across * w.cols;
    cols = smaller(w.cols, c.out[2] - col);
    at = (depth * c.out[1] + row) * c.out[2] + col;
  }
};

// The copy of `channels` channels from x that a strip reads. The last vector of a row runs on into the next one, so
// vectors are written from right to left and rows downwards.
template <class T>
static void copy_window(const Conv& c, const Window<T>& w, const Strip& s, index_t channels, const T* x, T* copy) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes;
  const index_t width = c.in[2], in_plane = c.in[0] * c.in[1] * width, stride = c.stride[2];
  for (index_t channel = 0; channel < channels; ++channel)
    for (index_t kd = 0; kd < c.kernel[0]; ++kd) {
      const index_t id = s.depth * c.stride[0] - c.padding[0] + kd * c.dilation[0];
      for (index_t fy = 0; fy < w.phases[0]; ++fy) {
        const index_t height = id < 0 || id >= c.in[0] ? 0 : c.in[1];
        const index_t top = s.row * c.stride[1] - c.padding[1] + fy;
        const Reach inside(top, c.stride[1], height, s.rows + w.extra[0]);
        const T* from = x + channel * in_plane + (id * c.in[1] + top) * width;
        const index_t step = c.stride[1] * width;
        for (index_t fx = 0; fx < w.phases[1]; ++fx, copy += w.plane) {
          const index_t left = s.col * stride - c.padding[2] + fx;
          for (index_t t = (w.pitch - 1) / L * L; t >= 0; t -= L) {
            const index_t first = left + t * stride;
            const auto each_row = [&](auto&& load) __attribute__((always_inline)) {
              T* d = copy + t;
              index_t r = 0;
              for (; r < inside.lo; ++r, d += w.pitch) S::store(d, typename S::V{});
              for (; r < inside.hi; ++r, d += w.pitch) S::store(d, load(from + r * step));
              for (; r < s.rows + w.extra[0]; ++r, d += w.pitch) S::store(d, typename S::V{});
            };
            if (stride == 1) {
              const LaneWindow<T> lanes(smaller(larger(-first, 0), L), smaller(larger(width - first, 0), L));
              each_row([&](const T* row) { return lanes.load(row + first); });
            } else {
              const index_t count = smaller(L, w.pitch - t);
              each_row([&](const T* row) { return load_strided(row, first, stride, width, count, T(0)); });
            }
          }
        }
      }
    }
}

// ---- the result ---------------------------------------------------------------------------------------

// sum[i][lane] (+)= the sum over p of x[offset[p] + i] * w[p][lane], for M positions and W vectors of channels.
template <class T, int M, int W>
static WG_NOINLINE void window_tile(index_t k, const T* x, const index_t* offset, const T* w, T* sum, bool add) {
  using S = Simd<T>;
  using V = typename S::V;
  constexpr int L = S::kLanes;
  V r[M][W];
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < W; ++j) r[i][j] = V{};
  for (index_t p = 0; p < k; ++p) {
    V wv[W];
#pragma GCC unroll 2
    for (int j = 0; j < W; ++j) wv[j] = S::load(w + j * L);
    const T* at = x + offset[p];
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i) {
      const V xv = S::splat(at[i]);
#pragma GCC unroll 2
      for (int j = 0; j < W; ++j) r[i][j] = fma(xv, wv[j], r[i][j]);
    }
    w += W * L;
  }
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < W; ++j) {
      T* d = sum + (i * W + j) * L;
      S::store(d, add ? S::load(d) + r[i][j] : r[i][j]);
    }
}

// Where the sums of a tile go: channel by channel, `plane` apart, plus a bias for each, plus what is there.
template <class T>
struct WindowDest {
  T* out;
  index_t plane;
  const T* bias;  // null: none
  bool add;
  index_t spare;  // places from `out` on, in each channel, that may be overwritten: they are stored to later
};

// Store sums of m positions by n channels, which lie `row` apart for each position.
template <class T>
static void store_turned(const T* sum, index_t row, index_t m, index_t n, const WindowDest<T>& dest) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes, Q = kQuad<T>;
  for (index_t i = 0; i < m; i += L) {
    const LaneMask mask(static_cast<int>(smaller(L, m - i)));
    for (index_t j = 0; j < n; j += Q) {
      typename S::V v[Q];
      load_turned(sum + i * row + j, row, v);
      for (index_t q = 0; q < smaller(Q, n - j); ++q) {
        T* d = dest.out + (j + q) * dest.plane + i;
        if (dest.bias) v[q] += S::splat(dest.bias[j + q]);
        if (i + L <= dest.spare)
          S::store(d, v[q]);
        else
          store_lanes(d, dest.add ? load_lanes(d, mask) + v[q] : v[q], mask);
      }
    }
  }
}

// ---- long rows ----------------------------------------------------------------------------------------
//
// Where a row of the strip holds many vectors of positions, those fill the lanes and nothing has to be turned: the
// same sums in the same order.

template <class T>
constexpr int kRowChannels = Simd<T>::kLanes >= 4 ? 4 : 2;
template <class T>
constexpr int kRowVectors = kTileRows > 6 ? 4 : 2;

template <class T>
static bool has_long_rows(index_t cols, index_t depth) {
  return cols >= 4 * kRowVectors<T> * Simd<T>::kLanes && depth == chunk_length<T>(depth);
}

// C vectors of positions from `x` on for kRowChannels channels, of which the first n are stored, the last vector as
// far as `mask` goes; the weights of one tap lie `lanes` apart from those of the next.
template <class T, int C>
static WG_NOINLINE void row_tile(index_t k, const T* x, const index_t* offset, const T* w, index_t lanes, index_t n,
                                 LaneMask mask, const WindowDest<T>& dest) {
  using S = Simd<T>;
  using V = typename S::V;
  constexpr int L = S::kLanes, R = kRowChannels<T>;
  V r[R][C];
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) r[i][j] = V{};
  for (index_t p = 0; p < k; ++p, w += lanes) {
    const T* at = x + offset[p];
    V xv[C];
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) xv[j] = S::load(at + j * L);
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) {
      const V wv = S::splat(w[i]);
#pragma GCC unroll 4
      for (int j = 0; j < C; ++j) r[i][j] = fma(xv[j], wv, r[i][j]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i) {
    if (i >= n) return;
    T* d = dest.out + i * dest.plane;
#pragma GCC unroll 4
    for (int j = 0; j < C; ++j) {
      V v = r[i][j];
      if (dest.bias) v += S::splat(dest.bias[i]);
      if (C > 1) {
        S::store(d + j * L, dest.add ? S::load(d + j * L) + v : v);
      } else {
        store_lanes(d, dest.add ? load_lanes(d, mask) + v : v, mask);
      }
    }
  }
}

// A row of `cols` positions for `channels` output channels of a panel.
template <class T>
static void window_row(index_t cols, index_t k, const T* x, const index_t* offset, const T* panel, index_t lanes,
                       index_t channels, const WindowDest<T>& dest) {
  constexpr index_t L = Simd<T>::kLanes, R = kRowChannels<T>, C = kRowVectors<T>;
  for (index_t i = 0; i < cols;) {
    const bool wide = i + C * L <= cols;
    const LaneMask mask(static_cast<int>(smaller(L, cols - i)));
    for (index_t j = 0; j < channels; j += R) {
      const WindowDest<T> d{dest.out + j * dest.plane + i, dest.plane, dest.bias ? dest.bias + j : nullptr,
                            dest.add, 0};
      const auto tile = wide ? row_tile<T, C> : row_tile<T, 1>;
      tile(k, x + i, offset, panel + j, lanes, smaller(R, channels - j), mask, d);
    }
    i += wide ? C * L : L;
  }
}

// ---- the gradient of the weights ----------------------------------------------------------------------

// sum[i][lane] (+)= the sum over the strip's positions of x at offset[i] times y[position][lane], for M taps and W
// vectors of output channels.
template <class T, int M, int W>
static WG_NOINLINE void gradient_tile(index_t rows, index_t cols, index_t pitch, const T* x, const index_t* offset,
                                      const T* y, T* sum, bool add) {
  using S = Simd<T>;
  using V = typename S::V;
  constexpr int L = S::kLanes;
  V r[M][W];
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < W; ++j) r[i][j] = V{};
  for (index_t row = 0; row < rows; ++row) {
    const T* at[M];
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i) at[i] = x + row * pitch + offset[i];
    for (index_t col = 0; col < cols; ++col, y += W * L) {
      V yv[W];
#pragma GCC unroll 2
      for (int j = 0; j < W; ++j) yv[j] = S::load(y + j * L);
#pragma GCC unroll 16
      for (int i = 0; i < M; ++i) {
        const V xv = S::splat(at[i][col]);
#pragma GCC unroll 2
        for (int j = 0; j < W; ++j) r[i][j] = fma(xv, yv[j], r[i][j]);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < W; ++j) {
      T* d = sum + (i * W + j) * L;
      S::store(d, add ? S::load(d) + r[i][j] : r[i][j]);
    }
}

template <class T>
using WindowFn = void (*)(index_t k, const T* x, const index_t* offset, const T* w, T* sum, bool add);
template <class T>
using GradientFn = void (*)(index_t rows, index_t cols, index_t pitch, const T* x, const index_t* offset,
                            const T* y, T* sum, bool add);

// Tiles by their height less one, then by vectors of channels less one.
template <class T, class Rows>
struct WindowTable;
template <class T, int... I>
struct WindowTable<T, std::integer_sequence<int, I...>> {
  static constexpr WindowFn<T> result[sizeof...(I)][2] = {{window_tile<T, I + 1, 1>, window_tile<T, I + 1, 2>}...};
  static constexpr GradientFn<T> gradient[sizeof...(I)][2] = {
      {gradient_tile<T, I + 1, 1>, gradient_tile<T, I + 1, 2>}...};
};
template <class T>
using WindowTiles = WindowTable<T, std::make_integer_sequence<int, kWindowRows>>;

// Panels of channels: two vectors wide, the last one a single vector where that is enough.
template <class T>
static WG_INLINE index_t panel_lanes(index_t left) {
  return left > Simd<T>::kLanes ? 2 * Simd<T>::kLanes : Simd<T>::kLanes;
}
template <class T>
static WG_INLINE index_t padded_channels(index_t n) {
  return quotient_up(n, Simd<T>::kLanes) * Simd<T>::kLanes;
}

template <class T>
static void pack_channels(const T* s, index_t sq, index_t sp, index_t lanes, index_t w, index_t k, T* d) {
  constexpr int L = Simd<T>::kLanes;
  if (lanes == L)
    pack_panel<T, L>(s, sq, sp, w, k, d);
  else
    pack_panel<T, 2 * L>(s, sq, sp, w, k, d);
}

}  // namespace WG_NS
}  // namespace wg
