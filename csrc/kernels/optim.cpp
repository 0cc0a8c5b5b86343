// Optimizer updates in one pass over parameter, gradient and state.
//
// Each expression rounds where the usual chain of tensor operations rounds: products and sums separately, in the
// order of the published update rules as PyTorch's single-tensor optimizers write them:
//   lerp(a, b, w) = a + w * (b - a) for w < 0.5, else b - (b - a) * (1 - w)
//   addcmul, addcdiv: a + (value * b) * c, a + (value * b) / c
#include "wengert/optim.h"

#include "wengert/kernels.h"
#include "wengert/rows.h"

namespace wg {
namespace WG_NS {
namespace {

struct Part {
  index_t tensor, start, end;
};

// body(tensor, start, end) for blocks of kPartElements of every tensor; small work stays on this thread.
template <class Body>
void for_parts(const index_t* count, index_t tensors, Body body) {
  index_t total = 0, parts = 0;
  for (index_t t = 0; t < tensors; ++t) {
    total += count[t];
    parts += (count[t] + kPartElements - 1) / kPartElements;
  }
  Part* part = total > kPartElements
                   ? static_cast<Part*>(scratch(0, static_cast<std::size_t>(parts) * sizeof(Part)))
                   : nullptr;
  if (!part) {
    for (index_t t = 0; t < tensors; ++t) body(t, static_cast<index_t>(0), count[t]);
    return;
  }
  Part* p = part;
  for (index_t t = 0; t < tensors; ++t) {
    for (index_t s = 0; s < count[t]; s += kPartElements) {
      *p++ = {t, s, s + kPartElements < count[t] ? s + kPartElements : count[t]};
    }
  }
  parallel_for(parts, [&](index_t i) { body(part[i].tensor, part[i].start, part[i].end); });
}

template <class T>
WG_INLINE T lerp(T a, T b, T w, bool small) {
  return small ? a + w * (b - a) : b - (b - a) * (T(1) - w);
}

template <class T>
T* state_of(void* const* states, index_t t) {
  return states ? static_cast<T*>(states[t]) : nullptr;
}

template <class T, bool Momentum, bool Nesterov>
void sgd_part(T* p, const T* g, T* buf, index_t start, index_t end, const Sgd& o, bool first) {
  const T sign = o.maximize ? T(-1) : T(1), decay = static_cast<T>(o.weight_decay), lr = static_cast<T>(-o.lr);
  const T momentum = static_cast<T>(o.momentum), gain = static_cast<T>(1 - o.dampening);
  const bool decays = o.weight_decay != 0;
  WG_IVDEP
  for (index_t i = start; i < end; ++i) {
    T d = sign * g[i];
    d = decays ? d + decay * p[i] : d;
    if (Momentum) {
      const T b = first ? d : buf[i] * momentum + gain * d;
      buf[i] = b;
      d = Nesterov ? d + momentum * b : b;
    }
    p[i] += lr * d;
  }
}

template <class T>
void sgd(const ParamList& a, const Sgd& o) {
  for_parts(a.count, a.tensors, [&](index_t t, index_t start, index_t end) {
    T *p = static_cast<T*>(a.param[t]), *buf = state_of<T>(a.state1, t);
    const T* g = static_cast<const T*>(a.grad[t]);
    if (o.momentum == 0) {
      sgd_part<T, false, false>(p, g, nullptr, start, end, o, false);
    } else if (o.nesterov) {
      sgd_part<T, true, true>(p, g, buf, start, end, o, a.step[t] == 1);
    } else {
      sgd_part<T, true, false>(p, g, buf, start, end, o, a.step[t] == 1);
    }
  });
}

// What the step count changes: the step size, and the root of the correction of the mean square.
struct AdamRates {
  double size, root;
};

AdamRates adam_rates(const Adam& o, std::int64_t step) {
  const double n = static_cast<double>(step);
  return {-(o.lr / (1 - __builtin_pow(o.beta1, n))), __builtin_sqrt(1 - __builtin_pow(o.beta2, n))};
}

// L2 says that the decay is added to the gradient.
template <class T, bool Amsgrad, bool L2>
void adam_part(T* p, const T* g, T* m, T* v, T* top, index_t start, index_t end, const Adam& o, AdamRates rates) {
  const T size = static_cast<T>(rates.size), root = static_cast<T>(rates.root);
  const T sign = o.maximize ? T(-1) : T(1), eps = static_cast<T>(o.eps), decay = static_cast<T>(o.weight_decay);
  const T keep = o.decoupled && o.weight_decay != 0 ? static_cast<T>(1 - o.lr * o.weight_decay) : T(1);
  const T w1 = static_cast<T>(1 - o.beta1), beta2 = static_cast<T>(o.beta2), w2 = static_cast<T>(1 - o.beta2);
  const bool small = w1 < T(0.5);
  WG_IVDEP
  for (index_t i = start; i < end; ++i) {
    T d = sign * g[i];
    T x = p[i] * keep;
    if (L2) d = d + decay * x;
    const T mean = lerp(m[i], d, w1, small), square = v[i] * beta2 + (w2 * d) * d;
    m[i] = mean;
    v[i] = square;
    T bound = square;
    if (Amsgrad) top[i] = bound = MaxOp<T>()(top[i], square);
    p[i] = x + (size * mean) / (vm::sqrt(bound) / root + eps);
  }
}

template <class T>
void adam(const ParamList& a, const Adam& o) {
  const bool l2 = o.weight_decay != 0 && !o.decoupled;
  const auto update = o.amsgrad ? (l2 ? adam_part<T, true, true> : adam_part<T, true, false>)
                                : (l2 ? adam_part<T, false, true> : adam_part<T, false, false>);
  if (a.tensors == 0) return;
  // Powers cost as much as 100 elements, and the tensors of a group most often share their count.
  const AdamRates common = adam_rates(o, a.step[0]);
  for_parts(a.count, a.tensors, [&](index_t t, index_t start, index_t end) {
    const AdamRates rates = a.step[t] == a.step[0] ? common : adam_rates(o, a.step[t]);
    update(static_cast<T*>(a.param[t]), static_cast<const T*>(a.grad[t]), state_of<T>(a.state1, t),
           state_of<T>(a.state2, t), state_of<T>(a.state3, t), start, end, o, rates);
  });
}

template <class T, bool Centered, bool Momentum>
void rmsprop_part(T* p, const T* g, T* square, T* mean, T* buf, index_t start, index_t end, const RmsProp& o) {
  const T sign = o.maximize ? T(-1) : T(1), decay = static_cast<T>(o.weight_decay), lr = static_cast<T>(-o.lr);
  const T alpha = static_cast<T>(o.alpha), w = static_cast<T>(1 - o.alpha), eps = static_cast<T>(o.eps);
  const T momentum = static_cast<T>(o.momentum);
  const bool decays = o.weight_decay != 0, small = w < T(0.5);
  WG_IVDEP
  for (index_t i = start; i < end; ++i) {
    T d = sign * g[i];
    d = decays ? d + decay * p[i] : d;
    T s = square[i] * alpha + (w * d) * d;
    square[i] = s;
    if (Centered) {
      const T m = lerp(mean[i], d, w, small);
      mean[i] = m;
      s = s + (-m) * m;
    }
    const T root = vm::sqrt(s) + eps;
    if (Momentum) {
      const T b = buf[i] * momentum + d / root;
      buf[i] = b;
      p[i] += lr * b;
    } else {
      p[i] += (lr * d) / root;
    }
  }
}

template <class T>
void rmsprop(const ParamList& a, const RmsProp& o) {
  const bool momentum = o.momentum > 0;
  const auto update = o.centered ? (momentum ? rmsprop_part<T, true, true> : rmsprop_part<T, true, false>)
                                 : (momentum ? rmsprop_part<T, false, true> : rmsprop_part<T, false, false>);
  for_parts(a.count, a.tensors, [&](index_t t, index_t start, index_t end) {
    update(static_cast<T*>(a.param[t]), static_cast<const T*>(a.grad[t]), state_of<T>(a.state1, t),
           state_of<T>(a.state2, t), state_of<T>(a.state3, t), start, end, o);
  });
}

template <class T>
void adagrad(const ParamList& a, const Adagrad& o) {
  const T sign = o.maximize ? T(-1) : T(1), decay = static_cast<T>(o.weight_decay), eps = static_cast<T>(o.eps);
  const bool decays = o.weight_decay != 0;
  for_parts(a.count, a.tensors, [&](index_t t, index_t start, index_t end) {
    T *p = static_cast<T*>(a.param[t]), *sum = static_cast<T*>(a.state1[t]);
    const T* g = static_cast<const T*>(a.grad[t]);
    const T lr = static_cast<T>(-(o.lr / (1 + static_cast<double>(a.step[t] - 1) * o.lr_decay)));
    WG_IVDEP
    for (index_t i = start; i < end; ++i) {
      T d = sign * g[i];
      d = decays ? d + decay * p[i] : d;
      const T s = sum[i] + d * d;
      sum[i] = s;
      p[i] += (lr * d) / (vm::sqrt(s) + eps);
    }
  });
}

template <class T>
void sumsq_many(const void* const* data, const index_t* count, index_t tensors, void* sums) {
  for (index_t t = 0; t < tensors; ++t) {
    const T* p = static_cast<const T*>(data[t]);
    T* out = static_cast<T*>(sums) + t;
    *out = 0;
    if (count[t] > 0) {
      reduce_rows<T>(
          1, count[t], [=](index_t) { return SquareLoad<T>{p, nullptr, T(0)}; }, AddOp<T>(),
          [=](index_t, T v) { *out = v; });
    }
  }
}

template <class T>
void scale_many(void* const* data, const index_t* count, index_t tensors, double factor) {
  const T f = static_cast<T>(factor);
  for_parts(count, tensors, [&](index_t t, index_t start, index_t end) {
    T* p = static_cast<T*>(data[t]);
    for (index_t i = start; i < end; ++i) p[i] *= f;
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
#define WG_OPTIM(dt, T)                                                                      \
  WG_ROW("sgd", dt, sgd<T>), WG_ROW("adam", dt, adam<T>), WG_ROW("rmsprop", dt, rmsprop<T>), \
      WG_ROW("adagrad", dt, adagrad<T>), WG_ROW("sumsq_many", dt, sumsq_many<T>),            \
      WG_ROW("scale_many", dt, scale_many<T>)

WG_UNIT(optim, WG_OPTIM(kFloat32, float), WG_OPTIM(kFloat64, double))
