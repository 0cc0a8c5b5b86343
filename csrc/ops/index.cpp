// Indexing: rows and elements at computed positions, read, written and added to.
//
// Positions arrive as int64 tensors, negative ones count from the end where the op allows it. A gather's gradient
// is a scatter-add in ascending order of the positions' place, so that it never depends on the number of threads.
#include "wengert/index.h"

#include <cstring>

#include "wengert/kernels.h"
#include "wengert/op.h"
#include "wengert/parallel.h"
#include "wengert/staged.h"

namespace wg {

namespace {

int index_error(const OpCall& c, ErrorKind kind, std::int64_t value, index_t n) {
  return fail(kind, "%s: expected indices in [%lld, %lld), got %lld, which is out of range.", c.op->name,
              static_cast<long long>(-n), static_cast<long long>(n), static_cast<long long>(value));
}

constexpr index_t kIndexPart = 1 << 18;  // positions that are looked at without a look whether to leave off

// Whether all of m positions lie in [0, n).
bool all_inside(const std::int64_t* p, index_t m, index_t n) {
  static const auto inside = kernel_fn<AllInsideFn>("all_inside", kInt64);
  if (m <= kIndexPart) return inside(p, m, n);
  bool outside = false;
  parallel_for((m + kIndexPart - 1) / kIndexPart, [&](index_t part) {
    const index_t start = part * kIndexPart, left = m - start;
    if (!inside(p + start, left < kIndexPart ? left : kIndexPart, n))
      __atomic_store_n(&outside, true, __ATOMIC_RELAXED);
  });
  return !outside;
}

// A copy of m positions with negative ones wrapped, checked against n; -1 with the error set.
int wrap_index(const OpCall& c, const std::int64_t* from, std::int64_t* to, index_t m, index_t n, bool wraps) {
  static const auto check = kernel_fn<CheckIndexFn>("check_index", kInt64);
  for (index_t i = 0; !wraps && i < m; ++i)
    if (from[i] < 0)
      return fail(kRuntimeError, "%s: expected indices in [0, %lld), got %lld, which is out of bounds.", c.op->name,
                  static_cast<long long>(n), static_cast<long long>(from[i]));
  for (index_t i = 0; i < m; i += kIndexPart) {
    const index_t bad = check(from + i, to + i, m - i < kIndexPart ? m - i : kIndexPart, n);
    if (bad >= 0) {
      const std::int64_t value = to[i + bad];
      return index_error(c, wraps ? kIndexError : kRuntimeError, value < 0 ? value - n : value, n);
    }
    if (leave_off()) return -1;
  }
  return 0;
}

// A contiguous int64 index with negative values wrapped and all of them checked against n: the index itself where
// it is that already and the op does not write to its memory.
int checked_index(const OpCall& c, const Array& index, index_t n, bool wraps, Array* out) {
  if (!is_int(index.dtype))
    return fail(kIndexError, "%s: expected an index of integers, got %s. Use .long().", c.op->name,
                kDTypeName[index.dtype]);
  const index_t m = index.numel();
  const bool direct = index.dtype == kInt64 && index.layout->contiguous;
  const auto* own = reinterpret_cast<const std::int64_t*>(index.data());
  if (direct && (!index.storage || index.storage != c.out[0].storage)) {
    bool inside;
    {
      Unlocked unlocked(m * 8 >= kUnlockBytes);
      inside = all_inside(own, m, n);
    }
    if (interrupted()) return -1;  // not all of them were seen
    if (inside) {
      *out = index;
      array_ref(*out);
      return 0;
    }
  }
  if (!array_new(out, kInt64, layout_contiguous(index.ndim(), index.shape())))
    return fail_memory(c.op->name, m * 8);
  auto* p = reinterpret_cast<std::int64_t*>(out->data());
  int status = direct ? 0 : copy_into(index, *out);
  if (interrupted()) status = -1;  // there are no positions
  if (status == 0) {
    Unlocked unlocked(m * 8 >= kUnlockBytes);
    status = wrap_index(c, direct ? own : p, p, m, n, wraps);
  }
  if (status < 0) array_unref(*out);
  return status;
}

// The indexed dimensions of x: adjacent ones keep their place, others come first.
struct Place {
  int count, first;
  bool adjacent;
  index_t outer = 1, n = 1, inner = 1;
  int order[kMaxDims];  // of x's dimensions as the kernels see them

