// Recurrent layers: one direction of one layer, and its gradients. The input's part of the gates and the gradients
// of the weights are matrix products over all steps at once; the loop over the steps is the kernel's.
#include "wengert/recurrent.h"

#include "wengert/gemm.h"
#include "wengert/kernels.h"
#include "wengert/op.h"
#include "wengert/parallel.h"
#include "wengert/staged.h"

namespace wg {

namespace {

long long wide(index_t n) { return static_cast<long long>(n); }

int expect_shape(const OpCall& c, const char* what, const Array& a, index_t rows, index_t columns) {
  const index_t shape[2] = {rows, columns};
  const int ndim = columns < 0 ? 1 : 2;
  bool fits = a.ndim() == ndim && a.shape()[0] == rows && (ndim == 1 || a.shape()[1] == columns);
  if (fits) return 0;
  return fail(kRuntimeError, "%s: expected %s of shape %s, got %s.", c.op->name, what, shape_text(ndim, shape),
              shape_text(a.layout));
}

// Places of the operands. The backward op has the gradient of the result in front.
enum Place { kX, kWeightIh, kWeightHh, kBiasIh, kBiasHh, kH0, kC0, kProjection, kOperands };

// The sizes of a call, read from operands and attributes (mode; reverse; runs: steps and batch of each run of steps
// with one batch size).
struct Layer : RecurrentShape {
  index_t input = 0, rows = 0, width = 0;  // rows of the weights, columns of the gates
  int dtype = 0;
  Array table{};  // sizes and starts

  Layer() : RecurrentShape{} {}
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;
  ~Layer() { array_unref(table); }

  // Elements of the results: all outputs and the LSTM's last cells; the gates and the LSTM's cells.
  index_t outputs() const { return total * out + (cell == Cell::kLstm ? batch * hidden : 0); }
  index_t reserved() const { return total * (width + (cell == Cell::kLstm ? hidden : 0)); }

  int read(const OpCall& c, const Array* in) {
    AttrReader r(c.attr);
    const std::int64_t mode = r.integer();
    reverse = r.boolean();
    int count;
    const std::int64_t* runs = r.list(&count);
    if (mode < 0 || mode > 3 || count % 2)
      return fail(kValueError, "%s: expected a mode from 0 to 3 and pairs of steps and sequences.", c.op->name);
    cell = static_cast<Cell>(mode);
    if (read_runs(c, runs, count) < 0) return -1;
    const Array &x = in[kX], &w_hh = in[kWeightHh];
    if (expect_floating(c, x) < 0) return -1;
    dtype = compute_dtype(x.dtype);
    for (int k = 1; k < kOperands; ++k)
      if (in[k].defined() && in[k].dtype != x.dtype)
        return fail(kRuntimeError, "%s: expected operands of one dtype, got %s and %s. Convert one of them.",
                    c.op->name, kDTypeName[x.dtype], kDTypeName[in[k].dtype]);
    if (w_hh.ndim() != 2 || w_hh.shape()[0] % weights_of(cell))
      return fail(kRuntimeError, "%s: expected weight_hh of shape (%lld * hidden_size, output size), got %s.",
                  c.op->name, wide(weights_of(cell)), shape_text(w_hh.layout));
    rows = w_hh.shape()[0];
    hidden = rows / weights_of(cell);
    width = gates_of(cell) * hidden;
    out = w_hh.shape()[1];
    if (x.ndim() != 2 || x.shape()[0] != total)
      return fail(kRuntimeError, "%s: expected an input of %lld rows, one for each step of each sequence, got %s.",
                  c.op->name, wide(total), shape_text(x.layout));
    input = x.shape()[1];
    return check(c, in);
  }

 private:
  int read_runs(const OpCall& c, const std::int64_t* runs, int count) {
    for (int k = 0; k < count; k += 2) {
      if (runs[k] < 0 || runs[k + 1] < 0 || (k && runs[k + 1] > runs[k - 1]))
        return fail(kValueError, "%s: expected batch sizes that never increase.", c.op->name);
      steps += runs[k];
      total += runs[k] * runs[k + 1];
    }
    batch = count ? runs[1] : 0;
    const index_t shape[1] = {2 * steps};
    if (!array_new(&table, kInt64, layout_contiguous(1, shape))) return fail_memory(c.op->name, 16 * steps);
    index_t *sizes_out = reinterpret_cast<index_t*>(table.data()), *starts_out = sizes_out + steps;
    index_t t = 0, start = 0;
    for (int k = 0; k < count; k += 2)
      for (index_t s = 0; s < runs[k]; ++s, ++t, start += runs[k + 1]) {
        sizes_out[t] = runs[k + 1];
        starts_out[t] = start;
      }
    sizes = sizes_out;
    starts = starts_out;
    return 0;
  }

