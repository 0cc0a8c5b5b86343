// Convolution, transposed convolution and pooling over 1 to 3 spatial dimensions.
#include "wengert/conv.h"

#include <cstring>

#include "wengert/index.h"
#include "wengert/kernels.h"
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

// Spatial sizes as the kernels take them: three entries, ones (or zeros) in front.
void spread(int n, const index_t* sizes, index_t fill, index_t* out) {
  for (int i = 0; i < 3; ++i) out[i] = i < 3 - n ? fill : sizes[i - (3 - n)];
}

constexpr index_t kLargestSetting = 0x7fffffff;  // so that sizes computed from settings fit index_t

// Reads a list attribute of `n` entries (n < 0: sets n) into three; each must be at least `least`.
int read_sizes(const OpCall& c, AttrReader& r, const char* what, int* n, index_t fill, index_t least,
               index_t* out) {
  int count;
  const std::int64_t* items = r.list(&count);
  if (*n < 0) *n = count;
  if (count != *n || count < 1 || count > 3)
    return fail(kRuntimeError, "%s: expected %d values of %s, got %d.", c.op->name, *n < 1 || *n > 3 ? 3 : *n, what,
                count);
  for (int i = 0; i < count; ++i)
    if (items[i] < least)
      return fail(kRuntimeError, "%s: expected %s of at least %lld, got %lld.", c.op->name, what,
                  static_cast<long long>(least), static_cast<long long>(items[i]));
    else if (items[i] > kLargestSetting)
      return fail(kRuntimeError, "%s: expected %s of at most %lld, got %lld.", c.op->name, what,
                  static_cast<long long>(kLargestSetting), static_cast<long long>(items[i]));
  spread(count, items, fill, out);
  return 0;
}

// ---- convolution --------------------------------------------------------------------------------------------

struct ConvCall {
  Conv k{};
  int n = -1;  // spatial dimensions
  int dtype = 0;
  index_t output_padding[3] = {0, 0, 0};

