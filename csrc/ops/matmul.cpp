// Matrix products: matmul with broadcast batches, and linear.
#include <vector>
#include "wengert/complex_parts.h"

#include "wengert/gemm.h"
#include "wengert/kernels.h"
#include "wengert/op.h"
#include "wengert/parallel.h"

namespace wg {

namespace {

GemmFn gemm_kernel(int dtype) {
  static GemmFn fns[kNumDTypes];
  if (!fns[dtype]) fns[dtype] = kernel_fn<GemmFn>("gemm", dtype);
  return fns[dtype];
}

// Operands in one dtype that a kernel exists for; halves compute in float32. New references.
struct Operands {
  Array a{}, b{}, bias{};
  int dtype = 0;
  ~Operands() {
    array_unref(a);
    array_unref(b);
    array_unref(bias);
  }
  int prepare(const OpCall& c, const Array* bias_in) {
    const Array &x = c.in[0], &y = c.in[1];
    if (x.dtype != y.dtype || (bias_in && bias_in->dtype != x.dtype))
      return fail(kRuntimeError, "%s: expected operands of one dtype, got %s and %s. Convert one of them.",
                  c.op->name, kDTypeName[x.dtype], kDTypeName[x.dtype != y.dtype ? y.dtype : bias_in->dtype]);
    dtype = is_half(x.dtype) ? static_cast<int>(kFloat32) : x.dtype;
    if (!gemm_kernel(dtype))
      return fail(kRuntimeError, "%s: expected a dtype with arithmetic, got %s. Convert the operands first.",
                  c.op->name, kDTypeName[x.dtype]);
    if (take(x, &a) < 0 || take(y, &b) < 0) return -1;
    return bias_in ? as_contiguous(*bias_in, dtype, &bias) : 0;
  }

 private:
  int take(const Array& in, Array* out) {
    if (in.dtype != dtype) return as_contiguous(in, dtype, out);
    *out = in;
    array_ref(*out);
    return 0;
  }
};

// A product whose operands lie as they are wanted.
struct PreparedGemm final : Prepared {
  Gemm g;
  GemmFn fn;
  std::vector<index_t> offsets;
  bool large, biased;

