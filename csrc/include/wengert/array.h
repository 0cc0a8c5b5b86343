// Layouts and arrays: what a tensor is below Python.
//
// A Layout (shape and strides) is immutable and shared by pointer, so that "same shape" is most often one
// comparison and a saved operand costs 32 bytes. An Array is a dtype over (storage, offset, layout); a 0-d value
// lives inline, without storage, until something may alias it.
#pragma once
#include <cstring>

#include "wengert/alloc.h"
#include "wengert/dtype.h"

namespace wg {

struct Layout {
  std::int32_t refs;
  std::int16_t ndim;
  bool contiguous;  // row-major without gaps; sizes 1 do not count; true for empty shapes
  bool pooled;      // from the free list of its ndim
  index_t numel;
  index_t dims[1];  // shape[ndim], then strides[ndim], in elements
  const index_t* shape() const { return dims; }
  const index_t* strides() const { return dims + ndim; }
  index_t* shape() { return dims; }
  index_t* strides() { return dims + ndim; }
};

// numel of a layout that no memory can hold; its bytes still fit index_t, and allocating it fails.
constexpr index_t kMostElements = INT64_MAX / 16;

Layout* layout_alloc(int ndim);  // refs == 1, dims to be filled in; then call layout_finish
void layout_finish(Layout* l);   // computes numel and contiguous
void layout_free(Layout* l);
Layout* layout_scalar();                                                         // the layout of shape (), borrowed
Layout* layout_contiguous(int ndim, const index_t* shape);                       // new
Layout* layout_strided(int ndim, const index_t* shape, const index_t* strides);  // new

inline void layout_incref(Layout* l) { ++l->refs; }
inline void layout_decref(Layout* l) {
  if (--l->refs == 0) layout_free(l);
}
inline bool same_shape(const Layout* a, const Layout* b) {
  return a == b || (a->ndim == b->ndim &&
                    std::memcmp(a->dims, b->dims, sizeof(index_t) * static_cast<std::size_t>(a->ndim)) == 0);
}
// New contiguous layout of the same shape; the same one, with a new reference, when it is contiguous already.
Layout* layout_dense(Layout* l);

enum ArrayFlag : std::uint8_t {
  kWeak = 1,       // a Python number: takes part in promotion by category only
  kShapeOnly = 2,  // saved for its shape: has no value
  kData = 4,       // made by `.data`, or a view of that: counts writes in data_version
};

union ArrayValue {
  index_t offset;  // bytes from storage->data
  double f64;      // or, without a storage, the value itself
  float f32;
  std::int64_t i64;
  char raw[8];
};

// Plain data: copying an Array does not count references. array_ref and array_unref do.
struct Array {
  Layout* layout;    // null: no array
  Storage* storage;  // null: the value is inline (layout is then the scalar layout) or absent (kShapeOnly)
  ArrayValue u;
  std::uint32_t version;  // of the storage when the value was saved
  std::uint8_t dtype;
  std::uint8_t flags;
  std::uint16_t slot;  // free for the user of the array

  bool defined() const { return layout != nullptr; }
  bool is_inline() const { return storage == nullptr; }
  char* data() { return storage ? storage->data + u.offset : u.raw; }
  const char* data() const { return storage ? storage->data + u.offset : u.raw; }
  int ndim() const { return layout->ndim; }
  index_t numel() const { return layout->numel; }
  const index_t* shape() const { return layout->shape(); }
  const index_t* strides() const { return layout->strides(); }
  index_t nbytes() const { return layout->numel * itemsize(dtype); }
};

// The version of an array's memory, as its tensor counts it; there is a storage.
inline std::uint32_t& array_version(const Array& a) {
  return a.flags & kData ? a.storage->data_version : a.storage->version;
}
inline void array_wrote(const Array& a) {
  if (a.storage) ++array_version(a);
}

inline void array_ref(const Array& a) {
  if (a.layout) ++a.layout->refs;
  if (a.storage) ++a.storage->refs;
}
inline void array_unref(Array& a) {
  if (a.storage) storage_decref(a.storage);
  if (a.layout) layout_decref(a.layout);
  a.layout = nullptr;
  a.storage = nullptr;
}

// New array with undefined contents over `layout` (steals the reference). 0-d values are inline, except complex128
// ones: they are wider than the place for them.
// Returns false, having released the layout, when memory is exhausted.
bool array_new(Array* out, int dtype, Layout* layout);
// Moves an inline value into a storage of its own, so that it can be aliased. False: memory is exhausted.
bool array_promote(Array* a);

}  // namespace wg
