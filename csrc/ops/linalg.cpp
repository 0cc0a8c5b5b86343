// Batches of matrices: factors, inverses, determinants and solutions of small ones, distances between rows.
#include "wengert/distance.h"
#include "wengert/factor.h"

#include <cstring>

#include "wengert/kernels.h"
#include "wengert/op.h"
#include "wengert/parallel.h"
#include "wengert/staged.h"

namespace wg {

namespace {

// A call on matrices (…, n, n): what its kernel needs, and the shapes of its results.
struct Matrices : SmallMatrices {
  Operand in;
  int dtype = 0, lead = 0;
  const index_t* shape = nullptr;

  Matrices() : SmallMatrices{} {}

  int read(const OpCall& c) {
    const Array& x = c.in[0];
    if (expect_floating(c, x) < 0) return -1;
    shape = x.shape();
    lead = x.ndim() - 2;
    if (lead < 0 || shape[lead] != shape[lead + 1] || shape[lead] > kMostSmall)
      return fail(kRuntimeError, "%s: expected square matrices of at most %d rows, got shape %s.", c.op->name,
                  static_cast<int>(kMostSmall), shape_text(x.layout));
    n = shape[lead];
    count = 1;
    for (int d = 0; d < lead; ++d) count *= shape[d];
    dtype = compute_dtype(x.dtype);
    return 0;
  }

  // Runs the op's kernel on the operand's values; the number of failures, or -1 with the error set.
  index_t run(const OpCall& c) {
    if (in.take(c.in[0], dtype) < 0) return -1;
    a = in.data();
    const auto fn = kernel_fn<SmallMatricesFn>(c.op->kernel, dtype);
    Unlocked unlocked(count * n * n * itemsize(dtype) >= kUnlockBytes);
    return fn(*this);
  }
};

// The last result: how many matrices have no result.
int emit_failed(OpCall& c, int i, index_t failed) {
  const int go = c.emit(i, kInt64, layout_contiguous(0, nullptr));
  if (go > 0) std::memcpy(c.out[i].data(), &failed, sizeof failed);
  return go < 0 ? -1 : 0;
}

// small_cholesky(a), small_inverse(a): matrices of the same shape, and how many there are none of.
int forward_small_factor(OpCall& c) {
  Matrices m;
  if (m.read(c) < 0) return -1;
  Result out;
  const int go = out.emit(c, 0, c.in[0].dtype, m.dtype, layout_contiguous(c.in[0].ndim(), c.in[0].shape()));
  if (go < 0) return -1;
  index_t failed = 0;
  if (go > 0 && c.out[0].numel() > 0) {
    m.out = out.data();
    failed = m.run(c);
    if (failed < 0 || out.finish() < 0) return -1;
  }
  return emit_failed(c, 1, failed);
}

// small_solve(a, b): x (…, n, k) with a x = b, and how many matrices are singular.
int forward_small_solve(OpCall& c) {
  Matrices m;
  if (m.read(c) < 0) return -1;
  const Array& b = c.in[1];
  bool fits = b.dtype == c.in[0].dtype && b.ndim() == m.lead + 2 && b.shape()[m.lead] == m.n;
  for (int d = 0; fits && d < m.lead; ++d) fits = b.shape()[d] == m.shape[d];
  if (!fits)
    return fail(kRuntimeError,
                "%s: expected right-hand sides (…, n, k) of the matrices' dtype, got %s %s for %s %s.", c.op->name,
                kDTypeName[b.dtype], shape_text(b.layout), kDTypeName[c.in[0].dtype], shape_text(c.in[0].layout));
  m.columns = b.shape()[m.lead + 1];
  Result out;
  const int go = out.emit(c, 0, b.dtype, m.dtype, layout_contiguous(b.ndim(), b.shape()));
  if (go < 0) return -1;
  index_t failed = 0;
  Operand right;
  if (go > 0 && c.in[0].numel() > 0) {
    if (right.take(b, m.dtype) < 0) return -1;
    m.b = right.data();
    m.out = out.data();
    failed = m.run(c);
    if (failed < 0 || out.finish() < 0) return -1;
  }
  return emit_failed(c, 1, failed);
}

// small_det(a): the determinants. small_slogdet(a): their signs, and the logarithms of their sizes.
int forward_small_det(OpCall& c) {
  Matrices m;
  if (m.read(c) < 0) return -1;
  Result out, logs;
  int go = out.emit(c, 0, c.in[0].dtype, m.dtype, layout_contiguous(m.lead, m.shape));
  if (go >= 0 && c.nout > 1)
    go = logs.emit(c, 1, c.in[0].dtype, m.dtype, layout_contiguous(m.lead, m.shape)) < 0 ? -1 : go;
  if (go <= 0 || m.count == 0) return go < 0 ? -1 : 0;
  m.out = out.data();
  m.logs = logs.data();
  if (m.run(c) < 0 || out.finish() < 0) return -1;
  return logs.finish();
}

// ---- distances
// ----------------------------------------------------------------------------------------------------

// An operand whose leading dimensions are broadcast to `lead` sizes.
class Broadcast {
 public:
  Broadcast() = default;
  Broadcast(const Broadcast&) = delete;
  Broadcast& operator=(const Broadcast&) = delete;
  ~Broadcast() { array_unref(array_); }
  int take(const Array& in, int lead, const index_t* shape, int dtype) {
    index_t whole[kMaxDims];
    for (int d = 0; d < lead; ++d) whole[d] = shape[d];
    for (int d = 0; d < 2; ++d) whole[lead + d] = in.shape()[in.ndim() - 2 + d];
    Array view = in;
    view.layout = expand_layout(in, lead + 2, whole);
    const int status = as_contiguous(view, dtype, &array_);
    layout_decref(view.layout);
    return status;
  }
  const void* data() const { return array_.data(); }