  int find(const OpCall& c, const Array& x, const std::int64_t* dims, int k) {
    bool mask[kMaxDims];
    if (k > x.ndim() || k < 1)
      return fail(kIndexError, "%s: expected at most %d indices for shape %s, got %d.", c.op->name, x.ndim(),
                  shape_text(x.layout), k);
    if (dims_mask(c.op->name, dims, k, x.ndim(), mask) < 0) return -1;
    count = k;
    first = 0;
    while (!mask[first]) ++first;
    adjacent = true;
    for (int d = first; d < first + k; ++d) adjacent = adjacent && mask[d];
    int at = 0;
    if (!adjacent) first = 0;
    for (int d = 0; d < (adjacent ? first : 0); ++d) order[at++] = d;
    for (int d = 0; d < x.ndim(); ++d)
      if (mask[d]) order[at++] = d;
    for (int d = adjacent ? first : 0; d < x.ndim(); ++d)
      if (!mask[d]) order[at++] = d;
    for (int d = 0; d < x.ndim(); ++d) {
      index_t size = x.shape()[order[d]];
      (d < first ? outer : d < first + count ? n : inner) *= size;
    }
    return 0;
  }

  // x's view in the kernels' order.
  Layout* view(const Array& x) const {
    index_t shape[kMaxDims], strides[kMaxDims];
    for (int d = 0; d < x.ndim(); ++d) {
      shape[d] = x.shape()[order[d]];
      strides[d] = x.strides()[order[d]];
    }
    return layout_strided(x.ndim(), shape, strides);
  }

