// Matrix product, float32 and float64: C = A @ B (+ bias), any strides of A and B, batches.
//
// Order of additions: k is cut into equal chunks of at most kDepth (see chunk_length); within a chunk an element is
// one chain of fused multiply-adds in ascending k from 0; chunks are added in ascending order, then the bias, then
// (accumulate) what C held: C = C + ((chunk0 + chunk1 + ...) + bias). The cut depends on k alone, so the bits of an
// element do not depend on m, n, strides, packing, tile position or threads. A product of one element (m == n == 1)
// has a rule of its own, see multiply_single. The set of instructions does change the bits: without fused
// multiply-add every product is rounded.
#include "wengert/alloc.h"
#include "wengert/gemm.h"
#include "wengert/kernels.h"
#include "wengert/parallel.h"

#include "gemm_kernel.h"

namespace wg {
namespace WG_NS {

// A panel of B (kTileCols by a chunk, at most kDepth) stays in the first-level cache, a block of A (kRowBlock by a
// chunk) in the second, kColBlock panels of B in the third.
constexpr index_t kRowBlock = 192;
template <class T>
constexpr index_t kColBlock = 4096 / static_cast<index_t>(sizeof(T));
static_assert(kRowBlock % kTileRows == 0, "blocks hold whole tiles");

// Chains of a product with a single element (docs/decisions/0006).
template <class T>
constexpr index_t kSingleLanes = 256 / static_cast<index_t>(sizeof(T));

static WG_INLINE index_t smaller(index_t a, index_t b) { return a < b ? a : b; }

WG_INLINE static float fused(float a, float b, float c) { return WG_FMAF(a, b, c); }
WG_INLINE static double fused(double a, double b, double c) { return WG_FMA(a, b, c); }

// The same sums without scratch memory, for when there is none.
template <class T>
static WG_NOINLINE void multiply_plainly(const Product<T>& g) {
  const index_t chunk = chunk_length<T>(g.k);
  for (index_t i = 0; i < g.m; ++i)
    for (index_t j = 0; j < g.n; ++j) {
      T sum = 0;
      for (index_t p0 = 0; p0 < g.k; p0 += chunk) {
        T part = 0;
        for (index_t p = p0; p < smaller(p0 + chunk, g.k); ++p)
          part = fused(g.a[i * g.a_row + p * g.a_col], g.b[p * g.b_row + j * g.b_col], part);
        sum = p0 ? sum + part : part;
      }
      if (g.dest.bias) sum += g.dest.bias[j];
      if (g.dest.row_bias) sum += g.dest.row_bias[i];
      T* c = g.dest.c + i * g.dest.c_row + j;
      *c = g.dest.add ? *c + sum : sum;
    }
}

// Rows of B can be loaded where they are.
template <class T>
static bool reads_in_place(const Product<T>& g) {
  return g.b_col == 1 || g.n == 1;
}

// One row of A by W vectors of columns, the last one in part. The sums of a chunk wait for each other, those of
// several chunks do not: they are computed side by side, and added in their order.
template <class T, int W>
static WG_NOINLINE void row_by_chunks(const Product<T>& g, index_t chunk) {
  using S = Simd<T>;
  using V = typename S::V;
  constexpr index_t L = S::kLanes, kTogether = 4;
  const LaneMask mask(static_cast<int>(g.n - (W - 1) * L));
  const index_t a_col = g.a_col, b_row = g.b_row, a_chunk = chunk * a_col, b_chunk = chunk * b_row;
  V r[kTogether][W], total[W];
  // Steps [from, to) of the first `count` chunks behind p0.
  const auto run = [&](auto count, index_t p0, index_t from, index_t to) __attribute__((always_inline)) {
    constexpr int C = decltype(count)::value;
    V sum[C][W];
    for (int c = 0; c < C; ++c)
      for (int j = 0; j < W; ++j) sum[c][j] = from ? r[c][j] : V{};
    const T *a = g.a + (p0 + from) * a_col, *b = g.b + (p0 + from) * b_row;
    for (index_t p = from; p < to; ++p, a += a_col, b += b_row)
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) {
        const V av = S::splat(a[c * a_chunk]);
#pragma GCC unroll 2
        for (int j = 0; j < W; ++j) {
          const T* at = b + c * b_chunk + j * L;
          sum[c][j] = fma(av, j == W - 1 ? load_lanes(at, mask) : S::load(at), sum[c][j]);
        }
      }
    for (int c = 0; c < C; ++c)
      for (int j = 0; j < W; ++j) r[c][j] = sum[c][j];
  };
  const auto first = [&](index_t count, index_t p0, index_t from, index_t to) {
    if (count == 4) run(std::integral_constant<int, 4>(), p0, from, to);
    if (count == 3) run(std::integral_constant<int, 3>(), p0, from, to);
    if (count == 2) run(std::integral_constant<int, 2>(), p0, from, to);
    if (count == 1) run(std::integral_constant<int, 1>(), p0, from, to);
  };
  for (index_t p0 = 0; p0 < g.k; p0 += kTogether * chunk) {
    const index_t count = smaller((g.k - p0 + chunk - 1) / chunk, kTogether);
    const index_t last = smaller(g.k - p0 - (count - 1) * chunk, chunk);  // the last chunk of all may be shorter
    first(count, p0, 0, last);
    if (last < chunk) first(count - 1, p0, last, chunk);
    for (index_t c = 0; c < count; ++c)
      for (int j = 0; j < W; ++j) total[j] = p0 + c ? total[j] + r[c][j] : r[c][j];
  }
  for (int j = 0; j + 1 < W; ++j) S::store(g.dest.c + j * L, total[j]);
  store_lanes(g.dest.c + (W - 1) * L, total[W - 1], mask);
}

// Nothing is added to the sums over k.
template <class T>
static bool plain(const Dest<T>& dest) {
  return !dest.bias && !dest.row_bias && !dest.add;
}

template <class T>
static void multiply_rows(const Product<T>& g) {
  constexpr index_t L = Simd<T>::kLanes, P = kTileCols<T>, kColumns = kColBlock<T>;
  const index_t chunk = chunk_length<T>(g.k);
  if (kMaskedLoads && g.m == 1 && g.n <= P && g.b_col == 1 && g.k > chunk && plain(g.dest))
    return (g.n > L ? row_by_chunks<T, 2> : row_by_chunks<T, 1>)(g, chunk);
  const bool chunked = g.k > chunk, hold = chunked && g.dest.add;
  const bool in_place = reads_in_place(g);
  const bool pack_b = !in_place || (g.m > 4 * kTileRows && g.k * g.b_row > 8192);
  // A small A is read where it is unless it is used often or its rows fall on the same cache sets.
  const bool small_a = g.n <= 8 * P && g.m * g.k <= 32768 / static_cast<index_t>(sizeof(T)) &&
                       g.a_row * static_cast<index_t>(sizeof(T)) % 2048 != 0;
  const bool pack_a = g.n > 2 * P && g.m > kTileRows && g.k > 8 && !small_a;
  const bool panel_at_a_time = g.m <= kRowBlock;
  const index_t rows_held = hold ? 4 * kRowBlock : g.m;
  const index_t columns = smaller(g.n, kColumns), wide = wide_tile_cols<T>(g.m);

  T* packed_a = nullptr;
  T* packed_b = nullptr;
  T* held = nullptr;
  if (pack_a) {
    packed_a = static_cast<T*>(scratch(0, (kRowBlock * chunk + L) * sizeof(T)));
    if (!packed_a) return multiply_plainly(g);
  }
  if (pack_b || hold || !kMaskedLoads) {
    const index_t panels = panel_at_a_time || !pack_b ? 1 : (columns + P - 1) / P;
    const index_t b_size = (panels * P * chunk + 2 * L - 1) / L * L;
    packed_b = static_cast<T*>(scratch(1, (b_size + (hold ? smaller(rows_held, g.m) * columns : 0)) * sizeof(T)));
    if (!packed_b) return multiply_plainly(g);
    held = packed_b + b_size;
  }

  for (index_t jc = 0; jc < g.n; jc += kColumns) {
    const index_t nc = smaller(kColumns, g.n - jc);
    for (index_t ib = 0; ib < g.m; ib += rows_held) {
      const index_t mb = smaller(rows_held, g.m - ib);
      index_t pc = 0;
      do {
        const index_t kc = smaller(chunk, g.k - pc);
        const bool last = pc + kc >= g.k;
        Dest<T> dest = g.dest.at(ib, jc);
        if (pc) {
          dest.part = hold ? held : dest.c;
          dest.part_row = hold ? columns : dest.c_row;
        }
        if (!last) {
          dest.bias = dest.row_bias = nullptr;
          dest.add = false;
          if (hold) {
            dest.c = held;
            dest.c_row = columns;
          }
        }
        for (index_t ic = 0; ic < mb; ic += kRowBlock) {
          const index_t mc = smaller(kRowBlock, mb - ic);
          const T* a_block = g.a + (ib + ic) * g.a_row + pc * g.a_col;
          if (pack_a)
            for (index_t i = 0; i < mc; i += kTileRows)
              pack_panel<T, kTileRows>(a_block + i * g.a_row, g.a_row, g.a_col, smaller(kTileRows, mc - i), kc,
                                       packed_a + i * kc);
          for (index_t j = 0; j < nc;) {
            const T* b = g.b + pc * g.b_row + (jc + j) * g.b_col;
            if (mc <= 2 && !pack_b && nc - j >= wide) {
              wide_tile(mc, kc, a_block, g.a_row, g.a_col, b, g.b_row, dest.at(ic, j));
              j += wide;
              continue;
            }
            const index_t w = smaller(P, nc - j);
            index_t b_row = g.b_row;
            if (pack_b || (!kMaskedLoads && w % L)) {
              T* panel = packed_b + (panel_at_a_time || !pack_b ? 0 : j * kc);
              b_row = w > L ? P : L;
              if (ic == 0 || panel_at_a_time || !pack_b) {
                if (w > L)
                  pack_panel<T, P>(b, g.b_col, g.b_row, w, kc, panel);
                else
                  pack_panel<T, L>(b, g.b_col, g.b_row, w, kc, panel);
              }
              b = panel;
            }
            for (index_t i = 0; i < mc; i += kTileRows) {
              const index_t h = smaller(kTileRows, mc - i);
              if (pack_a)
                tile(h, w, kc, static_cast<const T*>(packed_a + i * kc), 1, kTileRows, b, b_row,
                     dest.at(ic + i, j));
              else
                tile(h, w, kc, a_block + i * g.a_row, g.a_row, g.a_col, b, b_row, dest.at(ic + i, j));
            }
            j += w;
          }
        }
        pc += kc;
      } while (pc < g.k);
    }
  }
}

// N columns of C for R * kLanes rows of a row-major A, one row to a lane: out[j][lane] (+)= the sum over k. Rows
// that fall on the same cache sets (`staged`) are copied a few lines at a time, so that each line is fetched once.
template <class T, int N, int R>
static WG_NOINLINE void narrow_tile(index_t k, const T* a, index_t a_row, const T* b, index_t b_row, index_t b_col,
                                    T* out, index_t out_row, bool add, bool staged) {
  using S = Simd<T>;
  using V = typename S::V;
  constexpr int L = S::kLanes, Q = kQuad<T>, kPiece = 256 / static_cast<int>(sizeof(T));
  V r[N][R];
#pragma GCC unroll 4
  for (int j = 0; j < N; ++j)
#pragma GCC unroll 2
    for (int i = 0; i < R; ++i) r[j][i] = V{};
  // Columns p to p + Q, whose place in the first row is `from`.
  const auto step = [&](const T* from, index_t row, index_t p) __attribute__((always_inline)) {
    V x[R][Q];
#pragma GCC unroll 2
    for (int i = 0; i < R; ++i) load_turned(from + i * L * row, row, x[i]);
#pragma GCC unroll 4
    for (int q = 0; q < Q; ++q)
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) {
        const V bv = S::splat(b[(p + q) * b_row + j * b_col]);
#pragma GCC unroll 2
        for (int i = 0; i < R; ++i) r[j][i] = fma(x[i][q], bv, r[j][i]);
      }
  };
  index_t p = 0;
  if (staged)
    for (; p + kPiece <= k; p += kPiece) {
      alignas(64) T piece[R * L * kPiece];
      for (int i = 0; i < R * L; ++i) {
        const T* from = a + i * a_row + p;
#pragma GCC unroll 4
        for (int t = 0; t < kPiece; t += L) {
          __builtin_prefetch(from + kPiece + t);
          S::store(piece + i * kPiece + t, S::load(from + t));
        }
      }
      for (int t = 0; t < kPiece; t += Q) step(piece + t, kPiece, p + t);
    }
  for (; p + Q <= k; p += Q) step(a + p, a_row, p);
  for (; p < k; ++p)
#pragma GCC unroll 2
    for (int i = 0; i < R; ++i) {
      T column[L];
      for (int l = 0; l < L; ++l) column[l] = a[(i * L + l) * a_row + p];
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) r[j][i] = fma(S::load(column), S::splat(b[p * b_row + j * b_col]), r[j][i]);
    }
