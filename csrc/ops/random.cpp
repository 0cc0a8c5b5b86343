// Random draws: uniform, normal, dropout and their like. The last two attributes of each row are seed and offset.
#include <cstring>

#include "wengert/random.h"

#include "wengert/kernels.h"
#include "wengert/op.h"
#include "wengert/parallel.h"

namespace wg {

namespace {

// One draw into `out`, which may be strided: then it goes through a dense array.
int draw_into(OpCall& c, const Array& out, const double* params, AttrReader* r) {
  const std::uint64_t seed = static_cast<std::uint64_t>(r->integer());
  const std::uint64_t offset = static_cast<std::uint64_t>(r->integer());
  RandomFn fn = kernel_fn<RandomFn>(c.op->kernel, out.dtype);
  if (!fn)
    return fail(kRuntimeError, "%s: expected a dtype that it can draw, got %s. Draw in another dtype and convert.",
                c.op->name, kDTypeName[out.dtype]);
  if (out.numel() == 0) return 0;
  Unlocked unlocked(out.nbytes() >= kUnlockBytes);
  if (out.layout->contiguous) {
    fn(const_cast<char*>(out.data()), out.numel(), seed, offset, params);
    return 0;
  }
  Array dense;
  if (!array_new(&dense, out.dtype, layout_contiguous(out.ndim(), out.shape())))
    return fail_memory(c.op->name, out.nbytes());
  fn(dense.data(), dense.numel(), seed, offset, params);
  int status = copy_into(dense, out);
  array_unref(dense);
  return status;
}

// Result 0 of a draw: with an operand of its shape and dtype, else of the attributes shape and dtype.
int emit_draw(OpCall& c, AttrReader* r) {
  if (c.nin) return c.emit(0, c.in[0].dtype, layout_contiguous(c.in[0].ndim(), c.in[0].shape()));
  int n;
  const std::int64_t* sizes = r->list(&n);
  index_t shape[kMaxDims];
  if (n > kMaxDims)
    return fail(kValueError, "%s: expected at most %d dimensions, got %d.", c.op->name, kMaxDims, n);
  for (int d = 0; d < n; ++d) {
    if (sizes[d] < 0)
      return fail(kRuntimeError, "%s: expected sizes of at least 0, got %lld.", c.op->name,
                  static_cast<long long>(sizes[d]));
    shape[d] = sizes[d];
  }
  int dtype = static_cast<int>(r->integer());
  return c.emit(0, dtype, layout_contiguous(n < 0 ? 0 : n, shape));
}

// Two real parameters: bounds, or mean and deviation.
int forward_draw2(OpCall& c) {
  AttrReader r(c.attr);
  int go = emit_draw(c, &r);
  if (go <= 0) return go;
  double params[2];
  params[0] = r.real();
  params[1] = r.real();
  return draw_into(c, c.out[0], params, &r);
}

// One real parameter: a rate or a probability.
int forward_draw1(OpCall& c) {
  AttrReader r(c.attr);
  int go = emit_draw(c, &r);
  if (go <= 0) return go;
  double param = r.real();
  return draw_into(c, c.out[0], &param, &r);
}

// Integers in [low, high); the difference counts modulo 2**64, so low = high stands for all 64-bit integers.
int forward_draw_integers(OpCall& c) {
  AttrReader r(c.attr);
  int go = emit_draw(c, &r);
  if (go <= 0) return go;
  std::int64_t low = r.integer(), high = r.integer();
  RandomIntParams params = random_int_params(low, high);
  return draw_into(c, c.out[0], params.bits, &r);
}

// A permutation of 0 .. n-1.
int forward_randperm(OpCall& c) {
  AttrReader r(c.attr);
  int go = emit_draw(c, &r);
  return go <= 0 ? go : draw_into(c, c.out[0], nullptr, &r);
}

// dropout(x; p, seed, offset): x / (1 - p) where the draw keeps the element, else 0.
int forward_dropout(OpCall& c) {
  AttrReader r(c.attr);
  const double p = r.real();
  const std::uint64_t seed = static_cast<std::uint64_t>(r.integer());
  const std::uint64_t offset = static_cast<std::uint64_t>(r.integer());
  const int dtype = c.in[0].dtype;
  DropoutFn fn = kernel_fn<DropoutFn>("dropout", dtype);
  if (!fn)
    return fail(kRuntimeError, "dropout: expected a floating dtype, got %s. Convert with .float() first.",
                kDTypeName[dtype]);
  int go = c.emit(0, dtype, layout_contiguous(c.in[0].ndim(), c.in[0].shape()));
  if (go <= 0) return go;
  const Array& out = c.out[0];
  if (out.numel() == 0) return 0;
  Array x;
  if (as_contiguous(c.in[0], dtype, &x) < 0) return -1;
  int status = 0;
  {
    Unlocked unlocked(out.nbytes() >= kUnlockBytes);
    if (out.layout->contiguous) {
      fn(x.data(), c.out[0].data(), x.numel(), seed, offset, p);
    } else {
      // In place on a strided tensor: x is a dense copy of its own here.
      fn(x.data(), x.data(), x.numel(), seed, offset, p);
      status = copy_into(x, out);
    }
  }
  array_unref(x);
  return status;
}

}  // namespace

extern const ForwardEntry random_forwards[] = {
    {"draw1", forward_draw1},     {"draw2", forward_draw2},       {"draw_integers", forward_draw_integers},
    {"dropout", forward_dropout}, {"randperm", forward_randperm}, {nullptr, nullptr}};

}  // namespace wg
