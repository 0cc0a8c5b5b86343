// Vector mathematics: branch-free scalar functions that the compiler vectorises inside plain loops.
//
// Everything here is always inlined and lives in WG_NS, so each instruction set has its own copy. A function is
// the same arithmetic in the body of a vectorised loop, in its tail and alone: the value of an element never
// depends on its position. The functions need -fno-math-errno -fno-trapping-math to vectorise, and nothing else:
// infinities, NaN and signed zeros follow IEEE 754 and C's Annex F.
//
// Errors in the head comments are in ulp of the result against a reference of higher precision: float32 over
// every 257th bit pattern of all floats, float64 over random samples (tests/native/elementwise_check.cpp).
#pragma once
#include "wengert/vmath_activation.h"
#include "wengert/vmath_arc.h"
#include "wengert/vmath_bits.h"
#include "wengert/vmath_f32.h"
#include "wengert/vmath_f64.h"
#include "wengert/vmath_pow.h"
#include "wengert/vmath_special.h"
#include "wengert/vmath_tail.h"
