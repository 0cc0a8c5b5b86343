// The thread pool: dynamic splitting, a short spin and then parking, safe under fork.
#pragma once
#include <type_traits>

#include "wengert/config.h"

namespace wg {

// Run body(arg, i) for every i in [0, n), each exactly once, in any order, on the calling thread and the pool's
// workers; returns when all are done. The work must be cut into n parts by size alone, never by the number of
// threads, so that results do not depend on it. A nested call runs its parts on the calling thread.
// body must not throw and must not touch Python.
void parallel_run(index_t n, void (*body)(void* arg, index_t i), void* arg);

template <class F>
inline void parallel_for(index_t n, F&& f) {
  if (n == 1) {
    f(static_cast<index_t>(0));
    return;
  }
  using Fn = typename std::remove_reference<F>::type;
  parallel_run(n, [](void* arg, index_t i) { (*static_cast<Fn*>(arg))(i); }, &f);
}

int num_threads();
void set_num_threads(int n);  // n >= 1; counts the calling thread

// Hooks of the binding layer: called around parallel_run and kernels above a size so that other Python threads
// can run. release() returns a token for restore(); both may be null.
extern void* (*gil_release)();
extern void (*gil_restore)(void* token);

// Releases the lock for its scope when `big` holds and the calling thread holds the lock.
class Unlocked {
 public:
  explicit Unlocked(bool big);
  ~Unlocked();
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  void* token_;
};

}  // namespace wg
