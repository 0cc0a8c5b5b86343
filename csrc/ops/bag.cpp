// Bags of rows of a table: embedding_bag's sums and means, their gradients, and the places of its maxima.
#include "wengert/bag.h"

#include "wengert/kernels.h"
#include "wengert/op.h"
#include "wengert/parallel.h"
#include "wengert/staged.h"

namespace wg {

namespace {

// The indices, offsets and attributes (mean, padding_idx) of a call.
struct Call : Bags {
  int dtype = 0;
  Operand where, begins, weights, table_rows, above;

  Call() : Bags{} {}

  // `table` gives rows and width; its values are read unless they are absent.
  int read(const OpCall& c, const Array& table, const Array& indices, const Array& offsets_in,
           const Array& factors_in) {
    AttrReader r(c.attr);
    mean = r.boolean();
    if (!r.maybe_integer(&padding)) padding = -1;
    if (expect_floating(c, table) < 0) return -1;
    dtype = compute_dtype(table.dtype);
    if (table.ndim() != 2 || indices.ndim() != 1 || offsets_in.ndim() != 1 || offsets_in.shape()[0] < 1)
      return fail(kRuntimeError,
                  "%s: expected a weight (V, D), indices (N,) and offsets (B + 1,), got %s, %s and %s.", c.op->name,
                  shape_text(table.layout), shape_text(indices.layout), shape_text(offsets_in.layout));
    rows = table.shape()[0];
    width = table.shape()[1];
    count = indices.shape()[0];
    bags = offsets_in.shape()[0] - 1;
    if (factors_in.defined() &&
        (factors_in.ndim() != 1 || factors_in.shape()[0] != count || factors_in.dtype != table.dtype))
      return fail(kRuntimeError, "%s: expected per_sample_weights (%lld,) of dtype %s, got %s of dtype %s.",
                  c.op->name, static_cast<long long>(count), kDTypeName[table.dtype], shape_text(factors_in.layout),
                  kDTypeName[factors_in.dtype]);
    if (c.dry) return 0;
    if (where.take(indices, kInt64) < 0 || begins.take(offsets_in, kInt64) < 0 ||
        weights.take(factors_in, dtype) < 0 || table_rows.take(table, dtype) < 0)
      return -1;
    index = static_cast<const std::int64_t*>(where.data());
    offsets = static_cast<const std::int64_t*>(begins.data());
    factors = weights.data();
    this->table = table_rows.data();
    return check(c);
  }

  int take_upstream(const OpCall& c, const Array& u) {
    if (u.ndim() != 2 || u.shape()[0] != bags || u.shape()[1] != width)
      return fail(kRuntimeError, "%s: expected a gradient of shape (%lld, %lld), got %s.", c.op->name,
                  static_cast<long long>(bags), static_cast<long long>(width), shape_text(u.layout));
    if (c.dry || above.take(u, dtype) < 0) return c.dry ? 0 : -1;
    upstream = above.data();
    return 0;
  }

  void run(void* to) {
    out = to;
    Unlocked unlocked((count + rows) * width * itemsize(dtype) >= kUnlockBytes);
    kernel_(*this);
  }

  int find(const OpCall& c, const char* name) {
    kernel_ = kernel_fn<BagFn>(name, dtype);
    return kernel_ ? 0 : fail(kRuntimeError, "%s: expected a kernel for %s.", c.op->name, kDTypeName[dtype]);
  }

 private:
  BagFn kernel_ = nullptr;

  int check(const OpCall& c) const {
    if (offsets[0] != 0)
      return fail(kRuntimeError, "%s: expected offsets that begin with 0, got %lld.", c.op->name,
                  static_cast<long long>(offsets[0]));
    for (index_t k = 0; k < bags; ++k)
      if (offsets[k + 1] < offsets[k] || offsets[k + 1] > count)
        return fail(kRuntimeError,
                    "%s: expected offsets that do not decrease, up to the %lld indices, got %lld after %lld.",
                    c.op->name, static_cast<long long>(count), static_cast<long long>(offsets[k + 1]),
                    static_cast<long long>(offsets[k]));
    for (index_t i = 0; i < count; ++i)
      if (index[i] < 0 || index[i] >= rows)
        return fail(kIndexError, "%s: expected indices in [0, %lld), got %lld.", c.op->name,
                    static_cast<long long>(rows), static_cast<long long>(index[i]));
    return 0;
  }
};

// bag_sum(w, index, offsets, factors; mean, padding_idx): (B, D).
int forward_bag_sum(OpCall& c) {
  Call call;
  if (call.read(c, c.in[0], c.in[1], c.in[2], c.in[3]) < 0 || call.find(c, "bag_sum") < 0) return -1;
  const index_t shape[2] = {call.bags, call.width};
  Result y;
  const int go = y.emit(c, 0, c.in[0].dtype, call.dtype, layout_contiguous(2, shape));
  if (go <= 0) return go;
  call.run(y.data());
  return y.finish();
}

// bag_spread(u, index, offsets, factors, like; …): bag_sum's gradient for w, of like's shape.
int forward_bag_spread(OpCall& c) {
  Call call;
  const Array like = c.in[4];  // only its shape is there; u has the dtype
  Array table = like;
  table.dtype = c.in[0].dtype;
  table.storage = nullptr;
  table.flags |= kShapeOnly;
  if (call.read(c, table, c.in[1], c.in[2], c.in[3]) < 0 || call.take_upstream(c, c.in[0]) < 0 ||
      call.find(c, "bag_spread") < 0)
    return -1;
  Result gw;
  const int go = gw.emit(c, 0, c.in[0].dtype, call.dtype, layout_like(like));
  if (go <= 0) return go;
  call.run(gw.data());
  return gw.finish();
}

// bag_dots(u, w, index, offsets; …): bag_sum's gradient for the factors, (N,).
int forward_bag_dots(OpCall& c) {
  Call call;
  if (call.read(c, c.in[1], c.in[2], c.in[3], Array{}) < 0 || call.take_upstream(c, c.in[0]) < 0 ||
      call.find(c, "bag_dots") < 0)
    return -1;
  Result g;
  const int go = g.emit(c, 0, c.in[1].dtype, call.dtype, layout_contiguous(1, &call.count));
  if (go <= 0) return go;
  call.run(g.data());
  return g.finish();
}

// bag_argmax(w, index, offsets; …): (B, D) of int64.
int forward_bag_argmax(OpCall& c) {
  Call call;
  if (call.read(c, c.in[0], c.in[1], c.in[2], Array{}) < 0 || call.find(c, "bag_argmax") < 0) return -1;
  const index_t shape[2] = {call.bags, call.width};
  Result at;
  const int go = at.emit(c, 0, kInt64, kInt64, layout_contiguous(2, shape));
  if (go <= 0) return go;
  call.run(at.data());
  return at.finish();
}

}  // namespace

extern const ForwardEntry bag_forwards[] = {{"bag_sum", forward_bag_sum},
                                            {"bag_spread", forward_bag_spread},
                                            {"bag_dots", forward_bag_dots},
                                            {"bag_argmax", forward_bag_argmax},
                                            {nullptr, nullptr}};

}  // namespace wg
