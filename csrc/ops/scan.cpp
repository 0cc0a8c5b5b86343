// Scans and sorts: results along one dimension, computed on rows in which that dimension runs innermost.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

#include "wengert/complex.h"
#include "wengert/complex_parts.h"
#include "wengert/kernels.h"
#include "wengert/op.h"
#include "wengert/parallel.h"
#include "wengert/reduce.h"
#include "wengert/sort.h"

namespace wg {

namespace {

// The layout with `dim` moved to the end. New.
Layout* dim_last(const Array& a, int dim) {
  index_t shape[kMaxDims], strides[kMaxDims];
  int n = a.ndim(), at = 0;
  for (int d = 0; d < n; ++d) {
    if (d == dim) continue;
    shape[at] = a.shape()[d];
    strides[at++] = a.strides()[d];
  }
  if (n > 0) {
    shape[n - 1] = a.shape()[dim];
    strides[n - 1] = a.strides()[dim];
  }
  return layout_strided(n, shape, strides);
}

int computing(int dtype) { return is_half(dtype) ? static_cast<int>(kFloat32) : dtype; }

// Operand `a` with `dim` innermost, contiguous, in `dtype`.
int rows_of(const Array& a, int dim, int dtype, Array* out) {
  Array view = a;
  view.layout = dim_last(a, dim);
  int status = as_contiguous(view, dtype, out);
  layout_decref(view.layout);
  return status;
}

// A result that is computed with `dim` innermost and then put in its place.
class RowsResult {
 public:
  // keeps: the result has dimension dim (else it was reduced away, and its rows are in order already).
  int open(Array* result, int dim, int dtype, bool keeps) {
    result_ = result;
    view_ = *result;
    if (keeps) {
      view_.layout = dim_last(*result, dim);
    } else {
      layout_incref(view_.layout);
    }
    direct_ = dtype == result->dtype && view_.layout->contiguous;
    if (!direct_ && !array_new(&own_, dtype, layout_contiguous(view_.ndim(), view_.shape())))
      return fail_memory("scan", view_.numel() * itemsize(dtype));
    return 0;
  }
  char* data() { return direct_ ? result_->data() : own_.data(); }
  int close() {
    int status = 0;
    if (!direct_) {
      status = view_.storage ? copy_into(own_, view_) : copy_into(own_, *result_);
      array_unref(own_);
    }
    layout_decref(view_.layout);
    return status;
  }

