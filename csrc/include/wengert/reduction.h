// The order in which reductions combine their elements; for units of csrc/kernels only (everything is in WG_NS).
//
// Note [Order of a reduction]
// A row of n elements is cut into chunks of 4096. In a chunk, element i goes to lane i % 64 and each lane combines
// its elements in ascending order; the lanes are combined as a tree (l with l + 32, then + 16, ... + 1). Chunks
// below 64 elements use 16 lanes, below 16 elements one. The chunks are combined pairwise, as a balanced tree over
// aligned powers of two, the rest joined from the right. The order is a function of n alone: blocks for threads
// are 16 chunks, whole subtrees. The rounding error of a sum grows as 64 + log2(n / 64), not as n.
//
// A reduction over a dimension that is not the last ([n][inner] to [inner]) adds runs of 64 rows in ascending
// order, column by column, and combines the runs by the same tree. With inner < 64, g = 64 / inner neighbouring
// rows are taken as one wide row first; the g partial results are combined in ascending order, the n % g rows
// left over joining the first ones. The order is a function of n and inner alone.
#pragma once
#include "wengert/alloc.h"
#include "wengert/config.h"
#include "wengert/dtype.h"
#include "wengert/parallel.h"

namespace wg {
namespace WG_NS {

constexpr index_t kChunk = 4096;
constexpr int kLanes = 64;
constexpr index_t kRowBlock = 16 * kChunk;  // elements of one part of a long row
constexpr index_t kPartElements = 65536;    // elements of one part of parallel work, about
constexpr int kTile = 128;                  // columns of one tile of an outer reduction
constexpr index_t kRun = 64;                // rows of one run of an outer reduction
constexpr index_t kRunBlock = 16 * kRun;    // rows of one part of a tall column
constexpr int kMaxLevels = 52;              // levels of the tree over chunks: 2**52 chunks

// ---- element access -----------------------------------------------------------------------------------

// The type that an element is widened to: halves to float, everything else as it is.
template <class T>
WG_INLINE T widen(T v) {
  return v;
}
WG_INLINE float widen(half_t v) { return half_to_float(v); }
WG_INLINE float widen(bfloat_t v) { return bfloat_to_float(v); }

template <class T>
struct Narrow {
  template <class A>
  static WG_INLINE T from(A v) {
    return static_cast<T>(v);
  }
};
template <>
struct Narrow<half_t> {
  static WG_INLINE half_t from(float v) { return float_to_half(v); }
};
template <>
struct Narrow<bfloat_t> {
  static WG_INLINE bfloat_t from(float v) { return float_to_bfloat(v); }
};

template <class A>
struct AddOp {
  static WG_INLINE A identity() { return A(0); }
  WG_INLINE A operator()(A a, A b) const { return a + b; }
};
template <class A>
struct MulOp {
  static WG_INLINE A identity() { return A(1); }
  WG_INLINE A operator()(A a, A b) const { return a * b; }
};
// The greater one, NaN if either is.
template <class A>
struct MaxOp {
  WG_INLINE A operator()(A a, A b) const { return (a > b) | (a != a) ? a : b; }
};
template <class A>
struct MinOp {
  WG_INLINE A operator()(A a, A b) const { return (a < b) | (a != a) ? a : b; }
};

// ---- rows ---------------------------------------------------------------------------------------------

// One chunk of 1 <= n <= kChunk elements; load(i) is element i.
template <int L, class A, class Load, class Op>
WG_INLINE A reduce_lanes(index_t n, Load load, Op op) {
  A acc[L];
  for (int l = 0; l < L; ++l) acc[l] = load(l);
  index_t i = L;
  for (; i + 8 * L <= n; i += 8 * L) {
    for (int l = 0; l < L; ++l) {
      A a = acc[l];
      for (int k = 0; k < 8; ++k) a = op(a, load(i + k * L + l));
      acc[l] = a;
    }
  }
  for (; i + L <= n; i += L) {
    for (int l = 0; l < L; ++l) acc[l] = op(acc[l], load(i + l));
  }
  for (int l = 0; i < n; ++i, ++l) acc[l] = op(acc[l], load(i));
  for (int w = L / 2; w; w /= 2) {
    for (int l = 0; l < w; ++l) acc[l] = op(acc[l], acc[l + w]);
  }
  return acc[0];
}

template <class A, class Load, class Op>
WG_INLINE A reduce_chunk(index_t n, Load load, Op op) {
  if (n >= kLanes) return reduce_lanes<kLanes, A>(n, load, op);
  if (n >= 16) return reduce_lanes<16, A>(n, load, op);
  A a = load(0);
  for (index_t i = 1; i < n; ++i) a = op(a, load(i));
  return a;
}

// Combines values that arrive in order as a balanced tree.
template <class A, class Op>
struct Tree {
  A level[kMaxLevels];
  int top = 0;
  index_t count = 0;
  WG_INLINE void push(A v, Op op) {
    for (index_t k = count++; k & 1; k >>= 1) v = op(level[--top], v);
    level[top++] = v;
  }
  WG_INLINE A result(Op op) {
    A v = level[--top];
    while (top) v = op(level[--top], v);
    return v;
  }
};

// A row of n >= 1 elements.
template <class A, class Load, class Op>
inline A reduce_row(index_t n, Load load, Op op) {
  if (n <= kChunk) return reduce_chunk<A>(n, load, op);
  Tree<A, Op> tree;
  for (index_t s = 0; s < n; s += kChunk) {
    index_t m = n - s < kChunk ? n - s : kChunk;
    tree.push(reduce_chunk<A>(m, [&](index_t i) __attribute__((always_inline)) { return load(s + i); }, op), op);
  }
  return tree.result(op);
}

// Rows in parallel: body(row) for every row of n elements, in groups of about kPartElements.
template <class Body>
inline void for_rows(index_t rows, index_t n, Body body) {
  index_t group = n >= kPartElements ? 1 : kPartElements / (n > 0 ? n : 1);
  parallel_for((rows + group - 1) / group, [&](index_t part) {
    index_t end = (part + 1) * group < rows ? (part + 1) * group : rows;
    for (index_t r = part * group; r < end; ++r) body(r);
  });
}

// Every row of n >= 1 elements: store(row, value), where load(row, i) is element i of a row.
template <class A, class Load, class Op, class Store>
inline void reduce_rows(index_t rows, index_t n, Load load, Op op, Store store) {
  if (rows <= 0) return;
  index_t blocks = (n + kRowBlock - 1) / kRowBlock;
  A* part = blocks > 1 ? static_cast<A*>(scratch(0, static_cast<std::size_t>(rows * blocks) * sizeof(A))) : nullptr;
  if (!part) {
    for_rows(rows, n, [&](index_t r) {
      store(r, reduce_row<A>(n, [&](index_t i) __attribute__((always_inline)) { return load(r, i); }, op));
    });
    return;
  }
  parallel_for(rows * blocks, [&](index_t p) {
    index_t r = p / blocks, s = p % blocks * kRowBlock, m = n - s < kRowBlock ? n - s : kRowBlock;
    part[p] = reduce_row<A>(m, [&](index_t i) __attribute__((always_inline)) { return load(r, s + i); }, op);
  });
  for (index_t r = 0; r < rows; ++r) {
    Tree<A, Op> tree;
    for (index_t b = 0; b < blocks; ++b) tree.push(part[r * blocks + b], op);
    store(r, tree.result(op));
  }
}

// ---- columns ------------------------------------------------------------------------------------------

// acc[l] = rows 0..n-1 of column l combined, w <= kTile columns, n >= 1; load(j, l) is row j of column l.
template <class A, class Load, class Op>
inline void reduce_columns(index_t n, int w, A* acc, Load load, Op op) {
  A level[kMaxLevels][kTile];
  int top = 0;
  for (index_t s = 0, run = 0; s < n; s += kRun, ++run) {
    index_t end = n - s < kRun ? n : s + kRun;
    A* v = level[top];
    for (int l = 0; l < w; ++l) v[l] = load(s, l);
    index_t j = s + 1;
    for (; j + 8 <= end; j += 8) {
      for (int l = 0; l < w; ++l) {
        A a = v[l];
        for (int k = 0; k < 8; ++k) a = op(a, load(j + k, l));
        v[l] = a;
      }
    }
    for (; j < end; ++j) {
      for (int l = 0; l < w; ++l) v[l] = op(v[l], load(j, l));
    }
    for (index_t k = run; k & 1; k >>= 1, --top) {
      for (int l = 0; l < w; ++l) level[top - 1][l] = op(level[top - 1][l], level[top][l]);
    }
    ++top;
  }
  for (; top > 1; --top) {
    for (int l = 0; l < w; ++l) level[top - 2][l] = op(level[top - 2][l], level[top - 1][l]);
  }
  for (int l = 0; l < w; ++l) acc[l] = level[0][l];
}

// Rows taken together when `inner` is narrow, and the width of a tile.
inline index_t column_group(index_t n, index_t inner) {
  index_t g = inner < kLanes ? kLanes / inner : 1;
  return g < n ? g : n;
}

// One tile: columns c0 .. c0 + w of [n][inner] (all of them when they are taken in groups). load(pos, col) is the
// element at offset pos of this [n][inner], which is in column col.
template <class A, class Load, class Op>
inline void reduce_tile(index_t n, index_t inner, index_t c0, int w, A* acc, Load load, Op op) {
  index_t g = column_group(n, inner);
  if (g == 1) {
    reduce_columns<A>(n, w, acc,
                      [&](index_t j, int l) __attribute__((always_inline)) { return load(j * inner + c0 + l, c0 + l); },
                      op);
    return;
  }
  index_t wide = g * inner, full = n / g;
  int column[kLanes];
  for (int l = 0; l < wide; ++l) column[l] = l % static_cast<int>(inner);
  A lanes[kTile];
  reduce_columns<A>(full, static_cast<int>(wide), lanes,
                    [&](index_t j, int l) __attribute__((always_inline)) { return load(j * wide + l, column[l]); }, op);
  for (index_t l = 0, pos = full * wide; pos < n * inner; ++l, ++pos) lanes[l] = op(lanes[l], load(pos, column[l]));
  for (index_t l = 0; l < inner; ++l) {
    A a = lanes[l];
    for (index_t k = 1; k < g; ++k) a = op(a, lanes[k * inner + l]);
    acc[l] = a;
  }
}

// Every column of [outer][n][inner], n >= 1: store(o, c0, w, values) for tiles of columns. load(o, pos, col) is
// the element at offset pos of part o.
template <class A, class Load, class Op, class Store>
inline void reduce_outer(index_t outer, index_t n, index_t inner, Load load, Op op, Store store) {
  if (outer <= 0 || inner <= 0) return;
  index_t tiles = (inner + kTile - 1) / kTile, g = column_group(n, inner);
  index_t rows = kRunBlock * g, blocks = n > rows && outer * tiles < 16 ? (n + rows - 1) / rows : 1;
  auto width = [&](index_t t) { return static_cast<int>(inner - t * kTile < kTile ? inner - t * kTile : kTile); };
  // Splitting a tall column changes nothing only when its groups stay whole; the rest of a grouped column would
  // join in another place, so only ungrouped columns are split.
  A* part = blocks > 1 && g == 1
                ? static_cast<A*>(scratch(0, static_cast<std::size_t>(outer * tiles * blocks * kTile) * sizeof(A)))
                : nullptr;
  if (!part) {
    for_rows(outer * tiles, n * width(0), [&](index_t p) {
      index_t o = p / tiles, t = p % tiles;
      A acc[kTile];
      reduce_tile<A>(n, inner, t * kTile, width(t), acc,
                     [&](index_t pos, index_t col) __attribute__((always_inline)) { return load(o, pos, col); }, op);
      store(o, t * kTile, width(t), acc);
    });
    return;
  }
  parallel_for(outer * tiles * blocks, [&](index_t p) {
    index_t o = p / blocks / tiles, t = p / blocks % tiles, s = p % blocks * kRunBlock;
    index_t m = n - s < kRunBlock ? n - s : kRunBlock;
    reduce_tile<A>(m, inner, t * kTile, width(t), part + p * kTile,
                   [&](index_t pos, index_t col)
                       __attribute__((always_inline)) { return load(o, s * inner + pos, col); },
                   op);
  });
  parallel_for(outer * tiles, [&](index_t q) {
    index_t o = q / tiles, t = q % tiles;
    const A* values = part + q * blocks * kTile;
    A acc[kTile];
    for (int l = 0; l < width(t); ++l) {
      Tree<A, Op> tree;
      for (index_t b = 0; b < blocks; ++b) tree.push(values[b * kTile + l], op);
      acc[l] = tree.result(op);
    }
    store(o, t * kTile, width(t), acc);
  });
}

}  // namespace WG_NS
}  // namespace wg
