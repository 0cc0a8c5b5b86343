// Complex numbers as kernels compute with them: two parts side by side, as in NumPy and C.
//
// Sums and products are the plain formulas. std::complex is not used: its product repairs NaN by branches, and its
// inline functions would be shared between the instruction sets.
#pragma once
#include "wengert/config.h"

namespace wg {

template <class T>
struct Complex {
  T re, im;
  Complex() = default;
  constexpr WG_INLINE Complex(T real, T imaginary = T(0)) : re(real), im(imaginary) {}
};

template <class T>
WG_INLINE Complex<T> operator+(Complex<T> a, Complex<T> b) {
  return {a.re + b.re, a.im + b.im};
}
template <class T>
WG_INLINE Complex<T> operator-(Complex<T> a, Complex<T> b) {
  return {a.re - b.re, a.im - b.im};
}
template <class T>
WG_INLINE Complex<T> operator-(Complex<T> a) {
  return {-a.re, -a.im};
}
template <class T>
WG_INLINE Complex<T> operator*(Complex<T> a, Complex<T> b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class T>
WG_INLINE bool operator==(Complex<T> a, Complex<T> b) {
  return a.re == b.re && a.im == b.im;
}
template <class T>
WG_INLINE bool operator!=(Complex<T> a, Complex<T> b) {
  return !(a == b);
}

}  // namespace wg