 private:
  Array* result_;
  Array view_, own_;
  bool direct_;
};

template <class F>
int with_type(int dtype, F&& f) {
  switch (dtype) {
    case kFloat32:
      f(float());
      return 0;
    case kFloat64:
      f(double());
      return 0;
    case kInt64:
      f(std::int64_t());
      return 0;
    case kInt32:
      f(std::int32_t());
      return 0;
    case kInt16:
      f(std::int16_t());
      return 0;
    case kInt8:
      f(std::int8_t());
      return 0;
    default:
      f(std::uint8_t());
      return 0;
  }
}

index_t line_length(const Array& x, int dim) { return x.ndim() ? x.shape()[dim] : 1; }
index_t line_count(const Array& x, index_t n) { return n ? x.numel() / n : 0; }

// body(row) for every row of n elements, in parallel parts of about as many.
constexpr index_t kLinePart = 1 << 14;
template <class Body>
void for_lines(index_t rows, index_t n, Body&& body) {
  const index_t group = n >= kLinePart ? 1 : kLinePart / n;
  Unlocked unlocked(rows * n > kLinePart);
  parallel_for((rows + group - 1) / group, [&](index_t part) {
    const index_t end = (part + 1) * group < rows ? (part + 1) * group : rows;
    for (index_t row = part * group; row < end; ++row) body(row);
  });
}

// The kernel of an op over the innermost (0) or an outer (1) dimension.
const KernelEntry* scan_kernel(const OpInfo& op, int dtype, int which) {
  const void*& found = op.found[which][dtype];
  if (!found) {
    char name[64];
    std::snprintf(name, sizeof name, "%s_%s", op.kernel, which ? "outer" : "inner");
    found = find_kernel(name, dtype);
  }
  return static_cast<const KernelEntry*>(found);
}

// cumulate(x; dim): kernel names the operation ("cumsum": cumsum_inner and cumsum_outer).
int forward_cumulate(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (dim < 0) return -1;
  if (is_complex(x.dtype) && !std::strcmp(c.op->kernel, "cumsum")) return complex_cumsum(c, forward_cumulate);
  int compute = computing(x.dtype);
  const KernelEntry *inner = scan_kernel(*c.op, compute, 0), *outer = scan_kernel(*c.op, compute, 1);
  int go = c.emit(0, is_inexact(x.dtype) ? x.dtype : inner->out, layout_contiguous(x.ndim(), x.shape()));
  if (go <= 0 || x.numel() == 0) return go < 0 ? go : 0;
  Array dense, own = c.out[0];
  if (as_contiguous(x, compute, &dense) < 0) return -1;
  bool apart = inner->out != c.out[0].dtype || !c.out[0].layout->contiguous;
  if (apart && !array_new(&own, inner->out, layout_contiguous(x.ndim(), x.shape())))
    return fail_memory(c.op->name, x.nbytes());
  char* to = apart ? own.data() : c.out[0].data();
  index_t n = line_length(x, dim), within = 1;
  for (int d = dim + 1; d < x.ndim(); ++d) within *= x.shape()[d];
  {
    Unlocked unlocked(dense.nbytes() >= kUnlockBytes);
    if (within == 1) {
      reinterpret_cast<ReduceInnerFn>(inner->fn)(dense.data(), to, x.numel() / n, n);
    } else {
      reinterpret_cast<ReduceOuterFn>(outer->fn)(dense.data(), to, x.numel() / n / within, n, within);
    }
  }
  int status = 0;
  if (apart) {
    status = copy_into(own, c.out[0]);
    array_unref(own);
  }
  array_unref(dense);
  return status;
}

// linear_scan(b, a; dim, reverse): r_j = b_j + a_j r_(j-1) from r_(-1) = 0, or from the other end.
int forward_linear_scan(OpCall& c) {
  const Array &b = c.in[0], &a = c.in[1];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), b.ndim());
  if (dim < 0) return -1;
  bool reverse = r.boolean();
  if (expect_shape(c, 1, b.layout) < 0) return -1;
  int go = c.emit(0, b.dtype, layout_contiguous(b.ndim(), b.shape()));
  if (go <= 0 || b.numel() == 0) return go < 0 ? go : 0;
  int compute = computing(b.dtype);
  Array add, factor;
  RowsResult out;
  if (rows_of(b, dim, compute, &add) < 0 || rows_of(a, dim, compute, &factor) < 0 ||
      out.open(&c.out[0], dim, compute, true) < 0)
    return -1;
  index_t n = line_length(b, dim), rows = line_count(b, n);
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const auto *pb = reinterpret_cast<const T*>(add.data()), *pa = reinterpret_cast<const T*>(factor.data());
    auto* po = reinterpret_cast<T*>(out.data());
    for (index_t row = 0; row < rows; ++row, pa += n, pb += n, po += n) {
      T last = 0;
      for (index_t j = 0; j < n; ++j) {
        index_t i = reverse ? n - 1 - j : j;
        last = po[i] = static_cast<T>(pb[i] + pa[i] * last);
      }
    }
  };
  if (compute == kComplex64) {
    run(Complex<float>());
  } else if (compute == kComplex128) {
    run(Complex<double>());
  } else {
    with_type(compute, run);
  }
  array_unref(add);
  array_unref(factor);
  return out.close();
}