  // The shape of what the index selects.
  Layout* selected(const Array& x, const Array& index) const {
    index_t shape[2 * kMaxDims];
    int at = 0;
    for (int d = 0; d < first; ++d) shape[at++] = x.shape()[order[d]];
    for (int d = 0; d < index.ndim(); ++d) shape[at++] = index.shape()[d];
    for (int d = first + count; d < x.ndim(); ++d) shape[at++] = x.shape()[order[d]];
    return layout_contiguous(at, shape);
  }
};

int check_dims(const OpCall& c, const Array& x, const Array& index, int k) {
  if (x.ndim() - k + index.ndim() <= kMaxDims) return 0;
  return fail(kIndexError, "%s: expected a result of at most %d dimensions, got %d.", c.op->name, kMaxDims,
              x.ndim() - k + index.ndim());
}

// index_get(x, index; dims): index holds flat positions in the dimensions `dims`.
int forward_index_get(OpCall& c) {
  const Array &x = c.in[0], &index = c.in[1];
  AttrReader r(c.attr);
  int k;
  const std::int64_t* dims = r.list(&k);
  Place place;
  if (place.find(c, x, dims, k) < 0 || check_dims(c, x, index, k) < 0) return -1;
  int go = c.emit(0, x.dtype, place.selected(x, index));
  if (go <= 0) return go;
  Array at, dense, view = x;
  if (checked_index(c, index, place.n, true, &at) < 0) return -1;
  view.layout = place.view(x);
  int status = as_contiguous(view, x.dtype, &dense);
  layout_decref(view.layout);
  if (status == 0) {
    static const auto gather = kernel_fn<RowIndexFn>("gather_rows", kInt64);
    Unlocked unlocked(c.out[0].nbytes() >= kUnlockBytes);
    if (c.out[0].numel() > 0)
      gather({dense.data(), reinterpret_cast<const std::int64_t*>(at.data()), c.out[0].data(), place.outer, place.n,
              at.numel(), place.inner, itemsize(x.dtype)});
    array_unref(dense);
  }
  array_unref(at);
  return status;
}

bool shares_memory(const Array& a, const Array& b) { return a.storage && a.storage == b.storage; }

// Writes (or adds) the rows of `src`, of the selected shape, into `whole` (any layout) at checked positions.
int scatter_into(const OpCall& c, const Array& whole, const Place& place, const Array& at, const Array& src,
                 const char* kernel) {
  const bool add = std::strcmp(kernel, "scatter_add_rows") == 0;
  const int dtype = add && is_half(whole.dtype) ? static_cast<int>(kFloat32) : whole.dtype;
  const auto run = kernel_fn<RowIndexFn>(kernel, add ? dtype : static_cast<int>(kInt64));
  if (!run)
    return fail(kRuntimeError, "%s: expected a dtype with arithmetic, got %s. Convert the tensor first.",
                c.op->name, kDTypeName[whole.dtype]);
  Array rows, target, view = whole;
  if (as_contiguous(src, dtype, &rows) < 0) return -1;
  if (shares_memory(rows, whole)) {
    Array copy;
    if (!array_new(&copy, dtype, layout_contiguous(rows.ndim(), rows.shape()))) return fail_memory(c.op->name, 0);
    copy_into(rows, copy);
    array_unref(rows);
    rows = copy;
  }
  view.layout = place.view(whole);
  int status = as_contiguous(view, dtype, &target);
  if (status == 0) {
    const RowIndex job{rows.data(),   reinterpret_cast<const std::int64_t*>(at.data()),
                       target.data(), place.outer,
                       place.n,       at.numel(),
                       place.inner,   itemsize(dtype)};
    {
      Unlocked unlocked(rows.nbytes() >= kUnlockBytes);
      if (rows.numel() > 0) run(job);
    }
    if (target.storage != whole.storage) status = copy_into(target, view);
    array_unref(target);
  }
  layout_decref(view.layout);
  array_unref(rows);
  return status;
}

// Zeros of like's shape to add g's positions to, or the gradient that is there.
int embed_target(OpCall& c, const Array& g, const Array& like) {
  if (c.accumulate) {
    if (is_half(g.dtype) || c.dest->dtype != g.dtype) return kCannotAccumulate;
    c.out[0] = *c.dest;
    array_ref(c.out[0]);
    return 2;
  }
  int go = c.emit(0, g.dtype, layout_contiguous(like.ndim(), like.shape()));
  if (go <= 0) return go;
  return fill_zero(c.out[0]) < 0 ? -1 : 2;
}

// index_embed(g, index, like; dims): zeros of like's shape with g added at positions.
int forward_index_embed(OpCall& c) {
  const Array &g = c.in[0], &index = c.in[1], &like = c.in[2];
  AttrReader r(c.attr);
  int k;
  const std::int64_t* dims = r.list(&k);
  Place place;
  if (place.find(c, like, dims, k) < 0) return -1;
  if (check_dims(c, like, index, k) < 0) return -1;
  Layout* selected = place.selected(like, index);
  const int bad = expect_shape(c, 0, selected);
  layout_decref(selected);
  if (bad < 0) return -1;
  int go = embed_target(c, g, like);
  if (go != 2) return go;
  Array at;
  if (checked_index(c, index, place.n, true, &at) < 0) return -1;
  int status = scatter_into(c, c.out[0], place, at, g, "scatter_add_rows");
  array_unref(at);
  return status;
}

// The result starts as x; in place it is x.
int start_from(OpCall& c, const Array& x) {
  if (c.dest) {
    layout_incref(c.dest->layout);
    int go = c.emit(0, x.dtype, c.dest->layout);
    if (go > 0 && x.storage == c.dest->storage && x.storage) return 2;
    return go <= 0 ? go : copy_into(x, c.out[0]) < 0 ? -1 : 2;
  }
  int go = c.emit(0, x.dtype, layout_contiguous(x.ndim(), x.shape()));
  return go <= 0 ? go : copy_into(x, c.out[0]) < 0 ? -1 : 2;
}

// index_put(x, index, values; dims): x with values (broadcast) written or added (by kernel) at positions.
int forward_index_put(OpCall& c) {
  const Array &x = c.in[0], &index = c.in[1], &values = c.in[2];
  AttrReader r(c.attr);
  int k;
  const std::int64_t* dims = r.list(&k);
  Place place;
  if (place.find(c, x, dims, k) < 0 || check_dims(c, x, index, k) < 0) return -1;
  Layout* selected = place.selected(x, index);
  int lead = selected->ndim - values.ndim();
  bool fits = lead >= 0;
  for (int d = 0; fits && d < values.ndim(); ++d)
    fits = values.shape()[d] == 1 || values.shape()[d] == selected->shape()[lead + d];
  if (!fits) {
    fail(kRuntimeError, "%s: expected values that broadcast to the selected shape %s, got a shape mismatch: %s.",
         c.op->name, shape_text(selected), shape_text(values.layout));
    layout_decref(selected);
    return -1;
  }
  int go = start_from(c, x);
  if (go != 2) {
    layout_decref(selected);
    return go;
  }
  Array at, shown = values;
  shown.layout = expand_layout(values, selected->ndim, selected->shape());
  layout_decref(selected);
  int status = checked_index(c, index, place.n, true, &at);
  if (status == 0) {
    status = scatter_into(c, c.out[0], place, at, shown, c.op->kernel);
    array_unref(at);
  }
  layout_decref(shown.layout);
  return status;
}

// ---- element by element -------------------------------------------------------------------------------------

// [outer][m][inner] of a shape around a dimension; 0-d counts as one element.
struct Around {
  index_t outer = 1, m = 1, inner = 1;
  Around(const Layout* l, int dim) {
    for (int d = 0; d < l->ndim; ++d) (d < dim ? outer : d == dim ? m : inner) *= l->shape()[d];
  }
};

// The part of x beside the index: x's own size along dim, the index's sizes elsewhere. New layout.
Layout* beside(const Array& x, const Array& index, int dim, bool along) {
  index_t shape[kMaxDims];
  for (int d = 0; d < x.ndim(); ++d) shape[d] = d == dim && !along ? x.shape()[d] : index.shape()[d];
  return layout_strided(x.ndim(), shape, x.strides());
}

int check_index_shape(const OpCall& c, const Array& x, const Array& index, int dim, const char* what) {
  bool fits = x.ndim() == index.ndim() || (x.ndim() < 2 && index.ndim() < 2);
  for (int d = 0; fits && d < x.ndim() && d < index.ndim(); ++d)
    fits = d == dim || index.shape()[d] <= x.shape()[d];
  if (fits || index.numel() == 0) return 0;
  return fail(kRuntimeError,
              "%s: expected an index whose sizes are at most those of the %s except in dimension %d, got "
              "%s for %s.",
              c.op->name, what, dim, shape_text(index.layout), shape_text(x.layout));
}

// x with an index of one element beside a 0-d tensor, and the other way round: both as 1-d.
Layout* at_least_1d(const Array& a) {
  if (a.ndim() > 0) {
    layout_incref(a.layout);
    return a.layout;
  }
  index_t one = 1;
  return layout_contiguous(1, &one);
}

// out (any layout, index's shape) = elements of x at index along dim.
int gather_elements(const OpCall& c, Array x, Array index, int dim, Array& out) {
  Layout *xl = at_least_1d(x), *il = at_least_1d(index);
  x.layout = xl;
  index.layout = il;
  int status = -1;
  Array at, dense, view = x;
  if (checked_index(c, index, x.shape()[dim], false, &at) == 0) {
    view.layout = beside(x, index, dim, false);
    if (as_contiguous(view, x.dtype, &dense) == 0) {
      static const auto gather = kernel_fn<ElementIndexFn>("gather", kInt64);
      Around a(index.layout, dim);
      Unlocked unlocked(out.nbytes() >= kUnlockBytes);
      gather({dense.data(), reinterpret_cast<const std::int64_t*>(at.data()), out.data(), a.outer, x.shape()[dim],
              a.m, a.inner, itemsize(x.dtype), false});
      array_unref(dense);
      status = 0;
    }
    layout_decref(view.layout);
    array_unref(at);
  }
  layout_decref(xl);
  layout_decref(il);
  return status;
}

// Combines src (index's shape, or one value) into `whole` (any layout) at index along dim.
int scatter_elements(const OpCall& c, Array& whole, Array index, Array src, bool one_value, int dim,
                     const char* kernel) {
  const bool moves = std::strcmp(kernel, "scatter") == 0;
  const int dtype = !moves && is_half(whole.dtype) ? static_cast<int>(kFloat32) : whole.dtype;
  const auto run = kernel_fn<ElementIndexFn>(kernel, moves ? static_cast<int>(kInt64) : dtype);
  if (!run)
    return fail(kRuntimeError, "%s: expected a dtype with arithmetic, got %s. Convert the tensor first.",
                c.op->name, kDTypeName[whole.dtype]);
  if (index.numel() == 0) return 0;
  Layout *wl = at_least_1d(whole), *il = at_least_1d(index);
  Array w = whole;
  w.layout = wl;
  index.layout = il;
  int status = -1;
  Array at, values, target, view = w;
  if (checked_index(c, index, w.shape()[dim], false, &at) == 0) {
    view.layout = beside(w, index, dim, false);
    if (as_contiguous(src, dtype, &values) == 0) {
      if (as_contiguous(view, dtype, &target) == 0) {
        Around a(index.layout, dim);
        status = 0;
        {
          Unlocked unlocked(values.nbytes() >= kUnlockBytes);
          run({values.data(), reinterpret_cast<const std::int64_t*>(at.data()), target.data(), a.outer,
               w.shape()[dim], a.m, a.inner, itemsize(dtype), one_value});
        }
        if (!whole.storage) {  // an inline value: the copy is written back
          Array value = target;
          value.layout = layout_scalar();
          status = copy_into(value, whole);
        } else if (target.storage != whole.storage) {
          status = copy_into(target, view);
        }
        array_unref(target);
      }
      array_unref(values);
    }
    layout_decref(view.layout);
    array_unref(at);
  }
  layout_decref(wl);
  layout_decref(il);
  return status;
}

// gather(x, index; dim)
int forward_gather(OpCall& c) {
  const Array &x = c.in[0], &index = c.in[1];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (dim < 0 || check_index_shape(c, x, index, dim, "input") < 0) return -1;
  int go = c.emit(0, x.dtype, layout_contiguous(index.ndim(), index.shape()));
  if (go <= 0) return go;
  return c.out[0].numel() == 0 ? 0 : gather_elements(c, x, index, dim, c.out[0]);
}

// gather_embed(g, index, like; dim): zeros of like's shape with g added at index along dim.
int forward_gather_embed(OpCall& c) {
  const Array &g = c.in[0], &index = c.in[1], &like = c.in[2];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), like.ndim());
  if (dim < 0) return -1;
  if (expect_shape(c, 0, index.layout) < 0 || check_index_shape(c, like, index, dim, "result") < 0) return -1;
  int go = embed_target(c, g, like);
  return go != 2 ? go : scatter_elements(c, c.out[0], index, g, false, dim, "scatter_add");
}

