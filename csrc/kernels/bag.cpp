// Bags of rows of a table: sums, their gradients, and the places of maxima. A bag adds its rows in ascending order;
// a row of a gradient adds its bags in ascending order.
#include "wengert/bag.h"

#include "wengert/index.h"
#include "wengert/kernels.h"
#include "wengert/parallel.h"
#include "wengert/rows.h"

#include "gemm_kernel.h"

namespace wg {
namespace WG_NS {
namespace {

constexpr index_t kBagWork = 1 << 15;  // elements of one part
constexpr index_t kBagColumns = 64;    // columns of one part of a gradient: no part writes another's

index_t least(index_t a, index_t b) { return a < b ? a : b; }

// The indices of a bag, limited as position() limits an index; read as late.
struct Range {
  index_t first, end;
  Range(const Bags& b, index_t bag) {
    end = least(__atomic_load_n(b.offsets + bag + 1, __ATOMIC_RELAXED), b.count);
    first = __atomic_load_n(b.offsets + bag, __ATOMIC_RELAXED);
    if (first < 0) first = end;
  }
};

// Row i of the indices; -1 for padding.
WG_INLINE index_t row_of(const Bags& b, index_t i) {
  const index_t at = position(b.index, i, b.rows);
  return at == b.padding ? -1 : at;
}

// Calls body(bag) in parts of about kBagWork elements.
template <class Body>
void for_bags(const Bags& b, Body&& body) {
  if (b.bags == 0) return;
  const index_t work = (b.count + b.bags) * b.width / b.bags + 1, each = kBagWork / work + 1;
  parallel_for((b.bags + each - 1) / each, [&](index_t part) {
    for (index_t k = part * each; k < least((part + 1) * each, b.bags); ++k) body(k);
  });
}

// 1 over the number of indices of a bag that count.
template <class T>
T share(const Bags& b, index_t bag) {
  const Range range(b, bag);
  index_t n = 0;
  for (index_t i = range.first; i < range.end; ++i) n += row_of(b, i) >= 0;
  return n ? T(1) / static_cast<T>(n) : T(0);
}

template <class T>
T factor(const Bags& b, index_t i) {
  return b.factors ? static_cast<const T*>(b.factors)[i] : T(1);
}

// W vectors of columns of a bag's sum, kept in registers while the rows go by.
template <class T, int W>
void sum_vectors(const Bags& b, index_t bag, const T* columns, T* out) {
  using S = Simd<T>;
  typename S::V sum[W];
  for (auto& v : sum) v = typename S::V{};
  const Range range(b, bag);
  for (index_t i = range.first; i < range.end; ++i) {
    const index_t at = row_of(b, i);
    if (at < 0) continue;
    const T* row = columns + at * b.width;
    const typename S::V f = S::splat(factor<T>(b, i));
#pragma GCC unroll 4
    for (int k = 0; k < W; ++k) sum[k] = sum[k] + f * S::load(row + k * S::kLanes);
  }
  for (int k = 0; k < W; ++k) S::store(out + k * S::kLanes, sum[k]);
}

template <class T>
void bag_sum(const Bags& b) {
  constexpr index_t L = Simd<T>::kLanes;
  const T* table = static_cast<const T*>(b.table);
  for_bags(b, [&](index_t bag) {
    T* out = static_cast<T*>(b.out) + bag * b.width;
    index_t j = 0;
    for (; j + 4 * L <= b.width; j += 4 * L) sum_vectors<T, 4>(b, bag, table + j, out + j);
    for (; j + L <= b.width; j += L) sum_vectors<T, 1>(b, bag, table + j, out + j);
    for (; j < b.width; ++j) {
      const Range range(b, bag);
      T sum = 0;
      for (index_t i = range.first; i < range.end; ++i) {
        const index_t at = row_of(b, i);
        if (at >= 0) sum += factor<T>(b, i) * table[at * b.width + j];
      }
      out[j] = sum;
    }
    if (!b.mean) return;
    const T s = share<T>(b, bag);
    for (j = 0; j < b.width; ++j) out[j] *= s;
  });
}

template <class T>
void bag_spread(const Bags& b) {
  const T* upstream = static_cast<const T*>(b.upstream);
  const index_t parts = (b.width + kBagColumns - 1) / kBagColumns;
  const auto columns = [&](index_t first, index_t end) {
    T* out = static_cast<T*>(b.out);
    for (index_t r = 0; r < b.rows; ++r)
      for (index_t j = first; j < end; ++j) out[r * b.width + j] = T(0);
    for (index_t bag = 0; bag < b.bags; ++bag) {
      const T s = b.mean ? share<T>(b, bag) : T(1);
      const T* from = upstream + bag * b.width;
      const Range range(b, bag);
      for (index_t i = range.first; i < range.end; ++i) {
        const index_t at = row_of(b, i);
        if (at < 0) continue;
        T* row = out + at * b.width;
        const T f = factor<T>(b, i) * s;
        WG_IVDEP
        for (index_t j = first; j < end; ++j) row[j] += f * from[j];
      }
    }
  };
  if (parts < 2 || (b.count + b.rows) * b.width < 2 * kBagWork) return columns(0, b.width);
  parallel_for(parts, [&](index_t p) { columns(p * kBagColumns, least((p + 1) * kBagColumns, b.width)); });
}

template <class T>
void bag_dots(const Bags& b) {
  const T *table = static_cast<const T*>(b.table), *upstream = static_cast<const T*>(b.upstream);
  T* out = static_cast<T*>(b.out);
  for (index_t i = 0; i < b.count; ++i) out[i] = T(0);  // for padding, and for indices of no bag
  if (b.width == 0) return;
  for_bags(b, [&](index_t bag) {
    const Range range(b, bag);
    for (index_t i = range.first; i < range.end; ++i) {
      const index_t at = row_of(b, i);
      if (at >= 0) out[i] = row_dot(upstream + bag * b.width, table + at * b.width, T(0), b.width);
    }
  });
}

template <class T>
void bag_argmax(const Bags& b) {
  const T* table = static_cast<const T*>(b.table);
  for_bags(b, [&](index_t bag) {
    std::int64_t* out = static_cast<std::int64_t*>(b.out) + bag * b.width;
    for (index_t j = 0; j < b.width; ++j) out[j] = -1;
    const Range range(b, bag);
    for (index_t i = range.first; i < range.end; ++i) {
      const index_t at = row_of(b, i);
      if (at < 0) continue;
      const T* row = table + at * b.width;
      for (index_t j = 0; j < b.width; ++j) {
        const T best = out[j] < 0 ? row[j] : table[out[j] * b.width + j];
        const bool greater = row[j] > best || (row[j] != row[j] && best == best);
        if (out[j] < 0 || greater) out[j] = at;
      }
    }
  });
}

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_BAG(name, fn)                                                          \
  {name, kOtherKernel, kFloat32, kFloat32, reinterpret_cast<void*>(fn<float>)}, { \
    name, kOtherKernel, kFloat64, kFloat64, reinterpret_cast<void*>(fn<double>)   \
  }
WG_UNIT(bag, WG_BAG("bag_sum", bag_sum), WG_BAG("bag_spread", bag_spread), WG_BAG("bag_dots", bag_dots),
        WG_BAG("bag_argmax", bag_argmax))
