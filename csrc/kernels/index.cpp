// Taking and placing rows and elements by index.
//
// Order: what is combined at one place is combined in ascending order of the source position. Threads split the
// parts and columns, never the positions, so they cannot change it.
#include "wengert/index.h"
#include "wengert/complex.h"

#include <type_traits>

#include "wengert/kernels.h"
#include "wengert/reduction.h"

namespace wg {
namespace WG_NS {
namespace {

// Written without branches but one for each block, so that it runs in vectors.
index_t check_index(const std::int64_t* index, std::int64_t* out, index_t m, index_t n) {
  constexpr index_t kStep = 1024;
  for (index_t i0 = 0; i0 < m; i0 += kStep) {
    const index_t end = m - i0 < kStep ? m : i0 + kStep;
    std::uint64_t bad = 0;  // the sign bit: some value below 0 or above n - 1
    for (index_t i = i0; i < end; ++i) {
      const std::int64_t v = index[i], wrapped = v + (v < 0 ? n : 0);
      out[i] = wrapped;
      bad |= static_cast<std::uint64_t>(wrapped) |
             (static_cast<std::uint64_t>(n) - 1 - static_cast<std::uint64_t>(wrapped));
    }
    if (WG_UNLIKELY(bad >> 63)) {
      while (out[i0] >= 0 && out[i0] < n) ++i0;
      return i0;
    }
  }
  return -1;
}

// Whether all of m positions lie in [0, n). One test at the end, so that the loop runs in vectors.
bool all_inside(const std::int64_t* p, index_t m, index_t n) {
  std::uint64_t bad = 0;  // the sign bit: some value below 0 or above n - 1
  for (index_t i = 0; i < m; ++i) {
    const std::uint64_t at = static_cast<std::uint64_t>(p[i]);
    bad |= at | (static_cast<std::uint64_t>(n) - 1 - at);
  }
  return !(bad >> 63);
}

// The m places of `outer` parts in stretches of about a part of parallel work: body(part, first, end).
template <class Body>
WG_INLINE void for_stretches(index_t outer, index_t m, index_t inner, Body body) {
  if (outer <= 0 || m <= 0 || inner <= 0) return;
  const index_t most = kPartElements / inner, step = most < 1 ? 1 : most < m ? most : m;
  const index_t each = (m + step - 1) / step;
  for_rows(outer * each, step * inner, [&](index_t r) {
    const index_t o = each == 1 ? r : r / each, j = (r - o * each) * step;
    body(o, j, m - j < step ? m : j + step);
  });
}

#if !defined(WG_ISA_V3) && !defined(WG_ISA_V4)

// The longest stretch of an index that counts up by one from `at`, as far as that lies in [0, n).
struct Stretch {
  index_t first = 0, count = 0, at = 0;
  Stretch(const std::int64_t* index, index_t m, index_t n) {
    index_t start = 0, from = 0;
    for (index_t j = 0; j < m; ++j) {
      const index_t value = position(index, j, n);
      if (value != from + (j - start)) {
        start = j;
        from = value;
      }
      if (j + 1 - start > count) {
        first = start;
        count = j + 1 - start;
        at = from;
      }
    }
  }
};

// Rows first .. end of kBytes bytes; 0: of any size. No store to `to` can change the arguments.
template <index_t kBytes>
WG_INLINE void copy_rows(const char* from, const std::int64_t* index, index_t n, char* to, index_t first,
                         index_t end, index_t bytes) {
  const index_t size = kBytes ? kBytes : bytes;
  for (index_t j = first; j < end; ++j)
    __builtin_memcpy(to + j * size, from + position(index, j, n) * size, static_cast<std::size_t>(size));
}

template <index_t kBytes>
void gather_rows_of(const RowIndex& a) {
  const char* src = static_cast<const char*>(a.src);
  char* out = static_cast<char*>(a.out);
  const index_t bytes = kBytes ? kBytes : a.inner * a.item, m = a.m, n = a.n;
  const std::int64_t* index = a.index;
  // An index that is used again and again, as for padding: what lies in one piece is copied in one piece.
  if (a.outer > 1 && m * a.inner <= kPartElements) {
    const Stretch s(index, m, n);
    if (2 * s.count >= m && s.count * bytes >= 64)
      return for_rows(a.outer, m * a.inner, [&](index_t o) {
        const char* from = src + o * n * bytes;
        char* to = out + o * m * bytes;
        copy_rows<kBytes>(from, index, n, to, 0, s.first, bytes);
        __builtin_memcpy(to + s.first * bytes, from + s.at * bytes, static_cast<std::size_t>(s.count * bytes));
        copy_rows<kBytes>(from, index, n, to, s.first + s.count, m, bytes);
      });
  }
  for_stretches(a.outer, m, a.inner, [&](index_t o, index_t first, index_t end) {
    copy_rows<kBytes>(src + o * n * bytes, index, n, out + o * m * bytes, first, end, bytes);
  });
}

template <index_t kBytes>
void scatter_rows_of(const RowIndex& a) {
  const char* src = static_cast<const char*>(a.src);
  char* out = static_cast<char*>(a.out);
  const index_t bytes = kBytes ? kBytes : a.inner * a.item;
  for_rows(a.outer, a.m * a.inner, [&](index_t o) {
    const char* from = src + o * a.m * bytes;
    char* to = out + o * a.n * bytes;
    for (index_t j = 0; j < a.m; ++j)
      __builtin_memcpy(to + position(a.index, j, a.n) * bytes, from + j * bytes, static_cast<std::size_t>(bytes));
  });
}

#define WG_BY_SIZE(bytes, fn) \
  switch (bytes) {            \
    case 1:                   \
      return fn<1>(a);        \
    case 2:                   \
      return fn<2>(a);        \
    case 4:                   \
      return fn<4>(a);        \
    case 8:                   \
      return fn<8>(a);        \
    case 16:                  \
      return fn<16>(a);       \
    default:                  \
      return fn<0>(a);        \
  }
void gather_rows(const RowIndex& a) { WG_BY_SIZE(a.inner * a.item, gather_rows_of) }
void scatter_rows(const RowIndex& a) { WG_BY_SIZE(a.inner * a.item, scatter_rows_of) }
#undef WG_BY_SIZE

struct Words {  // an element of 16 bytes
  std::uint64_t word[2];
};

// Elements as plain words of their size.
template <class U>
void gather_words(const ElementIndex& a) {
  for_stretches(a.outer, a.m, a.inner, [&](index_t o, index_t first, index_t end) {
    const U* from = static_cast<const U*>(a.src) + o * a.n * a.inner;
    U* to = static_cast<U*>(a.out) + o * a.m * a.inner;
    const std::int64_t* index = a.index + o * a.m * a.inner;
    const index_t n = a.n;
    if (a.inner == 1) {
      for (index_t j = first; j < end; ++j) to[j] = from[position(index, j, n)];
      return;
    }
    for (index_t j = first; j < end; ++j)
      for (index_t i = 0; i < a.inner; ++i)
        to[j * a.inner + i] = from[position(index, j * a.inner + i, a.n) * a.inner + i];
  });
}

template <class U>
void scatter_words(const ElementIndex& a) {
  const index_t move = a.one_value ? 0 : 1;
  for_rows(a.outer, a.m * a.inner, [&](index_t o) {
    U* to = static_cast<U*>(a.out) + o * a.n * a.inner;
    const U* from = static_cast<const U*>(a.src) + move * o * a.m * a.inner;
    const std::int64_t* index = a.index + o * a.m * a.inner;
    const index_t m = a.m, n = a.n;
    if (a.inner == 1) {
      for (index_t j = 0; j < m; ++j) to[position(index, j, n)] = from[move * j];
      return;
    }
    for (index_t j = 0; j < a.m * a.inner; j += a.inner)
      for (index_t i = 0; i < a.inner; ++i) to[position(index, j + i, a.n) * a.inner + i] = from[move * (j + i)];
  });
}

void gather(const ElementIndex& a) {
  switch (a.item) {
    case 1:
      return gather_words<std::uint8_t>(a);
    case 2:
      return gather_words<std::uint16_t>(a);
    case 4:
      return gather_words<std::uint32_t>(a);
    case 8:
      return gather_words<std::uint64_t>(a);
    default:
      return gather_words<Words>(a);
  }
}

void scatter(const ElementIndex& a) {
  switch (a.item) {
    case 1:
      return scatter_words<std::uint8_t>(a);
    case 2:
      return scatter_words<std::uint16_t>(a);
    case 4:
      return scatter_words<std::uint32_t>(a);
    case 8:
      return scatter_words<std::uint64_t>(a);
    default:
      return scatter_words<Words>(a);
  }
}

index_t count_true(const void* mask, index_t n) {
  const std::uint8_t* p = static_cast<const std::uint8_t*>(mask);
  index_t count = 0;
  for (index_t i = 0; i < n; i += 255) {  // as many as a byte can count
    std::uint8_t part = 0;
    const index_t end = n - i < 255 ? n : i + 255;
    for (index_t j = i; j < end; ++j) part = static_cast<std::uint8_t>(part + (p[j] != 0));
    count += part;
  }
  return count;
}

// Every position is written, and kept by moving on only where the mask holds: nothing to mispredict.
void mask_to_index(const void* mask, index_t n, std::int64_t* positions, index_t count) {
  const std::uint8_t* p = static_cast<const std::uint8_t*>(mask);
  std::int64_t* const end = positions + count;
  for (index_t i = 0; i < n && positions < end; ++i) {
    *positions = i;
    positions += p[i] != 0;
  }
  while (positions < end) *positions++ = 0;  // the mask changed since it was counted
}

// The positions ascend, so the coordinates before the last move on by carrying, without a division for each.
void unravel(const std::int64_t* positions, index_t count, const index_t* shape, int dims, std::int64_t* out) {
  if (dims == 0) return;
  const index_t last = shape[dims - 1];
  std::int64_t at[kMaxDims] = {}, start = 0;  // the coordinates and the position of the current last line
  for (index_t i = 0; i < count; ++i) {
    while (positions[i] - start >= last) {
      start += last;
      for (int d = dims - 2; d >= 0 && ++at[d] == shape[d]; --d) at[d] = 0;
    }
    for (int d = 0; d < dims - 1; ++d) out[d] = at[d];
    out[dims - 1] = positions[i] - start;
    out += dims;
  }
}

#endif

// Integers wrap around: they are combined as unsigned words.
template <class T>
struct Wrap {
  template <class Op>
  static WG_INLINE T apply(Op op, T a, T b) {
    if constexpr (std::is_integral<T>::value) {
      return static_cast<T>(op(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
    } else {
      return op(a, b);
    }
  }
};
struct Add {
  template <class T>
  static WG_INLINE T combine(T a, T b) {
    return Wrap<T>::apply([](auto x, auto y) { return x + y; }, a, b);
  }
};
struct Mul {
  template <class T>
  static WG_INLINE T combine(T a, T b) {
    return Wrap<T>::apply([](auto x, auto y) { return x * y; }, a, b);
  }
};
struct Max {
  template <class T>
  static WG_INLINE T combine(T a, T b) {
    return MaxOp<T>()(a, b);
  }
};
struct Min {
  template <class T>
  static WG_INLINE T combine(T a, T b) {
    return MinOp<T>()(a, b);
  }
};

template <class T>
void scatter_add_rows(const RowIndex& a) {
  const T* src = static_cast<const T*>(a.src);
  T* out = static_cast<T*>(a.out);
  if (a.inner == 1) {
    for_rows(a.outer, a.m, [&](index_t o) {
      T* to = out + o * a.n;
      const T* from = src + o * a.m;
      for (index_t j = 0; j < a.m; ++j) {
        T* place = to + position(a.index, j, a.n);
        *place = Add::combine(*place, from[j]);
      }
    });
    return;
  }
  for_tiles(a.outer, a.m, a.inner, [&](index_t o, index_t c0, int w) {
    for (index_t j = 0; j < a.m; ++j) {
      T* to = out + (o * a.n + position(a.index, j, a.n)) * a.inner + c0;
      const T* from = src + (o * a.m + j) * a.inner + c0;
      for (int l = 0; l < w; ++l) to[l] = Add::combine(to[l], from[l]);
    }
  });
}

template <class Op, class T>
void scatter_combine(const ElementIndex& a) {
  const T* src = static_cast<const T*>(a.src);
  T* out = static_cast<T*>(a.out);
  const std::int64_t* index = a.index;
  const index_t m = a.m, n = a.n, move = a.one_value ? 0 : 1;
  if (a.inner == 1) {
    for_rows(a.outer, m, [=](index_t o) {
      T* to = out + o * n;
      for (index_t j = o * m, end = j + m; j < end; ++j) {
        T* place = to + position(index, j, n);
        *place = Op::combine(*place, src[move * j]);
      }
    });
    return;
  }
  const index_t inner = a.inner;
  for_tiles(a.outer, m, inner, [=](index_t o, index_t c0, int w) {
    T* to = out + o * n * inner + c0;
    for (index_t j = o * m; j < (o + 1) * m; ++j) {
      const index_t at = j * inner + c0;
      for (int l = 0; l < w; ++l) {
        T* place = to + position(index, at + l, n) * inner + l;
        *place = Op::combine(*place, src[move * (at + l)]);
      }
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
#define WG_SUMS(dt, T)                                                                                       \
  WG_ROW("scatter_add_rows", dt, scatter_add_rows<T>), WG_ROW("scatter_add", dt, (scatter_combine<Add, T>)), \
      WG_ROW("scatter_prod", dt, (scatter_combine<Mul, T>))
#define WG_CHECK_INDEX WG_ROW("check_index", kInt64, check_index), WG_ROW("all_inside", kInt64, all_inside)
#define WG_TYPED(dt, T)                                                  \
  WG_SUMS(dt, T), WG_ROW("scatter_amax", dt, (scatter_combine<Max, T>)), \
      WG_ROW("scatter_amin", dt, (scatter_combine<Min, T>))

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(index, WG_CHECK_INDEX, WG_TYPED(kFloat32, float), WG_TYPED(kFloat64, double))
#else
WG_UNIT(index, WG_CHECK_INDEX, WG_ROW("gather_rows", kInt64, gather_rows),
        WG_ROW("scatter_rows", kInt64, scatter_rows), WG_ROW("gather", kInt64, gather),
        WG_ROW("scatter", kInt64, scatter), WG_ROW("count_true", kBool, count_true),
        WG_ROW("mask_to_index", kBool, mask_to_index), WG_ROW("unravel", kInt64, unravel),
        WG_TYPED(kFloat32, float), WG_TYPED(kFloat64, double), WG_TYPED(kUInt8, std::uint8_t),
        WG_TYPED(kInt8, std::int8_t), WG_TYPED(kInt16, std::int16_t), WG_TYPED(kInt32, std::int32_t),
        WG_TYPED(kInt64, std::int64_t), WG_SUMS(kComplex64, Complex<float>), WG_SUMS(kComplex128, Complex<double>))
#endif
