// Operands and results of kernels that work on contiguous float32 or float64 memory: halves and strided arrays go
// through temporaries.
#pragma once
#include "wengert/op.h"

namespace wg {

// The dtype in which a floating operand is computed.
inline int compute_dtype(int dtype) { return is_half(dtype) ? static_cast<int>(kFloat32) : dtype; }

// Sets the error and returns -1 unless x is floating.
inline int expect_floating(const OpCall& c, const Array& x) {
  if (is_float(x.dtype)) return 0;
  return fail(is_complex(x.dtype) ? kNotImplemented : kRuntimeError,
              "%s: expected a floating tensor, got dtype %s. Convert it with .float().", c.op->name,
              kDTypeName[x.dtype]);
}

// An operand as contiguous memory; an absent one is null.
class Operand {
 public:
  Operand() = default;
  Operand(const Operand&) = delete;
  Operand& operator=(const Operand&) = delete;
  ~Operand() { array_unref(array_); }
  int take(const Array& in, int dtype) {
    return in.defined() && !(in.flags & kShapeOnly) ? as_contiguous(in, dtype, &array_) : 0;
  }
  const void* data() const { return array_.defined() ? array_.data() : nullptr; }
  const Array& array() const { return array_; }

 private:
  Array array_{};
};

// Result i of a call, written as contiguous memory of the computing dtype and stored by finish().
class Result {
 public:
  Result() = default;
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  ~Result() { array_unref(temp_); }
  // As OpCall::emit; `dtype` is the result's, `compute` the kernel's.
  int emit(OpCall& c, int i, int dtype, int compute, Layout* layout) {
    int go = c.emit(i, dtype, layout);
    if (go <= 0) return go;
    to_ = &c.out[i];
    if (to_->dtype == compute && to_->layout->contiguous) return 1;
    index_t bytes = to_->numel() * itemsize(compute);
    if (!array_new(&temp_, compute, layout_contiguous(to_->ndim(), to_->shape())))
      return fail_memory(c.op->name, bytes);
    return 1;
  }
  // What finish() converts, where the result itself is not written.
  const Array& array() const { return temp_; }
  // Null where there is no result: a dry run, or one that was not asked for.
  void* data() { return temp_.defined() ? temp_.data() : to_ ? to_->data() : nullptr; }
  int finish() { return temp_.defined() ? copy_into(temp_, *to_) : 0; }

 private:
  Array* to_ = nullptr;
  Array temp_{};
};

// Memory of a kernel's own, freed with the scope.
class Buffer {
 public:
  explicit Buffer(index_t bytes) : storage_(storage_new(static_cast<std::size_t>(bytes))) {}
  ~Buffer() {
    if (storage_) storage_decref(storage_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  void* data() { return storage_ ? storage_->data : nullptr; }

 private:
  Storage* storage_;
};

// New layout of the same shape without gaps.
inline Layout* layout_like(const Array& a) { return layout_dense(a.layout); }

}  // namespace wg
