// Random draws: kernels of unit "random" and the counter space they use.
//
// Every value is a function of (seed, offset, element) alone. The generator is Philox4x64-10; block b of a draw at
// `offset` is the block that numpy.random.Philox(key=seed, counter=offset) yields as its b-th group of four words,
// so a draw advances the offset by random_blocks() and successive draws of a seed read NumPy's raw stream in order.
//
// Entries, all kOtherKernel of type RandomFn unless noted. n is the number of elements, params as listed:
//
//   "random_raw"   int64       the 64-bit words themselves; params null
//   "uniform"      floats      lo, hi: in [lo, hi), from 24 bits (float32), 53 (float64), 11 (float16) or 8
//                              (bfloat16; a half may round to hi unless the bounds are 0 and 1). With lo = 0 and
//                              hi = 1, float32 and float64 equal NumPy's Generator(Philox(...)).random()
//   "normal"       floats      mean, standard deviation
//   "exponential"  floats      rate; results are > 0 unless the rate makes them underflow
//   "randint"      every type  lo, hi as random_int_params: in [lo, hi), with hi - lo taken as uint64; the bias is
//                              below (hi - lo) / 2**64, and every type gets the same integers
//   "bernoulli"    every type  p: 1 with probability p, rounded to a multiple of 2**-32
//   "mask"         bool        p: true (keep) with probability 1 - p
//   "dropout"      floats      of type DropoutFn, p: x / (1 - p) where "mask" of the same seed and offset is true,
//                              else x * 0; the backward pass is the same call on the gradient
//   "randperm"     int64       a permutation of 0..n-1; params null
#pragma once
#include "wengert/config.h"
#include "wengert/dtype.h"

namespace wg {

using RandomFn = void (*)(void* out, index_t n, std::uint64_t seed, std::uint64_t offset, const double* params);
// out may be x.
using DropoutFn = void (*)(const void* x, void* out, index_t n, std::uint64_t seed, std::uint64_t offset, double p);

enum class Draw : std::uint8_t {
  kRaw,
  kUniform,
  kNormal,
  kExponential,
  kRandint,
  kBernoulli,  // also mask and dropout
  kRandperm
};

// Elements that one counter block of four 64-bit words serves.
constexpr index_t draws_per_block(Draw draw, int dtype) {
  switch (draw) {
    case Draw::kUniform:
    case Draw::kNormal:
    case Draw::kExponential:
      return dtype == kFloat64 ? 4 : 8;
    case Draw::kBernoulli:
      return 8;
    default:
      return 4;
  }
}

// Counter blocks that a draw of n elements uses: the amount by which it advances the offset.
constexpr std::uint64_t random_blocks(Draw draw, int dtype, index_t n) {
  index_t per = draws_per_block(draw, dtype);
  return static_cast<std::uint64_t>(n / per + (n % per != 0));
}

// The parameters of "randint": the bits of the bounds in the place of doubles.
struct RandomIntParams {
  double bits[2];
};
inline RandomIntParams random_int_params(std::int64_t lo, std::int64_t hi) {
  RandomIntParams p;
  __builtin_memcpy(&p.bits[0], &lo, 8);
  __builtin_memcpy(&p.bits[1], &hi, 8);
  return p;
}

}  // namespace wg
