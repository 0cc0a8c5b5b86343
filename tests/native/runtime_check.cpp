// Checks of the allocator and the thread pool without Python; exits with 1 at the first that fails.
//
//   g++ -O2 -std=c++17 -pthread -Icsrc/include tests/native/runtime_check.cpp csrc/runtime/alloc.cpp
//       csrc/runtime/parallel.cpp -o runtime_check && ./runtime_check [--times]
//
// Holds under -fsanitize=address (the caches are off then, and what depends on them is skipped) and under
// -fsanitize=thread with --no-fork.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "wengert/alloc.h"
#include "wengert/parallel.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizer = true;
#else
constexpr bool kSanitizer = false;
#endif
#ifdef __SANITIZE_ADDRESS__
constexpr bool kCaches = false;
#else
constexpr bool kCaches = true;
#endif

using wg::Storage;

#define REQUIRE(cond)                                                         \
  do {                                                                        \
    if (!(cond)) {                                                            \
      std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond); \
      std::_Exit(1);                                                          \
    }                                                                         \
  } while (0)

static double now_ns() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// ---- allocator ------------------------------------------------------------------------------------------

static void check_sizes() {
  std::vector<std::size_t> sizes = {0, 1};
  for (std::size_t top = 64; top <= (std::size_t{8} << 20); top *= 2)
    for (std::size_t s : {top - 1, top, top + 1, top + top / 4, top + top / 4 + 1}) sizes.push_back(s);
  std::size_t before = wg::memory_current(), total = 0;
  std::vector<Storage*> all;
  for (std::size_t bytes : sizes) {
    Storage* s = wg::storage_new(bytes);
    REQUIRE(s && s->refs == 1 && s->version == 0 && s->bytes == bytes && !s->readonly);
    REQUIRE(reinterpret_cast<std::uintptr_t>(s->data) % 64 == 0);
    std::memset(s->data, static_cast<int>(all.size()), bytes);
    all.push_back(s);
    total += bytes;
  }
  REQUIRE(wg::memory_current() == before + total);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const char* d = all[i]->data;
    for (std::size_t k = 0; k < all[i]->bytes; k += 61) REQUIRE(d[k] == static_cast<char>(i));
    wg::storage_decref(all[i]);
  }
  REQUIRE(wg::memory_current() == before);
}

// Blocks in use never overlap, through any order of calls and trims.
static void check_random_calls() {
  std::mt19937 rng(7);
  std::vector<Storage*> live;
  std::vector<unsigned char> mark;
  auto intact = [](const Storage* s, unsigned char m) {
    const unsigned char* d = reinterpret_cast<const unsigned char*>(s->data);
    return s->bytes == 0 || (d[0] == m && d[s->bytes - 1] == m && d[s->bytes / 2] == m);
  };
  for (int step = 0; step < 60000; ++step) {
    if (live.size() < 300 && rng() % 2) {
      std::size_t bytes = rng() % (std::size_t{1} << (rng() % 22));
      Storage* s = wg::storage_new(bytes);
      REQUIRE(s);
      unsigned char m = static_cast<unsigned char>(rng());
      if (bytes) s->data[0] = s->data[bytes - 1] = s->data[bytes / 2] = static_cast<char>(m);
      live.push_back(s);
      mark.push_back(m);
    } else if (!live.empty()) {
      std::size_t i = rng() % live.size();
      REQUIRE(intact(live[i], mark[i]));
      wg::storage_decref(live[i]);
      live[i] = live.back();
      mark[i] = mark.back();
      live.pop_back();
      mark.pop_back();
    }
    if (step % 5000 == 0) wg::memory_trim();
  }
  for (std::size_t i = 0; i < live.size(); ++i) {
    REQUIRE(intact(live[i], mark[i]));
    wg::storage_decref(live[i]);
  }
  wg::memory_trim();
  REQUIRE(wg::memory_cached() == 0 && wg::memory_current() == 0);
}

