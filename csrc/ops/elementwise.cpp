// Elementwise ops: promotion, broadcasting, and the block loop over contiguous kernels.
#include <cstring>

#include "wengert/kernels.h"
#include "wengert/loop.h"
#include "wengert/op.h"
#include "wengert/parallel.h"

namespace wg {

namespace {

// Elements of one parallel part: fixed, so that the split does not depend on the threads.
constexpr index_t kChunk = 1 << 14;

inline void call_kernel(void* fn, int nin, char* const* p, char* out, index_t n, int scalars) {
  switch (nin) {
    case 1:
      reinterpret_cast<UnaryFn>(fn)(p[0], out, n);
      break;
    case 2:
      reinterpret_cast<BinaryFn>(fn)(p[0], p[1], out, n, scalars);
      break;
    default:
      reinterpret_cast<TernaryFn>(fn)(p[0], p[1], p[2], out, n, scalars);
      break;
  }
}

void gather_row(int item, const char* src, index_t step, char* dst, index_t n) {
  switch (item) {
    case 1:
      for (index_t i = 0; i < n; ++i) dst[i] = src[i * step];
      break;
    case 4:
      for (index_t i = 0; i < n; ++i) std::memcpy(dst + 4 * i, src + i * step, 4);
      break;
    case 8:
      for (index_t i = 0; i < n; ++i) std::memcpy(dst + 8 * i, src + i * step, 8);
      break;
    default:
      for (index_t i = 0; i < n; ++i) std::memcpy(dst + item * i, src + i * step, static_cast<std::size_t>(item));
  }
}

void scatter_row(int item, const char* src, char* dst, index_t step, index_t n) {
  switch (item) {
    case 1:
      for (index_t i = 0; i < n; ++i) dst[i * step] = src[i];
      break;
    case 4:
      for (index_t i = 0; i < n; ++i) std::memcpy(dst + i * step, src + 4 * i, 4);
      break;
    case 8:
      for (index_t i = 0; i < n; ++i) std::memcpy(dst + i * step, src + 8 * i, 8);
      break;
    default:
      for (index_t i = 0; i < n; ++i) std::memcpy(dst + i * step, src + item * i, static_cast<std::size_t>(item));
  }
}

// All operands contiguous in the result's shape, or a single value.
void run_dense(void* fn, int nin, const Array* in, const Array& out, int scalars) {
  char* p[3];
  for (int i = 0; i < nin; ++i) p[i] = const_cast<char*>(in[i].data());
  char* o = const_cast<char*>(out.data());
  index_t n = out.numel();
  if (n <= kChunk) {
    call_kernel(fn, nin, p, o, n, scalars);
    return;
  }
  Unlocked unlocked(true);
  index_t o_item = itemsize(out.dtype);
  parallel_for((n + kChunk - 1) / kChunk, [&](index_t part) {
    index_t lo = part * kChunk, m = n - lo < kChunk ? n - lo : kChunk;
    char* q[3];
    for (int i = 0; i < nin; ++i) q[i] = p[i] + (scalars >> i & 1 ? 0 : lo * itemsize(in[i].dtype));
    call_kernel(fn, nin, q, o + lo * o_item, m, scalars);
  });
}

// Any layouts. Rows along the innermost merged dimension go to the kernel directly where they are contiguous or
// constant; others are staged through blocks.
void run_strided(void* fn, int nin, const Array* in, const Array& out) {
  const Array* arrays[4] = {&out};
  char* base[4] = {const_cast<char*>(out.data())};
  for (int i = 0; i < nin; ++i) {
    arrays[i + 1] = &in[i];
    base[i + 1] = const_cast<char*>(in[i].data());
  }
  Loop loop;
  loop_plan(&loop, out.ndim(), out.shape(), arrays, nin + 1);
  int inner = loop.ndim - 1;
  index_t n = loop.shape[inner];
  int item[4], scalars = 0;
  bool direct[4], all_direct = true;
  for (int i = 0; i <= nin; ++i) {
    item[i] = static_cast<int>(itemsize(arrays[i]->dtype));
    index_t step = loop.stride[i][inner];
    // Kernels of one operand know no constant operand.
    direct[i] = step == item[i] || (i > 0 && step == 0 && nin > 1) || n == 1;
    if (i > 0 && step == 0) scalars |= 1 << (i - 1);
    all_direct &= direct[i];
  }
  auto rows = [&](index_t begin, index_t end) {
    loop_rows(loop, base, begin, end, [&](char* const* p) {
      if (all_direct) {
        call_kernel(fn, nin, p + 1, p[0], n, scalars);
        return;
      }
      alignas(64) char stage[4][kBlock * 16];
      for (index_t lo = 0; lo < n; lo += kBlock) {
        index_t m = n - lo < kBlock ? n - lo : kBlock;
        char* q[4];
        for (int i = 0; i <= nin; ++i) {
          q[i] = p[i] + lo * loop.stride[i][inner];
          if (direct[i]) continue;
          if (i > 0) gather_row(item[i], q[i], loop.stride[i][inner], stage[i], m);
          q[i] = stage[i];
        }
        call_kernel(fn, nin, q + 1, q[0], m, scalars);
        if (!direct[0]) scatter_row(item[0], stage[0], p[0] + lo * loop.stride[0][inner], loop.stride[0][inner], m);
      }
    });
  };
  index_t outer = loop_outer(loop);
  if (out.numel() <= kChunk || outer < 2) {
    rows(0, outer);
    return;
  }
  Unlocked unlocked(true);
  index_t per = kChunk / (n < kChunk ? n : kChunk);
  if (per < 1) per = 1;
  parallel_for((outer + per - 1) / per, [&](index_t part) {
    index_t end = (part + 1) * per;
    rows(part * per, end < outer ? end : outer);
  });
}

bool overlaps(const Array& a, const Array& b) { return a.storage && a.storage == b.storage; }

// A weak or other-typed operand becomes a contiguous one of the computing dtype; big broadcast or strided operands
// of the right dtype are used as they are.
int convert_operand(const Array& src, int dtype, Array* out) {
  if (src.dtype == dtype) {
    *out = src;
    array_ref(*out);
    return 0;
  }
  return as_contiguous(src, dtype, out);
}

// Short inner rows make the strided loop slow (a kernel call for each); then operands are laid out first.
int widen_short_rows(Array* in, int nin, Layout* layout) {
  for (int i = 0; i < nin; ++i) {
    if (in[i].numel() == 1 || (in[i].layout->contiguous && same_shape(in[i].layout, layout))) continue;
    Array wide;
    Layout* l = layout_contiguous(layout->ndim, layout->shape());
    index_t bytes = l->numel * itemsize(in[i].dtype);
    if (!array_new(&wide, in[i].dtype, l)) return fail_memory("broadcast", bytes);
    copy_into(in[i], wide);
    array_unref(in[i]);
    in[i] = wide;
  }
  return 0;
}

int compute(OpCall& c, Array* in, int dtype, void* fn, int out_dtype, Layout* layout) {
  int nin = c.op->nin;
  int result_dt = out_dtype;
  const bool half = is_half(dtype);
  if (half && out_dtype == kFloat32) result_dt = dtype;
  // Results that the kernel cannot write directly go to a temporary: halves, and an output of another dtype.
  bool indirect = (half && result_dt != out_dtype) || (c.dest && c.dest->dtype != out_dtype);
  bool lays_over = false;
  if (c.dest)
    for (int i = 0; i < nin; ++i)
      if (overlaps(in[i], *c.dest) && !(in[i].layout == c.dest->layout && in[i].u.offset == c.dest->u.offset))
        lays_over = true;
  if (indirect || lays_over) {
    Array temp;
    Layout* l = layout_contiguous(layout->ndim, layout->shape());
    index_t bytes = l->numel * itemsize(out_dtype);
    int go = c.emit(0, result_dt, layout);
    if (go <= 0) {
      layout_decref(l);
      return go;
    }
    if (!array_new(&temp, out_dtype, l)) return fail_memory(c.op->name, bytes);
    int scalars = 0;
    bool dense = true;
    for (int i = 0; i < nin; ++i) {
      if (in[i].numel() == 1)
        scalars |= 1 << i;
      else
        dense &= in[i].layout->contiguous && same_shape(in[i].layout, temp.layout);
    }
    if (dense)
      run_dense(fn, nin, in, temp, scalars);
    else
      run_strided(fn, nin, in, temp);
    int bad = copy_into(temp, c.out[0]);
    array_unref(temp);
    return bad;
  }
  int go = c.emit(0, result_dt, layout);
  if (go <= 0) return go;
  const Array& out = c.out[0];
  if (out.numel() == 0) return 0;
  int scalars = 0;
  bool dense = out.layout->contiguous;
  for (int i = 0; i < nin; ++i) {
    if (in[i].numel() == 1)
      scalars |= 1 << i;
    else
      dense &= in[i].layout->contiguous && same_shape(in[i].layout, out.layout);
  }
  if (dense) {
    run_dense(fn, nin, in, out, scalars);
    return 0;
  }
  index_t last = out.ndim() ? out.shape()[out.ndim() - 1] : 1;
  if (last < 16 && out.numel() > 64 && out.layout->contiguous && widen_short_rows(in, nin, out.layout) == 0) {
    run_dense(fn, nin, in, out, scalars);
    return 0;
  }
  run_strided(fn, nin, in, out);
  return 0;
}

// What integers do not have: quotients by 0, whole powers with a negative exponent.
int check_integers(const OpInfo& op, const Array& right, int dtype) {
  if (is_inexact(dtype) || dtype == kBool) return 0;
  using AnyZeroFn = bool (*)(const void*, index_t);
  if (op.flags & kDivides) {
    Array dense;
    if (as_contiguous(right, dtype, &dense) < 0) return -1;
    bool zero = reinterpret_cast<AnyZeroFn>(find_kernel("any_zero", dtype)->fn)(dense.data(), dense.numel());
    array_unref(dense);
    if (zero)
      return fail(kRuntimeError,
                  "%s: expected integers other than 0 to divide by, got a 0: ZeroDivisionError. "
                  "Convert to floats for infinities.",
                  op.name);
  }
  if (right.flags & kWeak && right.dtype == kInt64 && right.u.i64 < 0 && !std::strcmp(op.kernel, "pow"))
    return fail(kRuntimeError,
                "%s: expected an exponent of at least 0 for integers, got %lld. Convert to floats first.", op.name,
                static_cast<long long>(right.u.i64));
  return 0;
}

// Bools have no difference, not even with numbers: what `1 - mask` means is for the program to say.
int check_bools(const OpInfo& op, const Array* in, int nin) {
  for (int i = 0; i < nin; ++i)
    if (in[i].dtype == kBool && !std::strcmp(op.kernel, "sub"))
      return fail(
          kRuntimeError,
          "%s: expected numbers, got a bool operand: bools have no subtraction. Use ^ or ~, or .int() first.",
          op.name);
  return 0;
}

int forward_elementwise(OpCall& c) {
  const OpInfo& op = *c.op;
  int nin = op.nin;
  if (nin == 2 && check_bools(op, c.in, nin) < 0) return -1;
  // `where` takes its dtype from the two values; the mask is bool.
  int first = nin == 3 && op.kernel[0] == 'w' ? 1 : 0;
  int dtype = result_dtype(c.in + first, nin - first);
  if (op.flags & kFloatResult && !is_inexact(dtype)) dtype = default_dtype;
  if (dtype == kBool && !std::strcmp(op.kernel, "square")) dtype = kInt64;  // a power with a number, as b ** 2
  int compute_dt = is_half(dtype) ? static_cast<int>(kFloat32) : dtype;
  void* fn = op.fn[compute_dt];
  if (!fn)
    return fail(is_complex(dtype) ? kNotImplemented : kRuntimeError,
                "%s: expected a dtype that it is defined for, got %s. Convert the operands first.", op.name,
                kDTypeName[dtype]);
  if (first && c.in[0].dtype != kBool)
    return fail(kRuntimeError, "%s: expected a condition of dtype bool, got %s. Compare with 0 first.", op.name,
                kDTypeName[c.in[0].dtype]);
  int out_dtype = op.out_dtype[compute_dt];
  if (c.dest) {
    int natural = is_half(dtype) && out_dtype == kFloat32 ? dtype : out_dtype;
    if (nin == 1 && is_complex(c.dest->dtype) && is_float(natural) && c.dest->dtype == dtype)
      return fail(kRuntimeError,
                  "%s_: expected a real tensor, got %s. Use the out-of-place form: its result is real.", op.name,
                  kDTypeName[dtype]);
    if (category(natural) > category(c.dest->dtype))
      return fail(kRuntimeError, "%s: expected a result that can be cast to %s, got %s. Use the out-of-place form.",
                  op.name, kDTypeName[c.dest->dtype], kDTypeName[natural]);
  }
  Layout* layout = broadcast_layout(op.name, c.in, nin);
  if (!layout) return -1;
  if (c.dest && same_shape(layout, c.dest->layout)) {
    layout_decref(layout);
    layout = c.dest->layout;
    layout_incref(layout);
  }
  Array in[3];
  int made = 0, status = 0;
  if (c.dry) {
    int natural = is_half(dtype) && out_dtype == kFloat32 ? dtype : out_dtype;
    return c.emit(0, natural, layout);
  }
  if (nin == 2 && check_integers(op, c.in[1], dtype) < 0) {
    layout_decref(layout);
    return -1;
  }
  for (; made < nin; ++made) {
    int want = first && made == 0 ? static_cast<int>(kBool) : compute_dt;
    if ((status = convert_operand(c.in[made], want, &in[made])) < 0) break;
  }
  if (status == 0) {
    status = compute(c, in, dtype, fn, out_dtype, layout);
  } else {
    layout_decref(layout);
  }
  for (int i = 0; i < made; ++i) array_unref(in[i]);
  return status;
}

// An elementwise op of the runtime's own, over the kernel of that name.
OpInfo kernel_op(const char* name, int nin) {
  OpInfo op{};
  op.name = op.kernel = name;
  op.nin = static_cast<std::int16_t>(nin);
  op.nout = 1;
  op.flags = kElementwise;
  for (int dt = 0; dt < kNumDTypes; ++dt) {
    const KernelEntry* e = find_kernel(name, dt);
    if (!e || e->kind != nin) continue;
    op.fn[dt] = e->fn;
    op.out_dtype[dt] = e->out;
  }
  return op;
}

// The function of one operand that a power is; null where there is none. Roots are PyTorch's: NaN at -inf.
const OpInfo* power_as_unary(double exponent, int dtype) {
  static const struct {
    double exponent;
    OpInfo op;
  } known[] = {{2.0, kernel_op("square", 1)},
               {3.0, kernel_op("cube", 1)},
               {0.5, kernel_op("sqrt", 1)},
               {-1.0, kernel_op("reciprocal", 1)},
               {-0.5, kernel_op("rsqrt", 1)}};
  for (const auto& one : known)
    if (one.exponent == exponent && (exponent == 2.0 || is_float(dtype))) return &one.op;
  return nullptr;
}

// pow_scalar(x; exponent): x to the power of a number.
int forward_pow_scalar(OpCall& c) {
  static const OpInfo power = kernel_op("pow", 2);
  AttrReader r(c.attr);
  double exponent = r.real();
  OpCall inner = c;
  if (const OpInfo* unary = power_as_unary(exponent, c.in[0].dtype)) {
    inner.op = unary;
    return forward_elementwise(inner);
  }
  Array in[2] = {c.in[0], Array{}};
  in[1].layout = layout_scalar();
  in[1].u.f64 = exponent;
  in[1].dtype = kFloat64;
  in[1].flags = kWeak;
  inner.op = &power;
  inner.in = in;
  inner.nin = 2;
  return forward_elementwise(inner);
}

}  // namespace

extern const ForwardEntry elementwise_forwards[] = {
    {"elementwise", forward_elementwise}, {"pow_scalar", forward_pow_scalar}, {nullptr, nullptr}};

}  // namespace wg
