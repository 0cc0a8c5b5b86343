// Random draws from Philox4x64-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3").
//
// A draw is cut into chunks of counter blocks by its size alone; within a chunk, batches of blocks are generated
// into a buffer and then transformed by loops that the compiler vectorises. Nothing here uses WG_FMA: products and
// sums round the same way in every table, and so a seed gives the same bits on every machine.
#include "wengert/random.h"

#include <type_traits>

#include "wengert/kernels.h"
#include "wengert/parallel.h"

namespace wg {
namespace WG_NS {
namespace {

using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr index_t kBatch = 64;          // blocks generated at a time: 2 KiB
constexpr index_t kChunkBlocks = 2048;  // blocks of one part of a parallel draw, about 15 us

// The words of a batch. As halves, the low half of word i is half 2 i: NumPy's order, on little-endian machines.
union alignas(64) Words {
  u64 word[kBatch * 4];
  u32 half[kBatch * 8];
};

constexpr u64 kMul0 = 0xD2E7470EE14C6C93u, kMul1 = 0xCA5A826395121157u;
constexpr u64 kKey0 = 0x9E3779B97F4A7C15u, kKey1 = 0xBB67AE8584CAA73Bu;

WG_INLINE u64 mul_high(u64 a, u64 b) { return static_cast<u64>((static_cast<unsigned __int128>(a) * b) >> 64); }

// Blocks [first, first + count) of the stream. NumPy steps its counter before each block, hence the 1.
void generate(Words& out, u64 seed, u64 offset, u64 first, index_t count) {
  unsigned __int128 counter = static_cast<unsigned __int128>(offset) + first + 1;
  u64 key[10];
  for (int round = 0; round < 10; ++round) key[round] = seed + static_cast<u64>(round) * kKey0;
  for (index_t b = 0; b < count; ++b, ++counter) {
    u64 c0 = static_cast<u64>(counter), c1 = static_cast<u64>(counter >> 64), c2 = 0, c3 = 0;
    for (int round = 0; round < 10; ++round) {
      unsigned __int128 p0 = static_cast<unsigned __int128>(kMul0) * c0;
      unsigned __int128 p1 = static_cast<unsigned __int128>(kMul1) * c2;
      c0 = static_cast<u64>(p1 >> 64) ^ c1 ^ key[round];
      c1 = static_cast<u64>(p1);
      c2 = static_cast<u64>(p0 >> 64) ^ c3 ^ static_cast<u64>(round) * kKey1;
      c3 = static_cast<u64>(p0);
    }
    u64* w = out.word + 4 * b;
    w[0] = c0;
    w[1] = c1;
    w[2] = c2;
    w[3] = c3;
  }
}

// Calls batch(words, start, m) for batches of elements that cover [0, n): m elements from `start` on, whose words
// fill the beginning of `words`.
template <index_t kPerBlock, class Batch>
void for_batches(index_t n, u64 seed, u64 offset, const Batch& batch) {
  constexpr index_t kChunk = kChunkBlocks * kPerBlock, kStep = kBatch * kPerBlock;
  if (n <= 0) return;
  parallel_for((n + kChunk - 1) / kChunk, [&](index_t part) {
    Words words;
    index_t end = (part + 1) * kChunk < n ? (part + 1) * kChunk : n;
    for (index_t start = part * kChunk; start < end; start += kStep) {
      index_t m = end - start < kStep ? end - start : kStep;
      generate(words, seed, offset, static_cast<u64>(start / kPerBlock), (m + kPerBlock - 1) / kPerBlock);
      batch(words, start, m);
    }
  });
}

// ---- element types --------------------------------------------------------------------------------------

template <class T>
WG_INLINE T from_float(float x) {
  return static_cast<T>(x);
}
template <>
WG_INLINE half_t from_float<half_t>(float x) {
  return float_to_half(x);
}
template <>
WG_INLINE bfloat_t from_float<bfloat_t>(float x) {
  return float_to_bfloat(x);
}

WG_INLINE float to_float(float x) { return x; }
WG_INLINE float to_float(half_t x) { return half_to_float(x); }
WG_INLINE float to_float(bfloat_t x) { return bfloat_to_float(x); }

template <class T>
WG_INLINE T from_int(std::int64_t x) {
  return static_cast<T>(x);
}
template <>
WG_INLINE bool from_int<bool>(std::int64_t x) {
  return x != 0;
}
template <>
WG_INLINE half_t from_int<half_t>(std::int64_t x) {
  return float_to_half(static_cast<float>(x));
}
template <>
WG_INLINE bfloat_t from_int<bfloat_t>(std::int64_t x) {
  return float_to_bfloat(static_cast<float>(x));
}

// ---- elementary functions -------------------------------------------------------------------------------

WG_INLINE double bits_to_double(u64 u) {
  double d;
  __builtin_memcpy(&d, &u, 8);
  return d;
}
WG_INLINE u64 double_to_bits(double d) {
  u64 u;
  __builtin_memcpy(&u, &d, 8);
  return u;
}
// Exact for x < 2**52, and in vectors on machines that cannot convert 64-bit integers.
WG_INLINE double small_to_double(u64 x) { return bits_to_double(x | 0x4330000000000000u) - 0x1p52; }

// log(u) for normal u > 0: u = 2**e m with m in [sqrt(1/2), sqrt(2)), log m = 2 artanh((m - 1) / (m + 1)) by its
// series, |s| <= 0.1716. Relative error below 3 ulp.
WG_INLINE float log_of(float u) {
  std::int32_t bits = static_cast<std::int32_t>(float_to_bits(u));
  std::int32_t e = (bits - 0x3f3504f3) >> 23;
  float f = bits_to_float(static_cast<u32>(bits - e * 0x800000)) - 1.0f;
  float s = f / (2.0f + f), z = s * s;
  float p = z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9))));
  return static_cast<float>(e) * 0.693147181f + 2.0f * (s + s * p);
}
// For u in [2**-60, 1].
WG_INLINE double log_of(double u) {
  u64 bits = double_to_bits(u), shifted = bits - 0x3fe6a09e667f3bcdu + (u64{64} << 52);
  u64 e64 = shifted >> 52;  // e + 64
  double e = small_to_double(e64) - 64.0;
  double f = bits_to_double(bits - ((e64 - 64) << 52)) - 1.0;
  double s = f / (2.0 + f), z = s * s;
  double p = 1.0 / 17 + z * (1.0 / 19 + z * (1.0 / 21));
  p = 1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13 + z * (1.0 / 15 + z * p)));
  p = z * (1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7 + z * p)));
  return e * 0.6931471805599453 + 2.0 * (s + s * p);
}

