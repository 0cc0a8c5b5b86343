// The thread pool and the interpreter lock's hooks.
//
// Note [Pool]
//
// One job at a time. The thread that holds `pool_busy` owns the pool: it alone writes the job, replaces the pool
// and starts workers. A second caller (two Python threads can be inside big kernels) fails the try-lock and runs
// its parts itself; so does a nested call, told by the thread-local `in_parallel`. Nothing ever waits for the
// pool, so nothing can deadlock on it.
//
// Pool::gate is the whole protocol in one 64-bit word: an epoch (high half), whether the job is open, and how
// many workers are inside it.
//
//   caller   writes the job, stores the gate {epoch + 1, open, 0}, wakes sleepers, takes parts, clears the open
//            bit, and waits until nobody is inside.
//   worker   sees an open gate of an epoch it has not served, enters by a compare-and-swap that adds 1, takes
//            parts, leaves by subtracting 1.
//
// A worker that comes late finds the gate closed and touches nothing, so the caller only waits for workers that
// hold a part: a worker kept from its core by a busy neighbour delays nobody. Parts are taken by adding 1 to
// Pool::next, relaxed, since entering and leaving order all other memory: the store of the gate releases the job
// to the compare-and-swap that acquires it, and leaving releases the worker's results to the caller's load.
//
// Both sides spin for about 20 us and then park on a condition variable. Parking is a store followed by a load of
// the other side's word (sleepers / caller_parked against gate); all four are sequentially consistent, so at
// least one side sees the other, and the wakers pass through the mutex, so no notification falls between a
// sleeper's check and its wait. With more threads than processors nobody spins.
//
// A pool is never resized: when the wanted size changes, the next job retires it and builds another. Retired
// workers leave by themselves and the last one deletes the pool; nobody joins them. In the child of a fork the
// workers do not exist and the mutex may be held for ever, so the handler forgets the pool, and the next job
// builds one. At exit the workers are parked or spinning on memory that is never freed.
#include "wengert/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <thread>

#include "wengert/interrupt.h"
#include "wengert/job.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#define WG_HAVE_PTHREAD 1
#endif
#ifdef __linux__
#include <sched.h>
#endif

namespace wg {

void* (*gil_release)() = nullptr;
void (*gil_restore)(void* token) = nullptr;
bool (*leave_off_asked)() = nullptr;
std::atomic<int> threads_interrupted{0};

namespace {

constexpr int kMaxThreads = 1024;
constexpr auto kSpin = std::chrono::microseconds(20);
constexpr auto kLook = std::chrono::milliseconds(30);  // between two questions whether to leave off
constexpr std::uint64_t kInside = 0xffff;              // mask of the number of workers inside
constexpr std::uint64_t kOpen = 1u << 16;
constexpr int kEpochShift = 32;

thread_local bool in_parallel = false;                         // running parts of a job: further calls are inline
thread_local bool lock_released = false;                       // an Unlocked of this thread is in force
thread_local std::atomic<bool> left_off{false};                // Note [Leaving off]
thread_local const std::atomic<bool>* callers_mark = nullptr;  // of a worker inside a job: its caller's left_off
thread_local int runs_whole = 0;
thread_local std::chrono::steady_clock::time_point next_look{};

WG_INLINE void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// True as soon as ready() holds, false when the time to spin is over.
template <class F>
bool spin_until(bool allowed, F&& ready) {
  if (ready()) return true;
  if (!allowed) return false;
  auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

struct Pool {
  explicit Pool(int threads, bool may_spin) : size(threads), spin(may_spin) {}

  const int size;  // with the caller; what was wanted, even if the system gave fewer workers
  const bool spin;
  int workers = 0;  // started

  // The job; written while the gate is closed and nobody is inside.
  void (*body)(void*, index_t) = nullptr;
  void* arg = nullptr;
  index_t count = 0;
  const std::atomic<bool>* mark = nullptr;  // the caller's left_off, unless it is inside RunsWhole

  alignas(64) std::atomic<std::uint64_t> gate{0};
  alignas(64) std::atomic<index_t> next{0};
  alignas(64) std::atomic<int> sleepers{0};
  std::atomic<bool> caller_parked{false};
  std::atomic<bool> retired{false};
  std::atomic<int> owners{1};  // the workers and pool_now
  std::mutex mutex;
  std::condition_variable wake;  // workers
  std::condition_variable done;  // the caller

  void take_parts(bool of_caller) {
    void (*f)(void*, index_t) = body;
    void* a = arg;
    index_t n = count;
    for (index_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n;) {
      f(a, i);
      if (of_caller && leave_off()) next.store(n, std::memory_order_relaxed);
    }
  }

  void run(index_t n, void (*f)(void*, index_t), void* a) {
    body = f;
    arg = a;
    count = n;
    mark = runs_whole ? nullptr : &left_off;
    next.store(0, std::memory_order_relaxed);
    std::uint64_t epoch = (gate.load(std::memory_order_relaxed) >> kEpochShift) + 1;
    gate.store(epoch << kEpochShift | kOpen);
    wake_workers(n - 1);
    take_parts(true);
    gate.fetch_and(~kOpen);
    if (!spin_until(spin, [this] { return idle(); })) park_caller();
  }

  bool idle() const { return (gate.load() & kInside) == 0; }

  void wake_workers(index_t helpers) {
    int asleep = sleepers.load();
    if (asleep == 0) return;
    {
      std::lock_guard<std::mutex> hold(mutex);
    }
    if (helpers >= asleep) {
      wake.notify_all();
    } else {
      for (index_t i = 0; i < helpers; ++i) wake.notify_one();
    }
  }

  void park_caller() {
    std::unique_lock<std::mutex> hold(mutex);
    caller_parked.store(true);
    while (!done.wait_for(hold, kLook, [this] { return idle(); })) {
      hold.unlock();
      leave_off();  // workers with long parts look at the mark
      hold.lock();
    }
    caller_parked.store(false);
  }

  static bool open_unserved(std::uint64_t g, std::uint32_t served) {
    return (g & kOpen) != 0 && static_cast<std::uint32_t>(g >> kEpochShift) != served;
  }

  void worker() {
    in_parallel = true;
    std::uint32_t served = 0;
    auto called = [&] { return retired.load() || open_unserved(gate.load(), served); };
    while (true) {
      if (!spin_until(spin, called)) {
        std::unique_lock<std::mutex> hold(mutex);
        ++sleepers;
        wake.wait(hold, called);
        --sleepers;
      }
      if (retired.load()) break;
      std::uint64_t g = gate.load();
      if (!open_unserved(g, served) || !gate.compare_exchange_strong(g, g + 1)) continue;
      served = static_cast<std::uint32_t>(g >> kEpochShift);
      callers_mark = mark;
      take_parts(false);
      callers_mark = nullptr;
      forget_interrupt();
      g = gate.fetch_sub(1);
      if ((g & (kOpen | kInside)) == 1 && caller_parked.load()) {
        {
          std::lock_guard<std::mutex> hold(mutex);
        }
        done.notify_one();
      }
    }
    disown();
  }

  void start_workers() {
    for (; workers < size - 1; ++workers) {
      ++owners;
      try {
        std::thread([this] { worker(); }).detach();
      } catch (const std::exception&) {  // no more threads to be had: the caller does their share
        --owners;
        return;
      }
    }
  }

  void retire() {
    retired.store(true);
    {
      std::lock_guard<std::mutex> hold(mutex);
    }
    wake.notify_all();
    disown();
  }

  void disown() {
    if (--owners == 0) delete this;
  }
};

std::atomic<bool> pool_busy{false};
std::atomic<int> wanted{0};  // threads; 0: not asked yet
Pool* pool_now = nullptr;    // of the holder of pool_busy

int available_processors() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// The default: every processor we may run on, or fewer when WENGERT_NUM_THREADS says so.
int default_threads() {
  int n = std::min(available_processors(), kMaxThreads);
  if (const char* text = std::getenv("WENGERT_NUM_THREADS")) {
    char* end;
    long asked = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && asked >= 1) n = static_cast<int>(std::min<long>(n, asked));
  }
  return n;
}

// Signals stay with the threads of the application.
class SignalsBlocked {
 public:
#ifdef WG_HAVE_PTHREAD
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }

