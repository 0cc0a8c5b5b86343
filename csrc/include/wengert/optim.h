// Interfaces of the optimizer kernels (float32, float64): one pass over many parameters. The update of an element
// depends on that element alone. Coefficients are computed in float64 and rounded once to the element type.
#pragma once
#include "wengert/config.h"

namespace wg {

// Tensors to update: each array has one entry per tensor; a tensor has `count` contiguous elements. States that a
// kernel does not use may be null.
struct ParamList {
  index_t tensors;
  void* const* param;
  const void* const* grad;
  void* const* state1;
  void* const* state2;
  void* const* state3;
  const index_t* count;
  const std::int64_t* step;  // of each tensor, the coming one included: 1 at the first update
};

// "sgd": state1 is the momentum buffer; it becomes a copy of the gradient at step 1.
struct Sgd {
  double lr, momentum, dampening, weight_decay;
  bool nesterov, maximize;
};
using SgdFn = void (*)(const ParamList&, const Sgd&);

// "adam": state1 mean, state2 mean square, state3 its maximum (amsgrad). With `decoupled`, the decay multiplies the
// parameter (AdamW); otherwise it is added to the gradient.
struct Adam {
  double lr, beta1, beta2, eps, weight_decay;
  bool amsgrad, maximize, decoupled;
};
using AdamFn = void (*)(const ParamList&, const Adam&);

// "rmsprop": state1 mean square, state2 mean gradient (centered), state3 momentum buffer (momentum > 0).
struct RmsProp {
  double lr, alpha, eps, weight_decay, momentum;
  bool centered, maximize;
};
using RmsPropFn = void (*)(const ParamList&, const RmsProp&);

// "adagrad": state1 is the sum of squares.
struct Adagrad {
  double lr, lr_decay, weight_decay, eps;
  bool maximize;
};
using AdagradFn = void (*)(const ParamList&, const Adagrad&);

// "sumsq_many": sums[t] = sum of squares of the elements of tensor t (0 for none).
using SumSqManyFn = void (*)(const void* const* data, const index_t* count, index_t tensors, void* sums);
// "scale_many": every element times factor, in place.
using ScaleManyFn = void (*)(void* const* data, const index_t* count, index_t tensors, double factor);

}  // namespace wg