#pragma GCC unroll 4
  for (int j = 0; j < N; ++j)
#pragma GCC unroll 2
    for (int i = 0; i < R; ++i) {
      T* c = out + j * out_row + i * L;
      S::store(c, add ? S::load(c) + r[j][i] : r[j][i]);
    }
}

// Up to four columns and a whole vector of rows of a row-major A need no packing to be computed transposed.
constexpr index_t kNarrowCols = 4;

// Fill turned[j * width + i] with C[i][j], without bias, for i < w; w >= kLanes.
template <class T>
static void multiply_narrow(const Product<T>& g, index_t w, T* turned, index_t width) {
  constexpr index_t L = Simd<T>::kLanes;
  const index_t chunk = chunk_length<T>(g.k);
  // Two vectors of rows while registers last, for more independent chains.
  constexpr index_t kTwice = kTileRows > 6 ? kNarrowCols : 2;
  const index_t step = g.n <= kTwice && w >= 2 * L ? 2 * L : L;
  using Fn = void (*)(index_t, const T*, index_t, const T*, index_t, index_t, T*, index_t, bool, bool);
  static constexpr Fn kOne[kNarrowCols] = {narrow_tile<T, 1, 1>, narrow_tile<T, 2, 1>, narrow_tile<T, 3, 1>,
                                           narrow_tile<T, 4, 1>};
  static constexpr Fn kTwo[kNarrowCols] = {narrow_tile<T, 1, 2>, narrow_tile<T, 2, 2>, narrow_tile<T, 3, 2>,
                                           narrow_tile<T, 4, 2>};
  const bool staged = g.a_row * static_cast<index_t>(sizeof(T)) % 4096 == 0;
  const Fn fn = (step == L ? kOne : kTwo)[g.n - 1];
  for (index_t at = 0; at < w; at += step) {
    const index_t i = smaller(at, w - step);  // the last block goes back over rows already done
    index_t pc = 0;
    do {
      const index_t kc = smaller(chunk, g.k - pc);
      fn(kc, g.a + i * g.a_row + pc, g.a_row, g.b + pc * g.b_row, g.b_row, g.b_col, turned + i, width, pc > 0,
         staged);
      pc += kc;
    } while (pc < g.k);
  }
}

