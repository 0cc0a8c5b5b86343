// Strip programs: a run of cheap elementwise instructions that a plan's group executes on vector registers.
//
// A strip is a few vectors of elements. Its accumulator stays in registers from step to step, so that a chain of
// products and sums loads each operand once and stores what somebody else reads. Every step rounds as the operation
// on its own does.
#pragma once
#include "wengert/config.h"

namespace wg {

// What a step does with the accumulator `acc` and its operands v and w.
enum StripCode : std::uint8_t {
  kStripLoad,         // v
  kStripAdd,          // acc + v
  kStripSub,          // acc - v
  kStripSubFrom,      // v - acc
  kStripMul,          // acc * v
  kStripSquare,       // acc * acc
  kStripDiv,          // acc / v
  kStripDivInto,      // v / acc
  kStripZmul,         // acc == 0 ? 0 : acc * v
  kStripZmulInto,     // v == 0 ? 0 : v * acc
  kStripZdiv,         // acc == 0 ? 0 : acc / v
  kStripZdivInto,     // v == 0 ? 0 : v / acc
  kStripMulAdd,       // acc * v + w
  kStripAddMul,       // v * w + acc
  kStripMulSub,       // acc * v - w
  kStripMulSubFrom,   // v * w - acc
  kStripSubMul,       // w - acc * v
  kStripSubMulFrom,   // acc - v * w
  kStripMaximum,      // acc > v or acc is NaN ? acc : v
  kStripMaximumInto,  // v > acc or v is NaN ? v : acc
  kStripMinimum,
  kStripMinimumInto,
  kStripNeg,
  kStripAbs,
  kStripRelu,  // acc < 0 ? 0 : acc
  kStripSqrt,
  kStripSign,  // 1, -1 or 0
};

struct StripStep {
  std::uint8_t code;
  std::uint8_t scalars;  // bit 0: v is one value, bit 1: w is
  std::int16_t v, w;     // registers
  std::int16_t keep;     // the register that holds the result in memory; -1: only the next step reads it
};

// "strip": n elements; reg[i] is the memory of register i.
using StripFn = void (*)(const StripStep* steps, int count, char* const* reg, index_t n);

}  // namespace wg