  // Attributes: stride, padding, (output_padding,) dilation, groups.
  int read(const OpCall& c, bool transposed) {
    AttrReader r(c.attr);
    if (read_sizes(c, r, "stride", &n, 1, 1, k.stride) < 0 ||
        read_sizes(c, r, "padding", &n, 0, 0, k.padding) < 0 ||
        (transposed && read_sizes(c, r, "output_padding", &n, 0, 0, output_padding) < 0) ||
        read_sizes(c, r, "dilation", &n, 1, 1, k.dilation) < 0)
      return -1;
    k.groups = r.integer();
    return 0;
  }
  // The tensor that is convolved, x (N, C, ...) or (C, ...), and the weight (O, C / groups, ...).
  int sides(const OpCall& c, int x_ndim, const index_t* x, const Array& w, bool reversed) {
    if (w.ndim() != n + 2 || (x_ndim != n + 2 && x_ndim != n + 1))
      return fail(kRuntimeError,
                  "%s: expected a weight of %d dimensions and an input of %d or %d, got weight %s and "
                  "input %s.",
                  c.op->name, n + 2, n + 2, n + 1, shape_text(w.layout), shape_text(x_ndim, x));
    k.batch = x_ndim == n + 2 ? x[0] : 1;
    const index_t channels = x[x_ndim - n - 1];
    k.out_channels = w.shape()[0];
    k.in_channels = w.shape()[1] * k.groups;
    if (k.groups < 1 || k.out_channels % k.groups || channels != (reversed ? k.out_channels : k.in_channels))
      return fail(kRuntimeError, "%s: expected input channels that fit weight %s with groups=%lld, got input %s.",
                  c.op->name, shape_text(w.layout), static_cast<long long>(k.groups), shape_text(x_ndim, x));
    spread(n, w.shape() + 2, 1, k.kernel);
    spread(n, x + x_ndim - n, 1, reversed ? k.out : k.in);
    for (int i = 0; i < 3; ++i)
      if (k.kernel[i] < 1 || (reversed ? k.out : k.in)[i] < 1)
        return fail(kRuntimeError, "%s: expected sizes of at least 1, got weight %s and input %s.", c.op->name,
                    shape_text(w.layout), shape_text(x_ndim, x));
    if (k.in_channels == 0 || k.out_channels == 0)
      return fail(kRuntimeError, "%s: expected at least 1 channel, got weight %s.", c.op->name,
                  shape_text(w.layout));
    dtype = compute_dtype(c.in[0].dtype);
    return expect_floating(c, c.in[0]);
  }
  index_t reach(int i) const { return (k.kernel[i] - 1) * k.dilation[i] + 1; }
  // The output sizes of a convolution of k.in.
  int output(const OpCall& c) {
    for (int i = 0; i < 3; ++i) {
      const index_t room = k.in[i] + 2 * k.padding[i] - reach(i);
      if (room < 0)
        return fail(kRuntimeError,
                    "%s: expected an input at least as large as the kernel, got padded size %lld and "
                    "kernel size %lld.",
                    c.op->name, static_cast<long long>(k.in[i] + 2 * k.padding[i]),
                    static_cast<long long>(reach(i)));
      k.out[i] = room / k.stride[i] + 1;
    }
    return 0;
  }
  // The sizes of a transposed convolution of k.out.
  int transposed_output(const OpCall& c) {
    for (int i = 0; i < 3; ++i) {
      if (output_padding[i] && output_padding[i] >= k.stride[i] && output_padding[i] >= k.dilation[i])
        return fail(kRuntimeError, "%s: expected output_padding smaller than stride or dilation, got %lld.",
                    c.op->name, static_cast<long long>(output_padding[i]));
      k.in[i] = (k.out[i] - 1) * k.stride[i] - 2 * k.padding[i] + reach(i) + output_padding[i];
      if (k.in[i] < 1)
        return fail(kRuntimeError, "%s: expected a result of size at least 1, got %lld. Use less padding.",
                    c.op->name, static_cast<long long>(k.in[i]));
    }
    return 0;
  }
  // A gradient row has both k.in and k.out from its operands: y (the side of k.out) and x. The output may be cut
  // short, where output_padding made x larger.
  int fits(const OpCall& c, const Array& x, const Array& y) {
    bool ok = (y.ndim() == n + 2 || y.ndim() == n + 1) && x.ndim() == y.ndim();
    if (ok) {
      const int at = y.ndim() - n - 1;
      ok = x.shape()[at] == k.in_channels && y.shape()[at] == k.out_channels &&
           (at == 0 || x.shape()[0] == y.shape()[0]);
      spread(n, x.shape() + at + 1, 1, k.in);
      spread(n, y.shape() + at + 1, 1, k.out);
    }
    for (int i = 0; ok && i < 3; ++i) {
      const index_t room = k.in[i] + 2 * k.padding[i] - reach(i);
      ok = room >= 0 && k.out[i] <= room / k.stride[i] + 1;
    }
    if (ok) return 0;
    return fail(kRuntimeError, "%s: expected an input and a result of one convolution, got shapes %s and %s.",
                c.op->name, shape_text(x.layout), shape_text(y.layout));
  }
  Layout* layout(const Array& x, index_t channels, const index_t* sizes) const {
    index_t shape[kMaxDims];
    int d = 0;
    if (x.ndim() == n + 2) shape[d++] = k.batch;
    shape[d++] = channels;
    for (int i = 3 - n; i < 3; ++i) shape[d++] = sizes[i];
    return layout_contiguous(d, shape);
  }
  int run(const OpCall& c, const char* name, int which) {
    static ConvFn fns[3][2];
    ConvFn fn = cached(fns[which], name, dtype);
    Unlocked unlocked(true);
    if (fn(k)) return 0;
    return fail_memory(c.op->name, k.batch * k.in_channels * k.in[0] * k.in[1] * k.in[2] * itemsize(dtype));
  }
};

int expect_one_dtype(const OpCall& c) {
  for (int i = 1; i < c.nin; ++i)
    if (c.in[i].defined() && c.in[i].dtype != c.in[0].dtype)
      return fail(kRuntimeError, "%s: expected operands of one dtype, got %s and %s. Convert one of them.",
                  c.op->name, kDTypeName[c.in[0].dtype], kDTypeName[c.in[i].dtype]);
  return 0;
}