WG_INLINE float flip(float x, u32 sign) { return bits_to_float(float_to_bits(x) ^ sign); }
WG_INLINE double flip(double x, u64 sign) { return bits_to_double(double_to_bits(x) ^ sign); }

// Cosine and sine of 2 pi h / 2**32: h is split exactly into a quadrant and an angle within pi / 4 of it, where
// the Taylor series (to x**8 and x**9) are exact to the last bits.
WG_INLINE void cos_sin(u32 h, float* cosine, float* sine) {
  u32 q = (h + 0x20000000u) >> 30;
  float a = static_cast<float>(static_cast<std::int32_t>(h - (q << 30))) * 1.46291807926715968e-9f;  // pi / 2**31
  float z = a * a;
  float c = 1.0f + z * (-1.0f / 2 + z * (1.0f / 24 + z * (-1.0f / 720 + z * (1.0f / 40320))));
  float s = a + a * (z * (-1.0f / 6 + z * (1.0f / 120 + z * (-1.0f / 5040 + z * (1.0f / 362880)))));
  *cosine = flip(q & 1 ? s : c, (q + 1) << 30 & 0x80000000u);
  *sine = flip(q & 1 ? c : s, q << 30 & 0x80000000u);
}
// Cosine and sine of 2 pi h / 2**64 from the upper 54 bits of h, in the same way; series to x**16 and x**17.
WG_INLINE void cos_sin(u64 h, double* cosine, double* sine) {
  u64 turned = h + (u64{1} << 61), q = turned >> 62;
  u64 fraction = (turned << 2) >> 12;  // 52 bits over a quadrant that starts at -pi / 4
  double a = (small_to_double(fraction) - 0x1p51 + 0.5) * (1.5707963267948966 * 0x1p-52);
  double z = a * a;
  double c = -1.0 / 3628800 + z * (1.0 / 479001600 + z * (-1.0 / 87178291200.0 + z * (1.0 / 20922789888000.0)));
  c = 1.0 + z * (-1.0 / 2 + z * (1.0 / 24 + z * (-1.0 / 720 + z * (1.0 / 40320 + z * c))));
  double s =
      -1.0 / 39916800 + z * (1.0 / 6227020800.0 + z * (-1.0 / 1307674368000.0 + z * (1.0 / 355687428096000.0)));
  s = a + a * (z * (-1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880 + z * s)))));
  *cosine = flip(q & 1 ? s : c, (q + 1) << 62 & (u64{1} << 63));
  *sine = flip(q & 1 ? c : s, q << 62 & (u64{1} << 63));
}