// Few columns: compute C transposed, so that the rows of A fill the lanes, and turn it while storing.
constexpr index_t kTurnedWidth = 256;

template <class T>
static void multiply_turned(const Product<T>& g) {
  constexpr index_t L = Simd<T>::kLanes;
  if (g.n == 1 && g.a_col == 1 && g.m >= L && g.dest.c_row == 1 && plain(g.dest))
    return multiply_narrow<T>(g, g.m, g.dest.c, 0);
  alignas(64) T turned[L * kTurnedWidth];
  for (index_t i0 = 0; i0 < g.m; i0 += kTurnedWidth) {
    const index_t w = smaller(kTurnedWidth, g.m - i0);
    const T* a = g.a + i0 * g.a_row;
    if (g.n <= kNarrowCols && g.a_col == 1 && w >= L)
      multiply_narrow<T>({w, g.n, g.k, a, g.a_row, 1, g.b, g.b_row, g.b_col, {}}, w, turned, kTurnedWidth);
    else
      multiply_rows<T>({g.n,
                        w,
                        g.k,
                        g.b,
                        g.b_col,
                        g.b_row,
                        a,
                        g.a_col,
                        g.a_row,
                        {turned, kTurnedWidth, nullptr, 0, nullptr, false}});
    for (index_t i = 0; i < w; ++i) {
      T* c = g.dest.c + (i0 + i) * g.dest.c_row;
      if (plain(g.dest)) {
        for (index_t j = 0; j < g.n; ++j) c[j] = turned[j * kTurnedWidth + i];
        continue;
      }
      for (index_t j = 0; j < g.n; ++j) {
        T v = turned[j * kTurnedWidth + i];
        if (g.dest.bias) v += g.dest.bias[j];
        if (g.dest.row_bias) v += g.dest.row_bias[i0 + i];
        c[j] = g.dest.add ? c[j] + v : v;
      }
    }
  }
}