static void check_reuse() {
  if (!kCaches) return;
  wg::memory_trim();
  for (std::size_t bytes : {std::size_t{100}, std::size_t{100000}, std::size_t{5} << 20}) {
    Storage* s = wg::storage_new(bytes);
    char* data = s->data;
    wg::storage_decref(s);
    REQUIRE(wg::memory_cached() >= bytes);
    s = wg::storage_new(bytes - 1);
    REQUIRE(s->data == data);
    wg::storage_decref(s);
  }
  // A cached block more than a quarter too large is left alone.
  wg::memory_trim();
  wg::storage_decref(wg::storage_new(std::size_t{40} << 20));
  std::size_t cached = wg::memory_cached();
  Storage* s = wg::storage_new(std::size_t{20} << 20);
  REQUIRE(wg::memory_cached() == cached);
  wg::storage_decref(s);
  REQUIRE(wg::memory_trim() >= std::size_t{60} << 20);

  // Sizes that never come again do not pile up.
  for (std::size_t i = 2; i < 200; ++i) wg::storage_decref(wg::storage_new(i * 3 << 18));
  REQUIRE(wg::memory_cached() < std::size_t{300} << 20);
  wg::memory_trim();
}

static void check_peak() {
  wg::memory_reset_peak();
  std::size_t base = wg::memory_current();
  Storage* a = wg::storage_new(1000);
  Storage* b = wg::storage_new(3000000);
  wg::storage_decref(b);
  Storage* c = wg::storage_new(500);
  REQUIRE(wg::memory_peak() == base + 3001000 && wg::memory_current() == base + 1500);
  wg::memory_reset_peak();
  REQUIRE(wg::memory_peak() == base + 1500);
  wg::storage_decref(a);
  wg::storage_decref(c);
}

static void check_foreign() {
  static int released = 0;
  static char memory[32];
  auto release = [](void* owner) {
    REQUIRE(owner == &released);
    ++released;
    wg::storage_decref(wg::storage_new(0));  // comes back into the allocator
  };
  std::size_t before = wg::memory_current();
  Storage* s = wg::storage_wrap(memory, sizeof(memory), true, release, &released);
  REQUIRE(s->data == memory && s->readonly && s->bytes == 32 && s->size_class == wg::kForeign);
  REQUIRE(wg::memory_current() == before);
  wg::storage_incref(s);
  wg::storage_decref(s);
  REQUIRE(released == 0);
  wg::storage_decref(s);
  REQUIRE(released == 1 && wg::memory_current() == before);
  Storage* t = wg::storage_new(8);
  REQUIRE(t->data != memory && !t->readonly && !t->release);
  wg::storage_decref(t);
  wg::storage_decref(wg::storage_wrap(nullptr, 0, false, nullptr, nullptr));
}

static void check_exhaustion() {
  REQUIRE(!wg::storage_new(SIZE_MAX) && !wg::storage_new(SIZE_MAX - 63) && !wg::storage_new(PTRDIFF_MAX));
  REQUIRE(!wg::scratch(3, SIZE_MAX));
  if (kSanitizer) return;
  REQUIRE(!wg::storage_new(std::size_t{1} << 46));
  rlimit old;
  getrlimit(RLIMIT_AS, &old);
  // A cached block stands in the way of one that only fits once it has gone back.
  wg::storage_decref(wg::storage_new(std::size_t{300} << 20));
  long pages = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld", &pages) != 1) pages = 0;
    std::fclose(f);
  }
  if (pages == 0) return;
  rlimit tight = old;
  tight.rlim_cur = static_cast<rlim_t>(pages) * 4096 + (rlim_t{100} << 20);
  setrlimit(RLIMIT_AS, &tight);
  Storage* s = wg::storage_new(std::size_t{350} << 20);
  REQUIRE(s);
  REQUIRE(!wg::storage_new(std::size_t{600} << 20));
  Storage* small = wg::storage_new(1000);
  REQUIRE(small);
  wg::storage_decref(small);
  wg::storage_decref(s);
  setrlimit(RLIMIT_AS, &old);
  wg::memory_trim();
}