// scatter(x, index, src; dim), by kernel also with add, prod, amax and amin. src has index's shape, or is one
// value.
int forward_scatter(OpCall& c) {
  const Array &x = c.in[0], &index = c.in[1], &src = c.in[2];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (dim < 0 || check_index_shape(c, x, index, dim, "input") < 0) return -1;
  bool one_value = src.ndim() == 0 && (src.flags & kWeak || index.ndim() > 0);
  if (!one_value && !same_shape(src.layout, index.layout))
    return fail(kRuntimeError, "%s: expected a source of the index's shape %s, got %s.", c.op->name,
                shape_text(index.layout), shape_text(src.layout));
  int go = start_from(c, x);
  return go != 2 ? go : scatter_elements(c, c.out[0], index, src, one_value, dim, c.op->kernel);
}

// x's shape with one element in each line along dim, which index (of any dimensions of size 1) must count.
int one_of_each_line(const OpCall& c, const Array& x, const Array& index, int dim, index_t* shape) {
  index_t lines = 1;
  for (int d = 0; d < x.ndim(); ++d) lines *= shape[d] = d == dim ? 1 : x.shape()[d];
  if (lines == index.numel()) return 0;
  return fail(kRuntimeError, "%s: expected one index for each of %lld lines, got shape %s.", c.op->name,
              static_cast<long long>(lines), shape_text(index.layout));
}

