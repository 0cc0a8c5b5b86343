// Layouts, arrays and attributes: creation, free lists, release.
#include "wengert/array.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "wengert/heap_lock.h"
#include "wengert/op.h"

namespace wg {

namespace {

constexpr int kPooledDims = 6;
struct FreeLayout {
  Layout layout;
  FreeLayout* next() const { return reinterpret_cast<FreeLayout*>(layout.numel); }
};
FreeLayout* free_layouts[kPooledDims + 1];

std::size_t layout_bytes(int ndim) {
  std::size_t extra = ndim > 0 ? static_cast<std::size_t>(2 * ndim - 1) : 0;
  return sizeof(Layout) + extra * sizeof(index_t);
}

// A product of sizes.
index_t times(index_t a, index_t b) {
  index_t product;
  if (a == 0 || b == 0) return 0;
  return __builtin_mul_overflow(a, b, &product) || product > kMostElements ? kMostElements : product;
}

}  // namespace

Layout* layout_alloc(int ndim) {
  Layout* l;
  bool pooled = ndim <= kPooledDims;
  HeapLock lock;
  if (pooled && free_layouts[ndim]) {
    FreeLayout* f = free_layouts[ndim];
    free_layouts[ndim] = f->next();
    l = &f->layout;
  } else {
    l = static_cast<Layout*>(std::malloc(layout_bytes(ndim)));
    if (!l) std::abort();  // under a hundred bytes: nothing sensible can go on without them
  }
  l->refs = 1;
  l->ndim = static_cast<std::int16_t>(ndim);
  l->pooled = pooled;
  return l;
}

void layout_finish(Layout* l) {
  index_t expected = 1, numel = 1;
  bool dense = true;
  for (int d = l->ndim - 1; d >= 0; --d) {
    index_t size = l->shape()[d];
    if (size != 1) {
      if (l->strides()[d] != expected) dense = false;
      expected = times(expected, size);
    }
    numel = times(numel, size);
  }
  l->numel = numel;
  l->contiguous = dense || numel == 0;
}

void layout_free(Layout* l) {
  if (l->pooled) {
    HeapLock lock;
    FreeLayout* f = reinterpret_cast<FreeLayout*>(l);
    l->numel = reinterpret_cast<index_t>(free_layouts[l->ndim]);
    free_layouts[l->ndim] = f;
  } else {
    std::free(l);
  }
}

Layout* layout_scalar() {
  static Layout* scalar = [] {
    Layout* l = layout_alloc(0);
    layout_finish(l);
    l->refs = 1 << 30;  // counted by several threads at a time, and never freed
    return l;
  }();
  return scalar;
}

Layout* layout_contiguous(int ndim, const index_t* shape) {
  if (ndim == 0) {
    Layout* s = layout_scalar();
    layout_incref(s);
    return s;
  }
  Layout* l = layout_alloc(ndim);
  index_t stride = 1, numel = 1;
  for (int d = ndim - 1; d >= 0; --d) {
    l->shape()[d] = shape[d];
    l->strides()[d] = stride;
    if (shape[d] > 1) stride = times(stride, shape[d]);
    numel = times(numel, shape[d]);
  }
  l->numel = numel;
  l->contiguous = true;
  return l;
}

Layout* layout_strided(int ndim, const index_t* shape, const index_t* strides) {
  if (ndim == 0) return layout_contiguous(0, shape);
  Layout* l = layout_alloc(ndim);
  for (int d = 0; d < ndim; ++d) {
    l->shape()[d] = shape[d];
    l->strides()[d] = strides[d];
  }
  layout_finish(l);
  return l;
}

Layout* layout_dense(Layout* l) {
  if (l->contiguous) {
    layout_incref(l);
    return l;
  }
  return layout_contiguous(l->ndim, l->shape());
}

bool array_new(Array* out, int dtype, Layout* layout) {
  out->layout = layout;
  out->storage = nullptr;
  out->u.i64 = 0;
  out->version = 0;
  out->dtype = static_cast<std::uint8_t>(dtype);
  out->flags = 0;
  out->slot = 0;
  if (layout->ndim == 0 && dtype != kComplex128) return true;
  index_t bytes;
  if (__builtin_mul_overflow(layout->numel, itemsize(dtype), &bytes) ||
      !(out->storage = storage_new(static_cast<std::size_t>(bytes)))) {
    layout_decref(layout);
    out->layout = nullptr;
    return false;
  }
  return true;
}

bool array_promote(Array* a) {
  if (a->storage) return true;
  Storage* s = storage_new(8);
  if (!s) return false;
  std::memcpy(s->data, a->u.raw, 8);
  a->storage = s;
  a->u.offset = 0;
  return true;
}

Attr* attr_new(const std::int64_t* words, int count) {
  Attr* a = static_cast<Attr*>(std::malloc(sizeof(Attr) + sizeof(std::int64_t) * static_cast<std::size_t>(count)));
  if (!a) std::abort();
  a->refs = 1;
  a->count = count;
  if (count) std::memcpy(a->words, words, sizeof(std::int64_t) * static_cast<std::size_t>(count));
  return a;
}

void attr_decref(Attr* a) {
  if (a && --a->refs == 0) std::free(a);
}

Error& last_error() {
  static thread_local Error error;
  return error;
}

int fail(ErrorKind kind, const char* format, ...) {
  Error& e = last_error();
  e.kind = kind;
  va_list args;
  va_start(args, format);
  std::vsnprintf(e.text, sizeof e.text, format, args);
  va_end(args);
  return -1;
}

int fail_memory(const char* op, index_t bytes) {
  return fail(kMemoryError,
              "%s: expected to allocate %lld bytes, got no memory for them. Use smaller tensors or "
              "free some.",
              op, static_cast<long long>(bytes));
}

int fail_interrupted() {
  forget_interrupt();
  return fail(kInterrupted, "interrupted");
}

const char* shape_text(int ndim, const index_t* shape) {
  static thread_local char buffers[4][256];
  static thread_local int turn = 0;
  char* out = buffers[turn = (turn + 1) & 3];
  int n = std::snprintf(out, 256, "(");
  for (int d = 0; d < ndim && n < 230; ++d)
    n += std::snprintf(out + n, static_cast<std::size_t>(256 - n),
                       d + 1 < ndim ? "%lld, "
                       : ndim == 1  ? "%lld,"
                                    : "%lld",
                       static_cast<long long>(shape[d]));
  std::snprintf(out + n, static_cast<std::size_t>(256 - n), ")");
  return out;
}

}  // namespace wg