  int check(const OpCall& c, const Array* in) const {
    const bool lstm = cell == Cell::kLstm;
    if (expect_shape(c, "weight_ih", in[kWeightIh], rows, input) < 0) return -1;
    if (in[kBiasIh].defined() && expect_shape(c, "bias_ih", in[kBiasIh], rows, -1) < 0) return -1;
    if (in[kBiasHh].defined() && expect_shape(c, "bias_hh", in[kBiasHh], rows, -1) < 0) return -1;
    if (in[kH0].defined() && expect_shape(c, "hx", in[kH0], batch, out) < 0) return -1;
    if (in[kC0].defined() && expect_shape(c, "cx", in[kC0], batch, hidden) < 0) return -1;
    if (!lstm && (in[kC0].defined() || in[kProjection].defined()))
      return fail(kRuntimeError, "%s: expected a cell state and a projection of an LSTM only.", c.op->name);
    if (in[kProjection].defined()) return expect_shape(c, "weight_hr", in[kProjection], out, hidden);
    if (out == hidden) return 0;
    return fail(kRuntimeError, "%s: expected weight_hh of shape (%lld, %lld), got %s.", c.op->name, wide(rows),
                wide(hidden), shape_text(in[kWeightHh].layout));
  }
};

// The operands as contiguous memory of the computing dtype.
struct Operands {
  Operand of[kOperands];
  int take(const Array* in, int dtype) {
    for (int k = 0; k < kOperands; ++k)
      if (of[k].take(in[k], dtype) < 0) return -1;
    return 0;
  }
  const void* operator[](Place place) const { return of[place].data(); }
};

const void* at(const void* p, index_t elements, int dtype) {
  return static_cast<const char*>(p) + elements * itemsize(dtype);
}
void* at(void* p, index_t elements, int dtype) { return static_cast<char*>(p) + elements * itemsize(dtype); }

// C (m, n) = A @ B, with strides in elements.
struct Matrix {
  const void* data;
  index_t row, column;
};
void product(int dtype, index_t m, index_t n, index_t k, Matrix a, Matrix b, void* c, index_t c_row,
             const void* bias = nullptr, bool accumulate = false) {
  static GemmFn fns[2];
  GemmFn& fn = fns[dtype == kFloat64];
  if (!fn) fn = kernel_fn<GemmFn>("gemm", dtype);
  fn(Gemm{m, n, k, a.data, a.row, a.column, b.data, b.row, b.column, c, c_row, 1, nullptr, nullptr, 0, bias,
          accumulate});
}

// The sum of the biases in front (GRU: of the two gates whose biases add), then what is left of bias_ih.
template <class T>
void join_biases(const Layer& l, const T* ih, const T* hh, T* joined) {
  const index_t both = l.cell == Cell::kGru ? 2 * l.hidden : l.rows;
  for (index_t j = 0; j < l.rows; ++j) joined[j] = (ih ? ih[j] : T(0)) + (hh && j < both ? hh[j] : T(0));
}

// GRU: the part of the gate n that sees the previous output begins with its bias.
template <class T>
void begin_hidden_part(const Layer& l, const T* hh, T* gates) {
  for (index_t r = 0; r < l.total; ++r)
    for (index_t j = 0; j < l.hidden; ++j) gates[r * l.width + 3 * l.hidden + j] = hh ? hh[2 * l.hidden + j] : T(0);
}

// The input's part of all gates. GRU: the columns n, r, z come from the rows r, z, n of the weight.
template <class T>
void project_input(const Layer& l, const Operands& o, T* bias, T* gates) {
  const bool gru = l.cell == Cell::kGru;
  const T *ih = static_cast<const T*>(o[kBiasIh]), *hh = static_cast<const T*>(o[kBiasHh]);
  const T *x = static_cast<const T*>(o[kX]), *w = static_cast<const T*>(o[kWeightIh]);
  join_biases(l, ih, hh, bias);
  const index_t first = gru ? 2 * l.hidden : l.rows;
  const Matrix rows{x, l.input, 1};
  product(l.dtype, l.total, first, l.input, rows, {w, 1, l.input}, gates + (gru ? l.hidden : 0), l.width, bias);
  if (!gru) return;
  product(l.dtype, l.total, l.hidden, l.input, rows, {w + first * l.input, 1, l.input}, gates, l.width,
          bias + first);
  begin_hidden_part(l, hh, gates);
}

// recurrent(x, weight_ih, weight_hh, bias_ih, bias_hh, h0, c0, weight_hr; mode, reverse, runs): the outputs (total
// * out) and for the LSTM the last cell states (batch * hidden), in one dimension; the activated gates and the
// cells.
int forward_recurrent(OpCall& c) {
  Layer l;
  if (l.read(c, c.in) < 0) return -1;
  const index_t outputs[1] = {l.outputs()}, kept[1] = {l.reserved()};
  Result y, reserve;
  const int go = y.emit(c, 0, c.in[kX].dtype, l.dtype, layout_contiguous(1, outputs));
  if (go < 0 || reserve.emit(c, 1, l.dtype, l.dtype, layout_contiguous(1, kept)) < 0) return -1;
  if (go == 0) return 0;
  Operands o;
  if (o.take(c.in, l.dtype) < 0) return -1;
  Buffer bias((l.rows + 1) * itemsize(l.dtype));
  if (!bias.data()) return fail_memory(c.op->name, l.rows * itemsize(l.dtype));
  static RecurrentFn fns[2];
  RecurrentFn& fn = fns[l.dtype == kFloat64];
  if (!fn) fn = kernel_fn<RecurrentFn>("recurrent", l.dtype);
  Recurrent r{};
  static_cast<RecurrentShape&>(r) = l;
  r.gates = reserve.data();
  r.cells = at(reserve.data(), l.total * l.width, l.dtype);
  r.y = y.data();
  r.last_cells = at(y.data(), l.total * l.out, l.dtype);
  r.weight = o[kWeightHh];
  r.h0 = o[kH0];
  r.c0 = o[kC0];
  r.projection = o[kProjection];
  bool fine;
  {
    Unlocked unlocked(kept[0] * itemsize(l.dtype) >= kUnlockBytes);
    if (l.dtype == kFloat64)
      project_input(l, o, static_cast<double*>(bias.data()), static_cast<double*>(reserve.data()));
    else
      project_input(l, o, static_cast<float*>(bias.data()), static_cast<float*>(reserve.data()));
    fine = fn(r);
  }
  if (!fine) return fail_memory(c.op->name, l.rows * l.out * itemsize(l.dtype));
  return y.finish();
}

// Results of the backward op that somebody asked for; memory of our own for what the kernel writes in any case.
class Gradient {
 public:
  // The gradient of operand `like`, as result `place`: an empty 0-d value where nobody asks for it.
  int emit(OpCall& c, int place, const Array& like, int compute) {
    if (!like.defined() || !(c.wanted >> place & 1))
      return c.emit(place, c.in[1].dtype, layout_contiguous(0, nullptr));
    wanted_ = true;
    return result_.emit(c, place, like.dtype, compute, layout_dense(like.layout));
  }
  void* data() { return wanted_ ? result_.data() : nullptr; }
  int finish() { return wanted_ ? result_.finish() : 0; }

