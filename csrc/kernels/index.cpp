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

#if !defined(WG_ISA_V3) && !defined(WG_ISA_V4)

index_t check_index(const std::int64_t* index, std::int64_t* out, index_t m, index_t n) {
  for (index_t i = 0; i < m; ++i) {
    const std::int64_t v = index[i], wrapped = v < 0 ? v + n : v;
    if (WG_UNLIKELY(wrapped < 0 || wrapped >= n)) return i;
    out[i] = wrapped;
  }
  return -1;
}

WG_INLINE void copy_bytes(char* to, const char* from, index_t bytes) {
  switch (bytes) {
    case 1:
      *to = *from;
      break;
    case 2:
      __builtin_memcpy(to, from, 2);
      break;
    case 4:
      __builtin_memcpy(to, from, 4);
      break;
    case 8:
      __builtin_memcpy(to, from, 8);
      break;
    default:
      __builtin_memcpy(to, from, static_cast<std::size_t>(bytes));
  }
}

void gather_rows(const RowIndex& a) {
  const char* src = static_cast<const char*>(a.src);
  char* out = static_cast<char*>(a.out);
  const index_t bytes = a.inner * a.item;
  for_rows(a.outer * a.m, a.inner, [&](index_t r) {
    copy_bytes(out + r * bytes, src + (r / a.m * a.n + a.index[r % a.m]) * bytes, bytes);
  });
}

void scatter_rows(const RowIndex& a) {
  const char* src = static_cast<const char*>(a.src);
  char* out = static_cast<char*>(a.out);
  const index_t bytes = a.inner * a.item;
  for_rows(a.outer, a.m * a.inner, [&](index_t o) {
    for (index_t j = 0; j < a.m; ++j) {
      copy_bytes(out + (o * a.n + a.index[j]) * bytes, src + (o * a.m + j) * bytes, bytes);
    }
  });
}

struct Words {  // an element of 16 bytes
  std::uint64_t word[2];
};

// Elements as plain words of their size.
template <class U>
void gather_words(const ElementIndex& a) {
  const U* src = static_cast<const U*>(a.src);
  U* out = static_cast<U*>(a.out);
  for_rows(a.outer * a.m, a.inner, [&](index_t r) {
    const U* from = src + r / a.m * a.n * a.inner;
    const std::int64_t* index = a.index + r * a.inner;
    for (index_t i = 0; i < a.inner; ++i) out[r * a.inner + i] = from[index[i] * a.inner + i];
  });
}

template <class U>
void scatter_words(const ElementIndex& a) {
  const U* src = static_cast<const U*>(a.src);
  U* out = static_cast<U*>(a.out);
  for_rows(a.outer, a.m * a.inner, [&](index_t o) {
    U* to = out + o * a.n * a.inner;
    for (index_t j = o * a.m; j < (o + 1) * a.m; ++j) {
      const std::int64_t* index = a.index + j * a.inner;
      for (index_t i = 0; i < a.inner; ++i) to[index[i] * a.inner + i] = src[a.one_value ? 0 : j * a.inner + i];
    }
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
    for (index_t j = i; j < end; ++j) part = static_cast<std::uint8_t>(part + p[j]);
    count += part;
  }
  return count;
}

void mask_to_index(const void* mask, std::int64_t* positions, index_t n) {
  const std::uint8_t* p = static_cast<const std::uint8_t*>(mask);
  for (index_t i = 0; i < n; ++i) {
    if (p[i]) *positions++ = i;
  }
}

void unravel(const std::int64_t* positions, index_t count, const index_t* shape, int dims, std::int64_t* out) {
  for (index_t i = 0; i < count; ++i) {
    std::int64_t rest = positions[i];
    for (int d = dims - 1; d >= 0; --d) {
      out[i * dims + d] = rest % shape[d];
      rest /= shape[d];
    }
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
  for_tiles(a.outer, a.m, a.inner, [&](index_t o, index_t c0, int w) {
    for (index_t j = 0; j < a.m; ++j) {
      T* to = out + (o * a.n + a.index[j]) * a.inner + c0;
      const T* from = src + (o * a.m + j) * a.inner + c0;
      for (int l = 0; l < w; ++l) to[l] = Add::combine(to[l], from[l]);
    }
  });
}

template <class Op, class T>
void scatter_combine(const ElementIndex& a) {
  const T* src = static_cast<const T*>(a.src);
  T* out = static_cast<T*>(a.out);
  for_tiles(a.outer, a.m, a.inner, [&](index_t o, index_t c0, int w) {
    T* to = out + o * a.n * a.inner + c0;
    for (index_t j = o * a.m; j < (o + 1) * a.m; ++j) {
      const index_t at = j * a.inner + c0;
      for (int l = 0; l < w; ++l) {
        T* place = to + a.index[at + l] * a.inner + l;
        *place = Op::combine(*place, src[a.one_value ? 0 : at + l]);
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
#define WG_TYPED(dt, T)                                                  \
  WG_SUMS(dt, T), WG_ROW("scatter_amax", dt, (scatter_combine<Max, T>)), \
      WG_ROW("scatter_amin", dt, (scatter_combine<Min, T>))

#if defined(WG_ISA_V3) || defined(WG_ISA_V4)
WG_UNIT(index, WG_TYPED(kFloat32, float), WG_TYPED(kFloat64, double))
#else
WG_UNIT(index, WG_ROW("check_index", kInt64, check_index), WG_ROW("gather_rows", kInt64, gather_rows),
        WG_ROW("scatter_rows", kInt64, scatter_rows), WG_ROW("gather", kInt64, gather),
        WG_ROW("scatter", kInt64, scatter), WG_ROW("count_true", kBool, count_true),
        WG_ROW("mask_to_index", kBool, mask_to_index), WG_ROW("unravel", kInt64, unravel),
        WG_TYPED(kFloat32, float), WG_TYPED(kFloat64, double), WG_TYPED(kUInt8, std::uint8_t),
        WG_TYPED(kInt8, std::int8_t), WG_TYPED(kInt16, std::int16_t), WG_TYPED(kInt32, std::int32_t),
        WG_TYPED(kInt64, std::int64_t), WG_SUMS(kComplex64, Complex<float>), WG_SUMS(kComplex128, Complex<double>))
#endif