 private:
  Array array_{};
};

// The common leading sizes of matrices; -1 with the error set.
int leading(const OpCall& c, index_t* shape) {
  int lead = 0;
  for (int k = 0; k < c.nin; ++k) {
    if (c.in[k].ndim() < 2 || c.in[k].dtype != c.in[0].dtype)
      return fail(kRuntimeError, "%s: expected operands of one dtype with at least 2 dimensions, got %s %s.",
                  c.op->name, kDTypeName[c.in[k].dtype], shape_text(c.in[k].layout));
    lead = c.in[k].ndim() - 2 > lead ? c.in[k].ndim() - 2 : lead;
  }
  for (int d = 0; d < lead; ++d) {
    shape[d] = 1;
    for (int k = 0; k < c.nin; ++k) {
      const int own = d - (lead + 2 - c.in[k].ndim());
      const index_t size = own < 0 ? 1 : c.in[k].shape()[own];
      if (size != 1 && shape[d] != 1 && size != shape[d])
        return fail(kRuntimeError, "%s: expected leading dimensions that broadcast together, got %s and %s.",
                    c.op->name, shape_text(c.in[0].layout), shape_text(c.in[k].layout));
      shape[d] = shape[d] == 1 ? size : shape[d];
    }
  }
  return lead;
}

index_t rows_of(const Array& a) { return a.shape()[a.ndim() - 2]; }
index_t columns_of(const Array& a) { return a.shape()[a.ndim() - 1]; }

// Operands x, y at `at` and, where with_gradient, g and the distances; the result of `rows` by `columns`.
int run_distances(OpCall& c, int at, bool backward) {
  const Array &x = c.in[at], &y = c.in[at + 1];
  index_t shape[kMaxDims];
  if (expect_floating(c, x) < 0) return -1;
  const int lead = leading(c, shape);
  if (lead < 0) return -1;
  Distances p{};
  p.m = rows_of(x);
  p.n = rows_of(y);
  p.width = columns_of(x);
  bool fits = columns_of(y) == p.width;
  for (int k = 0; fits && backward && k < 4; k += 3) fits = rows_of(c.in[k]) == p.m && columns_of(c.in[k]) == p.n;
  if (!fits)
    return fail(kRuntimeError, "%s: expected rows of one size, got shapes %s and %s.", c.op->name,
                shape_text(x.layout), shape_text(y.layout));
  shape[lead] = p.m;
  shape[lead + 1] = backward ? p.width : p.n;
  const int dtype = compute_dtype(x.dtype);
  Result out;
  const int go = out.emit(c, 0, x.dtype, dtype, layout_contiguous(lead + 2, shape));
  if (go <= 0) return go;
  if (c.out[0].numel() == 0) return 0;
  Broadcast own, others, upstream, lengths;
  if (own.take(x, lead, shape, dtype) < 0 || others.take(y, lead, shape, dtype) < 0) return -1;
  if (backward && (upstream.take(c.in[0], lead, shape, dtype) < 0 || lengths.take(c.in[3], lead, shape, dtype) < 0))
    return -1;
  p.batch = 1;
  for (int d = 0; d < lead; ++d) p.batch *= shape[d];
  p.x = own.data();
  p.y = others.data();
  if (backward) {
    p.g = upstream.data();
    p.d = lengths.data();
  }
  p.out = out.data();
  bool done;
  {
    Unlocked unlocked(p.batch * p.m * p.n * itemsize(dtype) >= kUnlockBytes);
    done = kernel_fn<DistancesFn>(c.op->kernel, dtype)(p);
  }
  return done ? out.finish() : fail_memory(c.op->name, (p.n + p.width) * itemsize(dtype));
}

// distances(x, y). distances_backward(g, x, y, d): the gradient for x.
int forward_distances(OpCall& c) { return run_distances(c, 0, false); }
int forward_distances_backward(OpCall& c) { return run_distances(c, 1, true); }

}  // namespace

extern const ForwardEntry linalg_forwards[] = {{"small_factor", forward_small_factor},
                                               {"small_solve", forward_small_solve},
                                               {"small_det", forward_small_det},
                                               {"distances", forward_distances},
                                               {"distances_backward", forward_distances_backward},
                                               {nullptr, nullptr}};

}  // namespace wg
