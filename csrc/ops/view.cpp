// Views: the same storage under another layout. No element moves.
#include <cstring>

#include "wengert/staged.h"

namespace wg {

namespace {

// Result 0 looks at input 0's storage. A tensor's own inline value has been promoted by the caller; what is still
// inline here is a temporary of a rule, which nobody else can write to.
int emit_view(OpCall& c, Layout* layout, index_t offset_elements) {
  Array& x = c.in[0];
  if (c.dry || x.flags & kShapeOnly) {
    c.out[0] = Array{};
    c.out[0].layout = layout;
    c.out[0].dtype = x.dtype;
    c.out[0].flags = kShapeOnly;
    return 0;
  }
  if (!x.storage && layout->ndim == 0) {
    c.out[0] = x;
    c.out[0].layout = layout;
    return 0;
  }
  c.out[0] = x;
  c.out[0].layout = layout;
  c.out[0].flags = 0;
  if (!x.storage) {
    if (array_promote(&c.out[0])) return 0;
    layout_decref(layout);
    c.out[0].layout = nullptr;
    return fail_memory(c.op->name, 8);
  }
  c.out[0].u.offset += offset_elements * itemsize(x.dtype);
  storage_incref(x.storage);
  return 0;
}

// Resolves one -1 in a wanted shape.
int resolve_shape(const char* op, const Array& x, const std::int64_t* want, int n, index_t* shape) {
  if (n > kMaxDims) return fail(kValueError, "%s: expected at most %d dimensions, got %d.", op, kMaxDims, n);
  index_t known = 1;
  int free = -1;
  for (int d = 0; d < n; ++d) {
    shape[d] = want[d];
    if (want[d] == -1) {
      if (free >= 0) return fail(kRuntimeError, "%s: expected at most one -1 in the shape, got two.", op);
      free = d;
    } else if (want[d] < 0) {
      return fail(kRuntimeError, "%s: expected sizes of at least 0 (or one -1), got %lld.", op,
                  static_cast<long long>(want[d]));
    } else if (__builtin_mul_overflow(known, want[d], &known)) {
      return fail(kRuntimeError, "%s: expected a shape of %lld elements, got one whose size overflows.", op,
                  static_cast<long long>(x.numel()));
    }
  }
  if (free >= 0) {
    if (known == 0 || x.numel() % known != 0)
      return fail(kRuntimeError, "%s: expected sizes that divide the %lld elements of shape %s, got %s.", op,
                  static_cast<long long>(x.numel()), shape_text(x.layout), shape_text(n, want));
    shape[free] = x.numel() / known;
  } else if (known != x.numel()) {
    return fail(kRuntimeError, "%s: expected a shape of %lld elements, got %s from a tensor of shape %s.", op,
                static_cast<long long>(x.numel()), shape_text(n, want), shape_text(x.layout));
  }
  return 0;
}

// Strides that show x under `shape` without moving an element; false where there are none.
bool view_strides(const Array& x, int n, const index_t* shape, index_t* strides) {
  if (x.layout->contiguous) {
    index_t s = 1;
    for (int d = n - 1; d >= 0; --d) {
      strides[d] = s;
      if (shape[d] > 1) s *= shape[d];
    }
    return true;
  }
  // Walk both shapes from the inside; each run of the old shape that is contiguous in itself must be cut whole.
  int old = x.ndim() - 1, now = n - 1;
  while (old >= 0 || now >= 0) {
    index_t chunk_stride = old >= 0 ? x.strides()[old] : 1, chunk = old >= 0 ? x.shape()[old] : 1;
    --old;
    while (old >= 0 && (x.shape()[old] == 1 || chunk == 1 || x.strides()[old] == chunk_stride * chunk)) {
      if (chunk == 1) chunk_stride = x.strides()[old];
      chunk *= x.shape()[old];
      --old;
    }
    index_t done = 1, s = chunk_stride;
    while (now >= 0 && (done < chunk || shape[now] == 1)) {
      strides[now] = s;
      s *= shape[now];
      done *= shape[now];
      --now;
    }
    if (done != chunk) return false;
    if (old < 0) {
      while (now >= 0) {
        if (shape[now] != 1) return false;
        strides[now--] = s;
      }
    }
  }
  return true;
}

// view(x; shape)
int forward_view(OpCall& c) {
  AttrReader r(c.attr);
  int n;
  const std::int64_t* want = r.list(&n);
  index_t shape[kMaxDims], strides[kMaxDims];
  if (resolve_shape(c.op->name, c.in[0], want, n, shape) < 0) return -1;
  if (!view_strides(c.in[0], n, shape, strides))
    return fail(kRuntimeError,
                "view: expected a layout that %s can look at without copying, got strides %s of shape "
                "%s. Use reshape().",
                shape_text(n, shape), shape_text(c.in[0].ndim(), c.in[0].strides()), shape_text(c.in[0].layout));
  return emit_view(c, layout_strided(n, shape, strides), 0);
}

// reshape(x; shape): a view where the layout allows, else a view of a contiguous copy.
int reshape_to(OpCall& c, int n, const index_t* shape) {
  index_t strides[kMaxDims];
  if (view_strides(c.in[0], n, shape, strides)) return emit_view(c, layout_strided(n, shape, strides), 0);
  Array dense;
  if (as_contiguous(c.in[0], c.in[0].dtype, &dense) < 0) return -1;
  c.out[0] = dense;
  layout_decref(dense.layout);
  c.out[0].layout = layout_contiguous(n, shape);
  return 0;
}

int forward_reshape(OpCall& c) {
  AttrReader r(c.attr);
  int n;
  const std::int64_t* want = r.list(&n);
  index_t shape[kMaxDims];
  if (resolve_shape(c.op->name, c.in[0], want, n, shape) < 0) return -1;
  return reshape_to(c, n, shape);
}

// reshape_like(x, like)
int forward_reshape_like(OpCall& c) {
  const Array& like = c.in[1];
  if (c.in[0].numel() != like.layout->numel)
    return fail(kRuntimeError, "%s: expected as many elements as in shape %s, got shape %s.", c.op->name,
                shape_text(like.layout), shape_text(c.in[0].layout));
  return reshape_to(c, like.ndim(), like.shape());
}

// rows(x): all leading dimensions merged into one, (…, n) → (m, n).
int forward_rows(OpCall& c) {
  const Array& x = c.in[0];
  index_t n = x.ndim() ? x.shape()[x.ndim() - 1] : 1, m = 1;
  for (int d = 0; d + 1 < x.ndim(); ++d) m *= x.shape()[d];
  index_t shape[2] = {m, n};
  return reshape_to(c, 2, shape);
}

// permute(x; dims)
int forward_permute(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int n;
  const std::int64_t* dims = r.list(&n);
  if (n != x.ndim())
    return fail(kRuntimeError, "%s: expected %d dimensions, one for each of the tensor's, got %d.", c.op->name,
                x.ndim(), n);
  bool mask[kMaxDims];
  if (n > 0 && dims_mask(c.op->name, dims, n, x.ndim(), mask) < 0) return -1;
  index_t shape[kMaxDims], strides[kMaxDims];
  for (int d = 0; d < n; ++d) {
    int from = static_cast<int>(dims[d] < 0 ? dims[d] + n : dims[d]);
    shape[d] = x.shape()[from];
    strides[d] = x.strides()[from];
  }
  return emit_view(c, layout_strided(n, shape, strides), 0);
}

// transpose(x; dim0, dim1)
int forward_transpose(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int a = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (a < 0) return -1;
  int b = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (b < 0) return -1;
  index_t shape[kMaxDims], strides[kMaxDims];
  for (int d = 0; d < x.ndim(); ++d) {
    int from = d == a ? b : d == b ? a : d;
    shape[d] = x.shape()[from];
    strides[d] = x.strides()[from];
  }
  return emit_view(c, layout_strided(x.ndim(), shape, strides), 0);
}

int expand_to(OpCall& c, int n, const index_t* want) {
  const Array& x = c.in[0];
  int lead = n - x.ndim();
  if (lead < 0)
    return fail(kRuntimeError, "%s: expected at least %d sizes for a tensor of shape %s, got %d.", c.op->name,
                x.ndim(), shape_text(x.layout), n);
  index_t shape[kMaxDims];
  for (int d = 0; d < n; ++d) {
    index_t own = d < lead ? 1 : x.shape()[d - lead];
    shape[d] = want[d] == -1 && d >= lead ? own : want[d];
    if (shape[d] < 0 || (own != 1 && own != shape[d]))
      return fail(kRuntimeError,
                  "%s: expected a shape that %s broadcasts to, got %s (dimension %d). Only sizes of 1 "
                  "can be expanded.",
                  c.op->name, shape_text(x.layout), shape_text(n, want), d);
  }
  return emit_view(c, expand_layout(x, n, shape), 0);
}

// expand(x; shape) and expand_like(x, like)
int forward_expand(OpCall& c) {
  AttrReader r(c.attr);
  int n;
  const std::int64_t* want = r.list(&n);
  return expand_to(c, n, want);
}
int forward_expand_like(OpCall& c) { return expand_to(c, c.in[1].ndim(), c.in[1].shape()); }

// unreduce_like(g, like; dims, keepdim): g, reduced over dims, shown in like's shape by expanding those dims.
int forward_unreduce_like(OpCall& c) {
  const Array &g = c.in[0], &like = c.in[1];
  AttrReader r(c.attr);
  int n;
  const std::int64_t* dims = r.list(&n);
  bool mask[kMaxDims];
  if (dims_mask(c.op->name, dims, n, like.ndim(), mask) < 0) return -1;
  bool keepdim = r.boolean();
  if (expect_reduced(c, mask, keepdim) < 0) return -1;
  index_t shape[kMaxDims], strides[kMaxDims];
  int own = 0;
  for (int d = 0; d < like.ndim(); ++d) {
    shape[d] = like.shape()[d];
    strides[d] = mask[d] ? 0 : g.strides()[own];
    if (!mask[d] || keepdim) ++own;
  }
  return emit_view(c, layout_strided(like.ndim(), shape, strides), 0);
}

// unsqueeze(x; dim)
int forward_unsqueeze(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int n = x.ndim() + 1, dim = normalize_dim(c.op->name, r.integer(), n);
  if (dim < 0) return -1;
  if (n > kMaxDims)
    return fail(kValueError, "%s: expected at most %d dimensions, got %d.", c.op->name, kMaxDims, n);
  index_t shape[kMaxDims], strides[kMaxDims];
  for (int d = 0, own = 0; d < n; ++d) {
    if (d == dim) {
      shape[d] = 1;
      strides[d] = own < x.ndim() ? x.shape()[own] * x.strides()[own] : 1;
    } else {
      shape[d] = x.shape()[own];
      strides[d] = x.strides()[own++];
    }
  }
  return emit_view(c, layout_strided(n, shape, strides), 0);
}

// squeeze(x; dims): drops those of the dimensions that have size 1; an absent list means all.
int forward_squeeze(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int n;
  const std::int64_t* dims = r.list(&n);
  bool mask[kMaxDims];
  if (n == 0) {
    for (int d = 0; d < x.ndim(); ++d) mask[d] = false;
  } else if (dims_mask(c.op->name, dims, n, x.ndim(), mask) < 0) {
    return -1;
  }
  index_t shape[kMaxDims], strides[kMaxDims];
  int k = 0;
  for (int d = 0; d < x.ndim(); ++d) {
    if (mask[d] && x.shape()[d] == 1) continue;
    shape[k] = x.shape()[d];
    strides[k++] = x.strides()[d];
  }
  return emit_view(c, layout_strided(k, shape, strides), 0);
}

// select(x; dim, index)
int forward_select(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  std::int64_t wanted = r.integer(), index = r.integer();
  if (x.ndim() == 0)
    return fail(kIndexError, "%s: expected a tensor with dimensions, got shape (). Use .item() for its value.",
                c.op->name);
  int dim = normalize_dim(c.op->name, wanted, x.ndim());
  if (dim < 0) return -1;
  index_t size = x.shape()[dim];
  if (index < -size || index >= size)
    return fail(kIndexError,
                "%s: expected an index in [%lld, %lld) for dimension %d, got %lld. The tensor has shape "
                "%s.",
                c.op->name, static_cast<long long>(-size), static_cast<long long>(size), dim,
                static_cast<long long>(index), shape_text(x.layout));
  if (index < 0) index += size;
  index_t shape[kMaxDims], strides[kMaxDims];
  int k = 0;
  for (int d = 0; d < x.ndim(); ++d) {
    if (d == dim) continue;
    shape[k] = x.shape()[d];
    strides[k++] = x.strides()[d];
  }
  return emit_view(c, layout_strided(k, shape, strides), index * x.strides()[dim]);
}

// The region that slice(x; dim, start, length, step) selects; start and length are already clipped.
Layout* slice_layout(const Array& x, int dim, index_t length, index_t step) {
  index_t shape[kMaxDims], strides[kMaxDims];
  for (int d = 0; d < x.ndim(); ++d) {
    shape[d] = d == dim ? length : x.shape()[d];
    strides[d] = d == dim ? x.strides()[d] * step : x.strides()[d];
  }
  return layout_strided(x.ndim(), shape, strides);
}

int forward_slice(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (dim < 0) return -1;
  index_t start = r.integer(), length = r.integer(), step = r.integer();
  index_t size = x.ndim() ? x.shape()[dim] : 0;
  if (length < 0 || step < 1 || start < 0 || (length > 0 && start + (length - 1) * step >= size))
    return fail(kIndexError, "%s: expected a range inside size %lld, got start %lld, length %lld, step %lld.",
                c.op->name, static_cast<long long>(size), static_cast<long long>(start),
                static_cast<long long>(length), static_cast<long long>(step));
  return emit_view(c, slice_layout(x, dim, length, step), start * x.strides()[dim]);
}

struct Region {
  int n = 0;
  const std::int64_t *shape = nullptr, *strides = nullptr;
  index_t offset = 0;
};

// Reads (shape, strides, offset) and checks that the region lies among `items` elements, of which the operand's
// first is number `first`; -1: among any.
int read_region(OpCall& c, index_t first, index_t items, Region* r) {
  AttrReader attrs(c.attr);
  int m;
  r->shape = attrs.list(&r->n);
  r->strides = attrs.list(&m);
  r->offset = attrs.integer();
  if (r->n != m)
    return fail(kRuntimeError, "%s: expected as many strides as sizes, got %d and %d.", c.op->name, r->n, m);
  index_t low;
  bool beyond = __builtin_add_overflow(r->offset, first, &low);
  index_t high = low;
  bool none = false;
  for (int d = 0; d < r->n; ++d) {
    if (r->shape[d] < 0)
      return fail(kRuntimeError, "%s: expected sizes of at least 0, got %s.", c.op->name,
                  shape_text(r->n, r->shape));
    none |= r->shape[d] == 0;
    index_t reach, &end = r->strides[d] < 0 ? low : high;
    beyond |=
        __builtin_mul_overflow(r->shape[d] - 1, r->strides[d], &reach) || __builtin_add_overflow(end, reach, &end);
  }
  if (items < 0) items = high < INT64_MAX ? high + 1 : high;
  if (!none && (beyond || low < 0 || high >= items))
    return fail(kRuntimeError,
                "%s: expected a region inside a storage of %lld elements, got elements %lld to %lld.", c.op->name,
                static_cast<long long>(items), static_cast<long long>(low), static_cast<long long>(high));
  return 0;
}

// as_strided(x; shape, strides, offset): any layout over the storage, offset in elements from x's first.
int forward_as_strided(OpCall& c) {
  const Array& x = c.in[0];
  const index_t size = itemsize(x.dtype);
  const index_t items = x.flags & kShapeOnly ? -1 : static_cast<index_t>(x.storage ? x.storage->bytes : 8) / size;
  Region r;
  if (read_region(c, x.storage ? x.u.offset / size : 0, items, &r) < 0) return -1;
  return emit_view(c, layout_strided(r.n, r.shape, r.strides), r.offset);
}

// diagonal(x; offset, dim1, dim2): the diagonals as the last dimension.
int forward_diagonal(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  index_t offset = r.integer();
  int a = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (a < 0) return -1;
  int b = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (b < 0) return -1;
  if (a == b || x.ndim() < 2)
    return fail(kRuntimeError, "%s: expected two different dimensions, got %d twice.", c.op->name, a);
  index_t rows = x.shape()[a], cols = x.shape()[b];
  index_t n =
      offset >= 0 ? (cols - offset < rows ? cols - offset : rows) : (rows + offset < cols ? rows + offset : cols);
  if (n < 0) n = 0;
  index_t shift = n == 0 ? 0 : offset >= 0 ? offset * x.strides()[b] : -offset * x.strides()[a];
  index_t shape[kMaxDims], strides[kMaxDims];
  int k = 0;
  for (int d = 0; d < x.ndim(); ++d) {
    if (d == a || d == b) continue;
    shape[k] = x.shape()[d];
    strides[k++] = x.strides()[d];
  }
  shape[k] = n;
  strides[k++] = x.strides()[a] + x.strides()[b];
  return emit_view(c, layout_strided(k, shape, strides), shift);
}

// unfold(x; dim, size, step): windows of a dimension as a new last dimension.
int forward_unfold(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (dim < 0) return -1;
  index_t size = r.integer(), step = r.integer(), length = x.ndim() ? x.shape()[dim] : 1;
  if (size < 0 || step < 1 || size > length)
    return fail(kRuntimeError,
                "%s: expected a window of at most %lld and a step of at least 1, got size %lld and "
                "step %lld.",
                c.op->name, static_cast<long long>(length), static_cast<long long>(size),
                static_cast<long long>(step));
  index_t shape[kMaxDims], strides[kMaxDims];
  for (int d = 0; d < x.ndim(); ++d) {
    shape[d] = d == dim ? (length - size) / step + 1 : x.shape()[d];
    strides[d] = d == dim ? x.strides()[d] * step : x.strides()[d];
  }
  int n = x.ndim();
  shape[n] = size;
  strides[n] = x.ndim() ? x.strides()[dim] : 1;
  if (x.ndim() == 0) shape[0] = size, strides[0] = 1, n = 0;
  return emit_view(c, layout_strided(n + 1, shape, strides), 0);
}

// as_strided_rows(x; shape, strides, offset): as_strided of x as it would lie row by row; a view where it does.
int forward_as_strided_rows(OpCall& c) {
  if (c.in[0].layout->contiguous) return forward_as_strided(c);
  Array dense;
  if (c.dry || c.in[0].flags & kShapeOnly) {
    dense = c.in[0];
    dense.flags |= kShapeOnly;
    array_ref(dense);
  } else if (as_contiguous(c.in[0], c.in[0].dtype, &dense) < 0) {
    return -1;
  }
  OpCall view{c.op, &dense, 1, c.attr, c.out, 1};
  view.dry = c.dry;
  int status = forward_as_strided(view);
  array_unref(dense);
  return status;
}

// The gradients of select, slice, diagonal, unfold and as_strided are their embeddings: zeros of like's shape with
// g added at the region. With `accumulate` the region of an existing gradient is added to, and nothing else moves.
int embed_region(OpCall& c, ForwardFn region) {
  const Array &g = c.in[0], &like = c.in[1];
  const bool half = is_half(g.dtype);  // added in float32
  if (c.accumulate && (half || c.dest->dtype != g.dtype)) return kCannotAccumulate;
  Operand value;
  Result sum;
  if (c.accumulate) {
    c.out[0] = *c.dest;
    array_ref(c.out[0]);
  } else {
    const int compute = compute_dtype(g.dtype);
    int go = sum.emit(c, 0, g.dtype, compute, layout_contiguous(like.ndim(), like.shape()));
    if (go <= 0) return go;
    if (value.take(g, compute) < 0 || fill_zero(half ? sum.array() : c.out[0]) < 0) return -1;
  }
  const Array& from = half ? value.array() : g;
  Array whole = half ? sum.array() : c.out[0], part;
  if (whole.ndim() == 0 && !whole.storage) {  // a 0-d value has one region: itself
    return c.accumulate ? add_into(g, *c.dest) : copy_into(g, c.out[0]);
  }
  OpCall view{c.op, &whole, 1, c.attr, &part, 1};
  if (region(view) < 0) return -1;
  int status = same_shape(from.layout, part.layout) ? add_into(from, part) : expect_shape(c, 0, part.layout);
  array_unref(part);
  return status < 0 ? -1 : sum.finish();
}

int forward_select_embed(OpCall& c) { return embed_region(c, forward_select); }
int forward_slice_embed(OpCall& c) { return embed_region(c, forward_slice); }
int forward_diagonal_embed(OpCall& c) { return embed_region(c, forward_diagonal); }
int forward_unfold_embed(OpCall& c) { return embed_region(c, forward_unfold); }
int forward_as_strided_embed(OpCall& c) {
  Region r;
  if (read_region(c, 0, c.in[1].numel(), &r) < 0) return -1;
  return embed_region(c, forward_as_strided);
}

// strided_scatter(x, src; shape, strides, offset): a copy of x with the region replaced by src.
int forward_strided_scatter(OpCall& c) {
  const Array &x = c.in[0], &src = c.in[1];
  Region r;
  if (read_region(c, 0, x.numel(), &r) < 0) return -1;
  int go = c.emit(0, x.dtype, layout_contiguous(x.ndim(), x.shape()));
  if (go <= 0) return go;
  if (copy_into(x, c.out[0]) < 0) return -1;
  if (!c.out[0].storage) {  // a 0-d value has one region: itself
    if (src.numel() == 1) return copy_into(src, c.out[0]);
    return expect_shape(c, 1, c.out[0].layout);
  }
  Array whole = c.out[0], part;
  OpCall view{c.op, &whole, 1, c.attr, &part, 1};
  if (forward_as_strided(view) < 0) return -1;
  int status = expect_shape(c, 1, part.layout) < 0 ? -1 : copy_into(src, part);
  array_unref(part);
  return status;
}

// alias(x): the same elements as a new tensor (detach, .data, view_as).
int forward_alias(OpCall& c) {
  layout_incref(c.in[0].layout);
  return emit_view(c, c.in[0].layout, 0);
}

}  // namespace

extern const ForwardEntry view_forwards[] = {{"view", forward_view},
                                             {"reshape", forward_reshape},
                                             {"reshape_like", forward_reshape_like},
                                             {"rows", forward_rows},
                                             {"permute", forward_permute},
                                             {"transpose", forward_transpose},
                                             {"expand", forward_expand},
                                             {"expand_like", forward_expand_like},
                                             {"unreduce_like", forward_unreduce_like},
                                             {"unsqueeze", forward_unsqueeze},
                                             {"squeeze", forward_squeeze},
                                             {"select", forward_select},
                                             {"slice", forward_slice},
                                             {"as_strided", forward_as_strided},
                                             {"as_strided_rows", forward_as_strided_rows},
                                             {"strided_scatter", forward_strided_scatter},
                                             {"diagonal", forward_diagonal},
                                             {"unfold", forward_unfold},
                                             {"select_embed", forward_select_embed},
                                             {"slice_embed", forward_slice_embed},
                                             {"diagonal_embed", forward_diagonal_embed},
                                             {"unfold_embed", forward_unfold_embed},
                                             {"as_strided_embed", forward_as_strided_embed},
                                             {"alias", forward_alias},
                                             {nullptr, nullptr}};

}  // namespace wg
