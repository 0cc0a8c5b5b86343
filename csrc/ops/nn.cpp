// Fused layers: softmax, losses of classes, embeddings.
#include <cstring>

#include "wengert/fused.h"
#include "wengert/index.h"
#include "wengert/kernels.h"
#include "wengert/parallel.h"
#include "wengert/reduce.h"
#include "wengert/staged.h"

namespace wg {

namespace {

// The kernel of `name` for one floating dtype, looked up once.
template <class Fn>
Fn cached(Fn (&fns)[2], const char* name, int dtype) {
  Fn& f = fns[dtype == kFloat64];
  if (!f) f = kernel_fn<Fn>(name, dtype);
  return f;
}

// ---- softmax ------------------------------------------------------------------------------------------------

// `a` with dimension `dim` last, as contiguous rows.
int take_rows(const Array& a, int dim, int dtype, Operand* out) {
  if (a.ndim() < 2 || dim == a.ndim() - 1) return out->take(a, dtype);
  index_t shape[kMaxDims], strides[kMaxDims];
  int k = 0;
  for (int d = 0; d < a.ndim(); ++d) {
    if (d == dim) continue;
    shape[k] = a.shape()[d];
    strides[k++] = a.strides()[d];
  }
  shape[k] = a.shape()[dim];
  strides[k] = a.strides()[dim];
  Array view = a;
  view.layout = layout_strided(a.ndim(), shape, strides);
  int bad = out->take(view, dtype);
  layout_decref(view.layout);
  return bad;
}

// Runs kernel(operands, result, rows, n) over the rows along `dim` of operands of one shape.
template <class Kernel>
int along(OpCall& c, int dim, Kernel kernel) {
  const Array& x = c.in[0];
  const int compute = compute_dtype(x.dtype);
  int go = c.emit(0, x.dtype, layout_like(x));
  if (go <= 0) return go;
  const Array& out = c.out[0];
  if (out.numel() == 0) return 0;
  const index_t n = x.ndim() ? x.shape()[dim] : 1, rows = out.numel() / n;
  const bool last = x.ndim() < 2 || dim == x.ndim() - 1;
  Operand in[2];
  for (int i = 0; i < c.op->nin; ++i)
    if (take_rows(c.in[i], dim, compute, &in[i]) < 0) return -1;
  Unlocked unlocked(out.nbytes() >= kUnlockBytes);
  const void* data[2] = {in[0].data(), in[1].data()};
  if (last && out.dtype == compute && out.layout->contiguous) {
    kernel(data, c.out[0].data(), rows, n, compute);
    return 0;
  }
  Array temp;
  if (!array_new(&temp, compute, layout_contiguous(x.ndim(), in[0].array().shape())))
    return fail_memory(c.op->name, out.numel() * itemsize(compute));
  kernel(data, temp.data(), rows, n, compute);
  if (!last) {
    index_t shape[kMaxDims], strides[kMaxDims];
    for (int d = 0; d < x.ndim(); ++d) {
      const int from = d == dim ? x.ndim() - 1 : d < dim ? d : d - 1;
      shape[d] = temp.shape()[from];
      strides[d] = temp.strides()[from];
    }
    Layout* moved = layout_strided(x.ndim(), shape, strides);
    layout_decref(temp.layout);
    temp.layout = moved;
  }
  int bad = copy_into(temp, out);
  array_unref(temp);
  return bad;
}

int softmax_dim(OpCall& c, int* dim) {
  AttrReader r(c.attr);
  *dim = normalize_dim(c.op->name, r.integer(), c.in[0].ndim());
  return *dim < 0 ? -1 : expect_floating(c, c.in[0]);
}

// softmax(x; dim), log_softmax(x; dim): the kernel names the operation.
int forward_softmax(OpCall& c) {
  int dim;
  if (softmax_dim(c, &dim) < 0) return -1;
  static SoftmaxFn fns[2][2];
  SoftmaxFn(&own)[2] = fns[c.op->kernel[0] == 'l'];
  return along(c, dim, [&](const void* const* in, void* out, index_t rows, index_t n, int dtype) {
    cached(own, c.op->kernel, dtype)(in[0], out, rows, n);
  });
}

// softmax_backward(g, y; dim), log_softmax_backward(g, y; dim).
int forward_softmax_backward(OpCall& c) {
  int dim;
  if (softmax_dim(c, &dim) < 0) return -1;
  if (!same_shape(c.in[0].layout, c.in[1].layout))
    return fail(kRuntimeError, "%s: expected operands of one shape, got %s and %s.", c.op->name,
                shape_text(c.in[0].layout), shape_text(c.in[1].layout));
  static SoftmaxBackwardFn fns[2][2];
  SoftmaxBackwardFn(&own)[2] = fns[c.op->kernel[0] == 'l'];
  return along(c, dim, [&](const void* const* in, void* out, index_t rows, index_t n, int dtype) {
    cached(own, c.op->kernel, dtype)(in[0], in[1], out, rows, n);
  });
}

// ---- losses of classes --------------------------------------------------------------------------------------

enum Reduction { kNone = 0, kMean = 1, kSum = 2 };

// The attributes and operands that the losses share: x (rows, n), target (rows), weight (n) or none.
struct ClassLoss {
  index_t rows = 0, n = 0;
  int dtype = 0;
  std::int64_t reduction, ignore_index;
  double label_smoothing;
  Operand target, weight;

