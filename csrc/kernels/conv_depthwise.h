// Convolution of each channel by a kernel of its own (groups == channels), in one or two dimensions.
//
// A padded copy of a plane lies in the first-level cache; with stride s its rows are kept as s phases, phase f
// holding elements f, f + s, ..., so that the positions of one tap are consecutive. Output positions fill the
// lanes.
//
// Sums. Forward: one chain of fused multiply-adds over the taps, as the matrix product has it, then the bias.
// Gradient of x: the same over the reversed taps. Gradient of w: for each channel and tap over images and rows
// ascending, one chain for each lane; lanes are added in halves at the end.
#pragma once
#include "wengert/alloc.h"
#include "wengert/conv.h"

#include "strided_load.h"

namespace wg {
namespace WG_NS {

// More taps than this are left to the matrix product.
constexpr index_t kMostDepthwiseTaps = 128;

static inline bool is_depthwise(const Conv& c) {
  return c.groups > 1 && c.in_channels == c.groups && c.out_channels == c.groups && c.in[0] == 1 && c.out[0] == 1 &&
         c.kernel[0] == 1 && c.padding[0] == 0 && c.kernel[1] * c.kernel[2] <= kMostDepthwiseTaps;
}

// The padded copy of one plane and where a tap begins in it.
template <class T>
struct PaddedPlane {
  static constexpr index_t L = Simd<T>::kLanes;
  index_t phases, pitch, row_step, rows;  // row_step: between output rows
  index_t taps;
  index_t offset[kMostDepthwiseTaps];

  explicit PaddedPlane(const Conv& c) {
    const index_t reach = (c.kernel[2] - 1) * c.dilation[2];
    phases = smaller(c.stride[2], reach + 1);
    pitch = (c.out[2] + L - 1) / L * L + reach / c.stride[2] + L;
    rows = (c.out[1] - 1) * c.stride[1] + (c.kernel[1] - 1) * c.dilation[1] + 1;
    row_step = c.stride[1] * phases * pitch;
    taps = 0;
    for (index_t kh = 0; kh < c.kernel[1]; ++kh)
      for (index_t kw = 0; kw < c.kernel[2]; ++kw) {
        const index_t x = kw * c.dilation[2];
        offset[taps++] = (kh * c.dilation[1] * phases + x % c.stride[2]) * pitch + x / c.stride[2];
      }
  }
  std::size_t bytes() const { return static_cast<std::size_t>(rows * phases * pitch + L) * sizeof(T); }

  // Rows ascending: what a vector writes behind its row, the next row overwrites.
  void fill(const Conv& c, const T* x, T* copy) const {
    using S = Simd<T>;
    const index_t width = c.in[2], stride = c.stride[2], positions = pitch - L;
    for (index_t r = 0; r < rows; ++r) {
      const index_t ih = r - c.padding[1];
      const bool inside = ih >= 0 && ih < c.in[1];
      const T* from = x + (inside ? ih : 0) * width;
      for (index_t f = 0; f < phases; ++f, copy += pitch)
        for (index_t t = 0; t < positions; t += L) {
          const index_t first = f - c.padding[2] + t * stride;
          if (!inside)
            S::store(copy + t, typename S::V{});
          else if (stride == 1)
            S::store(copy + t, load_window(from + first, smaller(larger(-first, 0), L),
                                           smaller(larger(width - first, 0), L)));
          else
            S::store(copy + t, load_strided(from, first, stride, width, L, T(0)));
        }
    }
  }
};

// R output rows by C vectors: the sums over the taps, with w[tap * w_step] for each.
template <class T, int R, int C>
static WG_INLINE void depthwise_tile(const PaddedPlane<T>& p, const T* x, const T* w, index_t w_step,
                                     typename Simd<T>::V (&sum)[R][C]) {
  using S = Simd<T>;
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int k = 0; k < C; ++k) sum[r][k] = typename S::V{};
  for (index_t tap = 0; tap < p.taps; ++tap) {
    const typename S::V weight = S::splat(w[tap * w_step]);
    const T* from = x + p.offset[tap];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int k = 0; k < C; ++k) sum[r][k] = fma(S::load(from + r * p.row_step + k * p.L), weight, sum[r][k]);
  }
}