int expect_bias(const OpCall& c, const Array& b, index_t channels) {
  if (!b.defined() || (b.ndim() == 1 && b.shape()[0] == channels)) return 0;
  return fail(kRuntimeError, "%s: expected a bias of shape (%lld,), got %s.", c.op->name,
              static_cast<long long>(channels), shape_text(b.layout));
}

// convolution(x, w, b; stride, padding, dilation, groups).
int forward_convolution(OpCall& c) {
  const Array &x = c.in[0], &w = c.in[1], &b = c.in[2];
  ConvCall a;
  if (a.read(c, false) < 0 || a.sides(c, x.ndim(), x.shape(), w, false) < 0 || a.output(c) < 0 ||
      expect_one_dtype(c) < 0 || expect_bias(c, b, a.k.out_channels) < 0)
    return -1;
  Result y;
  int go = y.emit(c, 0, x.dtype, a.dtype, a.layout(x, a.k.out_channels, a.k.out));
  if (go <= 0 || c.out[0].numel() == 0) return go < 0 ? go : 0;
  Operand xs, ws, bs;
  if (xs.take(x, a.dtype) < 0 || ws.take(w, a.dtype) < 0 || bs.take(b, a.dtype) < 0) return -1;
  a.k.x = const_cast<void*>(xs.data());
  a.k.w = const_cast<void*>(ws.data());
  a.k.y = y.data();
  a.k.bias = bs.data();
  return a.run(c, "conv_forward", 0) < 0 ? -1 : y.finish();
}

// convolution_like(x, w, like; ...): a convolution whose result has like's spatial sizes; they may be smaller than
// the full ones, where output_padding made x larger.
int forward_convolution_like(OpCall& c) {
  const Array &x = c.in[0], &w = c.in[1], &like = c.in[2];
  ConvCall a;
  if (a.read(c, false) < 0 || a.sides(c, x.ndim(), x.shape(), w, false) < 0 || a.fits(c, x, like) < 0 ||
      expect_one_dtype(c) < 0)
    return -1;
  Result y;
  int go = y.emit(c, 0, x.dtype, a.dtype, a.layout(x, a.k.out_channels, a.k.out));
  if (go <= 0 || c.out[0].numel() == 0) return go < 0 ? go : 0;
  Operand xs, ws;
  if (xs.take(x, a.dtype) < 0 || ws.take(w, a.dtype) < 0) return -1;
  a.k.x = const_cast<void*>(xs.data());
  a.k.w = const_cast<void*>(ws.data());
  a.k.y = y.data();
  return a.run(c, "conv_forward", 0) < 0 ? -1 : y.finish();
}

// Writes k.x from y's values in `from`.
int run_reversed(OpCall& c, ConvCall& a, const Array& from, const Array& w, const Array& b, Layout* layout) {
  Result x;
  int go = x.emit(c, 0, from.dtype, a.dtype, layout);
  if (go <= 0 || c.out[0].numel() == 0) return go < 0 ? go : 0;
  Operand ys, ws, bs;
  if (ys.take(from, a.dtype) < 0 || ws.take(w, a.dtype) < 0 || bs.take(b, a.dtype) < 0) return -1;
  a.k.x = x.data();
  a.k.w = const_cast<void*>(ws.data());
  a.k.y = const_cast<void*>(ys.data());
  a.k.bias = bs.data();
  return a.run(c, "conv_backward_input", 1) < 0 ? -1 : x.finish();
}

// conv_transpose(x, w, b; stride, padding, output_padding, dilation, groups), w (C, O / groups, ...).
int forward_conv_transpose(OpCall& c) {
  const Array &x = c.in[0], &w = c.in[1], &b = c.in[2];
  ConvCall a;
  if (a.read(c, true) < 0 || a.sides(c, x.ndim(), x.shape(), w, true) < 0 || a.transposed_output(c) < 0 ||
      expect_one_dtype(c) < 0 || expect_bias(c, b, a.k.in_channels) < 0)
    return -1;
  return run_reversed(c, a, x, w, b, a.layout(x, a.k.in_channels, a.k.in));
}

