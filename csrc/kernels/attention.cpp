// Attention in blocks of queries and keys, forward and backward.
//
// The forward pass keeps for each query the greatest score so far, the sum of exponentials and the weighted sum of
// values; where a later block has a greater score, both sums are scaled down (Milakov and Gimelshein, 2018; Dao et
// al., 2022). The backward pass makes the weights of a block anew from the saved log of the sum. Memory beside
// operands and results is one block of scores and packed copies of one head's keys and values for each thread.
//
// Sums run over keys in ascending order: within a block a row has one sum for each lane of a vector, combined as a
// tree, so the bits depend on the set of instructions but not on threads. A head's gradients of keys and values add
// blocks of queries in ascending order on one thread.
#include "wengert/attention.h"

#include "wengert/alloc.h"
#include "wengert/kernels.h"
#include "wengert/parallel.h"
#include "wengert/rows.h"
#include "wengert/vmath.h"

#include "packed_matrix.h"

namespace wg {
namespace WG_NS {
namespace {

constexpr index_t kQueries = 48;     // of a block: whole tiles of rows
constexpr index_t kKeys = 256;       // of a block: whole panels, and whole counters of dropout
constexpr index_t kQueryPart = 240;  // queries that repay packing a head's keys and values: a multiple of kQueries
static_assert(kQueries % kTileRows == 0 && kQueryPart % kQueries == 0, "blocks hold whole tiles");
static_assert(kKeys % kTileCols<float> == 0 && kKeys % 8 == 0, "blocks hold whole panels");

index_t least(index_t a, index_t b) { return a < b ? a : b; }
index_t greatest(index_t a, index_t b) { return a > b ? a : b; }

template <class T>
T* matrix(const HeadMatrices& m, index_t head) {
  return static_cast<T*>(m.data) + m.offset[head];
}

template <class T>
constexpr T kInfinity = static_cast<T>(__builtin_inf());

// ---- rows of scores; n is a whole number of vectors
// --------------------------------------------------------------

struct Greater {
  template <class V>
  WG_INLINE V operator()(V a, V b) const {
    return a > b ? a : b;
  }
};
struct Plus {
  template <class V>
  WG_INLINE V operator()(V a, V b) const {
    return a + b;
  }
};

// All lanes of a vector in one: halves are combined until 16 bytes are left.
template <class T, int N, class Op>
WG_INLINE T fold(const T* lanes, Op op) {
  if constexpr (N * sizeof(T) > 16) {
    typedef T Half __attribute__((vector_size(N / 2 * sizeof(T))));
    Half low, high;
    __builtin_memcpy(&low, lanes, sizeof(Half));
    __builtin_memcpy(&high, lanes + N / 2, sizeof(Half));
    low = op(low, high);
    T rest[N / 2];
    __builtin_memcpy(rest, &low, sizeof(Half));
    return fold<T, N / 2>(rest, op);
  } else if constexpr (N == 4) {
    return op(op(lanes[0], lanes[2]), op(lanes[1], lanes[3]));
  } else {
    return op(lanes[0], lanes[1]);
  }
}

template <class T, class Op>
WG_INLINE T reduce(const T* s, index_t n, Op op) {
  using S = Simd<T>;
  typename S::V v = S::load(s);
  for (index_t j = S::kLanes; j < n; j += S::kLanes) v = op(v, S::load(s + j));
  T lanes[S::kLanes];
  S::store(lanes, v);
  return fold<T, S::kLanes>(lanes, op);
}

template <class T>
T maximum(const T* s, index_t n) {
  return reduce(s, n, Greater());
}
template <class T>
T total(const T* s, index_t n) {
  return reduce(s, n, Plus());
}

// The sum of products of two rows of any length.
template <class T>
T dot(const T* a, const T* b, index_t n) {
  using S = Simd<T>;
  typename S::V sum{};
  index_t j = 0;
  for (; j + S::kLanes <= n; j += S::kLanes) sum = fma(S::load(a + j), S::load(b + j), sum);
  if (j < n) {
    const LaneMask rest(static_cast<int>(n - j));
    sum = fma(load_lanes(a + j, rest), load_lanes(b + j, rest), sum);
  }
  T lanes[S::kLanes];
  S::store(lanes, sum);
  return fold<T, S::kLanes>(lanes, Plus());
}

// s *= scale for what lies before `own`, -inf from there on.
template <class T>
void scale_row(T* s, T scale, index_t own, index_t n) {
  using S = Simd<T>;
  index_t j = 0;
  for (; j + S::kLanes <= own; j += S::kLanes) S::store(s + j, S::load(s + j) * scale);
  if (j < own) {
    T part[S::kLanes];
    for (int i = 0; i < S::kLanes; ++i) part[i] = -kInfinity<T>;
    const LaneMask mask(static_cast<int>(own - j));
    const typename S::V v = load_lanes(s + j, mask) * scale;
    S::store(s + j, S::load(part));
    store_lanes(s + j, v, mask);
    j += S::kLanes;
  }
  for (; j < n; j += S::kLanes) S::store(s + j, S::splat(-kInfinity<T>));
}

// s = exp(s - m)
template <class T>
void exponentials(T* s, T m, index_t n) {
  for (index_t j = 0; j < n; ++j) s[j] = vm::exp(s[j] - m);
}

// ---- one block of scores
// -------------------------------------------------------------------------------------------

// Queries [row, row + rows) of one head against keys [column, column + columns).
template <class T>
struct Block {
  const AttentionShape& a;
  index_t head;  // of the query
  index_t row, rows, column, columns;
  T* s;  // [rows][kKeys]

