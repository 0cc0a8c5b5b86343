// Interfaces of the fused kernels (float32 and float64): softmax, cross entropy and the normalisations, forward and
// backward. Every pointer is to contiguous memory of the kernel's element type unless stated otherwise; "null" says
// that a pointer may be null. All sums follow Note [Order of a reduction] or a fixed order over rows.
#pragma once
#include "wengert/config.h"

namespace wg {

// "softmax", "log_softmax": x, y [rows][n]. A row of -inf only gives NaN.
using SoftmaxFn = void (*)(const void* x, void* y, index_t rows, index_t n);
// "softmax_backward", "log_softmax_backward": y is the result of the forward kernel.
using SoftmaxBackwardFn = void (*)(const void* g, const void* y, void* gx, index_t rows, index_t n);

// "cross_entropy": x [rows][n] are logits, and lse is written. "nll": x are log-probabilities, lse is not used.
// With w = weight[target] (1 without weights) and e = label_smoothing,
//   loss = (1 - e) * w * -logp[target] + e / n * sum_c weight[c] * -logp[c],
// and loss = row_weight = 0 where target == ignore_index. "nll" has no smoothing.
struct CrossEntropy {
  const void* x;
  const std::int64_t* target;  // [rows]
  const void* weight;          // [n]; null: all 1
  void* loss;                  // [rows]
  void* lse;                   // [rows]: log(sum(exp(x))); null for "nll"
  void* row_weight;            // [rows]: w, the divisor of a mean; null
  index_t rows, n;
  std::int64_t ignore_index;
  double label_smoothing;
};
// Returns -1, or the first row whose target is neither ignore_index nor in [0, n); then nothing is written.
using CrossEntropyFn = index_t (*)(const CrossEntropy&);

// "cross_entropy_backward", "nll_backward": gx = scale[row] * dloss[row] / dx.
struct CrossEntropyBackward {
  const void* x;  // unused by "nll_backward"
  const std::int64_t* target;
  const void* weight;  // null: all 1
  const void* lse;     // unused by "nll_backward"
  const void* scale;   // [rows], or one value
  bool one_scale;
  void* gx;
  index_t rows, n;
  std::int64_t ignore_index;
  double label_smoothing;
};
using CrossEntropyBackwardFn = void (*)(const CrossEntropyBackward&);

// "layer_norm": y = (x - mean) * rstd * weight + bias for each row; variance over n. "rms_norm": mean and bias are
// not used, rstd = 1 / sqrt(mean(x**2) + eps).
struct RowNorm {
  const void* x;       // [rows][n]
  const void* weight;  // [n]; null: 1
  const void* bias;    // [n]; null: 0
  void* y;
  void* mean;  // [rows]
  void* rstd;  // [rows]
  index_t rows, n;
  double eps;
};
using RowNormFn = void (*)(const RowNorm&);

// "layer_norm_backward", "rms_norm_backward".
struct RowNormBackward {
  const void* g;
  const void* x;
  const void* weight;  // null: 1
  const void* mean;    // unused by "rms_norm_backward"
  const void* rstd;
  void* gx;       // null: not wanted
  void* gweight;  // [n]; null
  void* gbias;    // [n]; null
  index_t rows, n;
};
// False when scratch memory is exhausted.
using RowNormBackwardFn = bool (*)(const RowNormBackward&);

// x is [batch][channels][space]; weight, bias are [channels].
//   "batch_norm_train"  writes y and mean, var (biased), rstd, all [channels], over batch and space
//   "batch_norm_eval"   reads mean and var, writes y and rstd
//   "group_norm"        writes y and mean, rstd, both [batch][groups]; var is not used
struct ChannelNorm {
  const void* x;
  const void* weight;  // null: 1
  const void* bias;    // null: 0
  void* y;
  void* mean;
  void* var;
  void* rstd;
  index_t batch, channels, space, groups;  // groups: of "group_norm" only
  double eps;
};
using ChannelNormFn = void (*)(const ChannelNorm&);

// "batch_norm_train_backward", "batch_norm_eval_backward" (mean and rstd are constants), "group_norm_backward".
struct ChannelNormBackward {
  const void* g;
  const void* x;
  const void* weight;  // null: 1
  const void* mean;
  const void* rstd;
  void* gx;       // null: not wanted
  void* gweight;  // [channels]; null
  void* gbias;    // [channels]; null
  index_t batch, channels, space, groups;
};
// False when scratch memory is exhausted.
using ChannelNormBackwardFn = bool (*)(const ChannelNormBackward&);

}  // namespace wg