// conv_input(u, w, like; stride, padding, dilation, groups): the gradient of a convolution's x, of like's shape.
int forward_conv_input(OpCall& c) {
  const Array &u = c.in[0], &w = c.in[1], &like = c.in[2];
  ConvCall a;
  if (a.read(c, false) < 0 || a.sides(c, u.ndim(), u.shape(), w, true) < 0 || a.fits(c, like, u) < 0) return -1;
  const Array none{};
  return run_reversed(c, a, u, w, none, layout_like(like));
}

// conv_weight(u, x, like; stride, padding, dilation, groups): the gradient of a convolution's weight, of like's
// shape.
int forward_conv_weight(OpCall& c) {
  const Array &u = c.in[0], &x = c.in[1], &like = c.in[2];
  ConvCall a;
  if (a.read(c, false) < 0 || a.sides(c, x.ndim(), x.shape(), like, false) < 0 || a.fits(c, x, u) < 0) return -1;
  Result w;
  int go = w.emit(c, 0, u.dtype, a.dtype, layout_like(like));
  if (go <= 0) return go;
  if (u.numel() == 0) {
    fill_zero(c.out[0]);
    return 0;
  }
  Operand us, xs;
  if (us.take(u, a.dtype) < 0 || xs.take(x, a.dtype) < 0) return -1;
  a.k.x = const_cast<void*>(xs.data());
  a.k.y = const_cast<void*>(us.data());
  a.k.w = w.data();
  return a.run(c, "conv_backward_weight", 2) < 0 ? -1 : w.finish();
}

// The length of a list attribute: rules hand on any list with one entry for each spatial dimension.
int spatial_dims(AttrReader& r) {
  int n;
  r.list(&n);
  return n;
}

int fail_channels(const OpCall& c, const Array& x) {
  return fail(kRuntimeError, "%s: expected a dimension of channels before the spatial ones, got shape %s.",
              c.op->name, shape_text(x.layout));
}

// sum_channels(x; spatial): x (N, C, ...) or (C, ...) summed over all but the channels.
int forward_sum_channels(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  const int at = x.ndim() - spatial_dims(r) - 1;
  if (at < 0) return fail_channels(c, x);
  index_t shape[kMaxDims];
  for (int d = 0; d < x.ndim(); ++d) shape[d] = d == at ? x.shape()[d] : 1;
  const index_t channels = shape[at];
  if (c.dry) return c.emit(0, x.dtype, layout_contiguous(1, &channels));
  Layout* like = layout_contiguous(x.ndim(), shape);
  Array sum;
  int bad = sum_to_layout(x, like, &sum);
  layout_decref(like);
  if (bad < 0) return -1;
  layout_decref(sum.layout);
  sum.layout = layout_contiguous(1, &channels);
  c.out[0] = sum;
  return 0;
}

// expand_channels(v, like; spatial): a view of v (C,) in like's shape.
int forward_expand_channels(OpCall& c) {
  const Array &v = c.in[0], &like = c.in[1];
  AttrReader r(c.attr);
  const int at = like.ndim() - spatial_dims(r) - 1;
  if (at < 0) return fail_channels(c, like);
  if (expect_shape(c, 0, 1, like.shape() + at) < 0) return -1;
  index_t strides[kMaxDims];
  for (int d = 0; d < like.ndim(); ++d) strides[d] = d == at ? v.strides()[0] : 0;
  Layout* layout = layout_strided(like.ndim(), like.shape(), strides);
  if (c.dry) return c.emit(0, v.dtype, layout);
  c.out[0] = v;
  c.out[0].layout = layout;
  storage_incref(v.storage);
  return 0;
}

// ---- pooling ------------------------------------------------------------------------------------------------

struct PoolCall {
  Pool k{};
  int n = -1;
  int dtype = 0;