  // Keys of the block that query `row + r` sees, as far as the diagonal goes.
  index_t seen(index_t r) const { return a.causal ? greatest(0, least(columns, row + r + 1 - column)) : columns; }
  // Keys that some query of the tile of rows from r on sees.
  index_t tile_columns(index_t r) const { return seen(least(r + kTileRows, rows) - 1); }
  static index_t padded(index_t n) { return (n + Simd<T>::kLanes - 1) / Simd<T>::kLanes * Simd<T>::kLanes; }

  // s = q @ k^T for a tile of rows.
  void multiply_keys(index_t r, const T* q, const PackedMatrix<T>& keys, T* to) const {
    const index_t h = least(kTileRows, rows - r);
    multiply_packed<T>(h, q + r * a.q.row, a.q.row, 1, keys, 0, keys.k, column, tile_columns(r),
                       Dest<T>{to + r * kKeys, kKeys, nullptr, 0, nullptr, false});
  }

  // Scores of query r from its products: scaled, masked, -inf for keys that it does not see, up to n.
  void finish_scores(index_t r, index_t n) const {
    T* to = s + r * kKeys;
    const index_t own = seen(r);
    const T scale = static_cast<T>(a.scale);
    scale_row(to, scale, own, n);
    if (a.mask) add_mask(r, own, to);
  }

  // Drops weights of query r in place, in any matrix laid out like the scores.
  void drop(index_t r, T* row_of_block) const {
    const std::uint64_t blocks = static_cast<std::uint64_t>((a.columns + 7) / 8);
    const std::uint64_t at = static_cast<std::uint64_t>(head * a.rows + row + r) * blocks;
    a.drop(row_of_block, row_of_block, columns, a.seed, a.offset + at + static_cast<std::uint64_t>(column / 8),
           a.p);
  }

