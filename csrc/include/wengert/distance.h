// Interfaces of the kernels for distances between rows (float32, float64). Everything is contiguous.
#pragma once
#include "wengert/config.h"

namespace wg {

// "distances": out [batch][m][n], the Euclidean distances of the rows of x [batch][m][width] to those of
// y [batch][n][width]. "distances_backward": out [batch][m][width], the sum over j of g[i][j] / d[i][j] times
// x[i] - y[j], where terms with d[i][j] = 0 count for nothing. Both return false when scratch memory is exhausted.
struct Distances {
  const void *x, *y;
  const void *g, *d;  // "distances_backward": [batch][m][n]
  void* out;
  index_t batch, m, n, width;
};
using DistancesFn = bool (*)(const Distances&);

}  // namespace wg
