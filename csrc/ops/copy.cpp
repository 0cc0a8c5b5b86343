// Copies: strided to strided, conversion between element types, filling, summing to a shape.
#include <cstring>

#include "wengert/kernels.h"
#include "wengert/loop.h"
#include "wengert/op.h"
#include "wengert/parallel.h"

namespace wg {

namespace {

struct Words {  // an element of 16 bytes
  std::uint64_t word[2];
};

template <class T>
WG_INLINE void copy_row(const char* src, index_t src_step, char* dst, index_t dst_step, index_t n) {
  for (index_t i = 0; i < n; ++i) {
    T v;
    std::memcpy(&v, src + i * src_step, sizeof(T));
    std::memcpy(dst + i * dst_step, &v, sizeof(T));
  }
}

void copy_row_any(int item, const char* src, index_t src_step, char* dst, index_t dst_step, index_t n) {
  if (src_step == item && dst_step == item) {
    std::memcpy(dst, src, static_cast<std::size_t>(n * item));
    return;
  }
  if (dst_step == -item) {  // from the other end
    src += (n - 1) * src_step;
    dst += (n - 1) * dst_step;
    src_step = -src_step;
    dst_step = item;
  }
  if (dst_step == item && (src_step == -item || src_step == 0)) {  // steps that the compiler knows make vectors
    const bool back = src_step != 0;
    if (item == 4)
      return back ? copy_row<std::uint32_t>(src, -4, dst, 4, n) : copy_row<std::uint32_t>(src, 0, dst, 4, n);
    if (item == 8)
      return back ? copy_row<std::uint64_t>(src, -8, dst, 8, n) : copy_row<std::uint64_t>(src, 0, dst, 8, n);
  }
  switch (item) {
    case 1:
      copy_row<std::uint8_t>(src, src_step, dst, dst_step, n);
      break;
    case 2:
      copy_row<std::uint16_t>(src, src_step, dst, dst_step, n);
      break;
    case 4:
      copy_row<std::uint32_t>(src, src_step, dst, dst_step, n);
      break;
    case 8:
      copy_row<std::uint64_t>(src, src_step, dst, dst_step, n);
      break;
    default:
      copy_row<Words>(src, src_step, dst, dst_step, n);
      break;
  }
}

// A two-dimensional transpose-like copy: the source runs fast along the outer dimension. Tiles keep both sides
// in cache (a plain row walk misses on every element).
template <class T>
void copy_tiles(const char* src, index_t s_out, index_t s_in, char* dst, index_t d_out, index_t d_in, index_t rows,
                index_t cols) {
  constexpr index_t kTile = 16;
  for (index_t r = 0; r < rows; r += kTile)
    for (index_t c = 0; c < cols; c += kTile) {
      index_t re = r + kTile < rows ? r + kTile : rows, ce = c + kTile < cols ? c + kTile : cols;
      for (index_t i = r; i < re; ++i)
        for (index_t j = c; j < ce; ++j) {
          T v;
          std::memcpy(&v, src + i * s_out + j * s_in, sizeof(T));
          std::memcpy(dst + i * d_out + j * d_in, &v, sizeof(T));
        }
    }
}

#if defined(__clang__) || __GNUC__ >= 12
constexpr bool kTurns = true;
template <class T>
struct Quarter;  // 16 bytes of T, and the turning of a square of them
template <>
struct Quarter<std::uint32_t> {
  typedef std::uint32_t V __attribute__((vector_size(16)));
  static WG_INLINE void turn(V* x) {
    const V a = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5),
            b = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5);
    const V c = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7),
            d = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);
    x[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    x[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    x[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    x[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
  }
};
template <>
struct Quarter<std::uint64_t> {
  typedef std::uint64_t V __attribute__((vector_size(16)));
  static WG_INLINE void turn(V* x) {
    const V a = __builtin_shufflevector(x[0], x[1], 0, 2);
    x[1] = __builtin_shufflevector(x[0], x[1], 1, 3);
    x[0] = a;
  }
};

// A square of one cache line each way, turned: every line of the source is read once, whatever its step (lines a
// power of two apart would push each other out), and every line of the result written once.
template <class T>
WG_INLINE void turn_square(const char* src, index_t s_in, char* dst, index_t d_out) {
  using V = typename Quarter<T>::V;
  constexpr int kSide = 64 / sizeof(T), kPart = 16 / sizeof(T);
  alignas(64) T square[kSide * kSide];
  for (int c = 0; c < kSide; c += kPart)
    for (int r = 0; r < kSide; r += kPart) {
      V x[kPart];
      for (int i = 0; i < kPart; ++i) std::memcpy(&x[i], src + (c + i) * s_in + r * sizeof(T), 16);
      Quarter<T>::turn(x);
      for (int i = 0; i < kPart; ++i) std::memcpy(square + (r + i) * kSide + c, &x[i], 16);
    }
  for (int r = 0; r < kSide; ++r) std::memcpy(dst + r * d_out, square + r * kSide, 64);
}
#else
constexpr bool kTurns = false;
template <class T>
void turn_square(const char*, index_t, char*, index_t) {}
#endif

// copy_tiles where the result is contiguous along the columns, for elements of 4 or 8 bytes.
template <class T>
void copy_turned(const char* src, index_t s_in, char* dst, index_t d_out, index_t rows, index_t cols) {
  constexpr index_t kItem = sizeof(T), kSide = 64 / kItem;
  const index_t r_whole = kTurns ? rows / kSide * kSide : 0, c_whole = kTurns ? cols / kSide * kSide : 0;
  for (index_t r = 0; r < r_whole; r += kSide)
    for (index_t c = 0; c < c_whole; c += kSide)
      turn_square<T>(src + r * kItem + c * s_in, s_in, dst + r * d_out + c * kItem, d_out);
  copy_tiles<T>(src + c_whole * s_in, kItem, s_in, dst + c_whole * kItem, d_out, kItem, r_whole, cols - c_whole);
  copy_tiles<T>(src + r_whole * kItem, kItem, s_in, dst + r_whole * d_out, d_out, kItem, rows - r_whole, cols);
}

void copy_plane(int item, const char* src, index_t s_out, index_t s_in, char* dst, index_t d_out, index_t d_in,
                index_t rows, index_t cols) {
  if (s_out == item && d_in == item) {
    if (item == 4) return copy_turned<std::uint32_t>(src, s_in, dst, d_out, rows, cols);
    if (item == 8) return copy_turned<std::uint64_t>(src, s_in, dst, d_out, rows, cols);
  }
  switch (item) {
    case 1:
      copy_tiles<std::uint8_t>(src, s_out, s_in, dst, d_out, d_in, rows, cols);
      break;
    case 2:
      copy_tiles<std::uint16_t>(src, s_out, s_in, dst, d_out, d_in, rows, cols);
      break;
    case 4:
      copy_tiles<std::uint32_t>(src, s_out, s_in, dst, d_out, d_in, rows, cols);
      break;
    case 8:
      copy_tiles<std::uint64_t>(src, s_out, s_in, dst, d_out, d_in, rows, cols);
      break;
    default:
      copy_tiles<Words>(src, s_out, s_in, dst, d_out, d_in, rows, cols);
      break;
  }
}

// Same dtype, any layouts, dst has the full shape and src broadcasts to it.
void copy_same(const Array& src, const Array& dst) {
  const Array* arrays[2] = {&dst, &src};
  Loop loop;
  loop_plan(&loop, dst.ndim(), dst.shape(), arrays, 2);
  if (loop.numel == 0) return;
  int item = static_cast<int>(itemsize(dst.dtype));
  char* base[2] = {const_cast<char*>(dst.data()), const_cast<char*>(src.data())};
  int in = loop.ndim - 1;
  index_t n = loop.shape[in];
  // Where the source is contiguous along the next dimension, copy planes of the last two dimensions in tiles.
  if (loop.ndim >= 2 && loop.stride[1][in] != item && loop.stride[1][in - 1] == item && loop.shape[in - 1] >= 8) {
    Loop outer = loop;
    outer.ndim = loop.ndim - 1;  // its innermost dimension is the plane's rows
    loop_rows(outer, base, 0, loop_outer(outer), [&](char* const* p) {
      copy_plane(item, p[1], loop.stride[1][in - 1], loop.stride[1][in], p[0], loop.stride[0][in - 1],
                 loop.stride[0][in], loop.shape[in - 1], n);
    });
    return;
  }
  loop_rows(loop, base, 0, loop_outer(loop),
            [&](char* const* p) { copy_row_any(item, p[1], loop.stride[1][in], p[0], loop.stride[0][in], n); });
}

const char* const kCastName[kNumDTypes] = {"to_bool",    "to_uint8",   "to_int8",      "to_int16",
                                           "to_int32",   "to_int64",   "to_float16",   "to_bfloat16",
                                           "to_float32", "to_float64", "to_complex64", "to_complex128"};

UnaryFn cast_kernel(int from, int to) {
  static UnaryFn fns[kNumDTypes][kNumDTypes];
  UnaryFn& f = fns[from][to];
  if (!f) f = kernel_fn<UnaryFn>(kCastName[to], from);
  return f;
}

// Runs a contiguous unary kernel in parallel blocks.
void run_unary(UnaryFn fn, const char* a, index_t a_item, char* out, index_t o_item, index_t n) {
  constexpr index_t kChunk = 1 << 15;
  if (n <= kChunk) {
    fn(a, out, n);
    return;
  }
  parallel_for((n + kChunk - 1) / kChunk, [&](index_t i) {
    index_t lo = i * kChunk, m = n - lo < kChunk ? n - lo : kChunk;
    fn(a + lo * a_item, out + lo * o_item, m);
  });
}

// contiguous(x): the same values without gaps, in row-major order.
int forward_contiguous(OpCall& c) {
  if (c.in[0].layout->contiguous && !c.dry && !c.dest) {
    c.out[0] = c.in[0];
    array_ref(c.out[0]);
    return 0;
  }
  int go = c.emit(0, c.in[0].dtype, layout_contiguous(c.in[0].ndim(), c.in[0].shape()));
  return go <= 0 ? go : copy_into(c.in[0], c.out[0]);
}

// clone(x): a copy in memory of its own.
int forward_clone(OpCall& c) {
  int go = c.emit(0, c.in[0].dtype, layout_contiguous(c.in[0].ndim(), c.in[0].shape()));
  return go <= 0 ? go : copy_into(c.in[0], c.out[0]);
}

// cast(x; dtype): conversion to another element type.
int forward_cast(OpCall& c) {
  AttrReader r(c.attr);
  int dtype = static_cast<int>(r.integer());
  int go = c.emit(0, dtype, layout_contiguous(c.in[0].ndim(), c.in[0].shape()));
  return go <= 0 ? go : copy_into(c.in[0], c.out[0]);
}

// cast_like(x, like): x in like's dtype.
int forward_cast_like(OpCall& c) {
  if (c.in[0].dtype == c.in[1].dtype && !c.dry && !c.dest) {
    c.out[0] = c.in[0];
    array_ref(c.out[0]);
    return 0;
  }
  int go = c.emit(0, c.in[1].dtype, layout_contiguous(c.in[0].ndim(), c.in[0].shape()));
  return go <= 0 ? go : copy_into(c.in[0], c.out[0]);
}

// assign(x, src): src in x's shape and dtype; with dest = x it is x.copy_(src).
int forward_assign(OpCall& c) {
  const Array &x = c.in[0], &src = c.in[1];
  bool fits = src.ndim() <= x.ndim();
  for (int d = 0; fits && d < src.ndim(); ++d) {
    index_t size = src.shape()[d];
    fits = size == 1 || size == x.shape()[d + x.ndim() - src.ndim()];
  }
  if (!fits)
    return fail(kRuntimeError, "copy_: expected a source that broadcasts to shape %s, got shape %s.",
                shape_text(x.layout), shape_text(src.layout));
  layout_incref(x.layout);
  Layout* l = c.dest ? x.layout : layout_contiguous(x.ndim(), x.shape());
  if (!c.dest) layout_decref(x.layout);
  int go = c.emit(0, x.dtype, l);
  if (go <= 0) return go;
  // Overlapping memory (x[1:] = x[:-1]) is read before it is written.
  if (src.storage && src.storage == c.out[0].storage && src.layout != x.layout) {
    Array copy;
    if (!array_new(&copy, src.dtype, layout_contiguous(src.ndim(), src.shape())))
      return fail_memory("copy_", src.nbytes());
    copy_into(src, copy);
    int status = copy_into(copy, c.out[0]);
    array_unref(copy);
    return status;
  }
  return copy_into(src, c.out[0]);
}

// sum_to_like(x, like): x summed over the dimensions in which like was broadcast to x's shape.
int forward_sum_to_like(OpCall& c) {
  const Array &x = c.in[0], &like = c.in[1];
  const int lead = x.ndim() - like.ndim();
  bool fits = lead >= 0;
  for (int d = 0; fits && d < like.ndim(); ++d)
    fits = like.shape()[d] == 1 || like.shape()[d] == x.shape()[lead + d];
  if (!fits)
    return fail(kRuntimeError, "%s: expected a shape that broadcasts to %s, got %s.", c.op->name,
                shape_text(x.layout), shape_text(like.layout));
  if (c.dry) {
    layout_incref(c.in[1].layout);
    return c.emit(0, c.in[0].dtype, c.in[1].layout);
  }
  return sum_to_layout(c.in[0], c.in[1].layout, &c.out[0]);
}

// zeros_like(like): zeros of the shape and dtype of an operand whose value is not needed.
int forward_zeros_like(OpCall& c) {
  int go = c.emit(0, c.in[0].dtype, layout_contiguous(c.in[0].ndim(), c.in[0].shape()));
  return go <= 0 ? go : fill_zero(c.out[0]);
}

}  // namespace

int copy_into(const Array& src, const Array& dst) {
  if (dst.numel() == 0) return 0;
  Unlocked unlocked(dst.nbytes() >= kUnlockBytes);
  if (src.dtype == dst.dtype) {
    copy_same(src, dst);
    return 0;
  }
  UnaryFn fn = cast_kernel(src.dtype, dst.dtype);
  bool dense = src.layout->contiguous && dst.layout->contiguous && src.numel() == dst.numel();
  char* out = const_cast<char*>(dst.data());
  if (dense) {
    run_unary(fn, src.data(), itemsize(src.dtype), out, itemsize(dst.dtype), dst.numel());
    return 0;
  }
  // Gather a block, convert it, scatter it.
  const Array* arrays[2] = {&dst, &src};
  Loop loop;
  loop_plan(&loop, dst.ndim(), dst.shape(), arrays, 2);
  char* base[2] = {out, const_cast<char*>(src.data())};
  int in = loop.ndim - 1, s_item = static_cast<int>(itemsize(src.dtype)),
      d_item = static_cast<int>(itemsize(dst.dtype));
  loop_rows(loop, base, 0, loop_outer(loop), [&](char* const* p) {
    alignas(64) char from[kBlock * 16], to[kBlock * 16];
    for (index_t lo = 0; lo < loop.shape[in]; lo += kBlock) {
      index_t m = loop.shape[in] - lo < kBlock ? loop.shape[in] - lo : kBlock;
      copy_row_any(s_item, p[1] + lo * loop.stride[1][in], loop.stride[1][in], from, s_item, m);
      fn(from, to, m);
      copy_row_any(d_item, to, d_item, p[0] + lo * loop.stride[0][in], loop.stride[0][in], m);
    }
  });
  return 0;
}

int as_contiguous(const Array& src, int dtype, Array* out) {
  if (src.layout->contiguous && src.dtype == dtype) {
    *out = src;
    out->flags &= static_cast<std::uint8_t>(~kWeak);
    array_ref(*out);
    return 0;
  }
  Layout* l = layout_contiguous(src.ndim(), src.shape());
  index_t bytes = l->numel * itemsize(dtype);
  if (!array_new(out, dtype, l)) return fail_memory("copy", bytes);
  return copy_into(src, *out);
}

int fill_zero(const Array& a) {
  char* p = const_cast<char*>(a.data());
  if (a.layout->contiguous) {
    if (a.numel()) std::memset(p, 0, static_cast<std::size_t>(a.nbytes()));
    return 0;
  }
  Array zero;
  if (!array_new(&zero, a.dtype, layout_contiguous(0, nullptr))) return fail_memory("zeros", itemsize(a.dtype));
  std::memset(zero.data(), 0, static_cast<std::size_t>(itemsize(a.dtype)));
  copy_same(zero, a);
  array_unref(zero);
  return 0;
}

// Sums of halves are taken in float32.
void add_half(void* x, const void* y, int dtype, index_t n) {
  static const UnaryFn up[2] = {cast_kernel(kFloat16, kFloat32), cast_kernel(kBFloat16, kFloat32)};
  static const UnaryFn down[2] = {cast_kernel(kFloat32, kFloat16), cast_kernel(kFloat32, kBFloat16)};
  static const BinaryFn add = kernel_fn<BinaryFn>("add", kFloat32);
  const int k = dtype == kBFloat16;
  alignas(64) float a[kBlock], b[kBlock];
  up[k](x, a, n);
  up[k](y, b, n);
  add(a, b, a, n, 0);
  down[k](a, x, n);
}

int add_into(const Array& src, const Array& dst) {
  static BinaryFn add[kNumDTypes];
  BinaryFn& fn = add[dst.dtype];
  const bool half = is_half(dst.dtype);
  if (!half && !fn && !(fn = kernel_fn<BinaryFn>("add", dst.dtype)))
    return fail(kTypeError, "add: expected a dtype with arithmetic, got %s.", kDTypeName[dst.dtype]);
  if (dst.numel() == 0) return 0;
  char* d = const_cast<char*>(dst.data());
  if (!half && src.layout->contiguous && dst.layout->contiguous) {
    constexpr index_t kChunk = 1 << 15;
    index_t n = dst.numel(), item = itemsize(dst.dtype);
    const char* s = src.data();
    if (n <= kChunk) {
      fn(d, s, d, n, 0);
    } else {
      Unlocked unlocked(true);
      parallel_for((n + kChunk - 1) / kChunk, [&](index_t i) {
        index_t lo = i * kChunk, m = n - lo < kChunk ? n - lo : kChunk;
        fn(d + lo * item, s + lo * item, d + lo * item, m, 0);
      });
    }
    return 0;
  }
  const Array* arrays[2] = {&dst, &src};
  Loop loop;
  loop_plan(&loop, dst.ndim(), dst.shape(), arrays, 2);
  char* base[2] = {d, const_cast<char*>(src.data())};
  int in = loop.ndim - 1, item = static_cast<int>(itemsize(dst.dtype));
  Unlocked unlocked(dst.nbytes() >= kUnlockBytes);
  loop_rows(loop, base, 0, loop_outer(loop), [&](char* const* p) {
    alignas(64) char x[kBlock * 16], y[kBlock * 16];
    // Elements that share memory (an expanded view) are added one by one.
    const index_t block = loop.stride[0][in] == 0 ? 1 : kBlock;
    for (index_t lo = 0; lo < loop.shape[in]; lo += block) {
      index_t m = loop.shape[in] - lo < block ? loop.shape[in] - lo : block;
      char* row = p[0] + lo * loop.stride[0][in];
      copy_row_any(item, row, loop.stride[0][in], x, item, m);
      copy_row_any(item, p[1] + lo * loop.stride[1][in], loop.stride[1][in], y, item, m);
      if (half)
        add_half(x, y, dst.dtype, m);
      else
        fn(x, y, x, m, 0);
      copy_row_any(item, x, item, row, loop.stride[0][in], m);
    }
  });
  return 0;
}

extern const ForwardEntry copy_forwards[] = {
    {"contiguous", forward_contiguous}, {"clone", forward_clone},   {"cast", forward_cast},
    {"cast_like", forward_cast_like},   {"assign", forward_assign}, {"sum_to_like", forward_sum_to_like},
    {"zeros_like", forward_zeros_like}, {nullptr, nullptr}};

}  // namespace wg