  void run(char* const* in, char* out) const override {
    Gemm now = g;
    now.a = in[0];
    now.b = in[1];
    now.bias = biased ? in[2] : nullptr;
    now.c = out;
    Unlocked unlocked(large);
    fn(now);
  }
};

bool is_large(const Gemm& g) { return g.m * g.n * g.batch >= (1 << 12) && g.k > 16; }

int prepare(OpCall& c, const Gemm& g, const Operands& o) {
  bool in_place = o.a.storage == c.in[0].storage && o.b.storage == c.in[1].storage &&
                  o.a.u.offset == c.in[0].u.offset && o.b.u.offset == c.in[1].u.offset &&
                  (!g.bias || o.bias.storage == c.in[2].storage);
  if (!in_place) return 0;
  auto made = std::make_unique<PreparedGemm>();
  made->g = g;
  made->g.accumulate = c.accumulate;
  made->fn = gemm_kernel(o.dtype);
  made->large = is_large(g);
  made->biased = g.bias != nullptr;
  if (g.a_offset) {
    made->offsets.assign(g.a_offset, g.a_offset + 2 * g.batch);
    made->g.a_offset = made->offsets.data();
    made->g.b_offset = made->offsets.data() + g.batch;
  }
  *c.prepare = std::move(made);
  return 0;
}

// Where the product goes: the result itself, or a temporary that is then converted (halves, strided outputs).
int finish(OpCall& c, Gemm& g, const Operands& o, Layout* layout) {
  int natural = c.in[0].dtype;
  if (c.dest && c.accumulate) {
    bool fits = same_shape(layout, c.dest->layout) && c.dest->dtype == o.dtype && c.dest->layout->contiguous &&
                c.dest->storage;
    layout_decref(layout);
    if (!fits) return kCannotAccumulate;
    c.out[0] = *c.dest;
    array_ref(c.out[0]);
  } else {
    int go = c.emit(0, natural, layout);
    if (go <= 0) return go;
  }
  if (c.out[0].numel() == 0) return 0;
  bool indirect = c.out[0].dtype != o.dtype || !c.out[0].layout->contiguous;
  Array temp = c.out[0];
  if (indirect && !array_new(&temp, o.dtype, layout_contiguous(temp.ndim(), temp.shape())))
    return fail_memory(c.op->name, c.out[0].numel() * itemsize(o.dtype));
  if (c.prepare) {
    if (indirect) {
      array_unref(temp);
      return 0;
    }
    return prepare(c, g, o);
  }
  g.c = indirect ? temp.data() : c.out[0].data();
  g.accumulate = c.accumulate && !indirect;
  {
    Unlocked unlocked(is_large(g));
    gemm_kernel(o.dtype)(g);
  }
  if (!indirect) return 0;
  int bad = copy_into(temp, c.out[0]);
  array_unref(temp);
  return bad;
}

// matmul(a, b): (…, m, k) @ (…, k, n), leading dimensions broadcast.
int forward_matmul(OpCall& c) {
  const Array &x = c.in[0], &y = c.in[1];
  if (is_complex(x.dtype)) return complex_product(c, forward_matmul);
  if (x.ndim() < 2 || y.ndim() < 2 || x.shape()[x.ndim() - 1] != y.shape()[y.ndim() - 2])
    return fail(kRuntimeError, "%s: expected a.shape[-1] == b.shape[-2], got %s and %s. Transpose or reshape one.",
                c.op->name, shape_text(x.layout), shape_text(y.layout));
  int xl = x.ndim() - 2, yl = y.ndim() - 2, lead = xl > yl ? xl : yl;
  index_t shape[kMaxDims];
  index_t batch = 1;
  for (int d = 0; d < lead; ++d) {
    index_t s = d < lead - xl ? 1 : x.shape()[d - (lead - xl)], t = d < lead - yl ? 1 : y.shape()[d - (lead - yl)];
    if (s != t && s != 1 && t != 1)
      return fail(kRuntimeError, "%s: expected leading dimensions that broadcast together, got %s and %s.",
                  c.op->name, shape_text(x.layout), shape_text(y.layout));
    shape[d] = s == 1 ? t : s;
    batch *= shape[d];
  }
  shape[lead] = x.shape()[xl];
  shape[lead + 1] = y.shape()[yl + 1];
  Layout* layout = layout_contiguous(lead + 2, shape);
  if (c.dry) return c.emit(0, x.dtype, layout);
  if (layout->numel == kMostElements) {
    layout_decref(layout);
    return fail_memory(c.op->name, kMostElements);
  }
  Operands o;
  if (o.prepare(c, nullptr) < 0) {
    layout_decref(layout);
    return -1;
  }
  Gemm g{};
  g.m = shape[lead];
  g.n = shape[lead + 1];
  g.k = x.shape()[xl + 1];
  g.a = o.a.data();
  g.b = o.b.data();
  g.a_row = o.a.strides()[xl];
  g.a_col = o.a.strides()[xl + 1];
  g.b_row = o.b.strides()[yl];
  g.b_col = o.b.strides()[yl + 1];
  g.c_row = g.n;
  g.batch = batch;
  g.c_batch = g.m * g.n;
  if (lead == 0 || batch == 0) return finish(c, g, o, layout);
  // One product where the batch of the left operand runs on along its rows and the right one is shared; not where
  // items are single elements, whose sums have an order of their own.
  bool b_shared = true;
  for (int d = 0; d < yl; ++d) b_shared &= y.shape()[d] == 1;
  if (b_shared && o.a.layout->contiguous && xl == lead && (g.m > 1 || g.n > 1)) {
    g.m *= batch;
    g.batch = 1;
    return finish(c, g, o, layout);
  }
  Storage* table = storage_new(static_cast<std::size_t>(2 * batch) * sizeof(index_t));
  if (!table) {
    layout_decref(layout);
    return fail_memory(c.op->name, 2 * batch * 8);
  }
  index_t* offsets = reinterpret_cast<index_t*>(table->data);
  index_t index[kMaxDims] = {0};
  for (index_t i = 0; i < batch; ++i) {
    index_t oa = 0, ob = 0;
    for (int d = 0; d < lead; ++d) {
      int xd = d - (lead - xl), yd = d - (lead - yl);
      if (xd >= 0 && o.a.shape()[xd] != 1) oa += index[d] * o.a.strides()[xd];
      if (yd >= 0 && o.b.shape()[yd] != 1) ob += index[d] * o.b.strides()[yd];
    }
    offsets[i] = oa;
    offsets[batch + i] = ob;
    for (int d = lead - 1; d >= 0 && ++index[d] == shape[d]; --d) index[d] = 0;
  }
  g.a_offset = offsets;
  g.b_offset = offsets + batch;
  int status = finish(c, g, o, layout);
  storage_decref(table);
  return status;
}

// x (…, k) times a matrix whose rows are w's dimension `in` and whose columns are w's other one, plus b (n) where
// it is given.
int rows_product(OpCall& c, int in) {
  const Array &x = c.in[0], &w = c.in[1];
  if (is_complex(x.dtype))
    return complex_product(
        c, in ? [](OpCall& part) { return rows_product(part, 1); }
              : [](OpCall& part) { return rows_product(part, 0); });
  const Array* bias = c.nin > 2 && c.in[2].defined() ? &c.in[2] : nullptr;
  if (w.ndim() != 2 || x.ndim() < 1 || x.shape()[x.ndim() - 1] != w.shape()[in])
    return fail(kRuntimeError, "%s: expected input.shape[-1] == weight.shape[%d], got input %s and weight %s.",
                c.op->name, in, shape_text(x.layout), shape_text(w.layout));
  const index_t columns = w.shape()[1 - in];
  if (bias && (bias->ndim() != 1 || bias->shape()[0] != columns))
    return fail(kRuntimeError, "%s: expected a bias of shape (%lld,), got %s.", c.op->name,
                static_cast<long long>(columns), shape_text(bias->layout));
  index_t shape[kMaxDims], rows = 1;
  for (int d = 0; d + 1 < x.ndim(); ++d) rows *= shape[d] = x.shape()[d];
  shape[x.ndim() - 1] = columns;
  Layout* layout = layout_contiguous(x.ndim(), shape);
  if (c.dry) return c.emit(0, x.dtype, layout);
  Operands o;
  int bad = o.prepare(c, bias);
  if (bad == 0 && x.ndim() != 2 && !o.a.layout->contiguous) {
    Array dense;
    bad = as_contiguous(o.a, o.dtype, &dense);
    if (bad == 0) {
      array_unref(o.a);
      o.a = dense;
    }
  }
  if (bad < 0) {
    layout_decref(layout);
    return -1;
  }
  Gemm g{};
  g.m = rows;
  g.n = columns;
  g.k = w.shape()[in];
  g.a = o.a.data();
  g.a_row = x.ndim() == 2 ? o.a.strides()[0] : g.k;
  g.a_col = x.ndim() == 2 ? o.a.strides()[1] : 1;
  g.b = o.b.data();
  g.b_row = o.b.strides()[in];
  g.b_col = o.b.strides()[1 - in];
  g.c_row = g.n;
  g.batch = 1;
  g.bias = bias ? o.bias.data() : nullptr;
  return finish(c, g, o, layout);
}

// linear(x, w, b): w is (out, in). matmul_rows(x, w): w is (in, out).
int forward_linear(OpCall& c) { return rows_product(c, 1); }
int forward_matmul_rows(OpCall& c) { return rows_product(c, 0); }

}  // namespace

extern const ForwardEntry matmul_forwards[] = {{"matmul", forward_matmul, true},
                                               {"linear", forward_linear, true},
                                               {"matmul_rows", forward_matmul_rows, true},
                                               {nullptr, nullptr}};

}  // namespace wg