static void check_scratch() {
  void* p[4];
  for (int i = 0; i < 4; ++i) {
    p[i] = wg::scratch(i, 1000);
    REQUIRE(p[i] && reinterpret_cast<std::uintptr_t>(p[i]) % 64 == 0);
    std::memset(p[i], i, 1000);
  }
  for (int i = 0; i < 4; ++i) REQUIRE(wg::scratch(i, 500) == p[i] && static_cast<char*>(p[i])[999] == i);
  std::memset(wg::scratch(2, 3 << 20), 1, 3 << 20);
  std::thread([&] {
    void* q = wg::scratch(0, 1000);
    REQUIRE(q && q != p[0]);
    std::memset(q, 9, 1000);
  }).join();
  REQUIRE(static_cast<char*>(p[1])[0] == 1 && wg::scratch(0, 0));
}

// ---- pool -----------------------------------------------------------------------------------------------

// Every part exactly once. No heap: a thread may be in here while another forks.
static void check_parts(wg::index_t n) {
  int hits[1000] = {};
  wg::parallel_for(n, [&](wg::index_t i) { ++hits[i]; });
  for (wg::index_t i = 0; i < n; ++i) REQUIRE(hits[i] == 1);
}

static void check_pool(int threads) {
  wg::set_num_threads(threads);
  REQUIRE(wg::num_threads() == threads);
  for (wg::index_t n : {0, 1, 2, 3, 7, 64, 1000}) check_parts(n);
  for (int i = 0; i < 2000; ++i) check_parts(2 + i % 5);
  for (int i = 0; i < 20; ++i) {  // parked in between
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    check_parts(5);
  }
}

static void check_nested() {
  std::atomic<int> total{0};
  wg::parallel_for(8, [&](wg::index_t) {
    std::thread::id self = std::this_thread::get_id();
    wg::parallel_for(16, [&](wg::index_t) {
      REQUIRE(std::this_thread::get_id() == self);
      ++total;
    });
  });
  REQUIRE(total == 128);
}

static void check_two_callers() {
  auto work = [] {
    for (int i = 0; i < 3000; ++i) check_parts(6);
  };
  std::thread a(work), b(work);
  work();
  a.join();
  b.join();
}

static void check_resizing_under_load() {
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) check_parts(4);
  });
  for (int i = 0; i < 60; ++i) {
    wg::set_num_threads(1 + i % 4);
    check_parts(9);
  }
  stop = true;
  other.join();
}

// The child uses the pool while the parent's other thread held it at the fork.
static void check_fork() {
  wg::set_num_threads(3);
  check_parts(8);
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) check_parts(8);
  });
  for (int round = 0; round < 8; ++round) {
    pid_t child = fork();
    if (child == 0) {
      alarm(3);  // a deadlock kills the child
      for (int i = 0; i < 50; ++i) check_parts(8);
      wg::set_num_threads(2);
      check_parts(8);
      std::_Exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check_parts(8);
  }
  stop = true;
  other.join();
}

static void check_busy_neighbour() {
  std::atomic<bool> stop{false};
  std::vector<std::thread> load;
  for (unsigned i = 0; i < std::thread::hardware_concurrency() && i < 4; ++i)
    load.emplace_back([&] {
      while (!stop) {
      }
    });
  wg::set_num_threads(2);
  for (int i = 0; i < 300; ++i) check_parts(4);
  stop = true;
  for (std::thread& t : load) t.join();
}