 private:
  sigset_t old_;
#endif
};

#ifdef WG_HAVE_PTHREAD
void after_fork_in_child() {
  pool_now = nullptr;
  pool_busy.store(false);
}
[[maybe_unused]] const int fork_handler = pthread_atfork(nullptr, nullptr, after_fork_in_child);
#endif

// The pool of the wanted size; nullptr when memory is exhausted. The caller holds pool_busy.
Pool* current_pool(int threads) {
  if (WG_LIKELY(pool_now && pool_now->size == threads)) return pool_now;
  if (pool_now) pool_now->retire();
  pool_now = new (std::nothrow) Pool(threads, threads <= available_processors());
  if (pool_now) {
    SignalsBlocked blocked;
    pool_now->start_workers();
  }
  return pool_now;
}

void run_inline(index_t n, void (*body)(void*, index_t), void* arg) {
  for (index_t i = 0; i < n; ++i) {
    body(arg, i);
    if (leave_off()) return;
  }
}

}  // namespace

bool interrupted_here() { return left_off.load(std::memory_order_relaxed); }

void mark_left_off() {
  if (!left_off.exchange(true)) ++threads_interrupted;
}

bool leave_off() {
  if (interrupted_here()) return true;
  if (callers_mark) {
    if (callers_mark->load(std::memory_order_relaxed)) mark_left_off();
    return interrupted_here();
  }
  if (!lock_released || runs_whole || !leave_off_asked) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_look) return false;
  next_look = now + kLook;
  if (!leave_off_asked()) return false;
  mark_left_off();
  return true;
}

void forget_interrupt() {
  if (left_off.exchange(false)) --threads_interrupted;
}

RunsWhole::RunsWhole() { ++runs_whole; }
RunsWhole::~RunsWhole() { --runs_whole; }

void parallel_run(index_t n, void (*body)(void* arg, index_t i), void* arg) {
  if (interrupted() && runs_whole == 0) return;
  int threads;
  if (n <= 1 || in_parallel || (threads = num_threads()) == 1 || pool_busy.exchange(true)) {
    run_inline(n, body, arg);
    return;
  }
  in_parallel = true;
  if (Pool* pool = current_pool(threads)) {
    pool->run(n, body, arg);
  } else {
    run_inline(n, body, arg);
  }
  in_parallel = false;
  pool_busy.store(false);
}

bool in_job() { return in_parallel; }

int num_threads() {
  int n = wanted.load(std::memory_order_relaxed);
  if (WG_LIKELY(n != 0)) return n;
  int fresh = default_threads();
  return wanted.compare_exchange_strong(n, fresh) ? fresh : n;
}

void set_num_threads(int n) { wanted.store(std::min(std::max(n, 1), kMaxThreads)); }

Unlocked::Unlocked(bool big) : token_(nullptr) {
  if (!big || !gil_release || lock_released || in_parallel) return;
  token_ = gil_release();
  lock_released = token_ != nullptr;
}

Unlocked::~Unlocked() {
  if (!token_) return;
  lock_released = false;
  gil_restore(token_);
}

}  // namespace wg