// logcumsumexp(x; dim): log of the running sum of exp(x), by the running pair of maximum and scaled sum.
int forward_logcumsumexp(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (dim < 0) return -1;
  if (!is_float(x.dtype))
    return fail(kRuntimeError, "%s: expected a floating dtype, got %s. Convert the tensor first.", c.op->name,
                kDTypeName[x.dtype]);
  int go = c.emit(0, x.dtype, layout_contiguous(x.ndim(), x.shape()));
  if (go <= 0 || x.numel() == 0) return go < 0 ? go : 0;
  int compute = computing(x.dtype);
  Array dense;
  RowsResult out;
  if (rows_of(x, dim, compute, &dense) < 0 || out.open(&c.out[0], dim, compute, true) < 0) return -1;
  index_t n = line_length(x, dim), rows = line_count(x, n);
  with_type(compute, [&](auto zero) {
    using T = decltype(zero);
    for_lines(rows, n, [&](index_t row) {
      const auto* p = reinterpret_cast<const T*>(dense.data()) + row * n;
      auto* o = reinterpret_cast<T*>(out.data()) + row * n;
      double top = -std::numeric_limits<double>::infinity(), sum = 0;
      for (index_t j = 0; j < n; ++j) {
        double v = static_cast<double>(p[j]);
        if (v > top) {
          sum = (sum == 0 ? 0 : sum * std::exp(top - v)) + 1;
          top = v;
        } else if (v == top && std::isinf(v)) {
          sum += v > 0 ? 1 : 0;
        } else {
          sum += std::exp(v - top);
        }
        o[j] = static_cast<T>(sum == 0 ? top : top + std::log(sum));
      }
    });
  });
  array_unref(dense);
  return out.close();
}

int expect_order(const OpCall& c, const Array& x) {
  if (!is_complex(x.dtype)) return 0;
  return fail(kNotImplemented, "%s: expected numbers with an order, got %s. Use .abs() or .real first.", c.op->name,
              kDTypeName[x.dtype]);
}

// cumulate_extreme(x; dim): the running maximum (kernel "max") or minimum and its latest position. NaN wins and
// stays.
int forward_cumulate_extreme(OpCall& c) {
  const Array& x = c.in[0];
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), x.ndim());
  if (dim < 0 || expect_order(c, x) < 0) return -1;
  int go = c.emit(0, x.dtype, layout_contiguous(x.ndim(), x.shape()));
  if (go < 0 || c.emit(1, kInt64, layout_contiguous(x.ndim(), x.shape())) < 0) return -1;
  if (go == 0 || x.numel() == 0) return 0;
  int compute = computing(x.dtype);
  bool largest = !std::strcmp(c.op->kernel, "max");
  Array dense;
  RowsResult values, places;
  if (rows_of(x, dim, compute, &dense) < 0 || values.open(&c.out[0], dim, compute, true) < 0 ||
      places.open(&c.out[1], dim, kInt64, true) < 0)
    return -1;
  index_t n = line_length(x, dim), rows = line_count(x, n);
  with_type(compute, [&](auto zero) {
    using T = decltype(zero);
    for_lines(rows, n, [&](index_t row) {
      const auto* p = reinterpret_cast<const T*>(dense.data()) + row * n;
      auto* v = reinterpret_cast<T*>(values.data()) + row * n;
      auto* at = reinterpret_cast<std::int64_t*>(places.data()) + row * n;
      index_t best = 0;
      for (index_t j = 0; j < n; ++j) {
        bool nan = p[j] != p[j], was_nan = p[best] != p[best];
        if (nan || (!was_nan && (largest ? p[j] >= p[best] : p[j] <= p[best]))) best = j;
        v[j] = p[best];
        at[j] = best;
      }
    });
  });
  array_unref(dense);
  int first = values.close(), second = places.close();
  return first < 0 || second < 0 ? -1 : 0;
}

// Shape of x with `size` along dim (0-d stays 0-d), or without dim.
Layout* line_layout(const Array& x, int dim, index_t size, bool keepdim) {
  index_t shape[kMaxDims];
  int at = 0;
  for (int d = 0; d < x.ndim(); ++d)
    if (d != dim) {
      shape[at++] = x.shape()[d];
    } else if (keepdim) {
      shape[at++] = size;
    }
  return layout_contiguous(at, shape);
}

