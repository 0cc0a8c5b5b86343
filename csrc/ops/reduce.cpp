// Reductions over any set of dimensions, on two kernels: over the innermost and over an outer dimension.
//
// The order of additions is a function of the logical shape and the reduced dimensions alone: an operand that is
// not contiguous in that order is laid out first.
#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "wengert/complex_parts.h"
#include "wengert/kernels.h"
#include "wengert/op.h"
#include "wengert/parallel.h"
#include "wengert/reduce.h"
#include "wengert/staged.h"

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

// x as the kernels want it: contiguous in the plan's order, in `dtype`.
int lay_out(const Array& x, const Plan& p, int dtype, Array* dense) {
  if (!p.permuted) return as_contiguous(x, dtype, dense);
  index_t shape[kMaxDims], strides[kMaxDims];
  for (int d = 0; d < x.ndim(); ++d) {
    shape[d] = x.shape()[p.order[d]];
    strides[d] = x.strides()[p.order[d]];
  }
  Array view = x;
  view.layout = layout_strided(x.ndim(), shape, strides);
  int bad = as_contiguous(view, dtype, dense);
  layout_decref(view.layout);
  return bad;
}

struct ReduceAttr {
  bool mask[kMaxDims];
  bool keepdim;
  bool all;  // no dimension was named
};
int read_reduce(const OpCall& c, AttrReader& r, ReduceAttr* a) {
  int n;
  const std::int64_t* dims = r.list(&n);
  a->keepdim = r.boolean();
  a->all = n <= 0;
  return dims_mask(c.op->name, dims, n, c.in[0].ndim(), a->mask);
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

struct ReduceKernels {
  const KernelEntry *inner, *outer;
};
int find_kernels(const OpCall& c, int dtype, ReduceKernels* k) {
  k->inner = reduce_kernel(*c.op, dtype, 0);
  k->outer = reduce_kernel(*c.op, dtype, 1);
  if (k->inner && k->outer) return 0;
  return fail(is_complex(dtype) ? kNotImplemented : kRuntimeError,
              "%s: expected a dtype that it is defined for, got %s. Convert the tensor first.", c.op->name,
              kDTypeName[c.in[0].dtype]);
}

// Extremes of nothing are an error, as in PyTorch.
int check_not_empty(const OpCall& c, const ReduceAttr& a) {
  const Array& x = c.in[0];
  if (a.all) {
    if (x.numel() > 0) return 0;
    return fail(c.op->kernel[0] == 'a' ? kIndexError : kRuntimeError,
                "%s: expected a tensor with elements, got shape %s. Name a dimension that is not empty.",
                c.op->name, shape_text(x.layout));
  }
  for (int d = 0; d < x.ndim(); ++d)
    if (a.mask[d] && x.shape()[d] == 0)
      return fail(kIndexError, "%s: expected a dimension with elements, got dimension %d of shape %s.", c.op->name,
                  d, shape_text(x.layout));
  return 0;
}

bool needs_elements(const char* kernel) {
  for (const char* name : {"max", "min", "argmax", "argmin"})
    if (!std::strcmp(kernel, name)) return true;
  return false;
}

// Divides a floating array of any layout by a number, in place.
int divide_by(const Array& a, double by) {
  if (a.numel() == 0) return 0;
  alignas(8) char number[8];
  const bool complex = is_complex(a.dtype);  // both parts are divided; such an array has no gaps
  int dtype = is_half(a.dtype) ? static_cast<int>(kFloat32) : complex ? part_type(a.dtype) : a.dtype;
  float single = static_cast<float>(by);
  if (dtype == kFloat32) {
    std::memcpy(number, &single, 4);
  } else {
    std::memcpy(number, &by, 8);
  }
  if (complex) {
    char* p = const_cast<char*>(a.data());
    kernel_fn<BinaryFn>("div", dtype)(p, number, p, 2 * a.numel(), 2);
    return 0;
  }
  Array dense;
  if (as_contiguous(a, dtype, &dense) < 0) return -1;
  // An inline value of the same dtype was copied along with the array: divide where it came from.
  bool apart = dense.dtype != a.dtype || (dense.storage && dense.storage != a.storage);
  char* p = apart ? dense.data() : const_cast<char*>(a.data());
  kernel_fn<BinaryFn>("div", dtype)(p, number, p, a.numel(), 2);
  int status = apart ? copy_into(dense, a) : 0;
  array_unref(dense);
  return status;
}

// A reduction of memory that lies as the kernel wants it, and for means the division by their count.
struct PreparedReduce final : Prepared {
  void* fn;
  BinaryFn divide = nullptr;
  SumShape shape;
  bool large, adds;

  void run(char* const* in, char* out) const override {
    Unlocked unlocked(large);
    if (shape.inner == 1) {
      reinterpret_cast<ReduceInnerFn>(fn)(in[0], out, shape.outer, shape.n);
    } else {
      reinterpret_cast<ReduceOuterFn>(fn)(in[0], out, shape.outer, shape.n, shape.inner);
    }
    if (divide) divide(out, shape.count, out, shape.outer * shape.inner, 2);
  }
  const SumShape* sum() const override { return adds ? &shape : nullptr; }
};

// reduce(x; dims, keepdim): kernel names the operation ("sum": sum_inner and sum_outer).
int forward_reduce(OpCall& c);
int forward_mean(OpCall& c);
int forward_norm2(OpCall& c);
int run_reduce(OpCall& c, bool mean) {
  const Array& x = c.in[0];
  if (is_complex(x.dtype)) {
    if (!std::strcmp(c.op->kernel, "sum")) return complex_sum(c, mean ? forward_mean : forward_reduce);
    for (const char* name : {"any", "all", "count_nonzero"})
      if (!std::strcmp(c.op->kernel, name)) return complex_truth(c, forward_reduce);
  }
  AttrReader r(c.attr);
  ReduceAttr a;
  if (read_reduce(c, r, &a) < 0) return -1;
  if (needs_elements(c.op->kernel) && check_not_empty(c, a) < 0) return -1;
  int dtype = c.op->flags & kFloatResult && !is_inexact(x.dtype) ? default_dtype : x.dtype;
  int compute_dt = is_half(dtype) ? static_cast<int>(kFloat32) : dtype;
  ReduceKernels k;
  if (find_kernels(c, compute_dt, &k) < 0) return -1;
  int out_dtype = is_half(dtype) && k.inner->out == kFloat32 ? dtype : k.inner->out;
  int go = c.emit(0, out_dtype, reduced_layout(x, a.mask, a.keepdim));
  if (go <= 0) return go;
  Plan p = plan_reduce(x, a.mask);
  Array dense;
  if (lay_out(x, p, compute_dt, &dense) < 0) return -1;
  Array result = c.out[0];
  bool indirect = k.inner->out != c.out[0].dtype || !c.out[0].layout->contiguous;
  if (indirect && !array_new(&result, k.inner->out, layout_contiguous(c.out[0].ndim(), c.out[0].shape())))
    return fail_memory(c.op->name, c.out[0].numel() * itemsize(k.inner->out));
  if (c.prepare) {
    const bool in_place = dense.storage == x.storage && dense.u.offset == x.u.offset;
    if (in_place && !indirect && x.numel() > 0 && c.out[0].numel() > 0) {
      auto made = std::make_unique<PreparedReduce>();
      made->fn = p.inner == 1 ? k.inner->fn : k.outer->fn;
      made->shape = {p.outer, p.n, p.inner, mean, {}};
      made->large = dense.nbytes() >= kUnlockBytes;
      made->adds = !std::strcmp(c.op->kernel, "sum") && c.op->forward != forward_norm2;
      if (mean) {
        made->divide = kernel_fn<BinaryFn>("div", compute_dt);
        const double by = static_cast<double>(p.n);
        const float single = static_cast<float>(by);
        if (compute_dt == kFloat32) {
          std::memcpy(made->shape.count, &single, 4);
        } else {
          std::memcpy(made->shape.count, &by, 8);
        }
      }
      *c.prepare = std::move(made);
    }
    if (indirect) array_unref(result);
    array_unref(dense);
    return 0;
  }
  Array& target = indirect ? result : c.out[0];
  int bad = 0;
  if (target.numel() > 0) {
    Unlocked unlocked(dense.nbytes() >= kUnlockBytes);
    if (p.inner == 1) {
      reinterpret_cast<ReduceInnerFn>(k.inner->fn)(dense.data(), target.data(), p.outer, p.n);
    } else {
      reinterpret_cast<ReduceOuterFn>(k.outer->fn)(dense.data(), target.data(), p.outer, p.n, p.inner);
    }
  }
  if (mean) bad = divide_by(target, static_cast<double>(p.n));
  if (indirect) {
    if (bad == 0) bad = copy_into(result, c.out[0]);
    array_unref(result);
  }
  array_unref(dense);
  return bad;
}

int forward_reduce(OpCall& c) { return run_reduce(c, false); }

// norm2(x; dims, keepdim): the root of the sum of squares.
int forward_norm2(OpCall& c) {
  int status = run_reduce(c, false);
  Array& y = c.out[0];
  if (status < 0 || c.dry || y.numel() == 0) return status;
  if (!is_half(y.dtype)) {
    kernel_fn<UnaryFn>("sqrt", y.dtype)(y.data(), y.data(), y.numel());
    return 0;
  }
  Array wide;
  if (as_contiguous(y, kFloat32, &wide) < 0) return -1;
  kernel_fn<UnaryFn>("sqrt", kFloat32)(wide.data(), wide.data(), wide.numel());
  status = copy_into(wide, y);
  array_unref(wide);
  return status;
}

// mean(x; dims, keepdim): floating tensors only.
int forward_mean(OpCall& c) {
  if (!is_inexact(c.in[0].dtype))
    return fail(kRuntimeError, "mean: expected a floating dtype, got %s. Pass dtype=, or convert the tensor.",
                kDTypeName[c.in[0].dtype]);
  return run_reduce(c, true);
}

// mean_embed(g, like; dims, keepdim): g divided by the number of elements that were averaged, shown in like's
// shape.
int forward_mean_embed(OpCall& c) {
  const Array &g = c.in[0], &like = c.in[1];
  AttrReader r(c.attr);
  int n;
  const std::int64_t* dims = r.list(&n);
  bool mask[kMaxDims];
  if (dims_mask(c.op->name, dims, n, like.ndim(), mask) < 0) return -1;
  bool keepdim = r.boolean();
  if (expect_reduced(c, mask, keepdim) < 0 || (!is_complex(g.dtype) && expect_floating(c, g) < 0)) return -1;
  if (c.dry) return c.emit(0, g.dtype, layout_contiguous(like.ndim(), like.shape()));
  index_t count = 1;
  for (int d = 0; d < like.ndim(); ++d)
    if (mask[d]) count *= like.shape()[d];
  Array scaled;
  if (!array_new(&scaled, g.dtype, layout_contiguous(g.ndim(), g.shape())))
    return fail_memory(c.op->name, g.nbytes());
  if (copy_into(g, scaled) < 0 || divide_by(scaled, static_cast<double>(count)) < 0) return -1;
  if (like.ndim() == 0) {
    c.out[0] = scaled;
    return 0;
  }
  if (!array_promote(&scaled)) return fail_memory(c.op->name, 8);
  index_t strides[kMaxDims];
  for (int d = 0, own = 0; d < like.ndim(); ++d) {
    strides[d] = mask[d] ? 0 : scaled.strides()[own];
    if (!mask[d] || keepdim) ++own;
  }
  Layout* shown = layout_strided(like.ndim(), like.shape(), strides);
  layout_decref(scaled.layout);
  scaled.layout = shown;
  c.out[0] = scaled;
  return 0;
}

// var(x; dims, keepdim, correction): the variance, and for the gradient 1 / n and 1 / max(n - correction, 0) as
// scalars. The row named "std_stat" takes the square root.
int forward_var(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  ReduceAttr a;
  if (read_reduce(c, r, &a) < 0) return -1;
  double correction = r.real();
  if (!is_float(x.dtype))
    return fail(kRuntimeError, "%s: expected a floating dtype, got %s. Convert the tensor first.", c.op->name,
                kDTypeName[x.dtype]);
  int compute = is_half(x.dtype) ? static_cast<int>(kFloat32) : x.dtype;
  ReduceKernels k;
  if (find_kernels(c, compute, &k) < 0) return -1;
  int go = c.emit(0, x.dtype, reduced_layout(x, a.mask, a.keepdim));
  if (go < 0) return go;
  for (int i = 1; i < 3; ++i) c.emit(i, compute, layout_contiguous(0, nullptr));
  if (go == 0) return 0;
  Plan p = plan_reduce(x, a.mask);
  double n = static_cast<double>(p.n), free = n - correction > 0 ? n - correction : 0;
  for (int i = 1; i < 3; ++i) {
    double value = 1.0 / (i == 1 ? n : free);
    if (compute == kFloat32) {
      float narrow = static_cast<float>(value);
      std::memcpy(c.out[i].data(), &narrow, 4);
    } else {
      std::memcpy(c.out[i].data(), &value, 8);
    }
  }
  Array dense, mean, var;
  if (lay_out(x, p, compute, &dense) < 0) return -1;
  Layout* l = layout_contiguous(c.out[0].ndim(), c.out[0].shape());
  layout_incref(l);
  if (!array_new(&mean, compute, l) || !array_new(&var, compute, l)) return fail_memory(c.op->name, 2 * x.nbytes());
  if (var.numel() > 0) {
    Unlocked unlocked(dense.nbytes() >= kUnlockBytes);
    if (p.inner == 1) {
      reinterpret_cast<VarInnerFn>(k.inner->fn)(dense.data(), mean.data(), var.data(), p.outer, p.n, correction);
    } else {
      reinterpret_cast<VarOuterFn>(k.outer->fn)(dense.data(), mean.data(), var.data(), p.outer, p.n, p.inner,
                                                correction);
    }
    if (c.op->name[0] == 's') kernel_fn<UnaryFn>("sqrt", compute)(var.data(), var.data(), var.numel());
  }
  int status = copy_into(var, c.out[0]);
  array_unref(mean);
  array_unref(var);
  array_unref(dense);
  return status;
}

// extreme(x; dim, keepdim): the largest or smallest value along one dimension and its position.
int forward_extreme(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (dim < 0) return -1;
  ReduceAttr a{};
  if (x.ndim()) a.mask[dim] = true;
  a.keepdim = r.boolean();
  if (check_not_empty(c, a) < 0) return -1;
  int compute = is_half(x.dtype) ? static_cast<int>(kFloat32) : x.dtype;
  ReduceKernels k;
  if (find_kernels(c, compute, &k) < 0) return -1;
  int go = c.emit(0, x.dtype, reduced_layout(x, a.mask, a.keepdim));
  if (go < 0) return go;
  if (c.emit(1, kInt64, reduced_layout(x, a.mask, a.keepdim)) < 0) return -1;
  if (go == 0 || c.out[0].numel() == 0) return 0;
  Plan p = plan_reduce(x, a.mask);
  Array dense, values = c.out[0];
  if (as_contiguous(x, compute, &dense) < 0) return -1;
  bool apart = compute != x.dtype;
  if (apart && !array_new(&values, compute, layout_contiguous(c.out[0].ndim(), c.out[0].shape())))
    return fail_memory(c.op->name, 4 * c.out[0].numel());
  void* to = apart ? values.data() : c.out[0].data();
  auto* at = reinterpret_cast<std::int64_t*>(c.out[1].data());
  {
    Unlocked unlocked(dense.nbytes() >= kUnlockBytes);
    if (p.inner == 1) {
      reinterpret_cast<ExtremeInnerFn>(k.inner->fn)(dense.data(), to, at, p.outer, p.n);
    } else {
      reinterpret_cast<ExtremeOuterFn>(k.outer->fn)(dense.data(), to, at, p.outer, p.n, p.inner);
    }
  }
  int status = 0;
  if (apart) {
    status = copy_into(values, c.out[0]);
    array_unref(values);
  }
  array_unref(dense);
  return status;
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
    return fail(kRuntimeError,
                "gradient: expected a shape that %s broadcasts to, got %s. The gradient rule of the "
                "op is wrong.",
                shape_text(like), shape_text(a.layout));
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
    if (!array_new(&scalar, out->dtype, layout_contiguous(0, nullptr))) return fail_memory("sum", 16);
    std::memcpy(scalar.data(), out->data(), static_cast<std::size_t>(itemsize(out->dtype)));
    array_unref(*out);
    *out = scalar;
  }
  return 0;
}

extern const ForwardEntry reduce_forwards[] = {{"reduce", forward_reduce, true},
                                               {"mean", forward_mean, true},
                                               {"mean_embed", forward_mean_embed},
                                               {"var", forward_var},
                                               {"norm2", forward_norm2},
                                               {"extreme", forward_extreme},
                                               {nullptr, nullptr}};

}  // namespace wg
