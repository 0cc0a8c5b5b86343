// Element types: numbering, sizes, categories and PyTorch's promotion rules.
#pragma once
#include <cstdint>

#include "wengert/config.h"

namespace wg {

enum DType : std::uint8_t {
  kBool = 0,
  kUInt8,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64,
  kComplex64,
  kComplex128,
  kNumDTypes
};

// Categories in the order of promotion: a higher category wins whatever the sizes.
enum Category : std::uint8_t { kCatBool = 0, kCatInt, kCatFloat, kCatComplex };

constexpr std::uint8_t kItemSize[kNumDTypes] = {1, 1, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16};
constexpr const char* kDTypeName[kNumDTypes] = {"bool",    "uint8",   "int8",      "int16",
                                                "int32",   "int64",   "float16",   "bfloat16",
                                                "float32", "float64", "complex64", "complex128"};

inline index_t itemsize(int dt) { return kItemSize[dt]; }
inline Category category(int dt) {
  return dt == kBool ? kCatBool : dt <= kInt64 ? kCatInt : dt <= kFloat64 ? kCatFloat : kCatComplex;
}
// The real floating types; is_inexact has the complex ones too, and is what gradients flow through.
inline bool is_float(int dt) { return dt >= kFloat16 && dt <= kFloat64; }
inline bool is_complex(int dt) { return dt >= kComplex64; }
inline bool is_inexact(int dt) { return dt >= kFloat16; }
inline bool is_half(int dt) { return dt == kFloat16 || dt == kBFloat16; }
inline bool is_int(int dt) { return dt >= kUInt8 && dt <= kInt64; }

// The type of the parts of a complex type, and the complex type whose parts hold a floating one.
inline DType part_type(int dt) { return dt == kComplex64 ? kFloat32 : kFloat64; }
inline DType complex_type(int dt) { return dt == kFloat64 ? kComplex128 : kComplex64; }

// The smallest type that holds both, by PyTorch's table.
inline DType promote(int a, int b) {
  if (a == b) return static_cast<DType>(a);
  Category ca = category(a), cb = category(b);
  if (ca != cb && (ca == kCatComplex || cb == kCatComplex))
    return a == kComplex128 || b == kComplex128 || a == kFloat64 || b == kFloat64 ? kComplex128 : kComplex64;
  if (ca != cb) return static_cast<DType>(ca > cb ? a : b);
  if (ca == kCatInt) {
    // uint8 with a signed type: the signed type when wider than 8 bits, int16 beside int8.
    if (a == kUInt8 || b == kUInt8) {
      int other = a == kUInt8 ? b : a;
      return static_cast<DType>(other == kInt8 ? kInt16 : other);
    }
    return static_cast<DType>(a > b ? a : b);
  }
  if (is_half(a) && is_half(b)) return kFloat32;  // float16 with bfloat16
  return static_cast<DType>(a > b ? a : b);
}

// ---- half types: storage and conversion ---------------------------------------------------------------

struct half_t {
  std::uint16_t bits;
};
struct bfloat_t {
  std::uint16_t bits;
};

inline float bits_to_float(std::uint32_t u) {
  float f;
  __builtin_memcpy(&f, &u, 4);
  return f;
}
inline std::uint32_t float_to_bits(float f) {
  std::uint32_t u;
  __builtin_memcpy(&u, &f, 4);
  return u;
}

inline float bfloat_to_float(bfloat_t h) { return bits_to_float(static_cast<std::uint32_t>(h.bits) << 16); }
// Round to nearest, ties to even; NaN stays a quiet NaN.
inline bfloat_t float_to_bfloat(float f) {
  std::uint32_t u = float_to_bits(f);
  if (f != f) return {static_cast<std::uint16_t>((u >> 16) | 0x40)};
  return {static_cast<std::uint16_t>((u + 0x7fff + ((u >> 16) & 1)) >> 16)};
}
inline float half_to_float(half_t h) {
  std::uint32_t sign = static_cast<std::uint32_t>(h.bits & 0x8000) << 16, rest = h.bits & 0x7fff;
  if (rest >= 0x7c00) return bits_to_float(sign | 0x7f800000 | ((rest & 0x3ff) << 13));
  if (rest >= 0x400) return bits_to_float(sign | ((rest << 13) + 0x38000000));
  float f = static_cast<float>(rest) * 5.9604644775390625e-08f;  // 2**-24: subnormal
  return bits_to_float(sign | float_to_bits(f));
}
// Round to nearest, ties to even; overflow gives infinity, NaN stays a quiet NaN.
inline half_t float_to_half(float f) {
  std::uint32_t u = float_to_bits(f), sign = (u >> 16) & 0x8000, a = u & 0x7fffffff;
  if (a > 0x7f800000) return {static_cast<std::uint16_t>(sign | 0x7e00 | ((a >> 13) & 0x3ff))};
  if (a >= 0x47800000) return {static_cast<std::uint16_t>(sign | 0x7c00)};
  if (a < 0x38800000) {  // subnormal half: adding 0.5 rounds at bit 2**-24
    float r = bits_to_float(a) + 0.5f;
    return {static_cast<std::uint16_t>(sign | (float_to_bits(r) - 0x3f000000))};
  }
  std::uint32_t r = a + 0xfff + ((a >> 13) & 1);
  return {static_cast<std::uint16_t>(sign | ((r - 0x38000000) >> 13))};
}

}  // namespace wg
