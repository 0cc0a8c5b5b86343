// Complex numbers and their parts: views of one as the other, and ops that run on the parts.
#include "wengert/complex_parts.h"

#include <cstring>

#include "wengert/kernels.h"

namespace wg {

int complex_parts(const Array& a, Array* out) {
  if (a.ndim() >= kMaxDims)
    return fail(kValueError, "complex: expected at most %d dimensions, got %d.", kMaxDims - 1, a.ndim());
  *out = a;
  out->flags = 0;
  out->dtype = part_type(a.dtype);
  if (out->storage) {
    storage_incref(out->storage);
  } else if (!array_promote(out)) {
    return fail_memory("complex", 8);
  }
  index_t shape[kMaxDims], strides[kMaxDims];
  for (int d = 0; d < a.ndim(); ++d) {
    shape[d] = a.shape()[d];
    strides[d] = 2 * a.strides()[d];
  }
  shape[a.ndim()] = 2;
  strides[a.ndim()] = 1;
  out->layout = layout_strided(a.ndim() + 1, shape, strides);
  return 0;
}

Array complex_part(const Array& parts, int which) {
  Array part = parts;
  part.layout = layout_strided(parts.ndim() - 1, parts.shape(), parts.strides());
  part.u.offset += which * itemsize(parts.dtype);
  storage_incref(part.storage);
  return part;
}

int conjugate(const Array& a, Array* out) {
  Layout* l = layout_contiguous(a.ndim(), a.shape());
  if (!array_new(out, a.dtype, l)) return fail_memory("conj", a.numel() * itemsize(a.dtype));
  if (copy_into(a, *out) < 0) return -1;
  kernel_fn<UnaryFn>("conj", a.dtype)(out->data(), out->data(), out->numel());
  out->flags = a.flags;
  return 0;
}

namespace {

// Parts that were computed, contiguous with a last dimension of 2, become result 0 of a complex dtype.
int emit_parts(OpCall& c, Array& parts, int dtype) {
  Layout* l = layout_contiguous(parts.ndim() - 1, parts.shape());
  layout_decref(parts.layout);
  parts.layout = l;
  parts.dtype = static_cast<std::uint8_t>(dtype);
  if (!c.dest) {
    c.out[0] = parts;
    return 0;
  }
  layout_incref(l);
  int go = c.emit(0, dtype, l);
  int status = go < 0 ? -1 : copy_into(parts, c.out[0]);
  array_unref(parts);
  return status;
}

// Runs the op of a call on the parts of its operand, with other attributes.
int run_on_parts(OpCall& c, ForwardFn forward, const std::int64_t* words, int count) {
  const Array& x = c.in[0];
  Array parts, result;
  if (x.flags & kShapeOnly) {
    index_t shape[kMaxDims + 1];
    for (int d = 0; d < x.ndim(); ++d) shape[d] = x.shape()[d];
    shape[x.ndim()] = 2;
    parts = x;
    parts.layout = layout_contiguous(x.ndim() + 1, shape);
    parts.dtype = part_type(x.dtype);
  } else if (complex_parts(x, &parts) < 0) {
    return -1;
  }
  Attr* attr = attr_new(words, count);
  OpCall inner{c.op, &parts, 1, attr, &result, 1};
  inner.dry = c.dry;
  int status = forward(inner);
  attr_decref(attr);
  array_unref(parts);
  return status < 0 ? -1 : emit_parts(c, result, x.dtype);
}

int copy_operand(OpCall& c) {
  int go = c.emit(0, c.in[0].dtype, layout_contiguous(c.in[0].ndim(), c.in[0].shape()));
  return go <= 0 ? go : copy_into(c.in[0], c.out[0]);
}

}  // namespace

int complex_product(OpCall& c, ForwardFn product) {
  if (c.accumulate) return kCannotAccumulate;
  const int dtype = c.in[0].dtype;
  for (int k = 1; k < c.nin; ++k)
    if (c.in[k].defined() && c.in[k].dtype != dtype)
      return fail(kRuntimeError, "%s: expected operands of one dtype, got %s and %s. Convert one of them.",
                  c.op->name, kDTypeName[dtype], kDTypeName[c.in[k].dtype]);
  Array part[3][2] = {}, product_of[4] = {};
  int status = 0;
  for (int k = 0; k < c.nin && status == 0; ++k) {
    if (!c.in[k].defined()) continue;
    Array parts;
    if (c.dry) {
      part[k][0] = part[k][1] = c.in[k];
      part[k][0].dtype = part[k][1].dtype = part_type(dtype);
      array_ref(part[k][0]);
      array_ref(part[k][1]);
      continue;
    }
    status = complex_parts(c.in[k], &parts);
    if (status < 0) break;
    for (int which = 0; which < 2; ++which) part[k][which] = complex_part(parts, which);
    array_unref(parts);
  }
  // re re, im im, re im, im re; a bias joins the first of each sum.
  static const int choice[4][2] = {{0, 0}, {1, 1}, {0, 1}, {1, 0}};
  for (int i = 0; i < 4 && status == 0; ++i) {
    Array in[3] = {part[0][choice[i][0]], part[1][choice[i][1]], Array{}};
    if (i % 2 == 0) in[2] = part[2][i / 2];
    OpCall inner{c.op, in, c.nin, c.attr, &product_of[i], 1};
    inner.dry = c.dry;
    status = product(inner);
  }
  if (status == 0) {
    layout_incref(product_of[0].layout);
    int go = c.emit(0, dtype, product_of[0].layout);
    Array parts;
    if (go <= 0) {
      status = go;
    } else if ((status = complex_parts(c.out[0], &parts)) == 0) {
      const int real = part_type(dtype);
      const index_t n = product_of[0].numel();
      kernel_fn<BinaryFn>("sub", real)(product_of[0].data(), product_of[1].data(), product_of[0].data(), n, 0);
      kernel_fn<BinaryFn>("add", real)(product_of[2].data(), product_of[3].data(), product_of[2].data(), n, 0);
      for (int which = 0; which < 2 && status == 0; ++which) {
        Array to = complex_part(parts, which);
        status = copy_into(product_of[2 * which], to);
        array_unref(to);
      }
      array_unref(parts);
    }
  }
  for (Array& a : product_of) array_unref(a);
  for (auto& pair : part)
    for (Array& a : pair) array_unref(a);
  return status < 0 ? -1 : 0;
}

int complex_sum(OpCall& c, ForwardFn reduce) {
  const Array& x = c.in[0];
  if (x.ndim() == 0) return copy_operand(c);
  AttrReader r(c.attr);
  int n, named = 0;
  const std::int64_t* dims = r.list(&n);
  bool mask[kMaxDims];
  if (dims_mask(c.op->name, dims, n, x.ndim(), mask) < 0) return -1;
  std::int64_t words[kMaxDims + 2];
  for (int d = 0; d < x.ndim(); ++d)
    if (mask[d]) words[1 + named++] = d;
  words[0] = named;
  words[1 + named] = r.boolean();
  return run_on_parts(c, reduce, words, named + 2);
}

int complex_truth(OpCall& c, ForwardFn reduce) {
  Array truth;
  if (c.dry) {
    truth = c.in[0];
    truth.dtype = kBool;
    array_ref(truth);
  } else if (as_contiguous(c.in[0], kBool, &truth) < 0) {
    return -1;
  }
  OpCall inner = c;
  inner.in = &truth;
  int status = reduce(inner);
  array_unref(truth);
  return status;
}

int complex_cumsum(OpCall& c, ForwardFn cumulate) {
  const Array& x = c.in[0];
  if (x.ndim() == 0) return copy_operand(c);
  AttrReader r(c.attr);
  std::int64_t dim = normalize_dim(c.op->name, r.integer(), x.ndim());
  return dim < 0 ? -1 : run_on_parts(c, cumulate, &dim, 1);
}

namespace {

int expect_complex(const OpCall& c) {
  if (is_complex(c.in[0].dtype)) return 0;
  return fail(kRuntimeError, "%s: expected a complex tensor, got dtype %s. Convert it with .to(wengert.complex64).",
              c.op->name, kDTypeName[c.in[0].dtype]);
}

// Result 0 = operand 0's memory with another layout and dtype, `skip` bytes further on. The caller of a view has
// promoted inline values.
int emit_other_type(OpCall& c, Layout* layout, int dtype, index_t skip) {
  const Array& x = c.in[0];
  c.out[0] = x;
  c.out[0].layout = layout;
  c.out[0].dtype = static_cast<std::uint8_t>(dtype);
  c.out[0].flags = 0;
  if (c.dry || x.flags & kShapeOnly) {
    c.out[0].storage = nullptr;
    c.out[0].flags = kShapeOnly;
    return 0;
  }
  if (x.storage) {
    storage_incref(x.storage);
  } else if (!array_promote(&c.out[0])) {
    return fail_memory(c.op->name, 8);
  }
  c.out[0].u.offset += skip;
  return 0;
}

int emit_part(OpCall& c, int which) {
  if (expect_complex(c) < 0) return -1;
  const Array& x = c.in[0];
  index_t strides[kMaxDims];
  for (int d = 0; d < x.ndim(); ++d) strides[d] = 2 * x.strides()[d];
  const int dtype = part_type(x.dtype);
  return emit_other_type(c, layout_strided(x.ndim(), x.shape(), strides), dtype, which * itemsize(dtype));
}

// real_part(x), imag_part(x): one part of every number.
int forward_real_part(OpCall& c) { return emit_part(c, 0); }
int forward_imag_part(OpCall& c) { return emit_part(c, 1); }

// view_as_real(x): both parts in a last dimension of 2.
int forward_view_as_real(OpCall& c) {
  const Array& x = c.in[0];
  if (expect_complex(c) < 0) return -1;
  if (x.ndim() >= kMaxDims)
    return fail(kValueError, "%s: expected at most %d dimensions, got %d.", c.op->name, kMaxDims - 1, x.ndim());
  index_t shape[kMaxDims], strides[kMaxDims];
  for (int d = 0; d < x.ndim(); ++d) {
    shape[d] = x.shape()[d];
    strides[d] = 2 * x.strides()[d];
  }
  shape[x.ndim()] = 2;
  strides[x.ndim()] = 1;
  return emit_other_type(c, layout_strided(x.ndim() + 1, shape, strides), part_type(x.dtype), 0);
}

// Whether pairs along the last dimension lie as complex numbers do.
bool parts_fit(const Array& x) {
  const int n = x.ndim() - 1;
  if (x.numel() == 0 || n < 0 || x.flags & kShapeOnly) return true;
  bool fits = x.strides()[n] == 1 && (!x.storage || x.u.offset % (2 * itemsize(x.dtype)) == 0);
  for (int d = 0; d < n; ++d) fits &= x.strides()[d] % 2 == 0 || x.shape()[d] == 1;
  return fits;
}

// view_as_complex(x): the last dimension, of size 2, as the parts of one number.
int forward_view_as_complex(OpCall& c) {
  const Array& x = c.in[0];
  if (x.dtype != kFloat32 && x.dtype != kFloat64)
    return fail(kRuntimeError, "%s: expected float32 or float64, got %s.", c.op->name, kDTypeName[x.dtype]);
  const int n = x.ndim() - 1;
  if (n < 0 || x.shape()[n] != 2)
    return fail(kRuntimeError, "%s: expected a last dimension of size 2, got shape %s.", c.op->name,
                shape_text(x.layout));
  if (!parts_fit(x))
    return fail(
        kRuntimeError,
        "%s: expected parts side by side (last stride 1, other strides and the offset even), got a tensor that "
        "has them apart. Use .contiguous() first.",
        c.op->name);
  index_t strides[kMaxDims];
  for (int d = 0; d < n; ++d) strides[d] = x.strides()[d] / 2;
  return emit_other_type(c, layout_strided(n, x.shape(), strides), complex_type(x.dtype), 0);
}

// join_parts(x): view_as_complex, of a copy where the parts do not lie side by side.
int forward_join_parts(OpCall& c) {
  const Array& x = c.in[0];
  if (parts_fit(x)) return forward_view_as_complex(c);
  Array dense;
  if (!array_new(&dense, x.dtype, layout_contiguous(x.ndim(), x.shape())))
    return fail_memory(c.op->name, x.nbytes());
  OpCall inner = c;
  inner.in = &dense;
  int status = copy_into(x, dense);
  if (status == 0) status = forward_view_as_complex(inner);
  array_unref(dense);
  return status;
}

}  // namespace

extern const ForwardEntry complex_forwards[] = {
    {"real_part", forward_real_part},       {"imag_part", forward_imag_part},
    {"view_as_real", forward_view_as_real}, {"view_as_complex", forward_view_as_complex},
    {"join_parts", forward_join_parts},     {nullptr, nullptr}};

}  // namespace wg