// The frame of the sorting ops: values and positions of `size` elements of each line. body(rows in, values,
// positions, number of rows, length) returns false when memory is exhausted.
template <class Body>
int sort_lines(OpCall& c, int dim, index_t size, bool keepdim, Body&& body) {
  const Array& x = c.in[0];
  if (expect_order(c, x) < 0) return -1;
  int go = c.emit(0, x.dtype, line_layout(x, dim, size, keepdim));
  if (go < 0 || c.emit(1, kInt64, line_layout(x, dim, size, keepdim)) < 0) return -1;
  if (go == 0 || c.out[0].numel() == 0) return 0;
  int compute = computing(x.dtype);
  Array dense;
  RowsResult values, places;
  if (rows_of(x, dim, compute, &dense) < 0 || values.open(&c.out[0], dim, compute, keepdim) < 0 ||
      places.open(&c.out[1], dim, kInt64, keepdim) < 0)
    return -1;
  index_t n = line_length(x, dim);
  bool done;
  {
    Unlocked unlocked(dense.nbytes() >= kUnlockBytes);
    done = body(compute, dense.data(), values.data(), reinterpret_cast<std::int64_t*>(places.data()),
                line_count(x, n), n);
  }
  array_unref(dense);
  int first = values.close(), second = places.close();
  if (!done) return fail_memory(c.op->name, x.nbytes());
  return first < 0 || second < 0 ? -1 : 0;
}

// sort(x; dim, descending): stable.
int forward_sort(OpCall& c) {
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), c.in[0].ndim());
  if (dim < 0) return -1;
  bool descending = r.boolean();
  return sort_lines(c, dim, line_length(c.in[0], dim), true,
                    [&](int dt, const void* x, void* v, std::int64_t* at, index_t rows, index_t n) {
                      return kernel_fn<SortFn>("sort", dt)(x, v, at, rows, n, descending);
                    });
}

// topk(x; k, dim, largest)
int forward_topk(OpCall& c) {
  AttrReader r(c.attr);
  index_t k = r.integer();
  int dim = normalize_dim(c.op->name, r.integer(), c.in[0].ndim());
  if (dim < 0) return -1;
  bool largest = r.boolean();
  index_t size = line_length(c.in[0], dim);
  if (k < 0 || k > size)
    return fail(kRuntimeError, "%s: expected k in [0, %lld], the size of dimension %d, got %lld.", c.op->name,
                static_cast<long long>(size), dim, static_cast<long long>(k));
  return sort_lines(c, dim, k, true,
                    [&](int dt, const void* x, void* v, std::int64_t* at, index_t rows, index_t n) {
                      return kernel_fn<TopkFn>("topk", dt)(x, v, at, rows, n, k, largest);
                    });
}

// The most frequent value of sorted lines (the smallest of several) and its last position.
template <class T>
void mode_of_sorted(const T* v, const std::int64_t* at, T* value, std::int64_t* place, index_t n) {
  index_t most = 0;
  for (index_t begin = 0; begin < n;) {
    index_t end = begin + 1;
    while (end < n && v[end] == v[begin]) ++end;
    if (end - begin > most) {
      most = end - begin;
      *value = v[begin];
      *place = at[end - 1];
    }
    begin = end;
  }
}

bool mode_lines(int dt, const void* x, void* v, std::int64_t* at, index_t rows, index_t n) {
  Storage* scratch = storage_new(static_cast<std::size_t>(n * (8 + itemsize(dt))));
  if (!scratch) return false;
  auto* order = reinterpret_cast<std::int64_t*>(scratch->data);
  const auto sort = kernel_fn<SortFn>("sort", dt);
  bool done = true;
  with_type(dt, [&](auto zero) {
    using T = decltype(zero);
    auto* sorted = reinterpret_cast<T*>(order + n);
    for (index_t row = 0; row < rows && done; ++row) {
      done = sort(static_cast<const T*>(x) + row * n, sorted, order, 1, n, false);
      if (done) mode_of_sorted(sorted, order, static_cast<T*>(v) + row, at + row, n);
    }
  });
  storage_decref(scratch);
  return done;
}

int check_line(const OpCall& c, index_t n) {
  if (n > 0) return 0;
  return fail(kIndexError, "%s: expected a dimension with elements, got shape %s.", c.op->name,
              shape_text(c.in[0].layout));
}

// select_rank(x; dim, keepdim): "median" and "nanmedian" by kernel.
int forward_select_rank(OpCall& c) {
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), c.in[0].ndim());
  if (dim < 0 || check_line(c, line_length(c.in[0], dim)) < 0) return -1;
  return sort_lines(c, dim, 1, r.boolean(),
                    [&](int dt, const void* x, void* v, std::int64_t* at, index_t rows, index_t n) {
                      kernel_fn<SelectFn>(c.op->kernel, dt)(x, v, at, rows, n, 0);
                      return true;
                    });
}

