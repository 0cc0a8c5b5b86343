// Scaled dot-product attention: softmax(scale q k^T + mask) v in blocks, and its gradients.
#include "wengert/attention.h"

#include <utility>

#include "wengert/kernels.h"
#include "wengert/op.h"
#include "wengert/parallel.h"
#include "wengert/staged.h"

namespace wg {

namespace {

// An operand whose innermost stride is 1, in the computing dtype; its rows may lie anywhere.
class Rows {
 public:
  Rows() = default;
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows() { array_unref(array_); }
  int take(const Array& in, int dtype) {
    const int last = in.ndim() - 1;
    if (in.dtype != dtype || (in.shape()[last] > 1 && in.strides()[last] != 1))
      return as_contiguous(in, dtype, &array_);
    array_ = in;
    array_ref(array_);
    return 0;
  }
  const Array& array() const { return array_; }

 private:
  Array array_{};
};

// A new layout of this shape whose dimensions lie in memory in the order of `like`'s, the last one innermost.
Layout* layout_in_order(const Array& like, const index_t* shape) {
  const int ndim = like.ndim();
  int order[kMaxDims];
  for (int d = 0; d < ndim; ++d) {
    order[d] = d;
    const bool bad = like.shape()[d] > 1 && like.strides()[d] <= 0;
    if (bad || (d == ndim - 1 && like.shape()[d] > 1 && like.strides()[d] != 1))
      return layout_contiguous(ndim, shape);
  }
  // By falling strides; dimensions of one element stay where they are. Insertion: there are few.
  for (int d = 1; d < ndim - 1; ++d)
    for (int e = d; e > 0 && like.strides()[order[e - 1]] < like.strides()[order[e]]; --e)
      std::swap(order[e - 1], order[e]);
  index_t strides[kMaxDims], step = 1;
  for (int e = ndim - 1; e >= 0; --e) {
    strides[order[e]] = step;
    step *= shape[order[e]];
  }
  return layout_strided(ndim, shape, strides);
}

// A result that the kernel writes row by row: in place where the rows are whole, else through a temporary.
class RowsResult {
 public:
  RowsResult() = default;
  RowsResult(const RowsResult&) = delete;
  RowsResult& operator=(const RowsResult&) = delete;
  ~RowsResult() { array_unref(temp_); }
  int emit(OpCall& c, int i, int dtype, int compute, Layout* layout) {
    const int go = c.emit(i, dtype, layout);
    if (go <= 0) return go;
    to_ = &c.out[i];
    const int last = to_->ndim() - 1;
    if (to_->dtype == compute && (to_->shape()[last] <= 1 || to_->strides()[last] == 1)) return 1;
    if (!array_new(&temp_, compute, layout_contiguous(to_->ndim(), to_->shape())))
      return fail_memory(c.op->name, to_->numel() * itemsize(compute));
    return 1;
  }
  const Array& array() const { return temp_.defined() ? temp_ : *to_; }
  int finish() { return temp_.defined() ? copy_into(temp_, *to_) : 0; }

 private:
  Array* to_ = nullptr;
  Array temp_{};
};

// Offsets of the matrices of all operands of a call.
class Offsets {
 public:
  explicit Offsets(index_t count) : memory_(count * static_cast<index_t>(sizeof(index_t))) {
    next_ = static_cast<index_t*>(memory_.data());
  }
  bool fine() const { return next_ != nullptr; }
  // The offset of every matrix of the last two dimensions.
  const index_t* of(const Array& a) {
    index_t* first = next_;
    const int lead = a.ndim() - 2;
    index_t count = 1;
    for (int d = 0; d < lead; ++d) count *= a.shape()[d];
    for (index_t m = 0; m < count; ++m) {
      index_t rest = m, at = 0;
      for (int d = lead - 1; d >= 0; --d) {
        at += rest % a.shape()[d] * a.strides()[d];
        rest /= a.shape()[d];
      }
      *next_++ = at;
    }
    return first;
  }
  HeadMatrices matrices(const Array& a) { return {const_cast<char*>(a.data()), of(a), a.strides()[a.ndim() - 2]}; }

 private:
  Buffer memory_;
  index_t* next_;
};

// What a call is about: shapes, attributes (scale, causal; of the row with dropout p, seed, offset too) and the
// mask.
struct Call : AttentionShape {
  int dtype = 0;
  index_t queries = 0;  // heads of queries
  Rows qs, ks, vs;
  Array mask_array{};