  // x (..., spatial): the leading dimensions are planes.
  int planes(const OpCall& c, const Array& x) {
    if (x.ndim() != n + 1 && x.ndim() != n + 2)
      return fail(kRuntimeError,
                  "%s: expected an input (N, C, ...) or (C, ...) of %d or %d dimensions, got shape %s.", c.op->name,
                  n + 2, n + 1, shape_text(x.layout));
    k.planes = 1;
    for (int d = 0; d < x.ndim() - n; ++d) k.planes *= x.shape()[d];
    spread(n, x.shape() + x.ndim() - n, 1, k.in);
    dtype = compute_dtype(x.dtype);
    if (k.in[0] * k.in[1] * k.in[2] == 0)
      return fail(kRuntimeError, "%s: expected spatial sizes of at least 1, got shape %s.", c.op->name,
                  shape_text(x.layout));
    return expect_floating(c, x);
  }
  // The planes of an operand beside x.
  int same_planes(const OpCall& c, const Array& x, const Array& other) const {
    bool same = x.ndim() == other.ndim();
    for (int d = 0; same && d < x.ndim() - n; ++d) same = x.shape()[d] == other.shape()[d];
    if (same) return 0;
    return fail(kRuntimeError, "%s: expected operands of the same planes, got shapes %s and %s.", c.op->name,
                shape_text(x.layout), shape_text(other.layout));
  }
  // Windows of k.kernel over k.in.
  int windows(const OpCall& c, bool ceil_mode) {
    for (int i = 0; i < 3; ++i) {
      if (k.padding[i] * 2 > k.kernel[i])
        return fail(kRuntimeError,
                    "%s: expected padding of at most half the kernel size, got padding %lld and kernel "
                    "size %lld.",
                    c.op->name, static_cast<long long>(k.padding[i]), static_cast<long long>(k.kernel[i]));
      const index_t room = k.in[i] + 2 * k.padding[i] - ((k.kernel[i] - 1) * k.dilation[i] + 1);
      index_t out = room < 0 ? (room + (ceil_mode ? k.stride[i] - 1 : 0) < 0 ? 0 : 1)
                             : (room + (ceil_mode ? k.stride[i] - 1 : 0)) / k.stride[i] + 1;
      // The last window has to begin inside the input or its left padding.
      if (ceil_mode && (out - 1) * k.stride[i] >= k.in[i] + k.padding[i]) --out;
      if (out < 1)
        return fail(kRuntimeError,
                    "%s: expected an input at least as large as the window, got size %lld and kernel "
                    "size %lld.",
                    c.op->name, static_cast<long long>(k.in[i]), static_cast<long long>(k.kernel[i]));
      k.out[i] = out;
    }
    return 0;
  }
  Layout* layout(const Array& x) const {
    index_t shape[kMaxDims];
    for (int d = 0; d < x.ndim(); ++d) shape[d] = d < x.ndim() - n ? x.shape()[d] : k.out[3 - x.ndim() + d];
    return layout_contiguous(x.ndim(), shape);
  }
  void run(PoolFn fn) {
    Unlocked unlocked(k.planes * k.in[0] * k.in[1] * k.in[2] * itemsize(dtype) >= kUnlockBytes);
    fn(k);
  }
};

PoolFn pool_kernel(const char* name, int dtype) { return kernel_fn<PoolFn>(name, dtype); }

// max_pool(x; kernel_size, stride, padding, dilation, ceil_mode): values and flat places in the planes.
// adaptive_max_pool(x; output_size).
int forward_max_pool(OpCall& c) {
  const Array& x = c.in[0];
  const bool adaptive = c.op->kernel[0] == 'a';
  AttrReader r(c.attr);
  PoolCall a;
  if (adaptive) {
    if (read_sizes(c, r, "output_size", &a.n, 1, 0, a.k.out) < 0 || a.planes(c, x) < 0) return -1;
  } else {
    if (read_sizes(c, r, "kernel_size", &a.n, 1, 1, a.k.kernel) < 0 ||
        read_sizes(c, r, "stride", &a.n, 1, 1, a.k.stride) < 0 ||
        read_sizes(c, r, "padding", &a.n, 0, 0, a.k.padding) < 0 ||
        read_sizes(c, r, "dilation", &a.n, 1, 1, a.k.dilation) < 0 || a.planes(c, x) < 0 ||
        a.windows(c, r.boolean()) < 0)
      return -1;
  }
  Result y;
  int go = y.emit(c, 0, x.dtype, a.dtype, a.layout(x));
  if (go < 0 || c.emit(1, kInt64, a.layout(x)) < 0) return -1;
  if (go == 0 || c.out[0].numel() == 0) return 0;
  Operand xs;
  if (xs.take(x, a.dtype) < 0) return -1;
  a.k.x = const_cast<void*>(xs.data());
  a.k.y = y.data();
  a.k.index = reinterpret_cast<std::int64_t*>(c.out[1].data());
  a.run(pool_kernel(c.op->kernel, a.dtype));
  return y.finish();
}