// In (0, 1): the middles of 2**31 and 2**52 equal cells. In float32 the cells next to 1 round below it.
WG_INLINE float open_unit(u32 h) {
  float u = static_cast<float>(static_cast<std::int32_t>(h >> 1)) * 0x1p-31f + 0x1p-32f;
  return u < 0x1.fffffep-1f ? u : 0x1.fffffep-1f;
}
WG_INLINE double open_unit(u64 w) { return bits_to_double(w >> 12 | 0x3ff0000000000000u) - (1.0 - 0x1p-53); }

// ---- distributions: m values from the words of a batch -----------------------------------------------------

// `kBits` random bits for each value; 24 is what float32 can hold in [0, 1).
template <int kBits>
struct Uniform32 {
  static constexpr index_t kPerBlock = 8;
  float lo, width, last;
  explicit Uniform32(const double* p) : lo(static_cast<float>(p[0])), width(static_cast<float>(p[1] - p[0])) {
    last = __builtin_nextafterf(static_cast<float>(p[1]), lo);  // lo + u * width may round up to hi
  }
  void operator()(const Words& w, index_t m, float* WG_RESTRICT out) const {
    for (index_t i = 0; i < m; ++i) {
      float u = static_cast<float>(static_cast<std::int32_t>(w.half[i] >> (32 - kBits)));
      float v = lo + u * (1.0f / (1 << kBits)) * width;
      out[i] = v < last ? v : last;
    }
  }
};

struct Uniform64 {
  static constexpr index_t kPerBlock = 4;
  double lo, width, last;
  explicit Uniform64(const double* p) : lo(p[0]), width(p[1] - p[0]), last(__builtin_nextafter(p[1], p[0])) {}
  void operator()(const Words& w, index_t m, double* WG_RESTRICT out) const {
    for (index_t i = 0; i < m; ++i) {
      double v = lo + static_cast<double>(static_cast<std::int64_t>(w.word[i] >> 11)) * 0x1p-53 * width;
      out[i] = v < last ? v : last;
    }
  }
};

// Box and Muller: a pair of normals from a radius and an angle.
struct Normal32 {
  static constexpr index_t kPerBlock = 8;
  float mean, deviation;
  explicit Normal32(const double* p) : mean(static_cast<float>(p[0])), deviation(static_cast<float>(p[1])) {}
  void operator()(const Words& w, index_t m, float* WG_RESTRICT out) const {
    float pairs[kBatch * 8];
    for (index_t i = 0; i < (m + 1) / 2; ++i) {
      float r = deviation * __builtin_sqrtf(-2.0f * log_of(open_unit(w.half[2 * i]))), c, s;
      cos_sin(w.half[2 * i + 1], &c, &s);
      pairs[2 * i] = mean + r * c;
      pairs[2 * i + 1] = mean + r * s;
    }
    __builtin_memcpy(out, pairs, static_cast<std::size_t>(m) * sizeof(float));
  }
};

struct Normal64 {
  static constexpr index_t kPerBlock = 4;
  double mean, deviation;
  explicit Normal64(const double* p) : mean(p[0]), deviation(p[1]) {}
  void operator()(const Words& w, index_t m, double* WG_RESTRICT out) const {
    double pairs[kBatch * 4];
    for (index_t i = 0; i < (m + 1) / 2; ++i) {
      double r = deviation * __builtin_sqrt(-2.0 * log_of(open_unit(w.word[2 * i]))), c, s;
      cos_sin(w.word[2 * i + 1], &c, &s);
      pairs[2 * i] = mean + r * c;
      pairs[2 * i + 1] = mean + r * s;
    }
    __builtin_memcpy(out, pairs, static_cast<std::size_t>(m) * sizeof(double));
  }
};

struct Exponential32 {
  static constexpr index_t kPerBlock = 8;
  float rate;
  explicit Exponential32(const double* p) : rate(static_cast<float>(p[0])) {}
  void operator()(const Words& w, index_t m, float* WG_RESTRICT out) const {
    for (index_t i = 0; i < m; ++i) out[i] = -log_of(open_unit(w.half[i])) / rate;
  }
};

