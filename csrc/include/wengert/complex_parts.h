// Complex arrays seen as real ones with a last dimension of 2 (real part, imaginary part), and what is computed
// that way: products of matrices, sums, running sums.
#pragma once
#include "wengert/op.h"

namespace wg {

// `a` as a real array with one more dimension, over the same memory: a new reference. An inline value is copied.
int complex_parts(const Array& a, Array* out);
// The real (0) or imaginary (1) part of what complex_parts gave; shares its storage. A new reference.
Array complex_part(const Array& parts, int which);
// The conjugate as a contiguous array of its own; a Python number stays one.
int conjugate(const Array& a, Array* out);

// A product of matrices by four products of parts; `product` is the forward function of the call.
int complex_product(OpCall& c, ForwardFn product);
// sum and mean over dimensions by the same reduction of the parts; `reduce` is the forward function of the call.
int complex_sum(OpCall& c, ForwardFn reduce);
// any, all and count_nonzero on where the number is not 0.
int complex_truth(OpCall& c, ForwardFn reduce);
// cumsum along a dimension, likewise.
int complex_cumsum(OpCall& c, ForwardFn cumulate);

}  // namespace wg