// pick(x, index; dim, keepdim): the element of each line along dim at one position; index is the result's shape.
int forward_pick(OpCall& c) {
  const Array &x = c.in[0], &index = c.in[1];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), x.ndim());
  index_t shape[kMaxDims];
  if (dim < 0 || one_of_each_line(c, x, index, dim, shape) < 0) return -1;
  int go = c.emit(0, x.dtype, layout_contiguous(index.ndim(), index.shape()));
  if (go <= 0) return go;
  Array line = index;
  line.layout = nullptr;
  Array dense;
  if (as_contiguous(index, kInt64, &dense) < 0) return -1;
  line = dense;
  line.layout = layout_contiguous(x.ndim(), shape);
  int status = c.out[0].numel() == 0 ? 0 : gather_elements(c, x, line, dim, c.out[0]);
  layout_decref(line.layout);
  array_unref(dense);
  return status;
}

// pick_embed(g, index, like; dim, keepdim): zeros of like's shape with g at one position of each line along dim.
int forward_pick_embed(OpCall& c) {
  const Array &g = c.in[0], &index = c.in[1], &like = c.in[2];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), like.ndim());
  index_t shape[kMaxDims];
  if (dim < 0 || one_of_each_line(c, like, index, dim, shape) < 0 || expect_shape(c, 0, index.layout) < 0)
    return -1;
  int go = embed_target(c, g, like);
  if (go != 2) return go;
  Array at, values;
  if (as_contiguous(index, kInt64, &at) < 0) return -1;
  if (as_contiguous(g, g.dtype, &values) < 0) {
    array_unref(at);
    return -1;
  }
  Array line = at, src = values;
  line.layout = src.layout = layout_contiguous(like.ndim(), shape);
  int status = scatter_elements(c, c.out[0], line, src, false, dim, "scatter_add");
  layout_decref(line.layout);
  array_unref(values);
  array_unref(at);
  return status;
}