  Call() : AttentionShape{} {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() { array_unref(mask_array); }

  int read(const OpCall& c, const Array* in) {
    const Array &x = in[0], &y = in[1], &z = in[2];
    AttrReader r(c.attr);
    scale = r.real();
    causal = r.boolean();
    if (expect_floating(c, x) < 0) return -1;
    if (y.dtype != x.dtype || z.dtype != x.dtype)
      return fail(kRuntimeError, "%s: expected query, key and value of one dtype, got %s, %s and %s. Convert them.",
                  c.op->name, kDTypeName[x.dtype], kDTypeName[y.dtype], kDTypeName[z.dtype]);
    dtype = compute_dtype(x.dtype);
    if (read_shapes(c, x, y, z) < 0) return -1;
    if (c.op->flags & kRandom) {
      p = r.real();
      seed = static_cast<std::uint64_t>(r.integer());
      offset = static_cast<std::uint64_t>(r.integer());
      static DropoutFn fns[2];
      DropoutFn& fn = fns[dtype == kFloat64];
      if (!fn) fn = kernel_fn<DropoutFn>("dropout", dtype);
      drop = fn;
    }
    return in[3].defined() ? read_mask(c, x, in[3]) : 0;
  }

  index_t tables() const { return 5 * queries + 4 * heads; }

  int prepare(const Array* in, Offsets* offsets) {
    if (qs.take(in[0], dtype) < 0 || ks.take(in[1], dtype) < 0 || vs.take(in[2], dtype) < 0) return -1;
    q = offsets->matrices(qs.array());
    k = offsets->matrices(ks.array());
    v = offsets->matrices(vs.array());
    if (mask_array.defined()) {
      const int last = mask_array.ndim() - 1;
      mask = mask_array.data();
      mask_offset = offsets->of(mask_array);
      mask_row = mask_array.strides()[last - 1];
      mask_column = mask_array.strides()[last];
    }
    return 0;
  }

 private:
  int read_shapes(const OpCall& c, const Array& x, const Array& y, const Array& z) {
    const int n = x.ndim();
    bool fits = n >= 2 && y.ndim() == n && z.ndim() == n;
    heads = 1;
    for (int d = 0; fits && d < n - 2; ++d) {
      heads *= y.shape()[d];
      const bool grouped = d == n - 3 && y.shape()[d] > 0 && x.shape()[d] % y.shape()[d] == 0;
      fits = z.shape()[d] == y.shape()[d] && (x.shape()[d] == y.shape()[d] || grouped);
    }
    fits = fits && x.shape()[n - 1] == y.shape()[n - 1] && y.shape()[n - 2] == z.shape()[n - 2];
    if (!fits)
      return fail(kRuntimeError,
                  "%s: expected query (..., L, E), key (..., S, E) and value (..., S, V), got %s, %s and %s.",
                  c.op->name, shape_text(x.layout), shape_text(y.layout), shape_text(z.layout));
    group = n > 2 && y.shape()[n - 3] > 0 ? x.shape()[n - 3] / y.shape()[n - 3] : 1;
    queries = heads * group;
    rows = x.shape()[n - 2];
    columns = y.shape()[n - 2];
    width = x.shape()[n - 1];
    value_width = z.shape()[n - 1];
    return 0;
  }

  int read_mask(const OpCall& c, const Array& x, const Array& m) {
    mask_is_bool = m.dtype == kBool;
    if (!mask_is_bool && !is_float(m.dtype))
      return fail(kRuntimeError, "%s: expected a bool or floating attn_mask, got dtype %s.", c.op->name,
                  kDTypeName[m.dtype]);
    index_t shape[kMaxDims];
    for (int d = 0; d < x.ndim(); ++d) shape[d] = d == x.ndim() - 1 ? columns : x.shape()[d];
    bool fits = m.ndim() <= x.ndim();
    for (int d = 0; fits && d < m.ndim(); ++d) {
      const index_t size = m.shape()[d];
      fits = size == 1 || size == shape[x.ndim() - m.ndim() + d];
    }
    if (!fits)
      return fail(kRuntimeError, "%s: expected an attn_mask that broadcasts to %s, got shape %s.", c.op->name,
                  shape_text(x.ndim(), shape), shape_text(m.layout));
    Array same = m;
    array_ref(same);
    if (!mask_is_bool && m.dtype != dtype) {
      array_unref(same);
      if (as_contiguous(m, dtype, &same) < 0) return -1;
    }
    if (same.is_inline() && !array_promote(&same)) return fail_memory(c.op->name, 8);
    mask_array = same;
    mask_array.layout = expand_layout(same, x.ndim(), shape);
    layout_decref(same.layout);
    return 0;
  }
};

Layout* statistics_layout(const Array& q) { return layout_contiguous(q.ndim() - 1, q.shape()); }

Layout* result_layout(const OpCall& c, const Call& call, const Array& q) {
  index_t shape[kMaxDims];
  for (int d = 0; d < q.ndim(); ++d) shape[d] = q.shape()[d];
  shape[q.ndim() - 1] = call.value_width;
  return c.op->flags & kRandom ? layout_contiguous(q.ndim(), shape) : layout_in_order(q, shape);
}

bool is_large(const Call& c) { return c.queries * c.rows * (c.columns + c.width) * 4 >= kUnlockBytes; }

// attention(q, k, v, mask; scale, causal, ...): y and the logs of the sums of exponentials. y lies in memory in the
// order of q, as PyTorch's does, so that heads are put back into rows without a copy.
int forward_attention(OpCall& c) {
  Call call;
  if (call.read(c, c.in) < 0) return -1;
  RowsResult y;
  Result lse;
  const int go = y.emit(c, 0, c.in[0].dtype, call.dtype, result_layout(c, call, c.in[0]));
  if (go < 0 || lse.emit(c, 1, call.dtype, call.dtype, statistics_layout(c.in[0])) < 0) return -1;
  if (go == 0) return 0;
  Offsets offsets(call.tables());
  if (!offsets.fine()) return fail_memory(c.op->name, call.tables() * 8);
  if (call.prepare(c.in, &offsets) < 0) return -1;
  Attention a{};
  static_cast<AttentionShape&>(a) = call;
  a.y = offsets.matrices(y.array());
  a.lse = lse.data();
  static AttentionFn fns[2];
  AttentionFn& fn = fns[call.dtype == kFloat64];
  if (!fn) fn = kernel_fn<AttentionFn>("attention", call.dtype);
  bool fine;
  {
    Unlocked unlocked(is_large(call));
    fine = fn(a);
  }
  if (!fine) return fail_memory(c.op->name, call.columns * (call.width + call.value_width) * itemsize(call.dtype));
  return y.finish() < 0 || lse.finish() < 0 ? -1 : 0;
}

// attention_backward(u, q, k, v, mask, y, lse; ...): the gradients of q, k and v, which lie in memory as these do.
int forward_attention_backward(OpCall& c) {
  const Array* in = c.in + 1;
  Call call;
  if (call.read(c, in) < 0) return -1;
  const Array& q = in[0];
  index_t shape[kMaxDims];
  for (int d = 0; d < q.ndim(); ++d) shape[d] = q.shape()[d];
  shape[q.ndim() - 1] = call.value_width;
  if (expect_shape(c, 0, q.ndim(), shape) < 0 || expect_shape(c, 5, q.ndim(), shape) < 0 ||
      expect_shape(c, 6, q.ndim() - 1, shape) < 0)
    return -1;
  RowsResult grads[3];
  int go = 1;
  for (int k = 0; k < 3 && go >= 0; ++k)
    go = grads[k].emit(c, k, in[k].dtype, call.dtype, layout_in_order(in[k], in[k].shape()));
  if (go <= 0) return go;
  Offsets offsets(call.tables());
  if (!offsets.fine()) return fail_memory(c.op->name, call.tables() * 8);
  Rows u, y;
  Operand lse;
  if (call.prepare(in, &offsets) < 0 || u.take(c.in[0], call.dtype) < 0 || y.take(in[4], call.dtype) < 0 ||
      lse.take(in[5], call.dtype) < 0)
    return -1;
  AttentionBackward a{};
  static_cast<AttentionShape&>(a) = call;
  a.y = offsets.matrices(y.array());
  a.grad_y = offsets.matrices(u.array());
  a.lse = lse.data();
  a.grad_q = offsets.matrices(grads[0].array());
  a.grad_k = offsets.matrices(grads[1].array());
  a.grad_v = offsets.matrices(grads[2].array());
  static AttentionBackwardFn fns[2];
  AttentionBackwardFn& fn = fns[call.dtype == kFloat64];
  if (!fn) fn = kernel_fn<AttentionBackwardFn>("attention_backward", call.dtype);
  bool fine;
  {
    Unlocked unlocked(is_large(call));
    fine = fn(a);
  }
  if (!fine) return fail_memory(c.op->name, call.columns * (call.width + call.value_width) * itemsize(call.dtype));
  for (RowsResult& g : grads)
    if (g.finish() < 0) return -1;
  return 0;
}

}  // namespace

extern const ForwardEntry attention_forwards[] = {
    {"attention", forward_attention}, {"attention_backward", forward_attention_backward}, {nullptr, nullptr}};

}  // namespace wg