 private:
  void add_mask(index_t r, index_t n, T* to) const {
    const index_t at = a.mask_offset[head] + (row + r) * a.mask_row + column * a.mask_column, step = a.mask_column;
    if (a.mask_is_bool) {
      const std::uint8_t* m = static_cast<const std::uint8_t*>(a.mask) + at;
      for (index_t j = 0; j < n; ++j) to[j] = m[j * step] ? to[j] : -kInfinity<T>;
    } else if (step == 1) {
      const T* m = static_cast<const T*>(a.mask) + at;
      WG_IVDEP
      for (index_t j = 0; j < n; ++j) to[j] += m[j];
    } else {
      const T* m = static_cast<const T*>(a.mask) + at;
      for (index_t j = 0; j < n; ++j) to[j] += m[j * step];
    }
  }
};

template <class T>
void zero_rows(T* p, index_t row, index_t rows, index_t n) {
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < n; ++j) p[i * row + j] = T(0);
}

// ---- forward
// -------------------------------------------------------------------------------------------------------

// Adds a block's weights and values to the running sums of its queries. The first block of keys, of which every
// query sees one at least, begins them.
template <class T>
void add_block(const Block<T>& b, const T* q, const PackedMatrix<T>& keys, const PackedMatrix<T>& values, T* y,
               index_t y_row, T* top, T* sum) {
  for (index_t i = 0; i < b.rows; i += kTileRows) {
    const index_t h = least(kTileRows, b.rows - i), n = b.tile_columns(i), whole = Block<T>::padded(n);
    if (n == 0) continue;
    b.multiply_keys(i, q, keys, b.s);
    for (index_t r = i; r < i + h; ++r) {
      T* s = b.s + r * kKeys;
      b.finish_scores(r, whole);
      const T found = maximum(s, whole), m = top[r] > found ? top[r] : found;
      const T shift = m == -kInfinity<T> ? T(0) : m;  // nothing seen yet: all weights are exp(-inf) = 0
      exponentials(s, shift, whole);
      const T added = total(s, whole);
      if (b.column > 0 && top[r] != m) {
        const T keep = top[r] == -kInfinity<T> ? T(0) : vm::exp(top[r] - m);
        sum[r] *= keep;
        for (index_t j = 0; j < b.a.value_width; ++j) y[r * y_row + j] *= keep;
      }
      top[r] = m;
      sum[r] += added;
      if (b.a.drop) b.drop(r, s);
    }
    multiply_packed<T>(h, b.s + i * kKeys, kKeys, 1, values, b.column, n, 0, values.n,
                       Dest<T>{y + i * y_row, y_row, nullptr, 0, nullptr, b.column > 0});
  }
}

// Queries [first, last) of one head.
template <class T>
void attend(const Attention& a, index_t head, index_t first, index_t last, const PackedMatrix<T>& keys,
            const PackedMatrix<T>& values, T* scores) {
  T *q = matrix<T>(a.q, head), *y = matrix<T>(a.y, head), *lse = static_cast<T*>(a.lse) + head * a.rows;
  for (index_t row = first; row < last; row += kQueries) {
    const index_t rows = least(kQueries, last - row);
    T top[kQueries], sum[kQueries];
    T* to = y + row * a.y.row;
    for (index_t r = 0; r < rows; ++r) {
      top[r] = -kInfinity<T>;
      sum[r] = T(0);
    }
    if (a.columns == 0) zero_rows(to, a.y.row, rows, a.value_width);
    const index_t end = a.causal ? least(a.columns, row + rows) : a.columns;
    for (index_t column = 0; column < end; column += kKeys) {
      const Block<T> b{a, head, row, rows, column, least(kKeys, a.columns - column), scores};
      add_block(b, q + row * a.q.row, keys, values, to, a.y.row, top, sum);
    }
    T scale[kQueries];
    for (index_t r = 0; r < rows; ++r) {
      const bool blind = sum[r] == T(0);
      scale[r] = blind ? T(0) : T(1) / sum[r];
      top[r] = blind ? kInfinity<T> : top[r];
      sum[r] = blind ? T(1) : sum[r];
    }
    for (index_t r = 0; r < rows; ++r) lse[row + r] = top[r] + vm::log(sum[r]);
    for (index_t r = 0; r < rows; ++r)
      for (index_t j = 0; j < a.value_width; ++j) to[r * a.y.row + j] *= scale[r];
  }
}

template <class T>
bool attention(const Attention& a) {
  constexpr index_t P = kTileCols<T>;
  const index_t parts = a.rows ? (a.rows + kQueryPart - 1) / kQueryPart : 0;
  const index_t key_size = PackedMatrix<T>::size(a.width, a.columns, P);
  const index_t value_size = PackedMatrix<T>::size(a.columns, a.value_width, P);
  bool fine = true;
  parallel_for(a.heads * parts, [&](index_t part) {
    const index_t head = part / parts, first = part % parts * kQueryPart;
    T* memory = static_cast<T*>(scratch(2, static_cast<std::size_t>(key_size + value_size) * sizeof(T)));
    T* scores = static_cast<T*>(scratch(3, static_cast<std::size_t>(kQueries * kKeys) * sizeof(T)));
    if (!memory || !scores) return __atomic_store_n(&fine, false, __ATOMIC_RELAXED);
    const auto keys = pack_matrix<T>(matrix<T>(a.k, head), 1, a.k.row, a.width, a.columns, P, memory);
    const auto values =
        pack_matrix<T>(matrix<T>(a.v, head), a.v.row, 1, a.columns, a.value_width, P, memory + key_size);
    for (index_t g = 0; g < a.group; ++g)
      attend(a, head * a.group + g, first, least(first + kQueryPart, a.rows), keys, values, scores);
  });
  return fine;
}

// ---- backward
// ------------------------------------------------------------------------------------------------------

// What a thread's part of the backward pass works with: one head of keys and values.
template <class T>
struct BackwardHead {
  PackedMatrix<T> keys, values, keys_by_row;  // k^T, v^T, k
  T *q_panels, *g_panels;                     // for blocks of queries and of their gradients
  T *weights, *inner;                         // [kQueries][kKeys]: the weights, and gradients of weights and scores
  T *grad_k, *grad_v;
};

// C += the transposed block of weights (or of gradients of scores) times rows of queries.
template <class T>
void add_transposed(const Block<T>& b, const T* block, index_t n, const PackedMatrix<T>& queries, T* c,
                    index_t c_row) {
  for (index_t j = 0; j < n; j += kTileRows) {
    // Queries before the diagonal do not see these keys.
    const index_t skip = b.a.causal ? least(b.rows, greatest(0, b.column + j - b.row)) : 0;
    multiply_packed<T>(least(kTileRows, n - j), block + skip * kKeys + j, 1, kKeys, queries, skip, b.rows - skip, 0,
                       queries.n, Dest<T>{c + j * c_row, c_row, nullptr, 0, nullptr, true});
  }
}

// The gradients through one block: adds to those of queries, keys and values. `dots` are sums of grad_y * y.
template <class T>
void block_back(const AttentionBackward& a, const Block<T>& b, const BackwardHead<T>& w, const T* q,
                const T* grad_y, const T* lse, const T* dots, const PackedMatrix<T>& q_packed,
                const PackedMatrix<T>& g_packed, T* grad_q) {
  const index_t n = b.tile_columns(b.rows - 1), whole = Block<T>::padded(n);
  if (n == 0) return;
  const T scale = static_cast<T>(a.scale);
  for (index_t i = 0; i < b.rows; i += kTileRows) {
    const index_t h = least(kTileRows, b.rows - i), seen = b.tile_columns(i);
    b.multiply_keys(i, q, w.keys, b.s);
    multiply_packed<T>(h, grad_y + i * a.grad_y.row, a.grad_y.row, 1, w.values, 0, w.values.k, b.column, seen,
                       Dest<T>{w.inner + i * kKeys, kKeys, nullptr, 0, nullptr, false});
    for (index_t r = i; r < i + h; ++r) {
      T *p = b.s + r * kKeys, *d = w.inner + r * kKeys;
      b.finish_scores(r, whole);
      exponentials(p, lse[r], whole);
      for (index_t j = seen; j < whole; ++j) d[j] = T(0);
      const T inner = dots[r];
      if (b.a.drop) {
        b.drop(r, d);
        WG_IVDEP
        for (index_t j = 0; j < whole; ++j) d[j] = p[j] * (d[j] - inner) * scale;
        b.drop(r, p);
      } else {
        WG_IVDEP
        for (index_t j = 0; j < whole; ++j) d[j] = p[j] * (d[j] - inner) * scale;
      }
    }
    multiply_packed<T>(h, w.inner + i * kKeys, kKeys, 1, w.keys_by_row, b.column, seen, 0, a.width,
                       Dest<T>{grad_q + i * a.grad_q.row, a.grad_q.row, nullptr, 0, nullptr, true});
  }
  add_transposed(b, static_cast<const T*>(w.inner), n, q_packed, w.grad_k + b.column * a.grad_k.row, a.grad_k.row);
  add_transposed(b, static_cast<const T*>(b.s), n, g_packed, w.grad_v + b.column * a.grad_v.row, a.grad_v.row);
}

// All queries of one head.
template <class T>
void attend_back(const AttentionBackward& a, index_t head, const BackwardHead<T>& w) {
  constexpr index_t P = kTileCols<T>;
  const T *q = matrix<T>(a.q, head), *y = matrix<T>(a.y, head), *grad_y = matrix<T>(a.grad_y, head);
  const T* lse = static_cast<const T*>(a.lse) + head * a.rows;
  T* grad_q = matrix<T>(a.grad_q, head);
  zero_rows(grad_q, a.grad_q.row, a.rows, a.width);
  for (index_t row = 0; row < a.rows; row += kQueries) {
    const index_t rows = least(kQueries, a.rows - row);
    const T *q_rows = q + row * a.q.row, *g_rows = grad_y + row * a.grad_y.row;
    T dots[kQueries];
    for (index_t r = 0; r < rows; ++r)
      dots[r] = dot(g_rows + r * a.grad_y.row, y + (row + r) * a.y.row, a.value_width);
    const auto q_packed = pack_matrix<T>(q_rows, a.q.row, 1, rows, a.width, P, w.q_panels);
    const auto g_packed = pack_matrix<T>(g_rows, a.grad_y.row, 1, rows, a.value_width, P, w.g_panels);
    const index_t end = a.causal ? least(a.columns, row + rows) : a.columns;
    for (index_t column = 0; column < end; column += kKeys) {
      const Block<T> b{a, head, row, rows, column, least(kKeys, a.columns - column), w.weights};
      block_back(a, b, w, q_rows, g_rows, lse + row, dots, q_packed, g_packed, grad_q + row * a.grad_q.row);
    }
  }
}

template <class T>
bool attention_backward(const AttentionBackward& a) {
  constexpr index_t P = kTileCols<T>;
  const index_t sizes[] = {
      PackedMatrix<T>::size(a.width, a.columns, P), PackedMatrix<T>::size(a.value_width, a.columns, P),
      PackedMatrix<T>::size(a.columns, a.width, P), PackedMatrix<T>::size(kQueries, a.width, P),
      PackedMatrix<T>::size(kQueries, a.value_width, P)};
  index_t elements = 0;
  for (index_t n : sizes) elements += n;
  bool fine = true;
  parallel_for(a.heads, [&](index_t head) {
    T* memory = static_cast<T*>(scratch(2, static_cast<std::size_t>(elements) * sizeof(T)));
    T* blocks = static_cast<T*>(scratch(3, static_cast<std::size_t>(2 * kQueries * kKeys) * sizeof(T)));
    if (!memory || !blocks) return __atomic_store_n(&fine, false, __ATOMIC_RELAXED);
    BackwardHead<T> w;
    const T *k = matrix<T>(a.k, head), *v = matrix<T>(a.v, head);
    w.keys = pack_matrix<T>(k, 1, a.k.row, a.width, a.columns, P, memory);
    w.values = pack_matrix<T>(v, 1, a.v.row, a.value_width, a.columns, P, memory += sizes[0]);
    w.keys_by_row = pack_matrix<T>(k, a.k.row, 1, a.columns, a.width, P, memory += sizes[1]);
    w.q_panels = memory += sizes[2];
    w.g_panels = memory += sizes[3];
    w.weights = blocks;
    w.inner = blocks + kQueries * kKeys;
    w.grad_k = matrix<T>(a.grad_k, head);
    w.grad_v = matrix<T>(a.grad_v, head);
    zero_rows(w.grad_k, a.grad_k.row, a.columns, a.width);
    zero_rows(w.grad_v, a.grad_v.row, a.columns, a.value_width);
    for (index_t g = 0; g < a.group; ++g) attend_back(a, head * a.group + g, w);
  });
  return fine;
}

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_ATTENTION(name, dtype, fn) {name, kOtherKernel, dtype, dtype, reinterpret_cast<void*>(fn)}
WG_UNIT(attention, WG_ATTENTION("attention", kFloat32, attention<float>),
        WG_ATTENTION("attention", kFloat64, attention<double>),
        WG_ATTENTION("attention_backward", kFloat32, attention_backward<float>),
        WG_ATTENTION("attention_backward", kFloat64, attention_backward<double>))
