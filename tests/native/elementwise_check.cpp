// Accuracy and speed of the elementwise kernels, for each instruction set of this machine.
//
// Build: compile csrc/kernels/{unary,binary,ternary,cast}.cpp for the three instruction sets, link with this file.
// Run: elementwise_check [stride] [name]. float32 functions of one operand are compared with libm in float64 over
// every `stride`-th bit pattern (257 by default), float64 ones with libm in 80-bit long double over random samples.
// Each function is also checked for position independence: every lane, the tail, n == 1 and in place agree.
// The exit status is 1 if an error is above its bound or two positions disagree.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "wengert/kernels.h"

namespace {

using namespace wg;
using Clock = std::chrono::steady_clock;

struct Isa {
  const char* name;
  const KernelUnit* units[2];
  bool usable;
};

void* find(const Isa& isa, const char* name, int dtype) {
  for (const KernelUnit* unit : isa.units)
    for (int i = 0; i < unit->count; ++i)
      if (!std::strcmp(unit->entries[i].name, name) && unit->entries[i].dtype == dtype) return unit->entries[i].fn;
  return nullptr;
}

// A reference in the precision of its argument: double for float32, long double for float64.
struct Function {
  const char* name;
  double (*f64)(double);
  long double (*f80)(long double);
  double bound32, bound64;  // ulp
};

template <class T>
T r_sigmoid(T x) {
  return T(1) / (T(1) + std::exp(-x));
}
template <class T>
T r_silu(T x) {
  return x / (T(1) + std::exp(-x));
}
template <class T>
T r_gelu(T x) {
  return T(0.5) * x * std::erfc(-x * T(0.707106781186547524400844362104849039L));
}
template <class T>
T r_gelu_tanh(T x) {
  return x / (T(1) + std::exp(T(-1.59576912160573071175978423973752875L) * x * (T(1) + T(0.044715L) * x * x)));
}
template <class T>
T r_softplus(T x) {
  return std::fmax(x, T(0)) + std::log1p(std::exp(-std::fabs(x)));
}
template <class T>
T r_logsigmoid(T x) {
  return T(0) - r_softplus(-x);
}
template <class T>
T r_mish(T x) {
  T e = std::exp(std::fmin(x, T(40))), w = e * (e + T(2));
  return x > T(40) ? x : x * (w / (w + T(2)));
}
template <class T>
T r_rsqrt(T x) {
  return T(1) / std::sqrt(x);
}

#define F(name, b32, b64) \
  {#name, [](double x) { return std::name(x); }, [](long double x) { return std::name(x); }, b32, b64}
#define R(name, b32, b64) {#name, r_##name<double>, r_##name<long double>, b32, b64}
const Function kFunctions[] = {F(exp, 1, 1),
                               F(exp2, 1.1, 1),
                               F(expm1, 0.54, 1),
                               F(log, 0.8, 0.9),
                               F(log2, 0.51, 1),
                               F(log10, 0.51, 1.8),
                               F(log1p, 0.51, 1),
                               F(sin, 1.6, 0.6),
                               F(cos, 1.6, 0.6),
                               F(tan, 0.51, 0.7),
                               F(asin, 1.9, 0.6),
                               F(acos, 1.1, 0.6),
                               F(atan, 1.2, 0.6),
                               F(sinh, 0.51, 2),
                               F(cosh, 0.51, 2),
                               F(tanh, 1.6, 1.9),
                               F(asinh, 0.51, 2),
                               F(acosh, 0.51, 1.6),
                               F(atanh, 0.51, 1.9),
                               R(sigmoid, 1.6, 1.6),
                               F(erf, 1.4, 1.5),
                               F(erfc, 1.6, 1.6),
                               R(silu, 1.7, 1.6),
                               R(gelu, 1.8, 1.7),
                               R(gelu_tanh, 0.51, 1.6),
                               R(softplus, 1.7, 1.8),
                               R(logsigmoid, 1.7, 1.8),
                               R(mish, 0.51, 1.9),
                               F(sqrt, 0.501, 0.501),
                               R(rsqrt, 1.5, 1.5)};
#undef F
#undef R

template <class T>
double ulp_error(T y, long double ref) {
  T rounded = static_cast<T>(ref);
  if (rounded != rounded || y != y) return (rounded != rounded) == (y != y) ? 0 : 1e30;
  if (std::isinf(rounded) || std::isinf(y)) return rounded == y ? 0 : 1e20;
  if (y == 0 && rounded == 0) return std::signbit(y) == std::signbit(rounded) || ref != 0 ? 0 : 1e10;
  int e = std::max(std::ilogb(ref), std::numeric_limits<T>::min_exponent - 1);
  return static_cast<double>(std::fabs(static_cast<long double>(y) - ref) /
                             std::ldexp(1.0L, e - std::numeric_limits<T>::digits + 1));
}

bool failed = false;

// The same bits, or both NaN: which operand's payload a NaN keeps is the compiler's choice.
template <class T>
bool same_values(const T* a, const T* b, index_t n) {
  for (index_t i = 0; i < n; ++i)
    if (std::memcmp(&a[i], &b[i], sizeof(T)) && !(a[i] != a[i] && b[i] != b[i])) return false;
  return true;
}

// Lanes, tails, n == 1 and in place must agree.
template <class T>
void check_positions(const char* isa, const char* name, UnaryFn fn, const std::vector<T>& x) {
  const index_t n = 67;
  std::vector<T> full(n), other(n);
  for (std::size_t start = 0; start + n <= x.size(); start += n) {
    fn(&x[start], full.data(), n);
    for (index_t i = 0; i < n; ++i) fn(&x[start + i], &other[i], 1);
    bool same = same_values(full.data(), other.data(), n);
    for (index_t shift = 1; shift < 20; shift += 6) {
      fn(&x[start + shift], &other[shift], n - shift);
      same = same && same_values(&full[shift], &other[shift], n - shift);
    }
    std::copy(x.begin() + start, x.begin() + start + n, other.begin());
    fn(other.data(), other.data(), n);
    same = same && same_values(full.data(), other.data(), n);
    if (same) continue;
    std::printf("%s %s: positions disagree near x = %a\n", isa, name, static_cast<double>(x[start]));
    failed = true;
    return;
  }
}

template <class T>
double time_ns(UnaryFn fn, T lo, T hi) {
  alignas(64) static T x[1024], y[1024];
  for (int i = 0; i < 1024; ++i) x[i] = lo + (hi - lo) * static_cast<T>((i * 37) % 1024) / 1024;
  double best = 1e30;
  for (int round = 0; round < 15; ++round) {
    auto t0 = Clock::now();
    for (int i = 0; i < 10; ++i) fn(x, y, 1024);
    best = std::min(best, std::chrono::duration<double, std::nano>(Clock::now() - t0).count() / 10240);
  }
  return best;
}

void check_f32(const Isa* isas, const Function& f, unsigned stride) {
  struct Result {
    UnaryFn fn;
    double worst = 0;
    float at = 0;
  } results[3];
  for (int k = 0; k < 3; ++k)
    results[k].fn = isas[k].usable ? reinterpret_cast<UnaryFn>(find(isas[k], f.name, kFloat32)) : nullptr;
  std::vector<float> x, y(4096);
  for (std::uint64_t start = 0; start < 0x100000000ull;) {
    x.clear();
    for (; x.size() < y.size() && start < 0x100000000ull; start += stride) {
      std::uint32_t u = static_cast<std::uint32_t>(start);
      float v;
      std::memcpy(&v, &u, 4);
      x.push_back(v);
    }
    std::vector<double> ref(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) ref[i] = f.f64(x[i]);
    for (Result& r : results) {
      if (!r.fn) continue;
      r.fn(x.data(), y.data(), static_cast<index_t>(x.size()));
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (static_cast<float>(ref[i]) == y[i] && y[i] != 0) continue;
        double e = ulp_error(y[i], ref[i]);
        if (e > r.worst) r.worst = e, r.at = x[i];
      }
    }
  }
  std::mt19937 gen(7);
  std::vector<float> samples(6700);
  for (float& v : samples) {
    std::uint32_t u = gen();
    std::memcpy(&v, &u, 4);
    if (u & 1) v = std::remainder(v, 20.0f);
  }
  std::printf("%-10s f32", f.name);
  for (int k = 0; k < 3; ++k) {
    if (!results[k].fn) continue;
    check_positions(isas[k].name, f.name, results[k].fn, samples);
    bool bad = results[k].worst > f.bound32;
    failed = failed || bad;
    std::printf(" | %s %6.3f ns %7.4g ulp at %-13.7g%s", isas[k].name, time_ns<float>(results[k].fn, 0.1f, 0.9f),
                results[k].worst, results[k].at, bad ? " FAIL" : "");
  }
  std::printf("\n");
}

void check_f64(const Isa* isas, const Function& f) {
  std::mt19937_64 gen(11);
  std::vector<double> x(134000), y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::uint64_t u = gen();
    std::memcpy(&x[i], &u, 8);
    if (i % 4 == 1) x[i] = std::ldexp(static_cast<double>(static_cast<std::int64_t>(u)), -59);  // +-16
    if (i % 4 == 2) x[i] = std::ldexp(static_cast<double>(static_cast<std::int64_t>(u)), -63);  // +-1
    if (i % 4 == 3) x[i] = std::ldexp(static_cast<double>(static_cast<std::int64_t>(u)), -53);  // +-1024
  }
  const double special[] = {
      0.0, -0.0, INFINITY, -INFINITY, NAN, 5e-324, -5e-324, 1.0, -1.0, 2.2e-308, 1.7976931348623157e308};
  std::copy(std::begin(special), std::end(special), x.begin());
  std::printf("%-10s f64", f.name);
  for (int k = 0; k < 3; ++k) {
    UnaryFn fn = isas[k].usable ? reinterpret_cast<UnaryFn>(find(isas[k], f.name, kFloat64)) : nullptr;
    if (!fn) continue;
    fn(x.data(), y.data(), static_cast<index_t>(x.size()));
    double worst = 0, at = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      double e = ulp_error(y[i], f.f80(x[i]));
      if (e > worst) worst = e, at = x[i];
    }
    check_positions(isas[k].name, f.name, fn, std::vector<double>(x.begin(), x.begin() + 6700));
    bool bad = worst > f.bound64;
    failed = failed || bad;
    std::printf(" | %s %6.3f ns %7.4g ulp at %-13.7g%s", isas[k].name, time_ns<double>(fn, 0.1, 0.9), worst, at,
                bad ? " FAIL" : "");
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  unsigned stride = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 257;
  const Isa isas[3] = {{"base", {&wg::isa_base::unary_unit, &wg::isa_base::binary_unit}, true},
                       {"v3",
                        {&wg::isa_v3::unary_unit, &wg::isa_v3::binary_unit},
                        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
                       {"v4",
                        {&wg::isa_v4::unary_unit, &wg::isa_v4::binary_unit},
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")}};
  for (const Function& f : kFunctions) {
    if (argc > 2 && std::strcmp(argv[2], f.name)) continue;
    check_f32(isas, f, stride);
    check_f64(isas, f);
  }
  return failed;
}
