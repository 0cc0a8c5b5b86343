// Joining: cat, stack, and what moves whole blocks (flip, shift, triangles).
#include <cstring>

#include "wengert/op.h"
#include "wengert/parallel.h"
#include "wengert/staged.h"

namespace wg {

namespace {

constexpr index_t kRowPart = 32768;  // elements of rows that one thread takes

// Copies `src` into rows [start, start + size) of a dimension of `whole`.
int copy_to_range(const Array& src, const Array& whole, int dim, index_t start, Layout* shape_of) {
  if (src.numel() == 0) return 0;
  Array part = whole;
  part.layout = layout_strided(whole.ndim(), shape_of->shape(), whole.strides());
  part.u.offset += start * whole.strides()[dim] * itemsize(whole.dtype);
  int status = copy_into(src, part);
  layout_decref(part.layout);
  return status;
}

// PyTorch lets an empty 1-d tensor stand beside tensors of any shape.
bool is_skipped(const Array& a) { return a.ndim() == 1 && a.shape()[0] == 0; }

// cat(tensors; dim)
int forward_cat(OpCall& c) {
  AttrReader r(c.attr);
  std::int64_t wanted = r.integer();
  if (c.nin == 0) return fail(kValueError, "cat: expected a list of at least one tensor, got none.");
  const Array* first = nullptr;
  for (int i = 0; i < c.nin; ++i) {
    if (c.in[i].ndim() == 0)
      return fail(kRuntimeError, "cat: expected tensors with dimensions, got shape () at position %d. Use stack().",
                  i);
    if (!first && !is_skipped(c.in[i])) first = &c.in[i];
  }
  if (!first) first = &c.in[0];
  int dim = normalize_dim("cat", wanted, first->ndim());
  if (dim < 0) return -1;
  index_t shape[kMaxDims], total = 0;
  for (int d = 0; d < first->ndim(); ++d) shape[d] = first->shape()[d];
  for (int i = 0; i < c.nin; ++i) {
    const Array& a = c.in[i];
    if (is_skipped(a)) continue;
    bool fits = a.ndim() == first->ndim();
    for (int d = 0; fits && d < a.ndim(); ++d) fits = d == dim || a.shape()[d] == shape[d];
    if (!fits)
      return fail(kRuntimeError,
                  "cat: expected shapes that agree except in dimension %d, got %s and %s (position %d).", dim,
                  shape_text(first->layout), shape_text(a.layout), i);
    if (__builtin_add_overflow(total, a.shape()[dim], &total))
      return fail(kRuntimeError,
                  "cat: expected a size that memory can hold, got more than %lld along dimension %d.",
                  static_cast<long long>(INT64_MAX), dim);
  }
  shape[dim] = total;
  int go = c.emit(0, result_dtype(c.in, c.nin), layout_contiguous(first->ndim(), shape));
  if (go <= 0) return go;
  index_t at = 0;
  for (int i = 0; i < c.nin; ++i) {
    if (is_skipped(c.in[i])) continue;
    if (copy_to_range(c.in[i], c.out[0], dim, at, c.in[i].layout) < 0) return -1;
    at += c.in[i].shape()[dim];
  }
  return 0;
}

// stack(tensors; dim)
int forward_stack(OpCall& c) {
  AttrReader r(c.attr);
  std::int64_t wanted = r.integer();
  if (c.nin == 0) return fail(kRuntimeError, "stack: expected a list of at least one tensor, got none.");
  const Array& first = c.in[0];
  int n = first.ndim() + 1, dim = normalize_dim("stack", wanted, n);
  if (dim < 0) return -1;
  if (n > kMaxDims) return fail(kValueError, "stack: expected at most %d dimensions, got %d.", kMaxDims, n);
  for (int i = 1; i < c.nin; ++i)
    if (!same_shape(first.layout, c.in[i].layout))
      return fail(kRuntimeError, "stack: expected tensors of one shape, got %s and %s (position %d).",
                  shape_text(first.layout), shape_text(c.in[i].layout), i);
  index_t shape[kMaxDims], strides[kMaxDims];
  for (int d = 0; d < n; ++d) shape[d] = d == dim ? c.nin : first.shape()[d < dim ? d : d - 1];
  int go = c.emit(0, result_dtype(c.in, c.nin), layout_contiguous(n, shape));
  if (go <= 0) return go;
  for (int d = 0; d + 1 < n; ++d) strides[d] = c.out[0].strides()[d < dim ? d : d + 1];
  Array part = c.out[0];
  part.layout = layout_strided(n - 1, first.shape(), strides);
  const index_t step = c.out[0].strides()[dim] * itemsize(part.dtype);
  int status = 0;
  for (int i = 0; i < c.nin && status == 0 && first.numel() > 0; ++i, part.u.offset += step)
    status = copy_into(c.in[i], part);
  layout_decref(part.layout);
  return status;
}

// flip(x; dims)
int forward_flip(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int n;
  const std::int64_t* dims = r.list(&n);
  bool mask[kMaxDims] = {};
  if (n > 0 && dims_mask(c.op->name, dims, n, x.ndim(), mask) < 0) return -1;
  int go = c.emit(0, x.dtype, layout_contiguous(x.ndim(), x.shape()));
  if (go <= 0) return go;
  if (x.ndim() == 0 || x.numel() == 0) return copy_into(x, c.out[0]);
  // The result, seen in reversed order, takes x in order.
  index_t strides[kMaxDims];
  Array reversed = c.out[0];
  for (int d = 0; d < x.ndim(); ++d) {
    index_t s = reversed.strides()[d];
    strides[d] = mask[d] ? -s : s;
    if (mask[d]) reversed.u.offset += (x.shape()[d] - 1) * s * itemsize(x.dtype);
  }
  reversed.layout = layout_strided(x.ndim(), x.shape(), strides);
  int status = copy_into(x, reversed);
  layout_decref(reversed.layout);
  return status;
}

// shift(x; dim, reverse, fill): element j of the result is element j - 1 of x (reverse: j + 1), and `fill` where
// there is none.
int forward_shift(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (dim < 0) return -1;
  bool reverse = r.boolean();
  Array fill{};
  fill.layout = layout_scalar();
  fill.dtype = kFloat64;
  fill.u.f64 = r.real();
  int go = c.emit(0, x.dtype, layout_contiguous(x.ndim(), x.shape()));
  if (go <= 0) return go;
  if (x.ndim() == 0) return copy_into(fill, c.out[0]);
  index_t size = x.shape()[dim];
  if (x.numel() == 0) return 0;
  index_t shape[kMaxDims];
  for (int d = 0; d < x.ndim(); ++d) shape[d] = d == dim ? 1 : x.shape()[d];
  index_t zero[kMaxDims] = {};
  Layout* edge = layout_strided(x.ndim(), shape, zero);
  fill.layout = edge;
  int status = copy_to_range(fill, c.out[0], dim, reverse ? size - 1 : 0, edge);
  layout_decref(edge);
  if (status < 0) return -1;
  shape[dim] = size - 1;
  Array rest = x;
  rest.layout = layout_strided(x.ndim(), shape, x.strides());
  if (reverse) rest.u.offset += x.strides()[dim] * itemsize(x.dtype);
  status = copy_to_range(rest, c.out[0], dim, reverse ? 0 : 1, rest.layout);
  layout_decref(rest.layout);
  return status;
}

// Runs along the last dimension of a padded result: `fill` before and behind what is copied.
struct PaddedRows {
  const char* from;
  char* to;
  index_t item, before, inside, behind;  // bytes of the last three
  const char* value;