// Few rows and a transposed B: the columns of B, contiguous over k, are the rows that fill the lanes.
template <class T>
static void multiply_few_rows(const Product<T>& g) {
  constexpr index_t L = Simd<T>::kLanes;
  if (g.m == 1 && plain(g.dest))
    return multiply_narrow<T>({g.n, 1, g.k, g.b, g.b_col, 1, g.a, g.a_col, g.a_row, {}}, g.n, g.dest.c, 0);
  alignas(64) T found[kNarrowCols * kTurnedWidth];
  index_t w;
  for (index_t j0 = 0; j0 < g.n; j0 += w) {
    w = g.n - j0 < kTurnedWidth + L ? g.n - j0 : kTurnedWidth;
    if (w > kTurnedWidth) w -= L;
    multiply_narrow<T>({w, g.m, g.k, g.b + j0 * g.b_col, g.b_col, 1, g.a, g.a_col, g.a_row, {}}, w, found,
                       kTurnedWidth);
    for (index_t i = 0; i < g.m; ++i) {
      const Dest<T> dest = g.dest.at(i, j0);
      for (index_t j = 0; j < w; ++j) {
        T v = found[i * kTurnedWidth + j];
        if (dest.bias) v += dest.bias[j];
        if (dest.row_bias) v += *dest.row_bias;
        dest.c[j] = dest.add ? dest.c[j] + v : v;
      }
    }
  }
}