// The walk over planes that gather and scatter share.
int plane_index(OpCall& c, const Array& index, index_t n, Operand* is) {
  if (is->take(index, kInt64) < 0) return -1;
  const std::int64_t* p = static_cast<const std::int64_t*>(is->data());
  for (index_t i = 0; i < index.numel(); ++i)
    if (p[i] < 0 || p[i] >= n)
      return fail(kRuntimeError, "%s: expected indices in [0, %lld), got %lld.", c.op->name,
                  static_cast<long long>(n), static_cast<long long>(p[i]));
  return 0;
}

// max_pool_backward(u, index, like; spatial): zeros of like's shape plus u at the places in its planes.
int forward_max_pool_backward(OpCall& c) {
  const Array &u = c.in[0], &index = c.in[1], &like = c.in[2];
  AttrReader r(c.attr);
  PoolCall a;
  a.n = spatial_dims(r);
  if (a.planes(c, like) < 0 || a.same_planes(c, like, index) < 0 || expect_shape(c, 0, index.layout) < 0 ||
      expect_floating(c, u) < 0)
    return -1;
  spread(a.n, u.shape() + u.ndim() - a.n, 1, a.k.out);
  Result x;
  a.dtype = compute_dtype(u.dtype);
  int go = x.emit(c, 0, u.dtype, a.dtype, layout_like(like));
  if (go <= 0) return go;
  if (u.numel() == 0) return fill_zero(c.out[0]);
  Operand us, is;
  if (us.take(u, a.dtype) < 0 || plane_index(c, index, a.k.in[0] * a.k.in[1] * a.k.in[2], &is) < 0) return -1;
  a.k.x = x.data();
  a.k.y = const_cast<void*>(us.data());
  a.k.index = const_cast<std::int64_t*>(static_cast<const std::int64_t*>(is.data()));
  a.run(pool_kernel("max_pool_backward", a.dtype));
  return x.finish();
}

// pool_gather(x, index; spatial): the values of x's planes at flat places.
int forward_pool_gather(OpCall& c) {
  const Array &x = c.in[0], &index = c.in[1];
  AttrReader r(c.attr);
  PoolCall a;
  a.n = spatial_dims(r);
  if (a.planes(c, x) < 0 || a.same_planes(c, x, index) < 0) return -1;
  const index_t planes = a.k.planes, n = a.k.in[0] * a.k.in[1] * a.k.in[2];
  Result y;
  int go = y.emit(c, 0, x.dtype, x.dtype, layout_like(index));
  if (go <= 0 || index.numel() == 0) return go < 0 ? go : 0;
  Operand xs, is;
  if (xs.take(x, x.dtype) < 0 || plane_index(c, index, n, &is) < 0) return -1;
  kernel_fn<ElementIndexFn>(
      "gather", kInt64)(ElementIndex{xs.data(), static_cast<const std::int64_t*>(is.data()), y.data(), planes, n,
                                     index.numel() / planes, 1, itemsize(x.dtype), false});
  return y.finish();
}

// max_unpool(x, index; output_size): zeros with x's values at flat places of planes of the given size.
int forward_max_unpool(OpCall& c) {
  const Array &x = c.in[0], &index = c.in[1];
  AttrReader r(c.attr);
  PoolCall a;
  if (read_sizes(c, r, "output_size", &a.n, 1, 1, a.k.out) < 0 || a.planes(c, x) < 0) return -1;
  if (!same_shape(x.layout, index.layout))
    return fail(kRuntimeError, "%s: expected indices of the input's shape %s, got %s.", c.op->name,
                shape_text(x.layout), shape_text(index.layout));
  Result y;
  int go = y.emit(c, 0, x.dtype, x.dtype, a.layout(x));
  if (go <= 0) return go;
  std::memset(y.data(), 0, static_cast<std::size_t>(c.out[0].nbytes()));
  if (x.numel() == 0) return y.finish();
  const index_t n = a.k.out[0] * a.k.out[1] * a.k.out[2];
  Operand xs, is;
  if (xs.take(x, x.dtype) < 0 || plane_index(c, index, n, &is) < 0) return -1;
  kernel_fn<ElementIndexFn>(
      "scatter", kInt64)(ElementIndex{xs.data(), static_cast<const std::int64_t*>(is.data()), y.data(), a.k.planes,
                                      n, x.numel() / a.k.planes, 1, itemsize(x.dtype), false});
  return y.finish();
}

