// Normalisation of rows (layer_norm, rms_norm) and of channels (batch_norm, group_norm), and their gradients.
#include <cmath>
#include <cstring>

#include "wengert/fused.h"
#include "wengert/kernels.h"
#include "wengert/optim.h"
#include "wengert/parallel.h"
#include "wengert/staged.h"

namespace wg {

namespace {

template <class Fn>
Fn cached(Fn (&fns)[2], const char* name, int dtype) {
  Fn& f = fns[dtype == kFloat64];
  if (!f) f = kernel_fn<Fn>(name, dtype);
  return f;
}

int expect_weight(const OpCall& c, const char* what, const Array& w, int ndim, const index_t* shape) {
  if (!w.defined()) return 0;
  bool fits = w.ndim() == ndim;
  for (int d = 0; fits && d < ndim; ++d) fits = w.shape()[d] == shape[d];
  if (fits) return 0;
  return fail(kRuntimeError, "%s: expected a %s of shape %s, got %s.", c.op->name, what, shape_text(ndim, shape),
              shape_text(w.layout));
}

// ---- rows ---------------------------------------------------------------------------------------------------

struct RowShape {
  int dims = 0;  // trailing dimensions that are normalised together
  index_t rows = 1, n = 1;
  int dtype = 0;
  double eps = 0;

  int read(const OpCall& c, const Array& x) {
    AttrReader r(c.attr);
    dims = static_cast<int>(r.integer());
    eps = r.real();
    if (dims < 1 || dims > x.ndim())
      return fail(kRuntimeError, "%s: expected 1 to %d normalised dimensions, got %d.", c.op->name, x.ndim(), dims);
    for (int d = 0; d < x.ndim(); ++d) (d < x.ndim() - dims ? rows : n) *= x.shape()[d];
    dtype = compute_dtype(x.dtype);
    return expect_floating(c, x);
  }
  // The statistics' shape: x's with 1 for the normalised dimensions.
  Layout* statistics(const Array& x) const {
    index_t shape[kMaxDims];
    for (int d = 0; d < x.ndim(); ++d) shape[d] = d < x.ndim() - dims ? x.shape()[d] : 1;
    return layout_contiguous(x.ndim(), shape);
  }
};

// layer_norm(x, w, b; dims, eps): y, mean, rstd. rms_norm(x, w; dims, eps): y, rstd.
int forward_row_norm(OpCall& c) {
  const bool centered = c.op->nout == 3;
  const Array& x = c.in[0];
  const Array none{};
  const Array &w = c.in[1], &b = centered ? c.in[2] : none;
  RowShape s;
  if (s.read(c, x) < 0) return -1;
  const index_t* tail = x.shape() + x.ndim() - s.dims;
  if (expect_weight(c, "weight", w, s.dims, tail) < 0 || expect_weight(c, "bias", b, s.dims, tail) < 0) return -1;
  Result y, mean, rstd;
  int go = y.emit(c, 0, x.dtype, s.dtype, layout_like(x));
  if (go < 0 || (centered && mean.emit(c, 1, s.dtype, s.dtype, s.statistics(x)) < 0) ||
      rstd.emit(c, centered ? 2 : 1, s.dtype, s.dtype, s.statistics(x)) < 0)
    return -1;
  if (go == 0) return 0;
  Operand xs, ws, bs;
  if (xs.take(x, s.dtype) < 0 || ws.take(w, s.dtype) < 0 || bs.take(b, s.dtype) < 0) return -1;
  static RowNormFn fns[2][2];
  {
    Unlocked unlocked(x.nbytes() >= kUnlockBytes);
    cached(fns[centered], c.op->kernel, s.dtype)(
        RowNorm{xs.data(), ws.data(), bs.data(), y.data(), mean.data(), rstd.data(), s.rows, s.n, s.eps});
  }
  return y.finish();
}

// What a gradient row of a normalisation writes: all three gradients, or one of them.
enum Part { kAll, kInput, kWeight, kBias };

// layer_norm_backward(u, x, w, like, mean, rstd; dims, eps): gx, gw, gb. rms_norm_backward(u, x, w, rstd; …): gx,
// gw. `like` has the shape of the bias; without it, or without w, that gradient is an empty 0-d value.
int row_norm_backward(OpCall& c, Part part) {
  const bool centered = c.op->kernel[0] == 'l';
  const Array &u = c.in[0], &x = c.in[1], &w = c.in[2];
  const Array none{};
  const Array &like = centered ? c.in[3] : none, &mean = centered ? c.in[4] : none, &rstd = c.in[centered ? 5 : 3];
  RowShape s;
  if (s.read(c, x) < 0) return -1;
  const index_t* tail = x.shape() + x.ndim() - s.dims;
  Layout* lines = s.statistics(x);
  const int bad = expect_shape(c, 0, x.layout) | (centered ? expect_shape(c, 4, lines) : 0) |
                  expect_shape(c, centered ? 5 : 3, lines);
  layout_decref(lines);
  if (bad < 0 || expect_weight(c, "weight", w, s.dims, tail) < 0 ||
      expect_weight(c, "bias", like, s.dims, tail) < 0)
    return -1;
  Result gx, gw, gb;
  int go = 1, at = 0;
  if (part == kAll || part == kInput) go = gx.emit(c, at++, x.dtype, s.dtype, layout_like(x));
  if (go >= 0 && (part == kWeight || (part == kAll && w.defined())))
    go = gw.emit(c, at++, x.dtype, s.dtype, layout_contiguous(s.dims, tail));
  else if (go >= 0 && part == kAll)
    go = c.emit(at++, x.dtype, layout_contiguous(0, nullptr));
  if (go >= 0 && (part == kBias || (part == kAll && centered && like.defined())))
    go = gb.emit(c, at++, x.dtype, s.dtype, layout_contiguous(s.dims, tail));
  else if (go >= 0 && part == kAll && centered)
    go = c.emit(at++, x.dtype, layout_contiguous(0, nullptr));
  if (go <= 0) return go;
  Operand us, xs, ws, means, rstds;
  if (us.take(u, s.dtype) < 0 || xs.take(x, s.dtype) < 0 || ws.take(w, s.dtype) < 0 ||
      means.take(mean, s.dtype) < 0 || rstds.take(rstd, s.dtype) < 0)
    return -1;
  static RowNormBackwardFn fns[2][2];
  RowNormBackward k{us.data(), xs.data(), ws.data(), means.data(), rstds.data(),
                    gx.data(), gw.data(), gb.data(), s.rows,       s.n};
  bool fine;
  {
    Unlocked unlocked(x.nbytes() >= kUnlockBytes);
    fine = cached(fns[centered], c.op->kernel, s.dtype)(k);
  }
  if (!fine) return fail_memory(c.op->name, 2 * s.n * itemsize(s.dtype));
  return gx.finish() < 0 || gw.finish() < 0 || gb.finish() < 0 ? -1 : 0;
}

// ---- channels -----------------------------------------------------------------------------------------------

struct ChannelShape {
  index_t batch = 1, channels = 1, space = 1, groups = 0;
  int dtype = 0;
  double eps = 0;

