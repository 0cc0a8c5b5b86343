// Sorting and selection on keys: every element is mapped to an unsigned integer in the same order.
//
// Integers flip the sign bit. Floats flip all bits when negative, the sign bit otherwise; -0 is first made +0 and
// NaN maps to the greatest key. Descending order inverts the keys, so a stable ascending sort serves both
// directions. Short rows: merge sort of runs of 16 (insertion). Long rows: radix sort by bytes, skipping
// bytes that all keys share. Selection parts the keys around pivots; where those are bad, or memory is short, it
// narrows the key byte by byte with histograms.
#include "wengert/sort.h"

#include <type_traits>

#include "wengert/interrupt.h"
#include "wengert/kernels.h"
#include "wengert/reduction.h"

namespace wg {
namespace WG_NS {
namespace {

constexpr index_t kRunLength = 16;        // elements sorted by insertion
constexpr index_t kRadixLength = 512;     // rows from here on use the radix sort
constexpr index_t kLookLength = 1 << 20;  // elements between two looks whether to leave off

// body(first, end) for pieces of [0, n), until the user wants to leave off.
template <class Body>
WG_INLINE void for_spans(index_t n, Body body) {
  for (index_t lo = 0; lo < n; lo += kLookLength) {
    body(lo, n - lo < kLookLength ? n : lo + kLookLength);
    if (n - lo > kLookLength && leave_off()) return;
  }
}

// Keys of 64-bit types are 64 bits wide, all others 32.
template <class T>
using KeyOf = typename std::conditional<sizeof(T) == 8, std::uint64_t, std::uint32_t>::type;

template <class T>
WG_INLINE KeyOf<T> key_of(T v) {
  using K = KeyOf<T>;
  constexpr K top = K(1) << (sizeof(K) * 8 - 1);
  if constexpr (std::is_floating_point<T>::value) {
    if (v != v) return ~K(0);
    v = v + T(0);
    K bits;
    __builtin_memcpy(&bits, &v, sizeof v);
    return bits & top ? ~bits : bits | top;
  } else if constexpr (std::is_signed<T>::value) {
    return static_cast<K>(static_cast<typename std::make_signed<K>::type>(v)) ^ top;
  } else {
    return static_cast<K>(v);
  }
}

// A key and the position of its element. 32-bit keys go with 32-bit positions while rows are short enough.
template <class K, class P>
struct Item {
  K key;
  P pos;
};

template <class I>
void insertion_sort(I* a, index_t n) {
  for (index_t i = 1; i < n; ++i) {
    const I v = a[i];
    index_t j = i;
    for (; j > 0 && a[j - 1].key > v.key; --j) a[j] = a[j - 1];
    a[j] = v;
  }
}

// Stable; returns the one of a, b that holds the result.
template <class I>
I* merge_sort(I* a, I* b, index_t n) {
  for (index_t s = 0; s < n; s += kRunLength) insertion_sort(a + s, n - s < kRunLength ? n - s : kRunLength);
  for (index_t width = kRunLength; width < n; width *= 2) {
    for (index_t s = 0; s < n; s += 2 * width) {
      const index_t middle = s + width < n ? s + width : n, end = s + 2 * width < n ? s + 2 * width : n;
      index_t i = s, j = middle;
      for (index_t k = s; k < end; ++k) {
        const bool left = j >= end || (i < middle && a[i].key <= a[j].key);
        b[k] = left ? a[i++] : a[j++];
      }
    }
    I* t = a;
    a = b;
    b = t;
  }
  return a;
}

template <class I>
I* radix_sort(I* a, I* b, index_t n) {
  constexpr int bytes = sizeof(a->key);
  index_t counts[bytes][256] = {};
  for (index_t lo = 0; lo < n; lo += kLookLength) {
    if (leave_off()) return a;
    const index_t end = lo + kLookLength < n ? lo + kLookLength : n;
    for (index_t i = lo; i < end; ++i) {
      for (int d = 0; d < bytes; ++d) ++counts[d][a[i].key >> (8 * d) & 255];
    }
  }
  for (int d = 0; d < bytes; ++d) {
    index_t* count = counts[d];
    if (count[a[0].key >> (8 * d) & 255] == n) continue;
    index_t start = 0;
    for (int v = 0; v < 256; ++v) {
      const index_t c = count[v];
      count[v] = start;
      start += c;
    }
    for (index_t lo = 0; lo < n; lo += kLookLength) {
      if (leave_off()) return a;
      const index_t end = lo + kLookLength < n ? lo + kLookLength : n;
      for (index_t i = lo; i < end; ++i) b[count[a[i].key >> (8 * d) & 255]++] = a[i];
    }
    I* t = a;
    a = b;
    b = t;
  }
  return a;
}

template <class I>
I* sort_items(I* a, I* b, index_t n) {
  return n < kRadixLength ? merge_sort(a, b, n) : radix_sort(a, b, n);
}

template <class T, class I>
bool sort_rows(const T* x, T* values, std::int64_t* indices, index_t rows, index_t n, bool descending) {
  const decltype(I::key) flip = descending ? ~decltype(I::key)(0) : 0;
  bool ok = true;
  for_rows(rows, n, [&](index_t r) {
    I* a = static_cast<I*>(scratch(0, static_cast<std::size_t>(2 * n) * sizeof(I)));
    if (!a) {
      __atomic_store_n(&ok, false, __ATOMIC_RELAXED);
      return;
    }
    const T* row = x + r * n;
    for_spans(n, [&](index_t lo, index_t end) {
      for (index_t i = lo; i < end; ++i) a[i] = {key_of(row[i]) ^ flip, static_cast<decltype(I::pos)>(i)};
    });
    if (interrupted()) return;
    const I* s = sort_items(a, a + n, n);
    if (interrupted()) return;
    for_spans(n, [&](index_t lo, index_t end) {
      for (index_t i = lo; i < end; ++i) {
        const index_t at = static_cast<index_t>(s[i].pos);
        values[r * n + i] = row[at];
        indices[r * n + i] = at;
      }
    });
  });
  return ok;
}

template <class T>
using ShortItem = Item<KeyOf<T>, typename std::conditional<sizeof(T) == 8, std::int64_t, std::uint32_t>::type>;
template <class T>
using LongItem = Item<KeyOf<T>, std::int64_t>;
constexpr index_t kShortRows = UINT32_MAX;

template <class T>
bool sort(const void* x, void* values, std::int64_t* indices, index_t rows, index_t n, bool descending) {
  const T* p = static_cast<const T*>(x);
  T* v = static_cast<T*>(values);
  return n <= kShortRows ? sort_rows<T, ShortItem<T>>(p, v, indices, rows, n, descending)
                         : sort_rows<T, LongItem<T>>(p, v, indices, rows, n, descending);
}

// The key of rank k (from 0) among the n keys key_of(row[i]) ^ flip, byte by byte: the same work whatever they are.
template <class T>
KeyOf<T> select_by_bytes(const T* row, index_t n, index_t k, KeyOf<T> flip) {
  using K = KeyOf<T>;
  K prefix = 0, mask = 0;
  index_t less = 0;
  for (int shift = static_cast<int>(sizeof(K)) * 8 - 8; shift >= 0; shift -= 8) {
    index_t count[256] = {};
    for_spans(n, [&](index_t lo, index_t end) {
      for (index_t i = lo; i < end; ++i) {
        const K key = key_of(row[i]) ^ flip;
        count[key >> shift & 255] += (key & mask) == prefix;
      }
    });
    int v = 0;
    for (; v < 255 && less + count[v] <= k; ++v) less += count[v];
    prefix |= static_cast<K>(v) << shift;
    mask |= static_cast<K>(255) << shift;
  }
  return prefix;
}

// Moves those of a[lo .. end) for which `first` holds to the front, without a branch on it; returns where they end.
template <class K, class First>
WG_INLINE index_t move_first(K* a, index_t lo, index_t end, First first) {
  index_t to = lo;
  for_spans(end - lo, [&](index_t from, index_t until) {
    index_t t = to;
    for (index_t i = lo + from; i < lo + until; ++i) {
      const K v = a[i];
      a[i] = a[t];
      a[t] = v;
      t += first(v);
    }
    to = t;
  });
  return to;
}

// The key of rank k by parting keys around the middle one of three, again and again. Keys that make the parts
// uneven too often are left to the histograms.
template <class T>
KeyOf<T> select_key(const T* row, index_t n, index_t k, KeyOf<T> flip) {
  using K = KeyOf<T>;
  constexpr index_t kSorted = 12;
  K* a = static_cast<K*>(scratch(1, static_cast<std::size_t>(n) * sizeof(K)));
  if (!a) return select_by_bytes(row, n, k, flip);
  for_spans(n, [&](index_t lo, index_t end) {
    for (index_t i = lo; i < end; ++i) a[i] = key_of(row[i]) ^ flip;
  });
  index_t lo = 0, end = n, work = 0;
  while (end - lo > kSorted) {
    work += end - lo;
    if (work > 16 * n) return select_by_bytes(row, n, k, flip);
    const K x = a[lo], y = a[lo + (end - lo) / 2], z = a[end - 1];
    const K low = x < y ? x : y, high = x < y ? y : x;
    const K pivot = z < low ? low : z < high ? z : high;
    index_t middle = move_first(a, lo, end, [=](K v) { return v < pivot; });
    if (middle == lo) {  // nothing is smaller: those that are equal come first
      middle = move_first(a, lo, end, [=](K v) { return v == pivot; });
      if (k < middle || middle == lo) return pivot;  // none at all: the pass was left off
    }
    (k < middle ? end : lo) = middle;
  }
  for (index_t i = lo + 1; i < end; ++i) {
    const K v = a[i];
    index_t j = i;
    for (; j > lo && a[j - 1] > v; --j) a[j] = a[j - 1];
    a[j] = v;
  }
  return a[k];
}

// The k smallest of a row, in order: each element that beats the last one kept is put in its place. Blocks without
// such an element, which soon are most, cost one pass in vectors.
constexpr index_t kFewKept = 16;
template <class T, class I>
void keep_few(const T* row, index_t n, index_t k, KeyOf<T> flip, I* kept) {
  using K = KeyOf<T>;
  constexpr index_t kStep = 64;
  index_t held = 0;
  const auto offer = [&](index_t i) {
    const K key = key_of(row[i]) ^ flip;
    if (held == k && key >= kept[k - 1].key) return;
    index_t j = held < k ? held++ : k - 1;
    for (; j > 0 && kept[j - 1].key > key; --j) kept[j] = kept[j - 1];
    kept[j] = {key, i};
  };
  index_t i = 0;
  for (; i < n && (held < k || i % kStep); ++i) offer(i);
  const index_t start = i;
  static_assert(kLookLength % kStep == 0, "spans end where steps do");
  for_spans((n - start) / kStep * kStep, [&](index_t first, index_t end) {
    for (i = start + first; i < start + end; i += kStep) {
      K least = ~K(0);
      for (index_t l = 0; l < kStep; ++l) {
        const K key = key_of(row[i + l]) ^ flip;
        least = key < least ? key : least;
      }
      if (least < kept[k - 1].key)
        for (index_t l = 0; l < kStep; ++l) offer(i + l);
    }
  });
  for (; i < n && !interrupted(); ++i) offer(i);
}

template <class T>
bool topk(const void* x_, void* values_, std::int64_t* indices, index_t rows, index_t n, index_t k, bool largest) {
  using K = KeyOf<T>;
  using I = LongItem<T>;
  const T* x = static_cast<const T*>(x_);
  T* values = static_cast<T*>(values_);
  const K flip = largest ? ~K(0) : 0;
  if (k == 0) return true;
  bool ok = true;
  for_rows(rows, n, [&](index_t r) {
    I* a = static_cast<I*>(scratch(0, static_cast<std::size_t>(2 * k) * sizeof(I)));
    if (!a) {
      __atomic_store_n(&ok, false, __ATOMIC_RELAXED);
      return;
    }
    const T* row = x + r * n;
    const I* s = a;
    if (k <= kFewKept) {
      keep_few(row, n, k, flip, a);
    } else {
      const K last = select_key(row, n, k - 1, flip);
      index_t found = 0, ties = k;
      for_spans(n, [&](index_t lo, index_t end) {
        for (index_t i = lo; i < end; ++i) ties -= (key_of(row[i]) ^ flip) < last;
      });
      for_spans(n, [&](index_t lo, index_t end) {
        for (index_t i = lo; i < end && found < k; ++i) {
          const K key = key_of(row[i]) ^ flip;
          if (key < last || (key == last && ties-- > 0)) a[found++] = {key, i};
        }
      });
      if (interrupted()) return;
      s = sort_items(a, a + k, k);
    }
    for (index_t i = 0; i < k; ++i) {
      values[r * k + i] = row[s[i].pos];
      indices[r * k + i] = s[i].pos;
    }
  });
  return ok;
}

enum class Rank { kGiven, kMedian, kNanMedian };

template <Rank Mode, class T>
void select(const void* x, void* values, std::int64_t* indices, index_t rows, index_t n, index_t k) {
  for_rows(rows, n, [&](index_t r) {
    const T* row = static_cast<const T*>(x) + r * n;
    index_t numbers = n, rank = k;
    if (Mode != Rank::kGiven) {
      for_spans(n, [&](index_t lo, index_t end) {
        for (index_t i = lo; i < end; ++i) numbers -= row[i] != row[i];
      });
      rank = Mode == Rank::kMedian && numbers < n ? n - 1 : ((numbers ? numbers : n) - 1) / 2;
    }
    const KeyOf<T> key = select_key(row, n, rank, KeyOf<T>(0));
    if (interrupted()) return;
    index_t at = 0;
    while (key_of(row[at]) != key) ++at;
    static_cast<T*>(values)[r] = row[at];
    indices[r] = at;
  });
}

template <class T>
void searchsorted(const void* sorted, const void* values, std::int64_t* out, index_t rows, index_t n, index_t m,
                  bool right, bool one_row) {
  for_rows(rows, m, [&](index_t r) {
    const T* row = static_cast<const T*>(sorted) + (one_row ? 0 : r * n);
    for (index_t i = r * m; i < r * m + m; ++i) {
      const KeyOf<T> key = key_of(static_cast<const T*>(values)[i]);
      index_t low = 0, high = n;
      while (low < high) {
        const index_t middle = low + (high - low) / 2;
        const KeyOf<T> at = key_of(row[middle]);
        const bool beyond = right ? at > key : at >= key;
        high = beyond ? middle : high;
        low = beyond ? low : middle + 1;
      }
      out[i] = low;
    }
  });
}

template <class Fn>
void* entry(Fn* f) {
  return reinterpret_cast<void*>(f);
}

}  // namespace
}  // namespace WG_NS
}  // namespace wg

#define WG_ROW(name, dt, fn) {name, kOtherKernel, dt, dt, entry(fn)}
#define WG_SORT(dt, T)                                                                                          \
  WG_ROW("sort", dt, sort<T>), WG_ROW("topk", dt, topk<T>), WG_ROW("kthvalue", dt, (select<Rank::kGiven, T>)),  \
      WG_ROW("median", dt, (select<Rank::kMedian, T>)), WG_ROW("nanmedian", dt, (select<Rank::kNanMedian, T>)), \
      WG_ROW("searchsorted", dt, searchsorted<T>)

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(sort, WG_SORT(kFloat32, float), WG_SORT(kFloat64, double))
#else
WG_UNIT(sort, WG_SORT(kFloat32, float), WG_SORT(kFloat64, double), WG_SORT(kBool, std::uint8_t),
        WG_SORT(kUInt8, std::uint8_t), WG_SORT(kInt8, std::int8_t), WG_SORT(kInt16, std::int16_t),
        WG_SORT(kInt32, std::int32_t), WG_SORT(kInt64, std::int64_t))
#endif
