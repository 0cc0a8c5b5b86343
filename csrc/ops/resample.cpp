// Resizing along one dimension by linear or cubic interpolation, and its adjoint.
#include "wengert/resample.h"

#include <cmath>

#include "wengert/kernels.h"
#include "wengert/op.h"
#include "wengert/parallel.h"
#include "wengert/staged.h"

namespace wg {

namespace {

struct ResampleAttr {
  int dim;
  index_t count;
  double step, shift;
  bool cubic;
};

int read_attr(const OpCall& c, ResampleAttr* a) {
  AttrReader r(c.attr);
  const std::int64_t dim = r.integer();
  a->count = r.integer();
  a->step = r.real();
  a->shift = r.real();
  a->cubic = r.boolean();
  if (c.in[0].ndim() == 0) return fail(kRuntimeError, "%s: expected a tensor with dimensions, got ().", c.op->name);
  a->dim = normalize_dim(c.op->name, dim, c.in[0].ndim());
  if (a->dim < 0) return -1;
  if (a->count < 0)
    return fail(kRuntimeError, "%s: expected a size of at least 0, got %lld.", c.op->name,
                static_cast<long long>(a->count));
  return 0;
}

constexpr int kMostTaps = 4;
int taps_of(const ResampleAttr& a) { return a.cubic ? kMostTaps : 2; }

index_t within(index_t i, index_t size) { return i < 0 ? 0 : i < size ? i : size - 1; }

// The neighbours of new element j among `size` old ones, and their weights: Keys's cubic with -0.75, or linear.
void taps_at(const ResampleAttr& a, index_t size, index_t j, index_t* at, double* weight) {
  double p = (static_cast<double>(j) + a.shift) * a.step - a.shift;
  if (!(p > -1e15)) p = -1e15;
  if (p > 1e15) p = 1e15;
  if (!a.cubic) {
    if (p < 0) p = 0;
    at[0] = within(static_cast<index_t>(p), size);
    at[1] = within(at[0] + 1, size);
    weight[1] = p - static_cast<double>(at[0]);
    weight[0] = 1 - weight[1];
    return;
  }
  const double low = std::floor(p), t = p - low;
  constexpr double k = -0.75;
  const auto near = [](double x) { return ((k + 2) * x - (k + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((k * x - 5 * k) * x + 8 * k) * x - 4 * k; };
  weight[0] = far(t + 1);
  weight[1] = near(t);
  weight[2] = near(1 - t);
  weight[3] = far(2 - t);
  for (int i = 0; i < kMostTaps; ++i) at[i] = within(static_cast<index_t>(low) - 1 + i, size);
}

template <class T>
void put_weight(void* weights, index_t e, double w) {
  static_cast<T*>(weights)[e] = static_cast<T>(w);
}

// Lists the terms of the results: of the new elements, or (adjoint) of the old ones in ascending order of the new.
void list_terms(const ResampleAttr& a, index_t size, bool adjoint, bool single, std::int64_t* first,
                std::int64_t* index, void* weights) {
  const auto put = single ? put_weight<float> : put_weight<double>;
  const int taps = taps_of(a);
  index_t at[kMostTaps];
  double weight[kMostTaps];
  if (!adjoint) {
    for (index_t j = 0; j < a.count; ++j) {
      first[j] = taps * j;
      taps_at(a, size, j, at, weight);
      for (int k = 0; k < taps; ++k) {
        index[taps * j + k] = at[k];
        put(weights, taps * j + k, weight[k]);
      }
    }
    first[a.count] = taps * a.count;
    return;
  }
  for (index_t i = 0; i <= size; ++i) first[i] = 0;
  for (index_t j = 0; j < a.count; ++j) {
    taps_at(a, size, j, at, weight);
    for (int k = 0; k < taps; ++k) ++first[at[k] + 1];
  }
  for (index_t i = 0; i < size; ++i) first[i + 1] += first[i];
  // Filling moves each start to its end, which is the next one's start.
  for (index_t j = 0; j < a.count; ++j) {
    taps_at(a, size, j, at, weight);
    for (int k = 0; k < taps; ++k) {
      const index_t e = first[at[k]]++;
      index[e] = j;
      put(weights, e, weight[k]);
    }
  }
  for (index_t i = size; i > 0; --i) first[i] = first[i - 1];
  first[0] = 0;
}

// `old` is the layout of what was resized; the operand is it, or (adjoint) the gradient of its result.
int run(OpCall& c, const ResampleAttr& a, const Layout* old, bool adjoint) {
  const Array& x = c.in[0];
  const index_t size = old->shape()[a.dim], results = adjoint ? size : a.count;
  if (size == 0 && a.count > 0)
    return fail(kRuntimeError, "%s: expected a dimension with elements, got size 0.", c.op->name);
  index_t shape[kMaxDims];
  Resample r{};
  r.outer = r.inner = 1;
  for (int d = 0; d < x.ndim(); ++d) {
    shape[d] = d == a.dim ? results : x.shape()[d];
    if (d < a.dim) r.outer *= shape[d];
    if (d > a.dim) r.inner *= shape[d];
  }
  const int dtype = compute_dtype(x.dtype);
  Result out;
  int go = out.emit(c, 0, x.dtype, dtype, layout_contiguous(x.ndim(), shape));
  if (go <= 0) return go;
  if (c.out[0].numel() == 0) return 0;
  Operand in;
  if (in.take(x, dtype) < 0) return -1;
  const index_t terms = taps_of(a) * a.count;
  Buffer table((results + 1 + 2 * terms) * 8);
  if (!table.data()) return fail_memory(c.op->name, (results + 1 + 2 * terms) * 8);
  auto* first = static_cast<std::int64_t*>(table.data());
  auto* index = first + results + 1;
  list_terms(a, size, adjoint, dtype == kFloat32, first, index, index + terms);
  r.src = in.data();
  r.out = out.data();
  r.first = first;
  r.index = index;
  r.weight = index + terms;
  r.size = adjoint ? a.count : size;
  r.count = results;
  r.each = adjoint ? 0 : taps_of(a);
  static const auto f32 = kernel_fn<ResampleFn>("resample", kFloat32);
  static const auto f64 = kernel_fn<ResampleFn>("resample", kFloat64);
  {
    Unlocked unlocked(r.outer * r.count * r.inner * itemsize(dtype) >= kUnlockBytes);
    (dtype == kFloat32 ? f32 : f64)(r);
  }
  return out.finish();
}

// resample(x; dim, count, step, shift, cubic)
int forward_resample(OpCall& c) {
  ResampleAttr a;
  if (expect_floating(c, c.in[0]) < 0 || read_attr(c, &a) < 0) return -1;
  return run(c, a, c.in[0].layout, false);
}

// resample_adjoint(g, like; dim, count, step, shift, cubic)
int forward_resample_adjoint(OpCall& c) {
  const Array &g = c.in[0], &like = c.in[1];
  ResampleAttr a;
  if (expect_floating(c, g) < 0 || read_attr(c, &a) < 0) return -1;
  bool fits = like.ndim() == g.ndim() && g.shape()[a.dim] == a.count;
  for (int d = 0; fits && d < g.ndim(); ++d) fits = d == a.dim || like.shape()[d] == g.shape()[d];
  if (!fits)
    return fail(kRuntimeError, "%s: expected a gradient of the result's shape, got %s for an operand of %s.",
                c.op->name, shape_text(g.layout), shape_text(like.layout));
  return run(c, a, like.layout, true);
}

}  // namespace

extern const ForwardEntry resample_forwards[] = {
    {"resample", forward_resample}, {"resample_adjoint", forward_resample_adjoint}, {nullptr, nullptr}};

}  // namespace wg