// mode(x; dim, keepdim)
int forward_mode(OpCall& c) {
  AttrReader r(c.attr);
  int dim = normalize_dim(c.op->name, r.integer(), c.in[0].ndim());
  if (dim < 0 || check_line(c, line_length(c.in[0], dim)) < 0) return -1;
  return sort_lines(c, dim, 1, r.boolean(), mode_lines);
}

// kthvalue(x; k, dim, keepdim): k counts from 1.
int forward_kthvalue(OpCall& c) {
  AttrReader r(c.attr);
  index_t k = r.integer();
  int dim = normalize_dim(c.op->name, r.integer(), c.in[0].ndim());
  if (dim < 0) return -1;
  index_t size = line_length(c.in[0], dim);
  if (check_line(c, size) < 0) return -1;
  if (k < 1 || k > size)
    return fail(kRuntimeError, "%s: expected k in [1, %lld], got %lld, which is out of range.", c.op->name,
                static_cast<long long>(size), static_cast<long long>(k));
  return sort_lines(c, dim, 1, r.boolean(),
                    [&](int dt, const void* x, void* v, std::int64_t* at, index_t rows, index_t n) {
                      kernel_fn<SelectFn>("kthvalue", dt)(x, v, at, rows, n, k - 1);
                      return true;
                    });
}

// searchsorted(sorted, values; right): insertion points. sorted is 1-d, or has values' leading dimensions.
int forward_searchsorted(OpCall& c) {
  const Array &sorted = c.in[0], &values = c.in[1];
  if (expect_order(c, sorted) < 0 || expect_order(c, values) < 0) return -1;
  AttrReader r(c.attr);
  bool right = r.boolean(), one_row = sorted.ndim() == 1;
  bool fits = one_row || (sorted.ndim() > 0 && sorted.ndim() == values.ndim());
  for (int d = 0; fits && !one_row && d + 1 < sorted.ndim(); ++d) fits = sorted.shape()[d] == values.shape()[d];
  if (!fits)
    return fail(kRuntimeError,
                "%s: expected a sorted sequence of one dimension, or one with the leading dimensions of "
                "the values, got %s and %s.",
                c.op->name, shape_text(sorted.layout), shape_text(values.layout));
  int go = c.emit(0, kInt64, layout_contiguous(values.ndim(), values.shape()));
  if (go <= 0 || values.numel() == 0) return go < 0 ? go : 0;
  int compute = computing(promote(sorted.dtype, values.flags & kWeak ? sorted.dtype : values.dtype));
  if (values.flags & kWeak && is_float(values.dtype) && !is_float(compute)) compute = default_dtype;
  Array s, v;
  if (as_contiguous(sorted, compute, &s) < 0) return -1;
  if (as_contiguous(values, compute, &v) < 0) {
    array_unref(s);
    return -1;
  }
  index_t n = sorted.shape()[sorted.ndim() - 1];
  index_t m = one_row ? values.numel() : values.shape()[values.ndim() - 1];
  {
    Unlocked unlocked(v.nbytes() >= kUnlockBytes);
    kernel_fn<SearchSortedFn>("searchsorted", compute)(s.data(), v.data(),
                                                       reinterpret_cast<std::int64_t*>(c.out[0].data()),
                                                       values.numel() / m, n, m, right, one_row);
  }
  array_unref(s);
  array_unref(v);
  return 0;
}

}  // namespace

extern const ForwardEntry scan_forwards[] = {{"cumulate", forward_cumulate},
                                             {"linear_scan", forward_linear_scan},
                                             {"logcumsumexp", forward_logcumsumexp},
                                             {"cumulate_extreme", forward_cumulate_extreme},
                                             {"sort", forward_sort},
                                             {"topk", forward_topk},
                                             {"select_rank", forward_select_rank},
                                             {"mode", forward_mode},
                                             {"kthvalue", forward_kthvalue},
                                             {"searchsorted", forward_searchsorted},
                                             {nullptr, nullptr}};

}  // namespace wg
