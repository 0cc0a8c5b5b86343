// Recurrent layers: the loop over the steps of a sequence, forward and backward.
//
// The recurrent weight is packed once for a call and read by every step. A call is cut into runs of sequences, each
// of which goes through all steps on one thread; no sum crosses sequences, so the cut may follow the number of
// threads without touching the bits. What sums over steps (the gradients of the weights) is left to matrix products
// over all rows at once.
#include "wengert/recurrent.h"

#include "wengert/alloc.h"
#include "wengert/kernels.h"
#include "wengert/parallel.h"
#include "wengert/rows.h"
#include "wengert/vmath.h"

#include "packed_matrix.h"

namespace wg {
namespace WG_NS {
namespace {

// Fewer steps than this do not repay packing.
constexpr index_t kPackedSteps = 3;
// Multiply-adds that repay a hand-over to another thread.
constexpr double kSequencePart = 1e6;

index_t least(index_t a, index_t b) { return a < b ? a : b; }

// The right operand of the steps' products: packed, or where it is.
template <class T>
struct StepMatrix {
  PackedMatrix<T> packed{};
  const T* b = nullptr;
  index_t b_row = 0, b_col = 0, k = 0, n = 0;

  // C (rows of c_row) = A @ B, or += with `add`.
  void multiply_rows(index_t m, const T* a, index_t a_row, T* c, index_t c_row, bool add) const {
    if (m <= 0) return;
    const Dest<T> dest{c, c_row, nullptr, 0, nullptr, add};
    if (packed.panels)
      multiply_packed(m, a, a_row, packed, dest);
    else
      multiply(Product<T>{m, n, k, a, a_row, 1, b, b_row, b_col, dest});
  }
};

// The weights of the steps' products and, for each run of sequences, some memory of its own.
template <class T>
struct StepWeights {
  StepMatrix<T> recurrent, projection;

  // Packs into scratch slot 2, where that pays. False when there is no memory.
  bool prepare(const RecurrentShape& r) {
    if (r.steps < kPackedSteps) return true;
    const index_t width = PackedMatrix<T>::width_for(r.batch);
    const index_t first = PackedMatrix<T>::size(recurrent.k, recurrent.n, width);
    const index_t second = projection.b ? PackedMatrix<T>::size(projection.k, projection.n, width) : 0;
    T* memory = static_cast<T*>(scratch(2, static_cast<std::size_t>(first + second) * sizeof(T)));
    if (!memory) return false;
    pack(recurrent, width, memory);
    if (projection.b) pack(projection, width, memory + first);
    return true;
  }