 private:
  Result result_;
  bool wanted_ = false;
};

// The products over all rows: gradients of the input, the weights and the biases. `g` are the gradients of the
// gates.
struct Products {
  const Layer& l;
  const void* g;
  int dtype() const { return l.dtype; }
  bool gru() const { return l.cell == Cell::kGru; }
  index_t split() const { return gru() ? 2 * l.hidden : l.rows; }  // weight rows before GRU's n
  // Columns of the gates for weight_ih's rows [0, split) and for the rest; for all of weight_hh's rows.
  const void* first() const { return at(g, gru() ? l.hidden : 0, l.dtype); }
  const void* hidden_part() const { return first(); }

  void input(const void* weight, void* gx) const {
    product(dtype(), l.total, l.input, split(), {first(), l.width, 1}, {weight, l.input, 1}, gx, l.input);
    if (gru())
      product(dtype(), l.total, l.input, l.hidden, {g, l.width, 1},
              {at(weight, split() * l.input, dtype()), l.input, 1}, gx, l.input, nullptr, true);
  }
  void weight_ih(const void* x, void* gw) const {
    product(dtype(), split(), l.input, l.total, {first(), 1, l.width}, {x, l.input, 1}, gw, l.input);
    if (gru())
      product(dtype(), l.hidden, l.input, l.total, {g, 1, l.width}, {x, l.input, 1},
              at(gw, split() * l.input, dtype()), l.input);
  }
  void weight_hh(const void* previous, void* gw) const {
    product(dtype(), l.rows, l.out, l.total, {hidden_part(), 1, l.width}, {previous, l.out, 1}, gw, l.out);
  }
  void bias_ih(void* gb) const {
    sum(first(), split(), gb);
    if (gru()) sum(g, l.hidden, at(gb, split(), dtype()));
  }
  void bias_hh(void* gb) const { sum(hidden_part(), l.rows, gb); }