static void check_environment(const char* self) {
  struct Case {
    const char* text;
    bool one;
  };
  for (Case c : {Case{"1", true}, {"0", false}, {"-3", false}, {"two", false}, {"1x", false}, {"", false}}) {
    setenv("WENGERT_NUM_THREADS", c.text, 1);
    std::string command = std::string(self) + " --threads";
    std::FILE* f = popen(command.c_str(), "r");
    int n = 0;
    REQUIRE(f && std::fscanf(f, "%d", &n) == 1 && pclose(f) == 0);
    REQUIRE(c.one ? n == 1 : n >= 1 && n <= static_cast<int>(std::thread::hardware_concurrency()));
  }
  unsetenv("WENGERT_NUM_THREADS");
}

static int locks = 1;  // held by this thread
static void check_unlocked() {
  wg::gil_release = []() -> void* {
    REQUIRE(locks-- == 1);
    return &locks;
  };
  wg::gil_restore = [](void* token) { REQUIRE(token == &locks && locks++ == 0); };
  {
    wg::Unlocked no(false);
    REQUIRE(locks == 1);
    wg::Unlocked yes(true);
    REQUIRE(locks == 0);
    wg::Unlocked again(true);
    REQUIRE(locks == 0);
    wg::parallel_for(6, [](wg::index_t) { wg::Unlocked inside(true); });
  }
  REQUIRE(locks == 1);
  wg::gil_release = nullptr;
  wg::gil_restore = nullptr;
}

// ---- times ----------------------------------------------------------------------------------------------

template <class F>
static double best_ns(int rounds, int repeat, F&& f) {
  double best = 1e30;
  for (int r = 0; r < rounds; ++r) {
    double t = now_ns();
    for (int i = 0; i < repeat; ++i) f();
    best = std::min(best, (now_ns() - t) / repeat);
  }
  return best;
}

static void print_times() {
  for (std::size_t bytes : {std::size_t{64}, std::size_t{4096}, std::size_t{100000}, std::size_t{40} << 20}) {
    double t = best_ns(20, 1000, [&] {
      Storage* s = wg::storage_new(bytes);
      asm volatile("" : : "r"(s->data) : "memory");
      wg::storage_decref(s);
    });
    std::printf("new + decref of %zu bytes: %.1f ns\n", bytes, t);
  }
  std::printf("scratch: %.1f ns\n", best_ns(20, 1000, [] {
                asm volatile("" : : "r"(wg::scratch(0, 100)) : "memory");
              }));
  wg::set_num_threads(2);
  auto join = [] {
    std::atomic<int> met{0};
    wg::parallel_for(2, [&](wg::index_t) { met.fetch_add(1, std::memory_order_relaxed); });
  };
  std::printf("fork-join of 2 threads, spinning: %.0f ns\n", best_ns(50, 200, join));
  auto meet = [] {
    std::atomic<int> met{0};
    wg::parallel_for(2, [&](wg::index_t) {
      met.fetch_add(1);
      while (met.load() < 2) {
      }
    });
  };
  std::printf("  with a meeting of both: %.0f ns\n", best_ns(50, 200, meet));
  double parked = 1e30, parked_meet = 1e30;
  for (int i = 0; i < 100; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    parked = std::min(parked, best_ns(1, 1, join));
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    parked_meet = std::min(parked_meet, best_ns(1, 1, meet));
  }
  std::printf("fork-join of 2 threads, parked: %.0f ns, with a meeting: %.0f ns\n", parked, parked_meet);
}

int main(int argc, char** argv) {
  std::string flag = argc > 1 ? argv[1] : "";
  if (flag == "--threads") return std::printf("%d\n", wg::num_threads()) < 0;
  check_environment(argv[0]);
  check_random_calls();
  check_sizes();
  check_reuse();
  check_peak();
  check_foreign();
  check_exhaustion();
  check_scratch();
  for (int threads : {1, 2, 3, 2, 1}) check_pool(threads);
  wg::set_num_threads(3);
  check_nested();
  check_two_callers();
  check_unlocked();
  check_resizing_under_load();
  check_busy_neighbour();
  if (flag != "--no-fork") check_fork();
  if (flag == "--times") print_times();
  std::puts("runtime_check: all passed");
}
