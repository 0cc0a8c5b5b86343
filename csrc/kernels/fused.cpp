// Softmax, cross entropy and normalisations in one pass over rows that stay in cache.
//
// Sums and extremes: Note [Order of a reduction] in reduction.h. Sums over rows (the gradients of weights and
// biases) add blocks of 64 rows in ascending order and combine the blocks as columns are combined there. Statistics
// take two passes (mean, then squared deviations). Exponentials are shifted by the row's maximum, so they never
// overflow.
#include "wengert/fused.h"

#include "wengert/kernels.h"
#include "wengert/rows.h"
#include "wengert/vmath.h"

namespace wg {
namespace WG_NS {
namespace {

constexpr index_t kNormRows = 64;   // rows of one block of a parameter gradient
constexpr index_t kShortRow = 512;  // rows below this are exponentiated together

// ---- softmax -------------------------------------------------------------------------------------------

// top[k] = maximum of row first + k, log_sum[k] = log of its sum of exp(x - top), for one block of rows.
template <class T>
void row_log_sums(const T* x, index_t first, index_t end, index_t n, T* top, T* log_sum) {
  const index_t rows = end - first, total = rows * n;
  if (n >= kShortRow) {
    for (index_t k = 0; k < rows; ++k) {
      const T* xr = x + (first + k) * n;
      top[k] = row_max(xr, n);
      log_sum[k] = reduce_row<T>(ExpLoad<T>{xr, top[k]}, 0, n, AddOp<T>());
    }
  } else {
    T e[kBlockElements];
    for (index_t k = 0; k < rows; ++k) {
      const T* xr = x + (first + k) * n;
      const T m = top[k] = row_max(xr, n);
      for (index_t i = 0; i < n; ++i) e[k * n + i] = xr[i] - m;
    }
    for (index_t i = 0; i < total; ++i) e[i] = vm::exp(e[i]);
    for (index_t k = 0; k < rows; ++k) log_sum[k] = row_sum(e + k * n, n);
  }
  for (index_t k = 0; k < rows; ++k) log_sum[k] = vm::log(log_sum[k]);
}

template <class T>
void softmax(const void* x_, void* y_, index_t rows, index_t n) {
  const T* x = static_cast<const T*>(x_);
  T* y = static_cast<T*>(y_);
  for_row_blocks(rows, n, [&](index_t first, index_t end) {
    for (index_t r = first; r < end; ++r) {
      const T m = row_max(x + r * n, n);
      WG_IVDEP
      for (index_t i = r * n; i < r * n + n; ++i) y[i] = x[i] - m;
    }
    for (index_t i = first * n; i < end * n; ++i) y[i] = vm::exp(y[i]);
    for (index_t r = first; r < end; ++r) {
      const T scale = T(1) / row_sum(y + r * n, n);
      for (index_t i = r * n; i < r * n + n; ++i) y[i] *= scale;
    }
  });
}

template <class T>
void log_softmax(const void* x_, void* y_, index_t rows, index_t n) {
  const T* x = static_cast<const T*>(x_);
  T* y = static_cast<T*>(y_);
  for_row_blocks(rows, n, [&](index_t first, index_t end) {
    T top[kBlockElements], log_sum[kBlockElements];
    row_log_sums(x, first, end, n, top, log_sum);
    for (index_t r = first; r < end; ++r) {
      const T m = top[r - first], l = log_sum[r - first];
      WG_IVDEP
      for (index_t i = r * n; i < r * n + n; ++i) y[i] = (x[i] - m) - l;
    }
  });
}

template <class T>
void softmax_backward(const void* g_, const void* y_, void* gx_, index_t rows, index_t n) {
  const T *g = static_cast<const T*>(g_), *y = static_cast<const T*>(y_);
  T* gx = static_cast<T*>(gx_);
  for_row_blocks(rows, n, [&](index_t first, index_t end) {
    for (index_t r = first; r < end; ++r) {
      const T s = row_dot(g + r * n, y + r * n, T(0), n);
      WG_IVDEP
      for (index_t i = r * n; i < r * n + n; ++i) gx[i] = y[i] * (g[i] - s);
    }
  });
}

template <class T>
void log_softmax_backward(const void* g_, const void* y_, void* gx_, index_t rows, index_t n) {
  const T *g = static_cast<const T*>(g_), *y = static_cast<const T*>(y_);
  T* gx = static_cast<T*>(gx_);
  for_row_blocks(rows, n, [&](index_t first, index_t end) {
    for (index_t r = first; r < end; ++r) {
      const T s = row_sum(g + r * n, n);
      WG_IVDEP
      for (index_t i = r * n; i < r * n + n; ++i) gx[i] = g[i] - vm::exp(y[i]) * s;
    }
  });
}

// ---- cross entropy -------------------------------------------------------------------------------------

index_t bad_target(const std::int64_t* target, index_t rows, index_t n, std::int64_t ignore) {
  for (index_t r = 0; r < rows; ++r) {
    if ((target[r] < 0 || target[r] >= n) && target[r] != ignore) return r;
  }
  return -1;
}

// The target of row r, which was checked, limited as position() limits an index: to a row that does not count.
template <class A>
WG_INLINE std::int64_t target_of(const A& a, index_t r) {
  const std::int64_t t = __atomic_load_n(a.target + r, __ATOMIC_RELAXED);
  return static_cast<std::uint64_t>(t) < static_cast<std::uint64_t>(a.n) ? t : a.ignore_index;
}

template <class T>
index_t cross_entropy(const CrossEntropy& a) {
  const index_t bad = bad_target(a.target, a.rows, a.n, a.ignore_index);
  if (bad >= 0) return bad;
  const T *x = static_cast<const T*>(a.x), *weight = static_cast<const T*>(a.weight);
  T *loss = static_cast<T*>(a.loss), *lse = static_cast<T*>(a.lse), *row_weight = static_cast<T*>(a.row_weight);
  const index_t n = a.n;
  const T e = static_cast<T>(a.label_smoothing), share = n ? e / static_cast<T>(n) : T(0);
  const T weights = weight && n ? row_sum(weight, n) : static_cast<T>(n);
  for_row_blocks(a.rows, n, [&](index_t first, index_t end) {
    T top[kBlockElements], log_sum[kBlockElements];
    row_log_sums(x, first, end, n, top, log_sum);
    for (index_t r = first; r < end; ++r) {
      const T m = top[r - first], l = log_sum[r - first];
      lse[r] = m + l;
      const std::int64_t t = target_of(a, r);
      const bool ignored = t == a.ignore_index;
      const T w = ignored ? T(0) : weight ? weight[t] : T(1);
      T value = 0;
      if (!ignored) {
        value = w * (l - (x[r * n + t] - m));
        if (e != 0) {
          const T dot = weight ? row_dot(weight, x + r * n, T(0), n) : row_sum(x + r * n, n);
          value = (T(1) - e) * value + share * (weights * lse[r] - dot);
        }
      }
      loss[r] = value;
      if (row_weight) row_weight[r] = w;
    }
  });
  return -1;
}

template <class T>
void cross_entropy_backward(const CrossEntropyBackward& a) {
  const T *x = static_cast<const T*>(a.x), *weight = static_cast<const T*>(a.weight);
  const T *lse = static_cast<const T*>(a.lse), *scale = static_cast<const T*>(a.scale);
  T* gx = static_cast<T*>(a.gx);
  const index_t n = a.n;
  const T e = static_cast<T>(a.label_smoothing), share = n ? e / static_cast<T>(n) : T(0);
  const T weights = weight && n ? row_sum(weight, n) : static_cast<T>(n);
  for_row_blocks(a.rows, n, [&](index_t first, index_t end) {
    for (index_t r = first; r < end; ++r) {
      const T* xr = x + r * n;
      T* gr = gx + r * n;
      const T l = lse[r];
      WG_IVDEP
      for (index_t i = 0; i < n; ++i) gr[i] = xr[i] - l;
    }
    T* p = gx + first * n;
    const index_t total = (end - first) * n;
    for (index_t i = 0; i < total; ++i) p[i] = vm::exp(p[i]);
    for (index_t r = first; r < end; ++r) {
      const std::int64_t t = target_of(a, r);
      T* gr = gx + r * n;
      if (t == a.ignore_index) {
        for (index_t i = 0; i < n; ++i) gr[i] = 0;
        continue;
      }
      const T s = scale[a.one_scale ? 0 : r], hit = s * (T(1) - e) * (weight ? weight[t] : T(1));
      const T all = hit + s * share * weights, each = s * share;
      if (e == 0) {
        for (index_t i = 0; i < n; ++i) gr[i] *= all;
      } else if (weight) {
        for (index_t i = 0; i < n; ++i) gr[i] = gr[i] * all - each * weight[i];
      } else {
        for (index_t i = 0; i < n; ++i) gr[i] = gr[i] * all - each;
      }
      gr[t] -= hit;
    }
  });
}

template <class T>
index_t nll(const CrossEntropy& a) {
  const index_t bad = bad_target(a.target, a.rows, a.n, a.ignore_index);
  if (bad >= 0) return bad;
  const T *x = static_cast<const T*>(a.x), *weight = static_cast<const T*>(a.weight);
  T *loss = static_cast<T*>(a.loss), *row_weight = static_cast<T*>(a.row_weight);
  for (index_t r = 0; r < a.rows; ++r) {
    const std::int64_t t = target_of(a, r);
    const bool ignored = t == a.ignore_index;
    const T w = ignored ? T(0) : weight ? weight[t] : T(1);
    loss[r] = ignored ? T(0) : -w * x[r * a.n + t];
    if (row_weight) row_weight[r] = w;
  }
  return -1;
}

template <class T>
void nll_backward(const CrossEntropyBackward& a) {
  const T *weight = static_cast<const T*>(a.weight), *scale = static_cast<const T*>(a.scale);
  T* gx = static_cast<T*>(a.gx);
  for_row_blocks(a.rows, a.n, [&](index_t first, index_t end) {
    for (index_t i = first * a.n; i < end * a.n; ++i) gx[i] = 0;
    for (index_t r = first; r < end; ++r) {
      const std::int64_t t = target_of(a, r);
      if (t != a.ignore_index) gx[r * a.n + t] = -scale[a.one_scale ? 0 : r] * (weight ? weight[t] : T(1));
    }
  });
}

// ---- normalisation of rows -----------------------------------------------------------------------------

// y = (x - mean) * scale * weight + bias over one row; weight and bias may be null.
template <class T>
WG_INLINE void normalise(const T* x, T* y, index_t n, T mean, T scale, const T* weight, const T* bias) {
  if (weight && bias) {
    WG_IVDEP
    for (index_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
  } else if (weight) {
    WG_IVDEP
    for (index_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale * weight[i];
  } else if (bias) {
    WG_IVDEP
    for (index_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale + bias[i];
  } else {
    WG_IVDEP
    for (index_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale;
  }
}

template <class T, bool Centered>
void row_norm(const RowNorm& a) {
  const T *x = static_cast<const T*>(a.x), *weight = static_cast<const T*>(a.weight);
  const T* bias = Centered ? static_cast<const T*>(a.bias) : nullptr;
  T *y = static_cast<T*>(a.y), *mean = static_cast<T*>(a.mean), *rstd = static_cast<T*>(a.rstd);
  const index_t n = a.n;
  for_row_blocks(a.rows, n, [&](index_t first, index_t end) {
    for (index_t r = first; r < end; ++r) {
      const T* xr = x + r * n;
      const T m = Centered ? row_sum(xr, n) / static_cast<T>(n) : T(0);
      const T s = rstd_of(row_squares(xr, m, n) / static_cast<T>(n), a.eps);
      if (Centered) mean[r] = m;
      rstd[r] = s;
      normalise(xr, y + r * n, n, m, s, weight, bias);
    }
  });
}

// Sums of g * xhat and of g over the rows of one block, in ascending order.
template <class T>
void norm_params(const T* g, const T* x, const T* mean, const T* rstd, index_t first, index_t end, index_t n,
                 T* WG_RESTRICT gw, T* WG_RESTRICT gb) {
  for (index_t i = 0; i < n; ++i) gw[i] = gb[i] = 0;
  for (index_t r = first; r < end; ++r) {
    const T m = mean ? mean[r] : T(0), s = rstd[r];
    const T *gr = g + r * n, *xr = x + r * n;
    for (index_t i = 0; i < n; ++i) {
      gw[i] += gr[i] * ((xr[i] - m) * s);
      gb[i] += gr[i];
    }
  }
}

// out[i] = sum over blocks of part[b * stride + i].
template <class T>
void sum_blocks(const T* part, index_t blocks, index_t stride, index_t n, T* out) {
  reduce_outer<T>(
      1, blocks, stride, [=](index_t) { return ValueLoad<T>{part, nullptr}; }, AddOp<T>(),
      [=](index_t, index_t c0, int w, const T* v) {
        for (int l = 0; l < w && c0 + l < n; ++l) out[c0 + l] = v[l];
      });
}

// gx = rstd * (gw - mean(gw) - xhat * mean(gw * xhat)) of one row with gw = g * weight, xhat = (x - mean) * rstd;
// without the mean of gw when the row was not centered.
template <class T>
void input_gradient(const T* g, const T* x, const T* weight, T* gx, index_t n, T mean, T rstd, bool centered) {
  const T count = static_cast<T>(n);
  if (weight) {
    const T c1 = centered ? row_dot(g, weight, T(0), n) / count : T(0);
    const T dot = reduce_row<T>(TripleLoad<T>{g, weight, x, mean}, 0, n, AddOp<T>());
    const T c2 = dot * rstd * rstd / count;
    WG_IVDEP
    for (index_t i = 0; i < n; ++i) gx[i] = rstd * (g[i] * weight[i] - c1 - (x[i] - mean) * c2);
  } else {
    const T c1 = centered ? row_sum(g, n) / count : T(0);
    const T c2 = row_dot(g, x, mean, n) * rstd * rstd / count;
    WG_IVDEP
    for (index_t i = 0; i < n; ++i) gx[i] = rstd * (g[i] - c1 - (x[i] - mean) * c2);
  }
}

template <class T, bool Centered>
bool row_norm_backward(const RowNormBackward& a) {
  const T *g = static_cast<const T*>(a.g), *x = static_cast<const T*>(a.x),
          *weight = static_cast<const T*>(a.weight);
  const T *mean = Centered ? static_cast<const T*>(a.mean) : nullptr, *rstd = static_cast<const T*>(a.rstd);
  T *gx = static_cast<T*>(a.gx), *gweight = static_cast<T*>(a.gweight), *gbias = static_cast<T*>(a.gbias);
  const index_t n = a.n, blocks = (a.rows + kNormRows - 1) / kNormRows;
  const bool params = gweight || gbias;
  T* part = nullptr;
  if (n == 0) return true;
  if (params) {
    part = static_cast<T*>(scratch(1, static_cast<std::size_t>((blocks + 1) * 2 * n) * sizeof(T)));
    if (!part) return false;
  }
  auto block = [&](index_t b) {
    const index_t first = b * kNormRows, end = first + kNormRows < a.rows ? first + kNormRows : a.rows;
    if (gx) {
      for (index_t r = first; r < end; ++r) {
        const T m = Centered ? mean[r] : T(0), s = rstd[r];
        input_gradient(g + r * n, x + r * n, weight, gx + r * n, n, m, s, Centered);
      }
    }
    if (params) norm_params(g, x, mean, rstd, first, end, n, part + b * 2 * n, part + b * 2 * n + n);
  };
  if (a.rows * n <= kPartElements) {
    for (index_t b = 0; b < blocks; ++b) block(b);
  } else {
    parallel_for(blocks, block);
  }
  if (!params) return true;
  T* total = part + blocks * 2 * n;
  if (blocks > 0) {
    sum_blocks(part, blocks, 2 * n, 2 * n, total);
  } else {
    for (index_t i = 0; i < 2 * n; ++i) total[i] = 0;
  }
  for (index_t i = 0; gweight && i < n; ++i) gweight[i] = total[i];
  for (index_t i = 0; gbias && i < n; ++i) gbias[i] = total[n + i];
  return true;
}

// ---- normalisation of channels -------------------------------------------------------------------------

// The sum over batch and space of load, for every channel of [batch][channels][space]: out[c]. `at` gives the Load
// of channel c (rows of space elements); `columns` the Load of tiles, for space == 1, whose aux starts at channel
// 0.
template <class T, class At, class Columns>
void channel_sums(index_t batch, index_t channels, index_t space, T* out, At at, Columns columns) {
  if (space == 1) {
    for_tiles(1, batch, channels, [&](index_t, index_t c0, int w) {
      auto load = columns;
      if (load.aux) load.aux += c0;
      reduce_tile<T>(load, 0, batch, channels, c0, w, out + c0, AddOp<T>());
    });
    return;
  }
  for_rows(channels, batch * space, [&](index_t c) {
    Tree<T, AddOp<T>> tree;
    for (index_t b = 0; b < batch; ++b) tree.push(reduce_row<T>(at(b, c), 0, space, AddOp<T>()), AddOp<T>());
    out[c] = tree.result(AddOp<T>());
  });
}

// y = (x - mean[c]) * rstd[c] * weight[c] + bias[c]; for group_norm mean and rstd belong to (batch, group).
template <class T>
void normalise_channels(const ChannelNorm& a, index_t groups) {
  const T *x = static_cast<const T*>(a.x), *mean = static_cast<const T*>(a.mean);
  const T *rstd = static_cast<const T*>(a.rstd), *weight = static_cast<const T*>(a.weight);
  const T* bias = static_cast<const T*>(a.bias);
  T* y = static_cast<T*>(a.y);
  const index_t channels = a.channels, space = a.space, width = groups ? channels / groups : 1;
  if (!groups && space == 1) {
    for_row_blocks(a.batch, channels, [&](index_t first, index_t end) {
      for (index_t r = first; r < end; ++r) {
        const T* xr = x + r * channels;
        T* yr = y + r * channels;
        WG_IVDEP
        for (index_t c = 0; c < channels; ++c) {
          yr[c] = (xr[c] - mean[c]) * rstd[c] * (weight ? weight[c] : T(1)) + (bias ? bias[c] : T(0));
        }
      }
    });
    return;
  }
  for_row_blocks(a.batch * channels, space, [&](index_t first, index_t end) {
    for (index_t r = first; r < end; ++r) {
      const index_t c = r % channels, s = groups ? r / width : c;
      const T m = mean[s], k = rstd[s], w = weight ? weight[c] : T(1), d = bias ? bias[c] : T(0);
      WG_IVDEP
      for (index_t i = r * space; i < r * space + space; ++i) y[i] = (x[i] - m) * k * w + d;
    }
  });
}

template <class T>
void batch_norm_train(const ChannelNorm& a) {
  const T* x = static_cast<const T*>(a.x);
  T *mean = static_cast<T*>(a.mean), *var = static_cast<T*>(a.var), *rstd = static_cast<T*>(a.rstd);
  const index_t channels = a.channels, space = a.space;
  if (a.batch * channels * space == 0) return;
  const T count = static_cast<T>(a.batch * space);
  auto row = [=](index_t b, index_t c) { return x + (b * channels + c) * space; };
  channel_sums<T>(
      a.batch, channels, space, mean, [=](index_t b, index_t c) { return ValueLoad<T>{row(b, c), nullptr}; },
      ValueLoad<T>{x, nullptr});
  for (index_t c = 0; c < channels; ++c) mean[c] /= count;
  channel_sums<T>(
      a.batch, channels, space, var,
      [=](index_t b, index_t c) { return SquareLoad<T>{row(b, c), nullptr, mean[c]}; },
      SquareLoad<T>{x, mean, T(0)});
  for (index_t c = 0; c < channels; ++c) {
    var[c] /= count;
    rstd[c] = rstd_of(var[c], a.eps);
  }
  normalise_channels<T>(a, 0);
}

template <class T>
void batch_norm_eval(const ChannelNorm& a) {
  const T* var = static_cast<const T*>(a.var);
  T* rstd = static_cast<T*>(a.rstd);
  for (index_t c = 0; c < a.channels; ++c) rstd[c] = rstd_of(var[c], a.eps);
  normalise_channels<T>(a, 0);
}

template <class T, bool Train>
bool batch_norm_backward(const ChannelNormBackward& a) {
  const T *g = static_cast<const T*>(a.g), *x = static_cast<const T*>(a.x),
          *weight = static_cast<const T*>(a.weight);
  const T *mean = static_cast<const T*>(a.mean), *rstd = static_cast<const T*>(a.rstd);
  T *gx = static_cast<T*>(a.gx), *gweight = static_cast<T*>(a.gweight), *gbias = static_cast<T*>(a.gbias);
  const index_t channels = a.channels, space = a.space;
  // db = sum of g, dw = sum of g * (x - mean); k0, k1, k2 make gx = k0 * g - k1 - (x - mean) * k2.
  T* sums = static_cast<T*>(scratch(1, static_cast<std::size_t>(5 * channels) * sizeof(T)));
  if (!sums) return channels == 0;
  T *db = sums, *dw = sums + channels, *k0 = dw + channels, *k1 = k0 + channels, *k2 = k1 + channels;
  const bool empty = a.batch * space == 0;
  if (empty) {
    for (index_t c = 0; c < channels; ++c) db[c] = dw[c] = 0;
  } else if (Train || gweight || gbias) {
    channel_sums<T>(
        a.batch, channels, space, db,
        [=](index_t b, index_t c) { return ValueLoad<T>{g + (b * channels + c) * space, nullptr}; },
        ValueLoad<T>{g, nullptr});
    channel_sums<T>(
        a.batch, channels, space, dw,
        [=](index_t b, index_t c) {
          const index_t at = (b * channels + c) * space;
          return ProductLoad<T>{g + at, x + at, nullptr, mean[c]};
        },
        ProductLoad<T>{g, x, mean, T(0)});
  }
  for (index_t c = 0; gweight && c < channels; ++c) gweight[c] = dw[c] * rstd[c];
  for (index_t c = 0; gbias && c < channels; ++c) gbias[c] = db[c];
  if (!gx || empty) return true;
  const T count = static_cast<T>(a.batch * space);
  for (index_t c = 0; c < channels; ++c) {
    k0[c] = rstd[c] * (weight ? weight[c] : T(1));
    k1[c] = Train ? k0[c] * db[c] / count : T(0);
    k2[c] = Train ? k0[c] * dw[c] * rstd[c] * rstd[c] / count : T(0);
  }
  if (space == 1) {
    for_row_blocks(a.batch, channels, [&](index_t first, index_t end) {
      for (index_t r = first; r < end; ++r) {
        const T *gr = g + r * channels, *xr = x + r * channels;
        T* out = gx + r * channels;
        WG_IVDEP
        for (index_t c = 0; c < channels; ++c) {
          out[c] = Train ? k0[c] * gr[c] - k1[c] - (xr[c] - mean[c]) * k2[c] : k0[c] * gr[c];
        }
      }
    });
    return true;
  }
  for_row_blocks(a.batch * channels, space, [&](index_t first, index_t end) {
    for (index_t r = first; r < end; ++r) {
      const index_t c = r % channels;
      const T m = mean[c], s0 = k0[c], s1 = k1[c], s2 = k2[c];
      WG_IVDEP
      for (index_t i = r * space; i < r * space + space; ++i) {
        gx[i] = Train ? s0 * g[i] - s1 - (x[i] - m) * s2 : s0 * g[i];
      }
    }
  });
  return true;
}

template <class T>
void group_norm(const ChannelNorm& a) {
  const T* x = static_cast<const T*>(a.x);
  T *mean = static_cast<T*>(a.mean), *rstd = static_cast<T*>(a.rstd);
  if (a.batch * a.channels * a.space == 0) return;
  const index_t n = a.channels / a.groups * a.space;
  for_rows(a.batch * a.groups, n, [&](index_t r) {
    const T* xr = x + r * n;
    mean[r] = row_sum(xr, n) / static_cast<T>(n);
    rstd[r] = rstd_of(row_squares(xr, mean[r], n) / static_cast<T>(n), a.eps);
  });
  normalise_channels<T>(a, a.groups);
}

template <class T>
bool group_norm_backward(const ChannelNormBackward& a) {
  const T *g = static_cast<const T*>(a.g), *x = static_cast<const T*>(a.x),
          *weight = static_cast<const T*>(a.weight);
  const T *mean = static_cast<const T*>(a.mean), *rstd = static_cast<const T*>(a.rstd);
  T *gx = static_cast<T*>(a.gx), *gweight = static_cast<T*>(a.gweight), *gbias = static_cast<T*>(a.gbias);
  const index_t channels = a.channels, space = a.space, width = a.groups ? channels / a.groups : 0;
  if (channels == 0) return true;
  // Sums over space of g * xhat and of g: rows of 2 * channels for each batch item, then a row of totals.
  const index_t row = 2 * channels;
  T* part = static_cast<T*>(scratch(1, static_cast<std::size_t>((a.batch + 1) * row) * sizeof(T)));
  if (!part) return false;
  if (space == 0) {
    for (index_t i = 0; i < a.batch * row; ++i) part[i] = 0;
  } else {
    for_rows(a.batch * a.groups, width * space, [&](index_t q) {
      const index_t b = q / a.groups, c0 = q % a.groups * width;
      const T m = mean[q], s = rstd[q], count = static_cast<T>(width * space);
      T *dw = part + b * row, *db = dw + channels;
      T c1 = 0, c2 = 0;
      for (index_t c = c0; c < c0 + width; ++c) {
        const index_t at = (b * channels + c) * space;
        const T w = weight ? weight[c] : T(1);
        dw[c] = row_dot(g + at, x + at, m, space) * s;
        db[c] = row_sum(g + at, space);
        c1 += w * db[c];
        c2 += w * dw[c];
      }
      c1 /= count;
      c2 = c2 * s / count;
      for (index_t c = c0; gx && c < c0 + width; ++c) {
        const index_t at = (b * channels + c) * space;
        const T w = weight ? weight[c] : T(1);
        WG_IVDEP
        for (index_t i = at; i < at + space; ++i) gx[i] = s * (g[i] * w - c1 - (x[i] - m) * c2);
      }
    });
  }
  T* total = part + a.batch * row;
  if (a.batch > 0) {
    sum_blocks(part, a.batch, row, row, total);
  } else {
    for (index_t i = 0; i < row; ++i) total[i] = 0;
  }
  for (index_t c = 0; gweight && c < channels; ++c) gweight[c] = total[c];
  for (index_t c = 0; gbias && c < channels; ++c) gbias[c] = total[channels + c];
  return true;
}

template <class Fn>
void* entry(Fn* f) {
  return reinterpret_cast<void*>(f);
}

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_ROW(name, dt, fn) {name, kOtherKernel, dt, dt, entry(fn)}
#define WG_FUSED(dt, T)                                                                                       \
  WG_ROW("softmax", dt, softmax<T>), WG_ROW("softmax_backward", dt, softmax_backward<T>),                     \
      WG_ROW("log_softmax", dt, log_softmax<T>), WG_ROW("log_softmax_backward", dt, log_softmax_backward<T>), \
      WG_ROW("cross_entropy", dt, cross_entropy<T>),                                                          \
      WG_ROW("cross_entropy_backward", dt, cross_entropy_backward<T>), WG_ROW("nll", dt, nll<T>),             \
      WG_ROW("nll_backward", dt, nll_backward<T>), WG_ROW("layer_norm", dt, (row_norm<T, true>)),             \
      WG_ROW("layer_norm_backward", dt, (row_norm_backward<T, true>)),                                        \
      WG_ROW("rms_norm", dt, (row_norm<T, false>)),                                                           \
      WG_ROW("rms_norm_backward", dt, (row_norm_backward<T, false>)),                                         \
      WG_ROW("batch_norm_train", dt, batch_norm_train<T>), WG_ROW("batch_norm_eval", dt, batch_norm_eval<T>), \
      WG_ROW("batch_norm_train_backward", dt, (batch_norm_backward<T, true>)),                                \
      WG_ROW("batch_norm_eval_backward", dt, (batch_norm_backward<T, false>)),                                \
      WG_ROW("group_norm", dt, group_norm<T>), WG_ROW("group_norm_backward", dt, group_norm_backward<T>)

WG_UNIT(fused, WG_FUSED(kFloat32, float), WG_FUSED(kFloat64, double))