// avg_pool(x; kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override) and
// adaptive_avg_pool(x; output_size).
int read_average(OpCall& c, PoolCall& a, const Array& x) {
  AttrReader r(c.attr);
  if (c.op->kernel[1] == 'd') return read_sizes(c, r, "output_size", &a.n, 1, 0, a.k.out) < 0 ? -1 : a.planes(c, x);
  for (int i = 0; i < 3; ++i) a.k.dilation[i] = 1;
  if (read_sizes(c, r, "kernel_size", &a.n, 1, 1, a.k.kernel) < 0 ||
      read_sizes(c, r, "stride", &a.n, 1, 1, a.k.stride) < 0 ||
      read_sizes(c, r, "padding", &a.n, 0, 0, a.k.padding) < 0 || a.planes(c, x) < 0)
    return -1;
  const bool ceil_mode = r.boolean();
  a.k.count_include_pad = r.boolean();
  std::int64_t divisor = 0;
  if (r.maybe_integer(&divisor) && divisor == 0)
    return fail(kRuntimeError, "%s: expected divisor_override different from 0, got 0.", c.op->name);
  a.k.divisor = divisor;
  return a.windows(c, ceil_mode);
}

int forward_avg_pool(OpCall& c) {
  const Array& x = c.in[0];
  PoolCall a;
  if (read_average(c, a, x) < 0) return -1;
  Result y;
  int go = y.emit(c, 0, x.dtype, a.dtype, a.layout(x));
  if (go <= 0 || c.out[0].numel() == 0) return go < 0 ? go : 0;
  Operand xs;
  if (xs.take(x, a.dtype) < 0) return -1;
  a.k.x = const_cast<void*>(xs.data());
  a.k.y = y.data();
  a.run(pool_kernel(c.op->kernel, a.dtype));
  return y.finish();
}

// avg_pool_backward(u, like; …), adaptive_avg_pool_backward(u, like; output_size): the gradients of x.
int forward_avg_pool_backward(OpCall& c) {
  const Array &u = c.in[0], &like = c.in[1];
  PoolCall a;
  if (read_average(c, a, like) < 0) return -1;
  a.dtype = compute_dtype(u.dtype);
  Layout* pooled = a.layout(like);
  const int bad = expect_shape(c, 0, pooled);
  layout_decref(pooled);
  if (bad < 0 || expect_floating(c, u) < 0) return -1;
  Result x;
  int go = x.emit(c, 0, u.dtype, a.dtype, layout_like(like));
  if (go <= 0) return go;
  if (u.numel() == 0) return fill_zero(c.out[0]);
  Operand us;
  if (us.take(u, a.dtype) < 0) return -1;
  a.k.x = x.data();
  a.k.y = const_cast<void*>(us.data());
  a.run(pool_kernel(c.op->kernel, a.dtype));
  return x.finish();
}

}  // namespace

extern const ForwardEntry conv_forwards[] = {{"convolution", forward_convolution},
                                             {"convolution_like", forward_convolution_like},
                                             {"conv_transpose", forward_conv_transpose},
                                             {"conv_input", forward_conv_input},
                                             {"conv_weight", forward_conv_weight},
                                             {"sum_channels", forward_sum_channels},
                                             {"expand_channels", forward_expand_channels},
                                             {"max_pool", forward_max_pool},
                                             {"max_pool_backward", forward_max_pool_backward},
                                             {"pool_gather", forward_pool_gather},
                                             {"max_unpool", forward_max_unpool},
                                             {"avg_pool", forward_avg_pool},
                                             {"avg_pool_backward", forward_avg_pool_backward},
                                             {nullptr, nullptr}};

}  // namespace wg