// Vector operations for each step of k: tiles, plus about 3 for each vector that must be transposed.
template <class T>
static bool better_turned(const Product<T>& g) {
  constexpr index_t L = Simd<T>::kLanes;
  if (g.n >= L || g.m < L) return false;
  const index_t turn = g.a_row == 1 ? 0 : 3, pack = reads_in_place(g) ? 0 : 3;
  const index_t turned = (g.m + L - 1) / L * (g.n + turn) * g.k + g.m * g.n;
  return turned < (g.m + pack) * g.k;
}

// One element: lane l of kSingleLanes sums the products at p = l, l + kSingleLanes, ...; halves are added to each
// other until one value is left. The number of lanes is the same for every set of instructions.
template <class T>
static WG_NOINLINE void multiply_single(const Product<T>& g) {
  using S = Simd<T>;
  constexpr index_t L = S::kLanes, kLanes = kSingleLanes<T>;
  alignas(64) T sum[kLanes];
  typename S::V r[kLanes / L];
  for (auto& v : r) v = typename S::V{};
  index_t p = 0;
  if (g.a_col == 1 && g.b_row == 1)
    for (; p + kLanes <= g.k; p += kLanes)
#pragma GCC unroll 16
      for (index_t i = 0; i < kLanes / L; ++i) r[i] = fma(S::load(g.a + p + i * L), S::load(g.b + p + i * L), r[i]);
  for (index_t i = 0; i < kLanes / L; ++i) S::store(sum + i * L, r[i]);
  for (; p < g.k; ++p) sum[p % kLanes] = fused(g.a[p * g.a_col], g.b[p * g.b_row], sum[p % kLanes]);
  for (index_t half = kLanes / 2; half; half /= 2)
    for (index_t i = 0; i < half; ++i) sum[i] += sum[i + half];
  T value = sum[0];
  if (g.dest.bias) value += *g.dest.bias;
  if (g.dest.row_bias) value += *g.dest.row_bias;
  *g.dest.c = g.dest.add ? *g.dest.c + value : value;
}

