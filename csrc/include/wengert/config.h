// Index type, compiler hints and the macros that every other header relies on.
#pragma once
#include <cstddef>
#include <cstdint>

namespace wg {
using index_t = std::int64_t;
// The largest number of dimensions of a tensor.
constexpr int kMaxDims = 32;
// Elements of a block of the block interpreter: one register is 1 KiB of float32 (docs/decisions/0001).
constexpr index_t kBlock = 256;
}  // namespace wg

#define WG_RESTRICT __restrict__
#define WG_LIKELY(x) __builtin_expect(!!(x), 1)
#define WG_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define WG_INLINE inline __attribute__((always_inline))
#define WG_NOINLINE __attribute__((noinline))

// WG_CHECK states one of our own invariants; user input is never checked by it.
#ifdef WENGERT_DEBUG
#include <cstdio>
#include <cstdlib>
#define WG_CHECK(cond)                                                                           \
  do {                                                                                           \
    if (!(cond)) {                                                                               \
      std::fprintf(stderr, "wengert: broken invariant %s (%s:%d)\n", #cond, __FILE__, __LINE__); \
      std::abort();                                                                              \
    }                                                                                            \
  } while (0)
#else
#define WG_CHECK(cond) ((void)0)
#endif

// Units in csrc/kernels are compiled once for each instruction set. WG_NS names the namespace of the unit
// being compiled; nothing in such a unit may have external linkage outside it.
#if defined(WG_ISA_V4)
#define WG_NS isa_v4
#define WG_VECTOR_BYTES 64
#elif defined(WG_ISA_V3)
#define WG_NS isa_v3
#define WG_VECTOR_BYTES 32
#else
#define WG_NS isa_base
#define WG_VECTOR_BYTES 16
#endif

// Fused multiply-add where the instruction set has it, two roundings elsewhere. Contraction is off everywhere,
// so this macro is the only place where a product and a sum round once.
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define WG_FMAF(a, b, c) __builtin_fmaf((a), (b), (c))
#define WG_FMA(a, b, c) __builtin_fma((a), (b), (c))
#else
#define WG_FMAF(a, b, c) ((a) * (b) + (c))
#define WG_FMA(a, b, c) ((a) * (b) + (c))
#endif