  explicit ClassLoss(const OpCall& c) {
    AttrReader r(c.attr);
    reduction = r.integer();
    ignore_index = r.integer();
    label_smoothing = r.real();
  }
  // x: the layout of the scores; the operands target and weight are c.in[at] and c.in[at + 1].
  int prepare(const OpCall& c, const Array& x, int at) {
    const Array &t = c.in[at], &w = c.in[at + 1];
    if (x.ndim() != 2 || t.ndim() != 1 || t.shape()[0] != x.shape()[0])
      return fail(kValueError, "%s: expected scores (N, C) and targets (N,), got %s and %s.", c.op->name,
                  shape_text(x.layout), shape_text(t.layout));
    if (t.dtype != kInt64)
      return fail(kRuntimeError, "%s: expected class indices of dtype int64, got %s. Convert them with .long().",
                  c.op->name, kDTypeName[t.dtype]);
    rows = x.shape()[0];
    n = x.shape()[1];
    dtype = compute_dtype(x.dtype);
    if (expect_floating(c, x) < 0) return -1;
    if (w.defined() && (w.ndim() != 1 || w.shape()[0] != n || w.dtype != x.dtype))
      return fail(kRuntimeError, "%s: expected class weights (%lld,) of dtype %s, got %s of dtype %s.", c.op->name,
                  static_cast<long long>(n), kDTypeName[x.dtype], shape_text(w.layout), kDTypeName[w.dtype]);
    if (c.dry) return 0;
    if (target.take(t, kInt64) < 0) return -1;
    return weight.take(w, dtype);
  }
  // The same for a gradient row, whose operand 0 is the gradient of the loss and c.in[divisor] the divisor of a
  // mean. Targets are checked here as well: the forward row need not have run on them.
  int prepare_gradient(const OpCall& c, const Array& x, int at, int divisor) {
    if (prepare(c, x, at) < 0 || expect_shape(c, 0, reduction == kNone ? 1 : 0, &rows) < 0 ||
        expect_shape(c, divisor, 0, nullptr) < 0)
      return -1;
    for (index_t r = 0; !c.dry && r < rows; ++r)
      if (targets()[r] != ignore_index && (targets()[r] < 0 || targets()[r] >= n)) return out_of_range(c, r);
    return 0;
  }
  const std::int64_t* targets() const { return static_cast<const std::int64_t*>(target.data()); }
  // The shape of the loss.
  Layout* loss_layout() const {
    return reduction == kNone ? layout_contiguous(1, &rows) : layout_contiguous(0, nullptr);
  }
  int out_of_range(const OpCall& c, index_t row) const {
    return fail(kIndexError,
                "%s: expected class indices in [0, %lld), got %lld at position %lld. Use ignore_index for "
                "targets without a class.",
                c.op->name, static_cast<long long>(n), static_cast<long long>(targets()[row]),
                static_cast<long long>(row));
  }
};

double value_at(const void* p, int dtype, index_t i = 0) {
  return dtype == kFloat32 ? static_cast<double>(static_cast<const float*>(p)[i])
                           : static_cast<const double*>(p)[i];
}

void store(void* p, int dtype, double v) {
  if (dtype == kFloat32) {
    *static_cast<float*>(p) = static_cast<float>(v);
  } else {
    *static_cast<double*>(p) = v;
  }
}

// Reduces the losses of rows: total = their sum, and divisor = the sum of the weights of their targets.
void reduce_losses(const ClassLoss& a, const void* losses, const void* row_weight, void* total, void* divisor) {
  static ReduceInnerFn sums[2];
  ReduceInnerFn sum = cached(sums, "sum_inner", a.dtype);
  sum(losses, total, 1, a.rows);
  sum(row_weight, divisor, 1, a.rows);
  if (a.reduction != kMean) return;
  if (a.dtype == kFloat32) {
    *static_cast<float*>(total) /= *static_cast<float*>(divisor);
  } else {
    *static_cast<double*>(total) /= *static_cast<double*>(divisor);
  }
}

// Runs "cross_entropy" or "nll" over rows; `lse` may be null for the second.
int run_class_loss(OpCall& c, ClassLoss& a, const void* x, void* loss, void* lse, void* divisor) {
  static CrossEntropyFn fns[2][2];
  const bool reduced = a.reduction != kNone;
  const index_t item = itemsize(a.dtype);
  Buffer rows(reduced ? 2 * a.rows * item : 0);
  if (!rows.data()) return fail_memory(c.op->name, 2 * a.rows * item);
  char* row_weight = static_cast<char*>(rows.data()) + a.rows * item;
  CrossEntropy k{};
  k.x = x;
  k.target = a.targets();
  k.weight = a.weight.data();
  k.loss = reduced ? rows.data() : loss;
  k.lse = lse;
  k.row_weight = reduced ? row_weight : nullptr;
  k.rows = a.rows;
  k.n = a.n;
  k.ignore_index = a.ignore_index;
  k.label_smoothing = a.label_smoothing;
  index_t bad;
  {
    Unlocked unlocked(a.rows * a.n * item >= kUnlockBytes);
    bad = cached(fns[lse != nullptr], c.op->kernel, a.dtype)(k);
  }
  if (bad >= 0) return a.out_of_range(c, bad);
  if (reduced) {
    reduce_losses(a, rows.data(), row_weight, loss, divisor);
  } else {
    store(divisor, a.dtype, 1.0);
  }
  return 0;
}

// cross_entropy(x, target, weight; reduction, ignore_index, label_smoothing): the loss, log(sum(exp(x))) of each
// row, and the divisor of a mean.
int forward_cross_entropy(OpCall& c) {
  ClassLoss a(c);
  const Array& x = c.in[0];
  if (a.prepare(c, x, 1) < 0) return -1;
  Result loss, lse, divisor;
  int go = loss.emit(c, 0, x.dtype, a.dtype, a.loss_layout());
  if (go < 0 || lse.emit(c, 1, a.dtype, a.dtype, layout_contiguous(1, &a.rows)) < 0 ||
      divisor.emit(c, 2, a.dtype, a.dtype, layout_contiguous(0, nullptr)) < 0)
    return -1;
  if (go == 0) return 0;
  Operand scores;
  if (scores.take(x, a.dtype) < 0) return -1;
  if (run_class_loss(c, a, scores.data(), loss.data(), lse.data(), divisor.data()) < 0) return -1;
  return loss.finish();
}

// The gradient of each row's loss: one value, or one for each row, divided by a mean's divisor.
struct LossScale {
  Operand g, divided;
  alignas(8) char one[8];
  const void* data = nullptr;