 private:
  // Sums over the rows, as a product with ones.
  void sum(const void* columns, index_t n, void* to) const {
    static const double one_f64 = 1;
    static const float one_f32 = 1;
    const void* one = dtype() == kFloat64 ? static_cast<const void*>(&one_f64) : &one_f32;
    product(dtype(), 1, n, l.total, {one, 0, 0}, {columns, l.width, 1}, to, n);
  }
};

// recurrent_backward(u, the operands of recurrent, y, reserve; …): the gradients of the operands.
int forward_recurrent_backward(OpCall& c) {
  const Array *in = c.in + 1, &u = c.in[0], &y = c.in[1 + kOperands], &reserve = c.in[2 + kOperands];
  Layer l;
  if (l.read(c, in) < 0) return -1;
  const bool lstm = l.cell == Cell::kLstm, projected = in[kProjection].defined();
  if (u.numel() != l.outputs() || y.numel() != l.outputs() || reserve.numel() != l.reserved())
    return fail(kRuntimeError,
                "%s: expected results and a gradient of %lld elements and a reserve of %lld, got %s, %s and %s.",
                c.op->name, wide(l.outputs()), wide(l.reserved()), shape_text(y.layout), shape_text(u.layout),
                shape_text(reserve.layout));
  Gradient g[kOperands];
  for (int k = 0; k < kOperands; ++k) {
    const int go = g[k].emit(c, k, in[k], l.dtype);
    if (go < 0) return -1;
  }
  if (c.dry) return 0;
  const index_t item = itemsize(l.dtype);
  Operands o;
  Operand us, ys, kept;
  if (o.take(in, l.dtype) < 0 || us.take(u, l.dtype) < 0 || ys.take(y, l.dtype) < 0 ||
      kept.take(reserve, l.dtype) < 0)
    return -1;
  const index_t whole = l.total * (l.width + l.out + (projected ? l.out + l.hidden : 0));
  const index_t states = l.batch * (l.out + l.hidden);
  Buffer memory((whole + states + 1) * item);
  if (!memory.data()) return fail_memory(c.op->name, (whole + states) * item);
  char* next = static_cast<char*>(memory.data());
  const auto take = [&](index_t elements) {
    void* p = next;
    next += elements * item;
    return p;
  };
  RecurrentBackward r{};
  static_cast<RecurrentShape&>(r) = l;
  r.gates = kept.data();
  r.cells = at(kept.data(), l.total * l.width, l.dtype);
  r.y = ys.data();
  r.weight = o[kWeightHh];
  r.h0 = o[kH0];
  r.c0 = o[kC0];
  r.projection = o[kProjection];
  r.grad_y = us.data();
  r.grad_last_cells = at(us.data(), l.total * l.out, l.dtype);
  r.grad_gates = take(l.total * l.width);
  r.previous = take(l.total * l.out);
  r.grad_h0 = g[kH0].data() ? g[kH0].data() : take(l.batch * l.out);
  if (lstm) r.grad_c0 = g[kC0].data() ? g[kC0].data() : take(l.batch * l.hidden);
  if (projected) {
    r.grad_h = take(l.total * l.out);
    r.unprojected = take(l.total * l.hidden);
  }
  static RecurrentBackwardFn fns[2];
  RecurrentBackwardFn& fn = fns[l.dtype == kFloat64];
  if (!fn) fn = kernel_fn<RecurrentBackwardFn>("recurrent_backward", l.dtype);
  bool fine;
  {
    Unlocked unlocked(whole * item >= kUnlockBytes);
    fine = fn(r);
    const Products all{l, r.grad_gates};
    if (g[kX].data()) all.input(o[kWeightIh], g[kX].data());
    if (g[kWeightIh].data()) all.weight_ih(o[kX], g[kWeightIh].data());
    if (g[kWeightHh].data()) all.weight_hh(r.previous, g[kWeightHh].data());
    if (g[kBiasIh].data()) all.bias_ih(g[kBiasIh].data());
    if (g[kBiasHh].data()) all.bias_hh(g[kBiasHh].data());
    if (g[kProjection].data())
      product(l.dtype, l.out, l.hidden, l.total, {r.grad_h, 1, l.out}, {r.unprojected, l.hidden, 1},
              g[kProjection].data(), l.hidden);
  }
  if (!fine) return fail_memory(c.op->name, l.rows * l.out * item);
  for (Gradient& v : g)
    if (v.finish() < 0) return -1;
  return 0;
}

}  // namespace

extern const ForwardEntry recurrent_forwards[] = {
    {"recurrent", forward_recurrent}, {"recurrent_backward", forward_recurrent_backward}, {nullptr, nullptr}};

}  // namespace wg