// One plane of the result from its padded copy: y = sums + bias (+ y).
template <class T>
static void depthwise_plane(const Conv& c, const PaddedPlane<T>& p, const T* copy, const T* w, index_t w_step,
                            T bias, bool add, T* y) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes;
  const index_t width = c.out[2];
  const auto block = [&](auto rows, auto vectors, index_t row, index_t t) __attribute__((always_inline)) {
    constexpr int R = decltype(rows)::value, C = decltype(vectors)::value;
    typename S::V sum[R][C];
    depthwise_tile<T, R, C>(p, copy + row * p.row_step + t, w, w_step, sum);
    for (int r = 0; r < R; ++r)
      for (int k = 0; k < C; ++k) {
        T* d = y + (row + r) * width + t + k * L;
        const LaneMask mask(static_cast<int>(smaller(L, width - t - k * L)));
        typename S::V v = sum[r][k] + S::splat(bias);
        if (add) v = load_lanes(d, mask) + v;
        store_lanes(d, v, mask);
      }
  };
  using One = std::integral_constant<int, 1>;
  using Two = std::integral_constant<int, 2>;
  using Four = std::integral_constant<int, 4>;
  index_t row = 0;
  for (; row + 4 <= c.out[1]; row += 4)
    for (index_t t = 0; t < width;) {
      const bool wide = t + L < width;
      wide ? block(Four(), Two(), row, t) : block(Four(), One(), row, t);
      t += wide ? 2 * L : L;
    }
  for (; row < c.out[1]; ++row)
    for (index_t t = 0; t < width; t += L) block(One(), One(), row, t);
}

// Runs planes [0, batch * channels) of `c` in parts; the weights of a channel begin at w + channel * taps + first.
template <class T, class RunParts>
static bool depthwise(const Conv& c, const T* x, const T* w, index_t first, index_t w_step, T* y, const T* bias,
                      bool add, RunParts&& run) {
  const PaddedPlane<T> p(c);
  const index_t in_plane = c.in[1] * c.in[2], out_plane = c.out[1] * c.out[2];
  return run(c.batch * c.groups, [&](index_t plane) {
    T* copy = static_cast<T*>(scratch(2, p.bytes()));
    if (!copy) return false;
    p.fill(c, x + plane * in_plane, copy);
    const index_t channel = plane % c.groups;
    depthwise_plane(c, p, copy, w + channel * p.taps + first, w_step, bias ? bias[channel] : T(0), add,
                    y + plane * out_plane);
    return true;
  });
}

// Taps that one pass over a plane sums up: their sums stay in registers.
constexpr int kDepthwisePass = kTileRows > 6 ? 9 : 7;

// sum[tap][lane] += y * x over one plane, for M taps from `offset` on.
template <class T, int M>
static WG_NOINLINE void depthwise_gradient(const Conv& c, const PaddedPlane<T>& p, const T* copy,
                                           const index_t* offset, const T* y, T* sum) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes;
  const index_t width = c.out[2];
  typename S::V r[M];
#pragma GCC unroll 9
  for (int i = 0; i < M; ++i) r[i] = S::load(sum + i * L);
  for (index_t row = 0; row < c.out[1]; ++row, y += width)
    for (index_t t = 0; t < width; t += L) {
      const typename S::V g = load_lanes(y + t, LaneMask(static_cast<int>(smaller(L, width - t))));
      const T* from = copy + row * p.row_step + t;
#pragma GCC unroll 9
      for (int i = 0; i < M; ++i) r[i] = fma(S::load(from + offset[i]), g, r[i]);
    }
#pragma GCC unroll 9
  for (int i = 0; i < M; ++i) S::store(sum + i * L, r[i]);
}

template <class T, int M>
static WG_INLINE void depthwise_gradient_of(int m, const Conv& c, const PaddedPlane<T>& p, const T* copy,
                                            const index_t* offset, const T* y, T* sum) {
  if (m == M)
    depthwise_gradient<T, M>(c, p, copy, offset, y, sum);
  else if constexpr (M > 1)
    depthwise_gradient_of<T, M - 1>(m, c, p, copy, offset, y, sum);
}

template <class T, class RunParts>
static bool depthwise_backward_weight(const Conv& c, RunParts&& run) {
  constexpr index_t L = Simd<T>::kLanes;
  const PaddedPlane<T> p(c);
  const index_t in_plane = c.in[1] * c.in[2], out_plane = c.out[1] * c.out[2];
  return run(c.groups, [&](index_t channel) {
    T* copy = static_cast<T*>(scratch(2, p.bytes()));
    if (!copy) return false;
    alignas(64) T sum[kMostDepthwiseTaps * L] = {};
    for (index_t image = 0; image < c.batch; ++image) {
      const index_t plane = image * c.groups + channel;
      p.fill(c, static_cast<const T*>(c.x) + plane * in_plane, copy);
      for (index_t tap = 0; tap < p.taps; tap += kDepthwisePass)
        depthwise_gradient_of<T, kDepthwisePass>(static_cast<int>(smaller(kDepthwisePass, p.taps - tap)), c, p,
                                                 copy, p.offset + tap,
                                                 static_cast<const T*>(c.y) + plane * out_plane, sum + tap * L);
    }
    T* w = static_cast<T*>(c.w) + channel * p.taps;
    for (index_t tap = 0; tap < p.taps; ++tap) {
      T* s = sum + tap * L;
      for (index_t half = L / 2; half; half /= 2)
        for (index_t i = 0; i < half; ++i) s[i] += s[i + half];
      w[tap] = c.accumulate ? w[tap] + s[0] : s[0];
    }
    return true;
  });
}

}  // namespace WG_NS
}  // namespace wg