  void fill(char* at, index_t bytes) const {
    for (index_t i = 0; i < bytes; i += item) std::memcpy(at + i, value, static_cast<std::size_t>(item));
  }
  // Row `at` of the result, made of row `source` of the operand, or of nothing (-1).
  void write(index_t at, index_t source) const {
    char* row = to + at * (before + inside + behind);
    if (source < 0) return fill(row, before + inside + behind);
    fill(row, before);
    std::memcpy(row + before, from + source * inside, static_cast<std::size_t>(inside));
    fill(row + before + inside, behind);
  }
};

// constant_pad(x; amounts, value): `amounts` are (low, high) of the last dimension, then of the one before, ....
int forward_constant_pad(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int count;
  const std::int64_t* amounts = r.list(&count);
  const double value = r.real();
  const int n = x.ndim();
  bool good = count >= 0 && count % 2 == 0 && count / 2 <= n;
  for (int k = 0; good && k < count; ++k) good = amounts[k] >= 0;
  if (!good)
    return fail(kRuntimeError, "%s: expected at most %d pairs of amounts of at least 0, got others.", c.op->name,
                n);
  index_t shape[kMaxDims], low[kMaxDims] = {};
  for (int d = 0; d < n; ++d) {
    const int k = 2 * (n - 1 - d);
    shape[d] = x.shape()[d];
    if (k >= count) continue;
    low[d] = amounts[k];
    if (__builtin_add_overflow(shape[d], amounts[k], &shape[d]) ||
        __builtin_add_overflow(shape[d], amounts[k + 1], &shape[d]))
      return fail_memory(c.op->name, INT64_MAX);
  }
  Result out;
  int go = out.emit(c, 0, x.dtype, x.dtype, layout_contiguous(n, shape));
  if (go <= 0) return go;
  if (c.out[0].numel() == 0) return 0;
  if (n == 0) return copy_into(x, c.out[0]);
  Operand in;
  Array number{}, typed;
  number.layout = layout_scalar();
  number.dtype = kFloat64;
  number.u.f64 = value;
  if (in.take(x, x.dtype) < 0 || as_contiguous(number, x.dtype, &typed) < 0) return -1;
  const index_t item = itemsize(x.dtype), last = n - 1;
  const PaddedRows rows{static_cast<const char*>(in.data()),
                        static_cast<char*>(out.data()),
                        item,
                        low[last] * item,
                        x.shape()[last] * item,
                        (shape[last] - low[last] - x.shape()[last]) * item,
                        typed.data()};
  const index_t all = c.out[0].numel() / shape[last], part = shape[last] < kRowPart ? kRowPart / shape[last] : 1;
  {
    Unlocked unlocked(c.out[0].nbytes() >= kUnlockBytes);
    parallel_for((all + part - 1) / part, [&](index_t p) {
      const index_t end = (p + 1) * part < all ? (p + 1) * part : all;
      index_t at[kMaxDims], rest = p * part;
      for (int d = n - 2; d >= 0; --d) {
        at[d] = rest % shape[d];
        rest /= shape[d];
      }
      for (index_t i = p * part; i < end; ++i) {
        index_t source = 0;
        for (int d = 0; d < n - 1 && source >= 0; ++d) {
          const index_t j = at[d] - low[d];
          source = j < 0 || j >= x.shape()[d] ? -1 : source * x.shape()[d] + j;
        }
        rows.write(i, source);
        for (int d = n - 2; d >= 0 && ++at[d] == shape[d]; --d) at[d] = 0;
      }
    });
  }
  array_unref(typed);
  return out.finish();
}

// tril(x; diagonal), triu(x; diagonal): the last two dimensions are matrices.
int forward_triangle(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  std::int64_t diagonal = r.integer();
  const bool lower = !std::strcmp(c.op->name, "tril");
  if (x.ndim() < 2) return fail(kRuntimeError, "%s: expected at least 2 dimensions, got %d.", c.op->name, x.ndim());
  Result out;
  int go = out.emit(c, 0, x.dtype, x.dtype, layout_contiguous(x.ndim(), x.shape()));
  if (go <= 0) return go;
  Operand in;
  if (in.take(x, x.dtype) < 0) return -1;
  const index_t rows = x.shape()[x.ndim() - 2], columns = x.shape()[x.ndim() - 1], item = itemsize(x.dtype);
  if (x.numel() == 0) return 0;
  if (diagonal < -rows) diagonal = -rows;
  if (diagonal > columns) diagonal = columns;
  const char* from = static_cast<const char*>(in.data());
  char* to = static_cast<char*>(out.data());
  const index_t all = x.numel() / columns, part = columns < kRowPart ? kRowPart / columns : 1;
  {
    Unlocked unlocked(x.numel() * item >= kUnlockBytes);
    parallel_for((all + part - 1) / part, [&](index_t p) {
      const index_t end = (p + 1) * part < all ? (p + 1) * part : all;
      for (index_t i = p * part; i < end; ++i) {
        index_t cut = i % rows + diagonal + (lower ? 1 : 0);  // the row's first element on the other side
        cut = cut < 0 ? 0 : cut < columns ? cut : columns;
        const auto left = static_cast<std::size_t>(cut * item);
        const auto right = static_cast<std::size_t>((columns - cut) * item);
        const char* source = from + i * columns * item;
        char* row = to + i * columns * item;
        std::memcpy(row + (lower ? 0 : left), source + (lower ? 0 : left), lower ? left : right);
        std::memset(row + (lower ? left : 0), 0, lower ? right : left);
      }
    });
  }
  return out.finish();
}

}  // namespace

extern const ForwardEntry join_forwards[] = {
    {"cat", forward_cat},     {"stack", forward_stack},       {"flip", forward_flip},
    {"shift", forward_shift}, {"triangle", forward_triangle}, {"constant_pad", forward_constant_pad},
    {nullptr, nullptr}};

}  // namespace wg