struct Exponential64 {
  static constexpr index_t kPerBlock = 4;
  double rate;
  explicit Exponential64(const double* p) : rate(p[0]) {}
  void operator()(const Words& w, index_t m, double* WG_RESTRICT out) const {
    for (index_t i = 0; i < m; ++i) out[i] = -log_of(open_unit(w.word[i])) / rate;
  }
};

// True for a half of a word with the given probability.
struct Chance {
  u32 last;
  bool ever;
  explicit Chance(double p) {
    double cells = p * 0x1p32 + 0.5;
    u64 count = cells >= 0x1p32 ? u64{1} << 32 : static_cast<u64>(cells);
    ever = count > 0;
    last = static_cast<u32>(count - ever);
  }
  WG_INLINE bool operator()(u32 half) const { return ever & (half <= last); }
};

// ---- kernels --------------------------------------------------------------------------------------------

template <class Distribution, class T>
void draw(void* out, index_t n, u64 seed, u64 offset, const double* params) {
  Distribution values(params);
  for_batches<Distribution::kPerBlock>(n, seed, offset, [&](const Words& w, index_t start, index_t m) {
    values(w, m, static_cast<T*>(out) + start);
  });
}

// Half types: float32 values, rounded.
template <class Distribution, class T>
void draw_rounded(void* out, index_t n, u64 seed, u64 offset, const double* params) {
  Distribution values(params);
  for_batches<8>(n, seed, offset, [&](const Words& w, index_t start, index_t m) {
    float wide[kBatch * 8];
    values(w, m, wide);
    T* o = static_cast<T*>(out) + start;
    for (index_t i = 0; i < m; ++i) o[i] = from_float<T>(wide[i]);
  });
}

template <class T>
void bernoulli_with(void* out, index_t n, u64 seed, u64 offset, double p) {
  Chance chance(p);
  for_batches<8>(n, seed, offset, [&](const Words& w, index_t start, index_t m) {
    T* o = static_cast<T*>(out) + start;
    const T one = from_int<T>(1), zero = from_int<T>(0);
    for (index_t i = 0; i < m; ++i) o[i] = chance(w.half[i]) ? one : zero;
  });
}

template <class T>
void bernoulli(void* out, index_t n, u64 seed, u64 offset, const double* params) {
  bernoulli_with<T>(out, n, seed, offset, params[0]);
}

template <class T>
void dropout(const void* x, void* out, index_t n, u64 seed, u64 offset, double p) {
  using Wide = typename std::conditional<std::is_same<T, double>::value, double, float>::type;
  Chance keep(1.0 - p);
  const Wide scale = p < 1.0 ? static_cast<Wide>(1.0 / (1.0 - p)) : Wide(0);
  for_batches<8>(n, seed, offset, [&](const Words& w, index_t start, index_t m) {
    const T* a = static_cast<const T*>(x) + start;
    const Wide kept = scale;  // a conditional load of the captured one would cost a branch for each element
    Wide factor[kBatch * 8];
    for (index_t i = 0; i < m; ++i) factor[i] = keep(w.half[i]) ? kept : Wide(0);
    T product[kBatch * 8];  // out may be x, which would keep the loop from being vectorised
    for (index_t i = 0; i < m; ++i) {
      if constexpr (std::is_same<T, double>::value) {
        product[i] = a[i] * factor[i];
      } else {
        product[i] = from_float<T>(to_float(a[i]) * factor[i]);
      }
    }
    __builtin_memcpy(static_cast<T*>(out) + start, product, static_cast<std::size_t>(m) * sizeof(T));
  });
}

#if !defined(WG_ISA_V3) && !defined(WG_ISA_V4)
void mask(void* out, index_t n, u64 seed, u64 offset, const double* params) {
  bernoulli_with<bool>(out, n, seed, offset, 1.0 - params[0]);
}

void random_raw(void* out, index_t n, u64 seed, u64 offset, const double*) {
  for_batches<4>(n, seed, offset, [&](const Words& w, index_t start, index_t m) {
    __builtin_memcpy(static_cast<u64*>(out) + start, w.word, static_cast<std::size_t>(m) * 8);
  });
}

// Fisher and Yates, growing the permutation: element i takes a random place among the first i + 1. In order, so
// on one thread.
void randperm(void* out, index_t n, u64 seed, u64 offset, const double*) {
  std::int64_t* o = static_cast<std::int64_t*>(out);
  Words words;
  for (index_t start = 0; start < n; start += kBatch * 4) {
    index_t m = n - start < kBatch * 4 ? n - start : kBatch * 4;
    generate(words, seed, offset, static_cast<u64>(start / 4), (m + 3) / 4);
    for (index_t i = start; i < start + m; ++i) {
      u64 j = mul_high(words.word[i - start], static_cast<u64>(i) + 1);
      o[i] = i;
      o[i] = o[j];
      o[j] = i;
    }
  }
}
#endif

