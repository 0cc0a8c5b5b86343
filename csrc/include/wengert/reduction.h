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
#include <type_traits>

#include "wengert/alloc.h"
#include "wengert/config.h"
#include "wengert/parallel.h"
#include "wengert/reduce.h"

namespace wg {
namespace WG_NS {

constexpr index_t kChunk = kSumChunk;
constexpr int kLanes = kSumLanes;
constexpr index_t kRowBlock = 16 * kChunk;  // elements of one part of a long row
constexpr index_t kPartElements = 65536;    // elements of one part of parallel work, about
constexpr int kTile = 128;                  // columns of one tile of an outer reduction
constexpr index_t kRun = kSumRun;           // rows of one run of an outer reduction
constexpr index_t kRunBlock = 16 * kRun;    // rows of one part of a tall column
constexpr int kMaxLevels = 52;              // levels of the tree over chunks: 2**52 chunks

// ---- combination ---------------------------------------------------------------------------------------

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
// One instruction each; a NaN may be lost.
template <class A>
struct QuickMax {
  WG_INLINE A operator()(A a, A b) const { return a > b ? a : b; }
};
template <class A>
struct QuickMin {
  WG_INLINE A operator()(A a, A b) const { return a < b ? a : b; }
};
// The greater one, NaN if either is. Quick is the same where there is no NaN.
template <class A>
struct MaxOp {
  using Quick = QuickMax<A>;
  WG_INLINE A operator()(A a, A b) const { return (a > b) | (a != a) ? a : b; }
};
template <class A>
struct MinOp {
  using Quick = QuickMin<A>;
  WG_INLINE A operator()(A a, A b) const { return (a < b) | (a != a) ? a : b; }
};
template <class Op, class = void>
constexpr bool kHasQuick = false;
template <class Op>
constexpr bool kHasQuick<Op, std::void_t<typename Op::Quick>> = true;

// ---- rows ---------------------------------------------------------------------------------------------
//
// `Load` is a small struct with a pointer p to its elements: load(i) is element i of a row as an A. `Op` combines
// two.

// Whether loops are unrolled over many elements: not for integers, which the compiler adds in any order.
template <class A>
constexpr bool kUnrolls = !std::is_integral<A>::value;

// w lanes, 16 or kLanes, combined as a tree.
template <class A, class Op>
WG_INLINE A fold_lanes(A* acc, int w, Op op) {
  if (w == kLanes) {
    for (int l = 0; l < 32; ++l) acc[l] = op(acc[l], acc[l + 32]);
    for (int l = 0; l < 16; ++l) acc[l] = op(acc[l], acc[l + 16]);
  }
  for (int l = 0; l < 8; ++l) acc[l] = op(acc[l], acc[l + 8]);
  for (int l = 0; l < 4; ++l) acc[l] = op(acc[l], acc[l + 4]);
  return op(op(acc[0], acc[2]), op(acc[1], acc[3]));
}

// W <= n elements from start on, by W lanes. With Watch, *nan tells whether there was a NaN. Lanes are named by
// constants throughout, so that they stay in registers.
template <int W, class A, bool Watch, class Load, class Op>
WG_INLINE A reduce_lanes(Load load, index_t start, index_t n, Op op, bool* nan = nullptr) {
  using Seen = typename std::conditional<sizeof(A) == 8, std::int64_t, std::int32_t>::type;
  const index_t end = start + n;
  index_t i = start;
  A acc[W];
  Seen seen[W] = {};
  const auto next = [&](int l, A a, A v) __attribute__((always_inline)) {
    if constexpr (Watch) seen[l] |= v != v;
    return op(a, v);
  };
  for (int l = 0; l < W; ++l) {
    acc[l] = load(i + l);
    if constexpr (Watch) seen[l] = acc[l] != acc[l];
  }
  i += W;
  if constexpr (W == kLanes && kUnrolls<A>) {
    for (; i + 8 * W <= end; i += 8 * W) {
      for (int l = 0; l < W; ++l) {
        A a = acc[l];
        for (int k = 0; k < 8; ++k) a = next(l, a, load(i + k * W + l));
        acc[l] = a;
      }
    }
  }
  for (; i + W <= end; i += W) {
    for (int l = 0; l < W; ++l) acc[l] = next(l, acc[l], load(i + l));
  }
#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
  // By masked loads: the wide loads that follow would wait for stores of single elements.
  if (const index_t left = end - i; left > 0) {
    for (int l = 0; l < W; ++l) {
      const A a = acc[l], v = l < left ? load(i + l) : a, both = next(l, a, v);
      acc[l] = l < left ? both : a;
    }
  }
#else
  for (int l = 0; i < end; ++i, ++l) acc[l] = next(l, acc[l], load(i));
#endif
  if constexpr (Watch) {
    Seen any = 0;
    for (int l = 0; l < W; ++l) any |= seen[l];
    *nan = any != 0;
  }
  return fold_lanes(acc, W, op);
}
template <class A, bool Watch, class Load, class Op>
WG_INLINE A reduce_some_lanes(Load load, index_t start, index_t n, Op op, bool* nan = nullptr) {
  if (n < kLanes) return reduce_lanes<16, A, Watch>(load, start, n, op, nan);
  return reduce_lanes<kLanes, A, Watch>(load, start, n, op, nan);
}

// Elements start .. start + n of a row, 1 <= n <= kChunk. Out of line: one copy for each Load.
template <class A, class Load, class Op>
WG_NOINLINE A reduce_chunk(Load load, index_t start, index_t n, Op op) {
  if (std::is_integral<A>::value || n < 16) {  // integers are exact: any order gives the same bits
    const index_t end = start + n;
    A a = load(start);
    for (index_t i = start + 1; i < end; ++i) a = op(a, load(i));
    return a;
  }
  if constexpr (kHasQuick<Op> &&
                !std::is_integral<A>::value) {  // to look for NaN beside is cheaper than to keep them
    bool nan;
    const A v = reduce_some_lanes<A, true>(load, start, n, typename Op::Quick(), &nan);
    if (WG_LIKELY(!nan)) return v;
  }
  return reduce_some_lanes<A, false>(load, start, n, op);
}

// Combines values that arrive in order as a balanced tree.
template <class A, class Op>
struct Tree {
  A level[kMaxLevels];
  int top = 0;
  index_t count = 0;
  void push(A v, Op op) {
    for (index_t k = count++; k & 1; k >>= 1) v = op(level[--top], v);
    level[top++] = v;
  }
  A result(Op op) {
    A v = level[--top];
    while (top) v = op(level[--top], v);
    return v;
  }
};

// Elements start .. start + n of a row, n >= 1, start a multiple of kRowBlock.
template <class A, class Load, class Op>
WG_INLINE A reduce_row(Load load, index_t start, index_t n, Op op) {
  if (n <= kChunk) return reduce_chunk<A>(load, start, n, op);
  Tree<A, Op> tree;
  for (index_t s = 0; s < n; s += kChunk) {
    tree.push(reduce_chunk<A>(load, start + s, n - s < kChunk ? n - s : kChunk, op), op);
  }
  return tree.result(op);
}

// The tree over the results of whole blocks, `stride` apart.
template <class A, class Op>
WG_NOINLINE A combine_blocks(const A* part, index_t blocks, index_t stride, Op op) {
  Tree<A, Op> tree;
  for (index_t b = 0; b < blocks; ++b) tree.push(part[b * stride], op);
  return tree.result(op);
}

// Rows in parallel: body(row) for every row of n elements, in groups of about kPartElements.
template <class Body>
inline void for_rows(index_t rows, index_t n, Body body) {
  if (rows <= 0) return;
  index_t group = n >= kPartElements ? 1 : kPartElements / (n > 0 ? n : 1);
  parallel_for((rows + group - 1) / group, [&](index_t part) {
    index_t end = (part + 1) * group < rows ? (part + 1) * group : rows;
    for (index_t r = part * group; r < end; ++r) body(r);
  });
}

// Every row of n >= 1 elements: store(row, value); load_of(row) is the Load of a row. Long rows are split.
template <class A, class LoadOf, class Op, class Store>
inline void reduce_rows(index_t rows, index_t n, LoadOf load_of, Op op, Store store) {
  if (rows <= 0) return;
  index_t blocks = (n + kRowBlock - 1) / kRowBlock;
  A* part = blocks > 1 ? static_cast<A*>(scratch(0, static_cast<std::size_t>(rows * blocks) * sizeof(A))) : nullptr;
  if (part) {
    parallel_for(rows * blocks, [&](index_t p) {
      index_t s = p % blocks * kRowBlock;
      part[p] = reduce_row<A>(load_of(p / blocks), s, n - s < kRowBlock ? n - s : kRowBlock, op);
    });
  }
  for_rows(rows, part ? blocks : n, [&](index_t r) {
    store(r, part ? combine_blocks(part + r * blocks, blocks, 1, op) : reduce_row<A>(load_of(r), 0, n, op));
  });
}

// ---- columns ------------------------------------------------------------------------------------------
//
// `Load` here: load(pos, l) is the element at offset `pos` of [n][inner], standing in lane l of the tile. What
// differs from column to column (a mean, a shift) is in load.aux, an array over lanes, or null.

// acc[l] = n >= 1 rows of w <= kTile lanes combined; row j starts at offset start + j * stride.
template <class A, class Load, class Op>
WG_NOINLINE void reduce_columns(Load load, index_t start, index_t stride, index_t n, int w, A* acc, Op op) {
  A level[kMaxLevels][kTile];
  int top = 0;
  index_t pos = start;
  for (index_t s = 0, run = 0; s < n; s += kRun, ++run) {
    index_t left = n - s < kRun ? n - s : kRun;
    A* v = level[top];
    for (int l = 0; l < w; ++l) v[l] = load(pos + l, l);
    pos += stride;
    --left;
    // Not for extremes, where the compiler follows a NaN through all four with branches.
    if constexpr (kUnrolls<A> && !kHasQuick<Op>) {
      for (; left >= 4; left -= 4, pos += 4 * stride) {
        for (int l = 0; l < w; ++l) {
          A a = op(v[l], load(pos + l, l));
          a = op(a, load(pos + stride + l, l));
          a = op(a, load(pos + 2 * stride + l, l));
          v[l] = op(a, load(pos + 3 * stride + l, l));
        }
      }
    }
    for (; left > 0; --left, pos += stride) {
      for (int l = 0; l < w; ++l) v[l] = op(v[l], load(pos + l, l));
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

// acc[l] = column c0 + l of rows first .. first + n of [..][inner], for w columns; load.aux holds w values.
template <class A, class Load, class Op>
WG_NOINLINE void reduce_tile(Load load, index_t first, index_t n, index_t inner, index_t c0, int w, A* acc, Op op) {
  index_t g = column_group(n, inner);
  if (g == 1) {
    reduce_columns<A>(load, first * inner + c0, inner, n, w, acc, op);
    return;
  }
  const int wide = static_cast<int>(g * inner);
  A aux[kTile], lanes[kTile];
  if (load.aux) {
    for (int l = 0; l < wide; ++l) aux[l] = load.aux[l % inner];
    load.aux = aux;
  }
  reduce_columns<A>(load, first * inner, wide, n / g, wide, lanes, op);
  const index_t end = (first + n) * inner;
  index_t pos = first * inner + n / g * wide;
  for (int l = 0; pos < end; ++l, ++pos) lanes[l] = op(lanes[l], load(pos, l));
  for (int l = 0; l < w; ++l) {
    A a = lanes[l];
    for (index_t k = 1; k < g; ++k) a = op(a, lanes[k * inner + l]);
    acc[l] = a;
  }
}

// Tiles of [outer][n][inner] in parallel: body(o, c0, w).
template <class Body>
inline void for_tiles(index_t outer, index_t n, index_t inner, Body body) {
  index_t tiles = (inner + kTile - 1) / kTile;
  for_rows(outer * tiles, n * (inner < kTile ? inner : kTile), [&](index_t q) {
    index_t c = q % tiles * kTile;
    body(q / tiles, c, static_cast<int>(inner - c < kTile ? inner - c : kTile));
  });
}

// Every column of [outer][n][inner], n >= 1: store(o, c0, w, values) for tiles; load_of(o) is the Load of part o.
// Tall columns are split into whole subtrees; grouped ones are not, since their left-over rows join the first.
template <class A, class LoadOf, class Op, class Store>
inline void reduce_outer(index_t outer, index_t n, index_t inner, LoadOf load_of, Op op, Store store) {
  index_t blocks = column_group(n, inner) == 1 ? (n + kRunBlock - 1) / kRunBlock : 1;
  index_t tiles = (inner + kTile - 1) / kTile;
  A* part = blocks > 1 && outer * tiles > 0
                ? static_cast<A*>(scratch(0, static_cast<std::size_t>(blocks * outer * tiles * kTile) * sizeof(A)))
                : nullptr;
  if (part) {
    parallel_for(blocks, [&](index_t b) {
      index_t s = b * kRunBlock, m = n - s < kRunBlock ? n - s : kRunBlock;
      for (index_t q = 0; q < outer * tiles; ++q) {
        index_t c = q % tiles * kTile;
        reduce_columns<A>(load_of(q / tiles), s * inner + c, inner, m,
                          static_cast<int>(inner - c < kTile ? inner - c : kTile), part + (q * blocks + b) * kTile,
                          op);
      }
    });
  }
  for_tiles(outer, part ? blocks : n, inner, [&](index_t o, index_t c, int w) {
    A acc[kTile];
    if (part) {
      const A* values = part + (o * tiles + c / kTile) * blocks * kTile;
      for (int l = 0; l < w; ++l) acc[l] = combine_blocks(values + l, blocks, kTile, op);
    } else {
      reduce_tile<A>(load_of(o), 0, n, inner, c, w, acc, op);
    }
    store(o, c, w, acc);
  });
}

}  // namespace WG_NS
}  // namespace wg