template <class T>
void multiply(const Product<T>& g) {
  if (g.m == 0 || g.n == 0) return;
  if (g.m <= kNarrowCols && g.b_row == 1 && g.b_col != 1 && g.n >= Simd<T>::kLanes)
    multiply_few_rows(g);
  else if (better_turned(g))
    multiply_turned(g);
  else
    multiply_rows(g);
}

template void multiply<float>(const Product<float>&);
template void multiply<double>(const Product<double>&);

// Multiply-adds that repay a hand-over to another thread (about 10 us of work).
constexpr double kPartWork = 5e5;
// The most of one part, some tens of milliseconds: between two parts the product can be left off.
constexpr double kMostPartWork = 2e9;

template <class T>
static void gemm(const Gemm& g) {
  const auto item = [&g](index_t i) -> Product<T> {
    return {
        g.m,
        g.n,
        g.k,
        static_cast<const T*>(g.a) + (g.a_offset ? g.a_offset[i] : 0),
        g.a_row,
        g.a_col,
        static_cast<const T*>(g.b) + (g.b_offset ? g.b_offset[i] : 0),
        g.b_row,
        g.b_col,
        {static_cast<T*>(g.c) + i * g.c_batch, g.c_row, nullptr, 0, static_cast<const T*>(g.bias), g.accumulate}};
  };
  const double work =
      static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k) * static_cast<double>(g.batch);
  const int threads = work < 2 * kPartWork ? 1 : num_threads();
  const index_t longest = work < kMostPartWork ? 1 : static_cast<index_t>(work / kMostPartWork);
  // Decided here, by the shape: a part of a larger product may have a single element as well.
  const auto run = g.m == 1 && g.n == 1 ? multiply_single<T> : multiply<T>;
  if (threads == 1 && longest < 2) {
    for (index_t i = 0; i < g.batch; ++i) run(item(i));
    return;
  }
  // No sum crosses a part, so the cut may follow the number of threads without touching the bits.
  const double most = work / kPartWork;
  const index_t enough = most < 4.0 * threads ? static_cast<index_t>(most) : 4 * threads;
  const index_t wanted = enough < longest ? longest : enough;
  if (g.batch >= wanted) {
    parallel_for(wanted, [&](index_t part) {
      for (index_t i = g.batch * part / wanted; i < g.batch * (part + 1) / wanted; ++i) run(item(i));
    });
    return;
  }
  // Halve the longer side until there are enough parts or the tiles are as small as they should be.
  index_t rows = g.m, cols = g.n;
  constexpr index_t kLeastRows = 4 * kTileRows, kLeastCols = 2 * kTileCols<T>;
  const auto parts_of = [&] { return ((g.m + rows - 1) / rows) * ((g.n + cols - 1) / cols); };
  while (parts_of() * g.batch < wanted && (rows > kLeastRows || cols > kLeastCols)) {
    if (rows > kLeastRows && (rows >= cols || cols <= kLeastCols))
      rows = ((rows + 1) / 2 + kTileRows - 1) / kTileRows * kTileRows;
    else
      cols = ((cols + 1) / 2 + kTileCols<T> - 1) / kTileCols<T> * kTileCols<T>;
  }
  const index_t down = (g.m + rows - 1) / rows, across = (g.n + cols - 1) / cols;
  parallel_for(g.batch * down * across, [&](index_t part) {
    Product<T> p = item(part / (down * across));
    const index_t i = part / across % down * rows, j = part % across * cols;
    p.m = smaller(rows, g.m - i);
    p.n = smaller(cols, g.n - j);
    p.a += i * g.a_row;
    p.b += j * g.b_col;
    p.dest = p.dest.at(i, j);
    run(p);
  });
}