 private:
  static void pack(StepMatrix<T>& m, index_t width, T* memory) {
    m.packed = pack_matrix(m.b, m.b_row, m.b_col, m.k, m.n, width, memory);
  }
};

// Rows of a step, and where its rows find what came before.
struct Step {
  index_t first;  // row of the run's first sequence
  index_t rows;   // sequences of the run that have this step
  index_t from;   // row of its state before: sequences below `have` find it there, the others in the initial state
  index_t have;
};

// Step `s` in the order of running for sequences [lo, hi).
Step step_at(const RecurrentShape& r, index_t s, index_t lo, index_t hi) {
  const index_t t = r.reverse ? r.steps - 1 - s : s;
  Step out{r.starts[t] + lo, least(hi, r.sizes[t]) - lo, 0, 0};
  if (s > 0 && out.rows > 0) {
    const index_t before = r.reverse ? t + 1 : t - 1;
    const index_t have = least(hi, r.sizes[before]) - lo;
    out.from = r.starts[before] + lo;
    out.have = have < 0 ? 0 : least(have, out.rows);
  }
  return out;
}

// The state before row k of a step: a matrix of all rows, the initial state, or zeros.
template <class T>
const T* state_before(const Step& s, index_t k, const T* all, const T* initial, index_t lo, index_t n,
                      const T* zeros) {
  if (k < s.have) return all + (s.from + k) * n;
  return initial ? initial + (lo + k) * n : zeros;
}

// Runs body(first sequence, end) on parts of the batch.
template <class Body>
void for_sequences(const RecurrentShape& r, Body&& body) {
  const double work = static_cast<double>(r.total) * static_cast<double>(r.hidden) * static_cast<double>(r.out) *
                      static_cast<double>(weights_of(r.cell));
  index_t parts = work < 2 * kSequencePart ? 1 : num_threads();
  parts = least(parts, (r.batch + kTileRows - 1) / kTileRows);
  if (parts < 1) parts = 1;
  // Whole tiles of rows go together.
  const index_t each = ((r.batch + parts - 1) / parts + kTileRows - 1) / kTileRows * kTileRows;
  parallel_for(parts, [&](index_t p) {
    const index_t lo = p * each, hi = least(lo + each, r.batch);
    if (lo < hi) body(lo, hi);
  });
}

// ---- one row of a step ---------------------------------------------------------------------------------------

template <class T>
void squash(T* x, index_t n) {
  for (index_t j = 0; j < n; ++j) x[j] = vm::sigmoid(x[j]);
}

template <class T>
void lstm_row(T* gates, const T* before, T* cell, T* out, index_t n) {
  squash(gates, 2 * n);
  for (index_t j = 2 * n; j < 3 * n; ++j) gates[j] = vm::tanh(gates[j]);
  squash(gates + 3 * n, n);
  const T *i = gates, *f = gates + n, *g = gates + 2 * n, *o = gates + 3 * n;
  WG_IVDEP
  for (index_t j = 0; j < n; ++j) {
    const T c = f[j] * before[j] + i[j] * g[j];
    cell[j] = c;
    out[j] = o[j] * vm::tanh(c);
  }
}

template <class T>
void gru_row(T* gates, const T* before, T* out, index_t n) {
  squash(gates + n, 2 * n);
  T* g = gates;
  const T *r = gates + n, *z = gates + 2 * n, *q = gates + 3 * n;
  WG_IVDEP
  for (index_t j = 0; j < n; ++j) {
    const T v = vm::tanh(g[j] + r[j] * q[j]);
    g[j] = v;
    out[j] = v + z[j] * (before[j] - v);
  }
}

template <class T>
void elman_row(Cell cell, T* gates, T* out, index_t n) {
  if (cell == Cell::kTanh) {
    WG_IVDEP
    for (index_t j = 0; j < n; ++j) out[j] = gates[j] = vm::tanh(gates[j]);
  } else {
    WG_IVDEP
    for (index_t j = 0; j < n; ++j) out[j] = gates[j] = gates[j] < T(0) ? T(0) : gates[j];
  }
}

// Gradients of one row. dh is the gradient of the output; dc that of the cell, before and after.
template <class T>
void lstm_row_back(const T* gates, const T* before, const T* cell, const T* dh, T* dc, T* grad, index_t n) {
  const T *i = gates, *f = gates + n, *g = gates + 2 * n, *o = gates + 3 * n;
  WG_IVDEP
  for (index_t j = 0; j < n; ++j) {
    const T t = vm::tanh(cell[j]), whole = dc[j] + dh[j] * o[j] * (T(1) - t * t);
    grad[j] = whole * g[j] * i[j] * (T(1) - i[j]);
    grad[n + j] = whole * before[j] * f[j] * (T(1) - f[j]);
    grad[2 * n + j] = whole * i[j] * (T(1) - g[j] * g[j]);
    grad[3 * n + j] = dh[j] * t * o[j] * (T(1) - o[j]);
    dc[j] = whole * f[j];
  }
}

// `dh` becomes the part of the gradient that goes to the previous output past the gates.
template <class T>
void gru_row_back(const T* gates, const T* before, T* dh, T* grad, index_t n) {
  const T *v = gates, *r = gates + n, *z = gates + 2 * n, *q = gates + 3 * n;
  WG_IVDEP
  for (index_t j = 0; j < n; ++j) {
    const T dv = dh[j] * (T(1) - z[j]) * (T(1) - v[j] * v[j]);
    grad[j] = dv;
    grad[n + j] = dv * q[j] * r[j] * (T(1) - r[j]);
    grad[2 * n + j] = dh[j] * (before[j] - v[j]) * z[j] * (T(1) - z[j]);
    grad[3 * n + j] = dv * r[j];
    dh[j] *= z[j];
  }
}

template <class T>
void elman_row_back(Cell cell, const T* y, const T* dh, T* grad, index_t n) {
  if (cell == Cell::kTanh) {
    WG_IVDEP
    for (index_t j = 0; j < n; ++j) grad[j] = dh[j] * (T(1) - y[j] * y[j]);
  } else {
    WG_IVDEP
    for (index_t j = 0; j < n; ++j) grad[j] = y[j] > T(0) ? dh[j] : T(0);
  }
}

// ---- forward ---------------------------------------------------------------------------------------------------

template <class T>
bool forward_run(const Recurrent& r, const StepWeights<T>& w, index_t lo, index_t hi) {
  const index_t hidden = r.hidden, width = gates_of(r.cell) * hidden;
  const index_t own = r.projection ? (hi - lo) * hidden : 0;
  T* zeros = static_cast<T*>(scratch(3, static_cast<std::size_t>(hidden + own) * sizeof(T)));
  if (!zeros) return false;
  for (index_t j = 0; j < hidden; ++j) zeros[j] = T(0);
  T* full = zeros + hidden;  // outputs before the projection
  T *gates = static_cast<T*>(r.gates), *cells = static_cast<T*>(r.cells), *y = static_cast<T*>(r.y);
  const T *h0 = static_cast<const T*>(r.h0), *c0 = static_cast<const T*>(r.c0);
  const index_t column = r.cell == Cell::kGru ? hidden : 0;  // of the gates that see the previous output
  for (index_t s = 0; s < r.steps; ++s) {
    const Step at = step_at(r, s, lo, hi);
    if (at.rows <= 0) continue;
    T* g = gates + at.first * width;
    w.recurrent.multiply_rows(at.have, y + at.from * r.out, r.out, g + column, width, true);
    if (h0)
      w.recurrent.multiply_rows(at.rows - at.have, h0 + (lo + at.have) * r.out, r.out, g + at.have * width + column,
                                width, true);
    T* out = r.projection ? full : y + at.first * r.out;
    for (index_t k = 0; k < at.rows; ++k) {
      T *row = g + k * width, *to = out + k * hidden;
      if (r.cell == Cell::kLstm)
        lstm_row(row, state_before(at, k, static_cast<const T*>(cells), c0, lo, hidden, zeros),
                 cells + (at.first + k) * hidden, to, hidden);
      else if (r.cell == Cell::kGru)
        gru_row(row, state_before(at, k, static_cast<const T*>(y), h0, lo, hidden, zeros), to, hidden);
      else
        elman_row(r.cell, row, to, hidden);
    }
    if (r.projection) w.projection.multiply_rows(at.rows, full, hidden, y + at.first * r.out, r.out, false);
  }
  return true;
}

// Copies every sequence's state after its last step.
template <class T>
void copy_last(const RecurrentShape& r, const T* all, T* last, index_t n) {
  for (index_t t = 0; t < (r.reverse ? least(1, r.steps) : r.steps); ++t) {
    const index_t next = r.reverse || t + 1 == r.steps ? 0 : r.sizes[t + 1];
    __builtin_memcpy(last + next * n, all + (r.starts[t] + next) * n,
                     static_cast<std::size_t>((r.sizes[t] - next) * n) * sizeof(T));
  }
}

template <class T>
bool recurrent(const Recurrent& r) {
  StepWeights<T> w;
  const index_t rows = weights_of(r.cell) * r.hidden;
  w.recurrent.b = static_cast<const T*>(r.weight);  // transposed: (out, rows)
  w.recurrent.b_row = 1;
  w.recurrent.b_col = w.recurrent.k = r.out;
  w.recurrent.n = rows;
  w.projection.b = static_cast<const T*>(r.projection);  // transposed: (hidden, out)
  w.projection.b_row = 1;
  w.projection.b_col = w.projection.k = r.hidden;
  w.projection.n = r.out;
  if (!w.prepare(r)) return false;
  bool fine = true;
  for_sequences(r, [&](index_t lo, index_t hi) {
    if (!forward_run(r, w, lo, hi)) __atomic_store_n(&fine, false, __ATOMIC_RELAXED);
  });
  if (r.cell == Cell::kLstm) copy_last(r, static_cast<const T*>(r.cells), static_cast<T*>(r.last_cells), r.hidden);
  return fine;
}

// ---- backward --------------------------------------------------------------------------------------------------

template <class T>
bool backward_run(const RecurrentBackward& r, const StepWeights<T>& w, index_t lo, index_t hi) {
  const index_t hidden = r.hidden, out = r.out, width = gates_of(r.cell) * hidden,
                wide = out > hidden ? out : hidden;
  const index_t own = (hi - lo) * hidden;
  T* zeros = static_cast<T*>(scratch(3, static_cast<std::size_t>(wide + own) * sizeof(T)));
  if (!zeros) return false;
  for (index_t j = 0; j < wide; ++j) zeros[j] = T(0);
  T* dh = zeros + wide;  // gradients of the outputs before the projection
  const T *gates = static_cast<const T*>(r.gates), *cells = static_cast<const T*>(r.cells);
  const T *y = static_cast<const T*>(r.y), *grad_y = static_cast<const T*>(r.grad_y);
  const T *h0 = static_cast<const T*>(r.h0), *c0 = static_cast<const T*>(r.c0);
  T *grad = static_cast<T*>(r.grad_gates), *previous = static_cast<T*>(r.previous);
  // The gradients of the states before the step at hand; at the end, those of the initial states.
  T *carry = static_cast<T*>(r.grad_h0), *carry_cell = static_cast<T*>(r.grad_c0);
  for (index_t j = lo * out; j < hi * out; ++j) carry[j] = T(0);
  if (r.cell == Cell::kLstm)
    __builtin_memcpy(carry_cell + lo * hidden, static_cast<const T*>(r.grad_last_cells) + lo * hidden,
                     static_cast<std::size_t>((hi - lo) * hidden) * sizeof(T));
  const index_t column = r.cell == Cell::kGru ? hidden : 0;
  for (index_t s = r.steps - 1; s >= 0; --s) {
    const Step at = step_at(r, s, lo, hi);
    if (at.rows <= 0) continue;
    T* whole = r.projection ? static_cast<T*>(r.grad_h) + at.first * out : dh;
    const T *from_above = grad_y + at.first * out, *from_later = carry + lo * out;
    WG_IVDEP
    for (index_t j = 0; j < at.rows * out; ++j) whole[j] = from_above[j] + from_later[j];
    if (r.projection) w.projection.multiply_rows(at.rows, whole, out, dh, hidden, false);
    for (index_t k = 0; k < at.rows; ++k) {
      const index_t row = at.first + k;
      const T *g = gates + row * width, *before = state_before(at, k, y, h0, lo, out, static_cast<const T*>(zeros));
      __builtin_memcpy(previous + row * out, before, static_cast<std::size_t>(out) * sizeof(T));
      T* d = dh + k * hidden;
      if (r.cell == Cell::kLstm) {
        lstm_row_back(g, state_before(at, k, cells, c0, lo, hidden, static_cast<const T*>(zeros)),
                      cells + row * hidden, d, carry_cell + (lo + k) * hidden, grad + row * width, hidden);
      } else if (r.cell == Cell::kGru) {
        gru_row_back(g, before, d, grad + row * width, hidden);
        __builtin_memcpy(carry + (lo + k) * hidden, d, static_cast<std::size_t>(hidden) * sizeof(T));
      } else {
        elman_row_back(r.cell, g, d, grad + row * width, hidden);
      }
      if (r.projection) {
        T* to = static_cast<T*>(r.unprojected) + row * hidden;
        const T *o = g + 3 * hidden, *c = cells + row * hidden;
        WG_IVDEP
        for (index_t j = 0; j < hidden; ++j) to[j] = o[j] * vm::tanh(c[j]);
      }
    }
    w.recurrent.multiply_rows(at.rows, grad + at.first * width + column, width, carry + lo * out, out,
                              r.cell == Cell::kGru);
  }
  return true;
}

template <class T>
bool recurrent_backward(const RecurrentBackward& r) {
  StepWeights<T> w;
  w.recurrent.b = static_cast<const T*>(r.weight);
  w.recurrent.b_row = w.recurrent.n = r.out;
  w.recurrent.b_col = 1;
  w.recurrent.k = weights_of(r.cell) * r.hidden;
  w.projection.b = static_cast<const T*>(r.projection);
  w.projection.b_row = w.projection.n = r.hidden;
  w.projection.b_col = 1;
  w.projection.k = r.out;
  if (!w.prepare(r)) return false;
  bool fine = true;
  for_sequences(r, [&](index_t lo, index_t hi) {
    if (!backward_run(r, w, lo, hi)) __atomic_store_n(&fine, false, __ATOMIC_RELAXED);
  });
  return fine;
}

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_RECURRENT(name, dtype, fn) {name, kOtherKernel, dtype, dtype, reinterpret_cast<void*>(fn)}
WG_UNIT(recurrent, WG_RECURRENT("recurrent", kFloat32, recurrent<float>),
        WG_RECURRENT("recurrent", kFloat64, recurrent<double>),
        WG_RECURRENT("recurrent_backward", kFloat32, recurrent_backward<float>),
        WG_RECURRENT("recurrent_backward", kFloat64, recurrent_backward<double>))