// ---- positions ----------------------------------------------------------------------------------------------

// flat_index(indices; sizes): broadcast indices of dimensions of the given sizes as flat positions.
int forward_flat_index(OpCall& c) {
  AttrReader r(c.attr);
  int n;
  const std::int64_t* sizes = r.list(&n);
  if (n != c.nin) return fail(kIndexError, "index: expected one size for each index, got %d and %d.", n, c.nin);
  Layout* layout = broadcast_layout("index", c.in, c.nin);
  if (!layout) {
    last_error().kind = kIndexError;
    return -1;
  }
  int go = c.emit(0, kInt64, layout);
  if (go <= 0) return go;
  auto* out = reinterpret_cast<std::int64_t*>(c.out[0].data());
  const index_t m = c.out[0].numel();
  for (int k = 0; k < n; ++k) {
    Array at, dense, view;
    if (checked_index(c, c.in[k], sizes[k], true, &at) < 0) return -1;
    view = at;
    view.layout = expand_layout(at, c.out[0].ndim(), c.out[0].shape());
    int status = as_contiguous(view, kInt64, &dense);
    layout_decref(view.layout);
    if (status < 0) return -1;
    const auto* p = reinterpret_cast<const std::int64_t*>(dense.data());
    for (index_t i = 0; i < m; ++i) out[i] = k == 0 ? p[i] : out[i] * sizes[k] + p[i];
    array_unref(dense);
    array_unref(at);
  }
  return 0;
}

