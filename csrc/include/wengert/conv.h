// The interfaces of convolution and pooling kernels. Spatial arrays always have three entries, (depth, height,
// width); fewer dimensions put ones in front (stride and dilation 1, padding 0). Everything is contiguous, in
// the order (batch, channels, depth, height, width). Entries exist for float32 and float64.
#pragma once
#include "wengert/config.h"

namespace wg {

// One description serves the three entries; the pointer that is written depends on the entry:
//   "conv_forward"          y = x * w (+ bias for each channel of y)
//   "conv_backward_input"   x = gradient of x from y's gradient in y, and w (+ bias for each channel of x); this
//                           is also the transposed convolution's forward, whose sizes `in` are the caller's
//   "conv_backward_weight"  w = gradient of w from x, and y's gradient in y
// `out` must satisfy (out - 1) * stride + (kernel - 1) * dilation + 1 <= in + 2 * padding (no size may be 0 except
// batch); rows of x that no window reaches get gradient 0.
struct Conv {
  index_t batch, groups;
  index_t in_channels, out_channels;  // both divisible by groups
  index_t in[3], out[3], kernel[3], stride[3], padding[3], dilation[3];
  void* x;           // (batch, in_channels, in...)
  void* w;           // (out_channels, in_channels / groups, kernel...)
  void* y;           // (batch, out_channels, out...)
  const void* bias;  // null: none; unused by conv_backward_weight
  bool accumulate;   // the result is added to what is there; unused by conv_forward
};
// False when memory is exhausted; the result is then undefined.
using ConvFn = bool (*)(const Conv&);

// Pooling over `planes` = batch * channels planes.
//   "max_pool"              y, index from x: index is the flat place in the input plane of the first maximum, or of
//                           the last NaN; padding never wins
//   "max_pool_backward"     x = gradient of x from y's gradient in y, by index
//   "avg_pool"              y from x
//   "avg_pool_backward"     x = gradient of x from y's gradient in y
//   "adaptive_avg_pool", "adaptive_avg_pool_backward", "adaptive_max_pool": windows from floor(i * in / out) to
//                           ceil((i + 1) * in / out); kernel, stride, padding and dilation are unused. The gradient
//                           of adaptive_max_pool is max_pool_backward.
// Every window must reach the input. The caller chooses `out` (ceil mode).
struct Pool {
  index_t planes;
  index_t in[3], out[3], kernel[3], stride[3], padding[3];
  index_t dilation[3];     // maximum only
  void* x;                 // (planes, in...)
  void* y;                 // (planes, out...)
  std::int64_t* index;     // (planes, out...): maximum only; null in max_pool: not wanted
  bool count_include_pad;  // average: divide by the window's size with its padding
  index_t divisor;         // average: divide by this instead; 0: none
};
using PoolFn = void (*)(const Pool&);

}  // namespace wg