  int read(const OpCall& c, const Array& x, bool grouped) {
    AttrReader r(c.attr);
    if (grouped) groups = r.integer();
    eps = r.real();
    if (x.ndim() < 2)
      return fail(kRuntimeError, "%s: expected an input (N, C, ...), got shape %s.", c.op->name,
                  shape_text(x.layout));
    batch = x.shape()[0];
    channels = x.shape()[1];
    for (int d = 2; d < x.ndim(); ++d) space *= x.shape()[d];
    if (grouped && (groups < 1 || channels % groups))
      return fail(kRuntimeError, "%s: expected channels divisible by the groups, got %lld and %lld.", c.op->name,
                  static_cast<long long>(channels), static_cast<long long>(groups));
    dtype = compute_dtype(x.dtype);
    return expect_floating(c, x);
  }
};

// batch_norm_train(x, w, b; eps): y, mean, var, rstd, over all dimensions but channels.
int forward_batch_norm_train(OpCall& c) {
  const Array& x = c.in[0];
  ChannelShape s;
  if (s.read(c, x, false) < 0 || expect_weight(c, "weight", c.in[1], 1, &s.channels) < 0 ||
      expect_weight(c, "bias", c.in[2], 1, &s.channels) < 0)
    return -1;
  Result y, mean, var, rstd;
  int go = y.emit(c, 0, x.dtype, s.dtype, layout_like(x));
  if (go < 0 || mean.emit(c, 1, s.dtype, s.dtype, layout_contiguous(1, &s.channels)) < 0 ||
      var.emit(c, 2, s.dtype, s.dtype, layout_contiguous(1, &s.channels)) < 0 ||
      rstd.emit(c, 3, s.dtype, s.dtype, layout_contiguous(1, &s.channels)) < 0)
    return -1;
  if (go == 0) return 0;
  Operand xs, ws, bs;
  if (xs.take(x, s.dtype) < 0 || ws.take(c.in[1], s.dtype) < 0 || bs.take(c.in[2], s.dtype) < 0) return -1;
  static ChannelNormFn fns[2];
  {
    Unlocked unlocked(x.nbytes() >= kUnlockBytes);
    cached(fns, "batch_norm_train",
           s.dtype)(ChannelNorm{xs.data(), ws.data(), bs.data(), y.data(), mean.data(), var.data(), rstd.data(),
                                s.batch, s.channels, s.space, 0, s.eps});
  }
  return y.finish();
}

// batch_norm_eval(x, w, b, mean, var; eps): y, rstd.
int forward_batch_norm_eval(OpCall& c) {
  const Array& x = c.in[0];
  ChannelShape s;
  if (s.read(c, x, false) < 0) return -1;
  const char* const what[] = {"weight", "bias", "running mean", "running variance"};
  for (int k = 0; k < 4; ++k)
    if (expect_weight(c, what[k], c.in[1 + k], 1, &s.channels) < 0) return -1;
  Result y, rstd;
  int go = y.emit(c, 0, x.dtype, s.dtype, layout_like(x));
  if (go < 0 || rstd.emit(c, 1, s.dtype, s.dtype, layout_contiguous(1, &s.channels)) < 0) return -1;
  if (go == 0) return 0;
  Operand xs, ws, bs, mean, var;
  if (xs.take(x, s.dtype) < 0 || ws.take(c.in[1], s.dtype) < 0 || bs.take(c.in[2], s.dtype) < 0 ||
      mean.take(c.in[3], s.dtype) < 0 || var.take(c.in[4], s.dtype) < 0)
    return -1;
  static ChannelNormFn fns[2];
  {
    Unlocked unlocked(x.nbytes() >= kUnlockBytes);
    // The kernel reads mean and var.
    cached(fns, "batch_norm_eval", s.dtype)(
        ChannelNorm{xs.data(), ws.data(), bs.data(), y.data(), const_cast<void*>(mean.data()),
                    const_cast<void*>(var.data()), rstd.data(), s.batch, s.channels, s.space, 0, s.eps});
  }
  return y.finish();
}

// group_norm(x, w, b; groups, eps): y, mean, rstd, the last two (N, groups).
int forward_group_norm(OpCall& c) {
  const Array& x = c.in[0];
  ChannelShape s;
  if (s.read(c, x, true) < 0 || expect_weight(c, "weight", c.in[1], 1, &s.channels) < 0 ||
      expect_weight(c, "bias", c.in[2], 1, &s.channels) < 0)
    return -1;
  const index_t statistics[2] = {s.batch, s.groups};
  Result y, mean, rstd;
  int go = y.emit(c, 0, x.dtype, s.dtype, layout_like(x));
  if (go < 0 || mean.emit(c, 1, s.dtype, s.dtype, layout_contiguous(2, statistics)) < 0 ||
      rstd.emit(c, 2, s.dtype, s.dtype, layout_contiguous(2, statistics)) < 0)
    return -1;
  if (go == 0) return 0;
  Operand xs, ws, bs;
  if (xs.take(x, s.dtype) < 0 || ws.take(c.in[1], s.dtype) < 0 || bs.take(c.in[2], s.dtype) < 0) return -1;
  static ChannelNormFn fns[2];
  {
    Unlocked unlocked(x.nbytes() >= kUnlockBytes);
    cached(fns, "group_norm", s.dtype)(ChannelNorm{xs.data(), ws.data(), bs.data(), y.data(), mean.data(), nullptr,
                                                   rstd.data(), s.batch, s.channels, s.space, s.groups, s.eps});
  }
  return y.finish();
}

// (u, x, w, like, mean, rstd; …): gx, gw, gb of batch_norm_train, batch_norm_eval and group_norm; see
// row_norm_backward.
int channel_norm_backward(OpCall& c, Part part) {
  const Array &u = c.in[0], &x = c.in[1], &w = c.in[2], &like = c.in[3];
  const bool grouped = c.op->kernel[0] == 'g';
  ChannelShape s;
  if (s.read(c, x, grouped) < 0) return -1;
  const index_t by_group[2] = {s.batch, s.groups};
  const int dims = grouped ? 2 : 1;
  const index_t* statistics = grouped ? by_group : &s.channels;
  if (expect_shape(c, 0, x.layout) < 0 || expect_weight(c, "weight", w, 1, &s.channels) < 0 ||
      expect_weight(c, "bias", like, 1, &s.channels) < 0 || expect_shape(c, 4, dims, statistics) < 0 ||
      expect_shape(c, 5, dims, statistics) < 0)
    return -1;
  Result gx, gw, gb;
  int go = 1, at = 0;
  if (part == kAll || part == kInput) go = gx.emit(c, at++, x.dtype, s.dtype, layout_like(x));
  if (go >= 0 && (part == kWeight || (part == kAll && w.defined())))
    go = gw.emit(c, at++, x.dtype, s.dtype, layout_contiguous(1, &s.channels));
  else if (go >= 0 && part == kAll)
    go = c.emit(at++, x.dtype, layout_contiguous(0, nullptr));
  if (go >= 0 && (part == kBias || (part == kAll && like.defined())))
    go = gb.emit(c, at++, x.dtype, s.dtype, layout_contiguous(1, &s.channels));
  else if (go >= 0 && part == kAll)
    go = c.emit(at++, x.dtype, layout_contiguous(0, nullptr));
  if (go <= 0) return go;
  Operand us, xs, ws, mean, rstd;
  if (us.take(u, s.dtype) < 0 || xs.take(x, s.dtype) < 0 || ws.take(w, s.dtype) < 0 ||
      mean.take(c.in[4], s.dtype) < 0 || rstd.take(c.in[5], s.dtype) < 0)
    return -1;
  static ChannelNormBackwardFn fns[3][2];
  ChannelNormBackward k{us.data(), xs.data(), ws.data(), mean.data(), rstd.data(), gx.data(),
                        gw.data(), gb.data(), s.batch,   s.channels,  s.space,     s.groups};
  const int which = grouped ? 0 : std::strstr(c.op->kernel, "eval") ? 1 : 2;
  bool fine;
  {
    Unlocked unlocked(x.nbytes() >= kUnlockBytes);
    fine = cached(fns[which], c.op->kernel, s.dtype)(k);
  }
  if (!fine) return fail_memory(c.op->name, 5 * s.channels * itemsize(s.dtype));
  return gx.finish() < 0 || gw.finish() < 0 || gb.finish() < 0 ? -1 : 0;
}

template <Part part>
int forward_row_backward(OpCall& c) {
  return row_norm_backward(c, part);
}
template <Part part>
int forward_channel_backward(OpCall& c) {
  return channel_norm_backward(c, part);
}

// total_norm(tensors): the 2-norm of all elements. Sums of squares by tensor in its dtype, their sum in float64.
int forward_total_norm(OpCall& c) {
  int dtype = c.in[0].dtype;
  for (int i = 0; i < c.nin; ++i) {
    if (expect_floating(c, c.in[i]) < 0) return -1;
    if (c.in[i].dtype != dtype || is_half(dtype))
      return fail(kRuntimeError, "%s: expected tensors of one dtype, float32 or float64, got %s and %s.",
                  c.op->name, kDTypeName[dtype], kDTypeName[c.in[i].dtype]);
  }
  int go = c.emit(0, dtype, layout_contiguous(0, nullptr));
  if (go <= 0) return go;
  auto kernel = kernel_fn<SumSqManyFn>("sumsq_many", dtype);
  double total = 0;
  for (int i = 0; i < c.nin; ++i) {
    Operand x;
    if (x.take(c.in[i], dtype) < 0) return -1;
    const void* data = x.data();
    index_t count = c.in[i].numel();
    double sum = 0;
    {
      Unlocked unlocked(count * itemsize(dtype) >= kUnlockBytes);
      kernel(&data, &count, 1, &sum);
    }
    float narrow;
    std::memcpy(&narrow, &sum, 4);
    total += dtype == kFloat32 ? static_cast<double>(narrow) : sum;
  }
  double norm = std::sqrt(total);
  if (dtype == kFloat32) {
    float narrow = static_cast<float>(norm);
    std::memcpy(c.out[0].data(), &narrow, 4);
  } else {
    std::memcpy(c.out[0].data(), &norm, 8);
  }
  return 0;
}

}  // namespace

extern const ForwardEntry norm_forwards[] = {{"row_norm", forward_row_norm},
                                             {"row_norm_backward", forward_row_backward<kAll>},
                                             {"row_norm_gx", forward_row_backward<kInput>},
                                             {"row_norm_gw", forward_row_backward<kWeight>},
                                             {"row_norm_gb", forward_row_backward<kBias>},
                                             {"batch_norm_train", forward_batch_norm_train},
                                             {"batch_norm_eval", forward_batch_norm_eval},
                                             {"group_norm", forward_group_norm},
                                             {"channel_norm_backward", forward_channel_backward<kAll>},
                                             {"channel_norm_gx", forward_channel_backward<kInput>},
                                             {"channel_norm_gw", forward_channel_backward<kWeight>},
                                             {"channel_norm_gb", forward_channel_backward<kBias>},
                                             {"total_norm", forward_total_norm},
                                             {nullptr, nullptr}};

}  // namespace wg