// A range of at most 2**16 takes the upper half of a product with 32 bits: no value is likelier than another by
// more than one in 2**16; a greater one of 64 bits.
constexpr u64 kShortRange = 65536;
template <class T>
void randint(void* out, index_t n, u64 seed, u64 offset, const double* params) {
  std::int64_t lo, hi;
  __builtin_memcpy(&lo, &params[0], 8);
  __builtin_memcpy(&hi, &params[1], 8);
  const u64 range = static_cast<u64>(hi) - static_cast<u64>(lo);  // 0: all of 2**64
  if (range - 1 < kShortRange) {
    for_batches<8>(n, seed, offset, [&](const Words& w, index_t start, index_t m) {
      T* o = static_cast<T*>(out) + start;
      const u64 first = static_cast<u64>(lo), width = range;
      for (index_t i = 0; i < m; ++i)
        o[i] = from_int<T>(static_cast<std::int64_t>(first + (w.half[i] * width >> 32)));
    });
    return;
  }
  for_batches<4>(n, seed, offset, [&](const Words& w, index_t start, index_t m) {
    T* o = static_cast<T*>(out) + start;
    const u64 first = static_cast<u64>(lo), width = range;
    for (index_t i = 0; i < m; ++i)
      o[i] = from_int<T>(static_cast<std::int64_t>(first + mul_high(w.word[i], width)));
  });
}

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_RANDOM_ENTRY(name, dtype, fn) {name, kOtherKernel, dtype, dtype, reinterpret_cast<void*>(fn)}
#define WG_RANDOM_DISCRETE(dtype, T) \
  WG_RANDOM_ENTRY("randint", dtype, randint<T>), WG_RANDOM_ENTRY("bernoulli", dtype, bernoulli<T>)
#define WG_RANDOM_FLOATS                                                                                           \
  WG_RANDOM_ENTRY("uniform", kFloat32, (draw<Uniform32<24>, float>)),                                              \
      WG_RANDOM_ENTRY("uniform", kFloat64, (draw<Uniform64, double>)),                                             \
      WG_RANDOM_ENTRY("normal", kFloat32, (draw<Normal32, float>)),                                                \
      WG_RANDOM_ENTRY("normal", kFloat64, (draw<Normal64, double>)),                                               \
      WG_RANDOM_ENTRY("exponential", kFloat32, (draw<Exponential32, float>)),                                      \
      WG_RANDOM_ENTRY("exponential", kFloat64, (draw<Exponential64, double>)),                                     \
      WG_RANDOM_ENTRY("dropout", kFloat32, dropout<float>), WG_RANDOM_ENTRY("dropout", kFloat64, dropout<double>), \
      WG_RANDOM_DISCRETE(kFloat32, float), WG_RANDOM_DISCRETE(kFloat64, double),                                   \
      WG_RANDOM_DISCRETE(kInt32, std::int32_t), WG_RANDOM_DISCRETE(kInt64, std::int64_t)
#define WG_RANDOM_HALVES(dtype, T, bits)                                       \
  WG_RANDOM_ENTRY("uniform", dtype, (draw_rounded<Uniform32<bits>, T>)),       \
      WG_RANDOM_ENTRY("normal", dtype, (draw_rounded<Normal32, T>)),           \
      WG_RANDOM_ENTRY("exponential", dtype, (draw_rounded<Exponential32, T>)), \
      WG_RANDOM_ENTRY("dropout", dtype, dropout<T>), WG_RANDOM_DISCRETE(dtype, T)

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(random, WG_RANDOM_FLOATS)
#else
WG_UNIT(random, WG_RANDOM_FLOATS, WG_RANDOM_HALVES(kFloat16, half_t, 11), WG_RANDOM_HALVES(kBFloat16, bfloat_t, 8),
        WG_RANDOM_DISCRETE(kBool, bool), WG_RANDOM_DISCRETE(kUInt8, std::uint8_t),
        WG_RANDOM_DISCRETE(kInt8, std::int8_t), WG_RANDOM_DISCRETE(kInt16, std::int16_t),
        WG_RANDOM_ENTRY("mask", kBool, mask), WG_RANDOM_ENTRY("random_raw", kInt64, random_raw),
        WG_RANDOM_ENTRY("randperm", kInt64, randperm))
#endif