// true_positions(x): flat positions of what is not zero, ascending. nonzero(x): their coordinates.
int positions(OpCall& c, bool coordinates) {
  const Array& x = c.in[0];
  if (c.dry)
    return fail(kNotImplemented,
                "%s: expected values, got a tensor without them: the result's shape depends on them.", c.op->name);
  Array mask;
  if (as_contiguous(x, kBool, &mask) < 0) return -1;
  static const auto count_true = kernel_fn<CountTrueFn>("count_true", kBool);
  static const auto mask_to_index = kernel_fn<MaskToIndexFn>("mask_to_index", kBool);
  static const auto unravel = kernel_fn<UnravelFn>("unravel", kInt64);
  index_t count = count_true(mask.data(), mask.numel());
  Array flat;
  if (!array_new(&flat, kInt64, layout_contiguous(1, &count))) return fail_memory(c.op->name, 8 * count);
  auto* at = reinterpret_cast<std::int64_t*>(flat.data());
  mask_to_index(mask.data(), mask.numel(), at, count);
  array_unref(mask);
  if (!coordinates) {
    c.out[0] = flat;
    return 0;
  }
  index_t shape[2] = {count, x.ndim()};
  int go = c.emit(0, kInt64, layout_contiguous(2, shape));
  if (go > 0 && c.out[0].numel() > 0)
    unravel(at, count, x.shape(), x.ndim(), reinterpret_cast<std::int64_t*>(c.out[0].data()));
  array_unref(flat);
  return go < 0 ? go : 0;
}
int forward_true_positions(OpCall& c) { return positions(c, false); }
int forward_nonzero(OpCall& c) { return positions(c, true); }

// How often each value in [0, size) occurs among n; false where one lies outside. Additions to one counter wait for
// each other: neighbours count in tables of their own where those are small.
bool count_values(const std::int64_t* x, index_t n, std::int64_t* counts, index_t size) {
  constexpr index_t kSmall = 1024, kTables = 4;
  std::int64_t more[kTables - 1][kSmall];
  index_t i = 0;
  std::memset(counts, 0, static_cast<std::size_t>(size) * 8);
  const auto inside = [&](std::int64_t v) {
    return static_cast<std::uint64_t>(v) < static_cast<std::uint64_t>(size);
  };
  if (size <= kSmall && n > 4 * size) {
    for (auto& table : more) std::memset(table, 0, static_cast<std::size_t>(size) * 8);
    for (; i + kTables <= n; i += kTables) {
      if (!(inside(x[i]) & inside(x[i + 1]) & inside(x[i + 2]) & inside(x[i + 3]))) return false;
      ++counts[x[i]];
      ++more[0][x[i + 1]];
      ++more[1][x[i + 2]];
      ++more[2][x[i + 3]];
    }
    for (index_t v = 0; v < size; ++v) counts[v] += more[0][v] + more[1][v] + more[2][v];
  }
  for (; i < n; ++i) {
    if (!inside(x[i])) return false;
    ++counts[x[i]];
  }
  return true;
}

// count_values(x; size)
int forward_count_values(OpCall& c) {
  AttrReader r(c.attr);
  const index_t size = r.integer();
  if (!is_int(c.in[0].dtype) || size < 0)  // the caller has looked
    return fail(kRuntimeError, "%s: expected integers and a size of at least 0, got %s and %lld.", c.op->name,
                kDTypeName[c.in[0].dtype], static_cast<long long>(size));
  Result out;
  int go = out.emit(c, 0, kInt64, kInt64, layout_contiguous(1, &size));
  if (go <= 0) return go;
  Operand in;
  if (in.take(c.in[0], kInt64) < 0) return -1;
  bool good;
  {
    const index_t n = c.in[0].numel();
    Unlocked unlocked(n * 8 >= kUnlockBytes);
    good =
        count_values(static_cast<const std::int64_t*>(in.data()), n, static_cast<std::int64_t*>(out.data()), size);
  }
  if (!good)
    return fail(kRuntimeError, "%s: expected values of at least 0 and below %lld, got others.", c.op->name,
                static_cast<long long>(size));
  return out.finish();
}

}  // namespace

extern const ForwardEntry index_forwards[] = {{"index_get", forward_index_get},
                                              {"index_embed", forward_index_embed},
                                              {"index_put", forward_index_put},
                                              {"gather", forward_gather},
                                              {"gather_embed", forward_gather_embed},
                                              {"scatter", forward_scatter},
                                              {"pick", forward_pick},
                                              {"pick_embed", forward_pick_embed},
                                              {"flat_index", forward_flat_index},
                                              {"true_positions", forward_true_positions},
                                              {"nonzero", forward_nonzero},
                                              {"count_values", forward_count_values},
                                              {nullptr, nullptr}};

}  // namespace wg
