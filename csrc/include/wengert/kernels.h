// Kernels: raw loops over contiguous memory, registered by name and element type.
//
// Every file of csrc/kernels is one unit, compiled once for each instruction set inside namespace wg::WG_NS. It
// ends with WG_UNIT(name) listing its entries; WG_UNITS below lists the units; isa.cpp overlays the tables of
// the instruction sets (v4 over v3 over base) once, at load. Code outside a unit finds a kernel by kernel_fn.
//
// Rules for units: no external linkage outside WG_NS, no std:: containers or algorithms (an inline copy built
// for AVX-512 could be chosen by the linker for everybody), no Storage, no Python. Memory comes from scratch(),
// threads from parallel_for. The value of an element never depends on its position, its alignment or the number
// of threads.
#pragma once
#include "wengert/config.h"
#include "wengert/dtype.h"

namespace wg {

// Elementwise kernels. Operands are contiguous; bit i of `scalars` says that operand i is a single value
// (stride 0). The output may be the same memory as a non-scalar operand of the same item size, never a shifted
// overlap.
using UnaryFn = void (*)(const void* a, void* out, index_t n);
using BinaryFn = void (*)(const void* a, const void* b, void* out, index_t n, int scalars);
using TernaryFn = void (*)(const void* a, const void* b, const void* c, void* out, index_t n, int scalars);

enum KernelKind : std::uint8_t { kUnaryKernel = 1, kBinaryKernel, kTernaryKernel, kOtherKernel };

// One kernel: `dtype` is the element type it computes in (of its inputs), `out` that of its result.
struct KernelEntry {
  const char* name;
  KernelKind kind;
  std::uint8_t dtype;
  std::uint8_t out;
  void* fn;
};

struct KernelUnit {
  const KernelEntry* entries;
  int count;
};

// clang-format off
#define WG_UNITS(X) \
  X(unary) X(binary) X(ternary) X(strip) X(cast) X(gradient) X(activation) X(reduce) X(extreme) X(matmul) X(conv) X(pool) \
  X(fused) X(index) X(sort) X(random) X(optim) X(recurrent) \
  X(attention) X(bag) X(complex) X(resample) X(factor)
// clang-format on

#define WG_DECLARE_UNIT(unit) extern const KernelUnit unit##_unit;
namespace isa_base {
WG_UNITS(WG_DECLARE_UNIT)
}
#ifdef WG_X86
namespace isa_v3 {
WG_UNITS(WG_DECLARE_UNIT)
}
namespace isa_v4 {
WG_UNITS(WG_DECLARE_UNIT)
}
#endif
#undef WG_DECLARE_UNIT

// In a unit: WG_UNIT(unary, {"neg", kUnaryKernel, kFloat32, kFloat32, (void*)neg_f32}, ...)
#define WG_UNIT(unit, ...)                                                                                         \
  namespace wg {                                                                                                   \
  namespace WG_NS {                                                                                                \
  static const KernelEntry unit##_entries[] = {__VA_ARGS__};                                                       \
  extern const KernelUnit unit##_unit;                                                                             \
  const KernelUnit unit##_unit = {unit##_entries, static_cast<int>(sizeof(unit##_entries) / sizeof(KernelEntry))}; \
  }                                                                                                                \
  }

// The entry of the chosen table, or nullptr. The tables are sorted at load; a look-up is for set-up, not loops.
const KernelEntry* find_kernel(const char* name, int dtype);
// All entries of the chosen table, for the check against the op rows.
const KernelEntry* const* all_kernels(int* count);

template <class Fn>
inline Fn kernel_fn(const char* name, int dtype) {
  const KernelEntry* e = find_kernel(name, dtype);
  return e ? reinterpret_cast<Fn>(e->fn) : nullptr;
}

// The instruction set in use ("base", "v3", "v4"), and the ones this machine can run, lowest first.
const char* isa_name();
const char* const* isa_available(int* count);
// Choose the table; `forced` (may be null) names a lower one. Returns false for a name this machine cannot run.
bool isa_select(const char* forced);

}  // namespace wg