#if !defined(WG_ISA_V3) && !defined(WG_ISA_V4)
// Integers wrap around, so neither the order nor the type of the sum matters: U is the unsigned type of T's size,
// widened to 32 bits so that no product overflows a signed type by promotion.
template <class T, class U>
static void gemm_integers(const Gemm& g) {
  for (index_t z = 0; z < g.batch; ++z) {
    const T* a = static_cast<const T*>(g.a) + (g.a_offset ? g.a_offset[z] : 0);
    const T* b = static_cast<const T*>(g.b) + (g.b_offset ? g.b_offset[z] : 0);
    const T* bias = static_cast<const T*>(g.bias);
    for (index_t i = 0; i < g.m; ++i) {
      T* c = static_cast<T*>(g.c) + z * g.c_batch + i * g.c_row;
      for (index_t j = 0; j < g.n; ++j)
        c[j] = static_cast<T>((g.accumulate ? static_cast<U>(c[j]) : 0) + (bias ? static_cast<U>(bias[j]) : 0));
      for (index_t p = 0; p < g.k; ++p) {
        const U x = static_cast<U>(a[i * g.a_row + p * g.a_col]);
        const T* from = b + p * g.b_row;
        if (g.b_col == 1)
          for (index_t j = 0; j < g.n; ++j)
            c[j] = static_cast<T>(static_cast<U>(c[j]) + x * static_cast<U>(from[j]));
        else
          for (index_t j = 0; j < g.n; ++j)
            c[j] = static_cast<T>(static_cast<U>(c[j]) + x * static_cast<U>(from[j * g.b_col]));
      }
    }
  }
}
#endif

}  // namespace WG_NS
}  // namespace wg

#define WG_GEMM(dtype, fn) {"gemm", kOtherKernel, dtype, dtype, reinterpret_cast<void*>(fn)}
#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(matmul, WG_GEMM(kFloat32, gemm<float>), WG_GEMM(kFloat64, gemm<double>))
#else
WG_UNIT(matmul, WG_GEMM(kFloat32, gemm<float>), WG_GEMM(kFloat64, gemm<double>),
        WG_GEMM(kUInt8, (gemm_integers<std::uint8_t, std::uint32_t>)),
        WG_GEMM(kInt8, (gemm_integers<std::int8_t, std::uint32_t>)),
        WG_GEMM(kInt16, (gemm_integers<std::int16_t, std::uint32_t>)),
        WG_GEMM(kInt32, (gemm_integers<std::int32_t, std::uint32_t>)),
        WG_GEMM(kInt64, (gemm_integers<std::int64_t, std::uint64_t>)))
#endif