  int prepare(const ClassLoss& a, const Array& grad, const Array& divisor) {
    if (g.take(grad, a.dtype) < 0) return -1;
    data = g.data();
    if (a.reduction == kMean) {
      if (divided.take(divisor, a.dtype) < 0) return -1;
      double scale = value_at(g.data(), a.dtype);
      // In the dtype of the kernel, as the loss was.
      if (a.dtype == kFloat32) {
        store(one, kFloat32,
              static_cast<double>(static_cast<float>(scale) /
                                  static_cast<float>(value_at(divided.data(), kFloat32))));
      } else {
        store(one, kFloat64, scale / value_at(divided.data(), kFloat64));
      }
      data = one;
    }
    return 0;
  }
};

// cross_entropy_backward(u, x, target, weight, lse, divisor; …): the gradient of x.
int forward_cross_entropy_backward(OpCall& c) {
  ClassLoss a(c);
  const Array& x = c.in[1];
  if (a.prepare_gradient(c, x, 2, 5) < 0 || expect_shape(c, 4, 1, &a.rows) < 0) return -1;
  Result gx;
  int go = gx.emit(c, 0, x.dtype, a.dtype, layout_like(x));
  if (go <= 0) return go;
  LossScale scale;
  Operand scores, lse;
  if (scale.prepare(a, c.in[0], c.in[5]) < 0 || scores.take(x, a.dtype) < 0 || lse.take(c.in[4], a.dtype) < 0)
    return -1;
  static CrossEntropyBackwardFn fns[2];
  CrossEntropyBackward k{};
  k.x = scores.data();
  k.target = a.targets();
  k.weight = a.weight.data();
  k.lse = lse.data();
  k.scale = scale.data;
  k.one_scale = a.reduction != kNone;
  k.gx = gx.data();
  k.rows = a.rows;
  k.n = a.n;
  k.ignore_index = a.ignore_index;
  k.label_smoothing = a.label_smoothing;
  {
    Unlocked unlocked(x.nbytes() >= kUnlockBytes);
    cached(fns, "cross_entropy_backward", a.dtype)(k);
  }
  return gx.finish();
}

// loss[r] += -share * sum over classes of weight * logp, for the smoothed part of class_loss.
template <class T>
void add_smoothed(const ClassLoss& a, const void* x_, void* loss_) {
  const T *x = static_cast<const T*>(x_), *w = static_cast<const T*>(a.weight.data());
  T* loss = static_cast<T*>(loss_);
  const T e = static_cast<T>(a.label_smoothing), share = e / static_cast<T>(a.n);
  for (index_t r = 0; r < a.rows; ++r) {
    if (a.targets()[r] == a.ignore_index) continue;
    T sum = 0;
    for (index_t i = 0; i < a.n; ++i) sum += (w ? w[i] : T(1)) * x[r * a.n + i];
    loss[r] = (T(1) - e) * loss[r] - share * sum;
  }
}

// class_loss(logp, target, weight; reduction, ignore_index, label_smoothing): the loss and the divisor of a mean.
// It is linear in logp.
int forward_class_loss(OpCall& c) {
  ClassLoss a(c);
  const Array& x = c.in[0];
  if (a.prepare(c, x, 1) < 0) return -1;
  Result loss, divisor;
  int go = loss.emit(c, 0, x.dtype, a.dtype, a.loss_layout());
  if (go < 0 || divisor.emit(c, 1, a.dtype, a.dtype, layout_contiguous(0, nullptr)) < 0) return -1;
  if (go == 0) return 0;
  Operand scores;
  if (scores.take(x, a.dtype) < 0) return -1;
  if (a.label_smoothing == 0) {
    if (run_class_loss(c, a, scores.data(), loss.data(), nullptr, divisor.data()) < 0) return -1;
    return loss.finish();
  }
  // By rows first, then smoothed, then reduced.
  const index_t item = itemsize(a.dtype), rows = a.rows;
  Buffer each(2 * rows * item);
  if (!each.data()) return fail_memory(c.op->name, 2 * rows * item);
  char* row_weight = static_cast<char*>(each.data()) + rows * item;
  static CrossEntropyFn fns[2];
  CrossEntropy k{scores.data(), a.targets(), a.weight.data(), each.data(), nullptr, row_weight,
                 rows,          a.n,         a.ignore_index,  0.0};
  const index_t bad = cached(fns, "nll", a.dtype)(k);
  if (bad >= 0) return a.out_of_range(c, bad);
  a.dtype == kFloat32 ? add_smoothed<float>(a, scores.data(), each.data())
                      : add_smoothed<double>(a, scores.data(), each.data());
  if (a.reduction == kNone) {
    std::memcpy(loss.data(), each.data(), static_cast<std::size_t>(rows * item));
    store(divisor.data(), a.dtype, 1.0);
  } else {
    reduce_losses(a, each.data(), row_weight, loss.data(), divisor.data());
  }
  return loss.finish();
}

// gx[r][c] -= share * weight[c] * scale[r], and the rest of gx scaled by 1 - e.
template <class T>
void spread_smoothed(const ClassLoss& a, const void* scale_, void* gx_) {
  const T *scale = static_cast<const T*>(scale_), *w = static_cast<const T*>(a.weight.data());
  T* gx = static_cast<T*>(gx_);
  const T e = static_cast<T>(a.label_smoothing), share = e / static_cast<T>(a.n);
  for (index_t r = 0; r < a.rows; ++r) {
    if (a.targets()[r] == a.ignore_index) continue;
    const T s = scale[a.reduction == kNone ? r : 0] * share;
    for (index_t i = r * a.n; i < (r + 1) * a.n; ++i) gx[i] = (T(1) - e) * gx[i] - s * (w ? w[i - r * a.n] : T(1));
  }
}

// class_spread(u, target, weight, divisor, like; …): the gradient of class_loss, of like's shape.
int forward_class_spread(OpCall& c) {
  ClassLoss a(c);
  const Array &u = c.in[0], &like = c.in[4];
  if (a.prepare_gradient(c, like, 1, 3) < 0) return -1;
  Result gx;
  int go = gx.emit(c, 0, u.dtype, a.dtype, layout_like(like));
  if (go <= 0) return go;
  LossScale scale;
  if (scale.prepare(a, u, c.in[3]) < 0) return -1;
  static CrossEntropyBackwardFn fns[2];
  CrossEntropyBackward k{};
  k.target = a.targets();
  k.weight = a.weight.data();
  k.scale = scale.data;
  k.one_scale = a.reduction != kNone;
  k.gx = gx.data();
  k.rows = a.rows;
  k.n = a.n;
  k.ignore_index = a.ignore_index;
  cached(fns, "nll_backward", a.dtype)(k);
  if (a.label_smoothing != 0) {
    a.dtype == kFloat32 ? spread_smoothed<float>(a, scale.data, gx.data())
                        : spread_smoothed<double>(a, scale.data, gx.data());
  }
  return gx.finish();
}

// ---- embeddings ---------------------------------------------------------------------------------------------

// Indices as contiguous int64, checked against n rows.
int take_indices(OpCall& c, const Array& index, index_t n, Operand* out) {
  if (!is_int(index.dtype))
    return fail(kRuntimeError, "%s: expected indices of an integer dtype, got %s. Convert them with .long().",
                c.op->name, kDTypeName[index.dtype]);
  if (c.dry) return 0;
  if (out->take(index, kInt64) < 0) return -1;
  const std::int64_t* p = static_cast<const std::int64_t*>(out->data());
  for (index_t i = 0; i < index.numel(); ++i)
    if (p[i] < 0 || p[i] >= n)
      return fail(kIndexError, "%s: expected indices in [0, %lld), got %lld. Check the size of the vocabulary.",
                  c.op->name, static_cast<long long>(n), static_cast<long long>(p[i]));
  return 0;
}

// embedding(w, index; padding_idx, masked): rows of w (n, …) in index's shape; with masked, those of padding_idx
// are 0.
int forward_embedding(OpCall& c) {
  const Array &w = c.in[0], &index = c.in[1];
  AttrReader r(c.attr);
  std::int64_t padding = -1;
  const bool pads = r.maybe_integer(&padding), masked = r.boolean() && pads;
  if (w.ndim() < 1 || index.ndim() + w.ndim() - 1 > kMaxDims)
    return fail(kRuntimeError, "%s: expected a weight of at least 1 dimension, got shape %s.", c.op->name,
                shape_text(w.layout));
  Operand where;
  if (take_indices(c, index, w.shape()[0], &where) < 0) return -1;
  index_t shape[kMaxDims];
  int ndim = 0;
  for (int d = 0; d < index.ndim(); ++d) shape[ndim++] = index.shape()[d];
  for (int d = 1; d < w.ndim(); ++d) shape[ndim++] = w.shape()[d];
  Result out;
  int go = out.emit(c, 0, w.dtype, w.dtype, layout_contiguous(ndim, shape));
  if (go <= 0) return go;
  if (c.out[0].numel() == 0) return 0;
  Operand table;
  if (table.take(w, w.dtype) < 0) return -1;
  const index_t m = index.numel(), inner = c.out[0].numel() / m, item = itemsize(w.dtype);
  const std::int64_t* at = static_cast<const std::int64_t*>(where.data());
  static RowIndexFn gather = kernel_fn<RowIndexFn>("gather_rows", kInt64);
  Unlocked unlocked(m * inner * item >= kUnlockBytes);
  gather(RowIndex{table.data(), at, out.data(), 1, w.shape()[0], m, inner, item});
  if (masked) {
    char* rows = static_cast<char*>(out.data());
    for (index_t i = 0; i < m; ++i)
      if (at[i] == padding) std::memset(rows + i * inner * item, 0, static_cast<std::size_t>(inner * item));
  }
  return out.finish();
}

// embedding_backward(u, index, like; padding_idx): zeros of like's shape plus u's rows at their indices, without
// those of padding_idx.
int forward_embedding_backward(OpCall& c) {
  const Array &u = c.in[0], &index = c.in[1], &like = c.in[2];
  AttrReader r(c.attr);
  std::int64_t padding = -1;
  const bool pads = r.maybe_integer(&padding);
  const int dtype = compute_dtype(u.dtype);
  Result out;
  index_t shape[kMaxDims];
  int ndim = 0;
  if (like.ndim() < 1 || index.ndim() + like.ndim() - 1 > kMaxDims)
    return fail(kRuntimeError, "%s: expected a weight of at least 1 dimension, got shape %s.", c.op->name,
                shape_text(like.layout));
  for (int d = 0; d < index.ndim(); ++d) shape[ndim++] = index.shape()[d];
  for (int d = 1; d < like.ndim(); ++d) shape[ndim++] = like.shape()[d];
  if (expect_shape(c, 0, ndim, shape) < 0 || expect_floating(c, u) < 0) return -1;
  const index_t n = like.shape()[0];
  Operand where;
  if (take_indices(c, index, n, &where) < 0) return -1;
  int go = out.emit(c, 0, u.dtype, dtype, layout_like(like));
  if (go <= 0) return go;
  Array whole = c.out[0];
  std::memset(out.data(), 0, static_cast<std::size_t>(whole.numel() * itemsize(dtype)));
  if (u.numel() > 0) {
    Operand grad;
    if (grad.take(u, dtype) < 0) return -1;
    const index_t m = index.numel(), inner = u.numel() / m, item = itemsize(dtype);
    const std::int64_t* at = static_cast<const std::int64_t*>(where.data());
    static RowIndexFn fns[2];
    RowIndexFn add = cached(fns, "scatter_add_rows", dtype);
    Unlocked unlocked(u.numel() * item >= kUnlockBytes);
    // Runs of rows between the padding ones.
    for (index_t first = 0; first < m;) {
      index_t end = first;
      while (end < m && !(pads && at[end] == padding)) ++end;
      if (end > first) {
        const char* rows = static_cast<const char*>(grad.data()) + first * inner * item;
        add(RowIndex{rows, at + first, out.data(), 1, n, end - first, inner, item});
      }
      first = end + 1;
    }
  }
  return out.finish();
}

}  // namespace

extern const ForwardEntry nn_forwards[] = {{"softmax", forward_softmax},
                                           {"softmax_backward", forward_softmax_backward},
                                           {"cross_entropy", forward_cross_entropy},
                                           {"cross_entropy_backward", forward_cross_entropy_backward},
                                           {"class_loss", forward_class_loss},
                                           {"class_spread", forward_class_spread},
                                           {"embedding", forward_embedding},
                                           {"embedding_backward", forward_embedding_backward},
                                           {nullptr, nullptr}};

}  // namespace wg
