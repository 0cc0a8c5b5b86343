// Reductions over any set of dimensions, on two kernels: over the innermost and over an outer dimension.
//
// The order of additions is a function of the logical shape and the reduced dimensions alone: an operand that is
// not contiguous in that order is laid out first.
#include <cstdio>
#include <cstring>

#include "wengert/kernels.h"
#include "wengert/op.h"
#include "wengert/parallel.h"
#include "wengert/reduce.h"

namespace wg {

namespace {

// The reduced shape; with keepdim the reduced dimensions stay as 1.
Layout* reduced_layout(const Array& x, const bool* mask, bool keepdim) {
  index_t shape[kMaxDims];
  int n = 0;
  for (int d = 0; d < x.ndim(); ++d) {
    if (!mask[d]) {
      shape[n++] = x.shape()[d];
    } else if (keepdim) {
      shape[n++] = 1;
    }
  }
  return layout_contiguous(n, shape);
}

struct Plan {
  index_t outer = 1, n = 1, inner = 1;
  bool permuted = false;
  int order[kMaxDims];  // kept dimensions, then reduced ones, when permuted
};

// Finds [outer][n][inner] where the reduced dimensions are adjacent; otherwise asks for a permutation.
Plan plan_reduce(const Array& x, const bool* mask) {
  Plan p;
  int ndim = x.ndim(), state = 0;
  for (int d = 0; d < ndim; ++d) {
    index_t size = x.shape()[d];
    if (size == 1) continue;
    if (mask[d]) {
      if (state == 2) p.permuted = true;
      if (state == 0) state = 1;
      p.n *= size;
    } else {
      if (state == 1) state = 2;
      (state == 0 ? p.outer : p.inner) *= size;
    }
  }
  if (p.permuted) {
    int k = 0;
    for (int d = 0; d < ndim; ++d)
      if (!mask[d]) p.order[k++] = d;
    for (int d = 0; d < ndim; ++d)
      if (mask[d]) p.order[k++] = d;
    p.outer *= p.inner;
    p.inner = 1;
  }
  return p;
}

// The kernel of an op over the innermost (0) or an outer (1) dimension.
const KernelEntry* reduce_kernel(const OpInfo& op, int dtype, int which) {
  const void*& found = op.found[which][dtype];
  if (!found) {
    char name[64];
    std::snprintf(name, sizeof name, "%s_%s", op.kernel, which ? "outer" : "inner");
    found = find_kernel(name, dtype);
  }
  return static_cast<const KernelEntry*>(found);
}

// reduce(x; dims, keepdim): kernel names the operation ("sum": sum_inner and sum_outer).
int forward_reduce(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int ndims;
  const std::int64_t* dims = r.list(&ndims);
  bool keepdim = r.boolean();
  bool mask[kMaxDims];
  if (dims_mask(c.op->name, dims, ndims, x.ndim(), mask) < 0) return -1;
  int dtype = c.op->flags & kFloatResult && !is_float(x.dtype) ? default_dtype : x.dtype;
  int compute_dt = is_half(dtype) ? static_cast<int>(kFloat32) : dtype;
  const KernelEntry *inner = reduce_kernel(*c.op, compute_dt, 0), *outer = reduce_kernel(*c.op, compute_dt, 1);
  if (!inner || !outer)
    return fail(kRuntimeError, "%s: expected a dtype that it is defined for, got %s. Convert the tensor first.",
                c.op->name, kDTypeName[x.dtype]);
  int out_dtype = is_half(dtype) && inner->out == kFloat32 ? dtype : inner->out;
  int go = c.emit(0, out_dtype, reduced_layout(x, mask, keepdim));
  if (go <= 0) return go;
  Plan p = plan_reduce(x, mask);
  Array dense;
  int bad;
  if (p.permuted) {
    index_t shape[kMaxDims], strides[kMaxDims];
    for (int d = 0; d < x.ndim(); ++d) {
      shape[d] = x.shape()[p.order[d]];
      strides[d] = x.strides()[p.order[d]];
    }
    Array view = x;
    view.layout = layout_strided(x.ndim(), shape, strides);
    bad = as_contiguous(view, compute_dt, &dense);
    layout_decref(view.layout);
  } else {
    bad = as_contiguous(x, compute_dt, &dense);
  }
  if (bad < 0) return bad;
  Array result = c.out[0];
  bool indirect = inner->out != c.out[0].dtype || !c.out[0].layout->contiguous;
  if (indirect && !array_new(&result, inner->out, layout_contiguous(c.out[0].ndim(), c.out[0].shape())))
    return fail_memory(c.op->name, c.out[0].numel() * itemsize(inner->out));
  if (result.numel() > 0) {
    Unlocked unlocked(dense.nbytes() >= kUnlockBytes);
    char* to = const_cast<char*>(indirect ? result.data() : c.out[0].data());
    if (p.inner == 1) {
      reinterpret_cast<ReduceInnerFn>(inner->fn)(dense.data(), to, p.outer, p.n);
    } else {
      reinterpret_cast<ReduceOuterFn>(outer->fn)(dense.data(), to, p.outer, p.n, p.inner);
    }
  }
  if (indirect) {
    bad = copy_into(result, c.out[0]);
    array_unref(result);
  }
  array_unref(dense);
  return bad;
}

}  // namespace

int sum_to_layout(const Array& a, Layout* like, Array* out) {
  if (same_shape(a.layout, like)) {
    *out = a;
    array_ref(*out);
    return 0;
  }
  std::int64_t words[kMaxDims + 2];
  int n = 0, lead = a.ndim() - like->ndim;
  for (int d = 0; d < a.ndim(); ++d)
    if (d < lead || (like->shape()[d - lead] == 1 && a.shape()[d] != 1)) words[1 + n++] = d;
  words[0] = n;
  words[n + 1] = 0;
  if (n == 0 || lead < 0)
    return fail(kRuntimeError, "gradient: expected a shape that %s broadcasts to, got %s. The gradient rule of the "
                "op is wrong.", shape_text(like), shape_text(a.layout));
  Attr* attr = attr_new(words, n + 2);
  static const OpInfo sum_op = [] {
    OpInfo op{};
    op.name = "sum";
    op.kernel = "sum";
    op.nin = op.nout = 1;
    return op;
  }();
  Array in = a, reduced;
  OpCall call{&sum_op, &in, 1, attr, &reduced, 1};
  int status = forward_reduce(call);
  attr_decref(attr);
  if (status < 0) return status;
  if (same_shape(reduced.layout, like)) {
    *out = reduced;
    return 0;
  }
  *out = reduced;  // same elements: only sizes of 1 differ
  layout_decref(out->layout);
  out->layout = layout_contiguous(like->ndim, like->shape());
  if (!out->storage && like->ndim > 0 && !array_promote(out)) return fail_memory("sum", 8);
  if (out->storage && like->ndim == 0) {
    Array scalar;
    array_new(&scalar, out->dtype, layout_contiguous(0, nullptr));
    std::memcpy(scalar.u.raw, out->data(), static_cast<std::size_t>(itemsize(out->dtype)));
    array_unref(*out);
    *out = scalar;
  }
  return 0;
}

extern const ForwardEntry reduce_forwards[] = {{"reduce", forward_reduce}, {nullptr, nullptr}};

}  // namespace wg
