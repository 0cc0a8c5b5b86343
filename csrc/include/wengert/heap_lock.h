// Storages and layouts made by several threads at a time.
//
// Note [Sharing the heap]. The heap and the lists of free layouts belong to whoever holds the interpreter lock. A
// plan runs forward functions without that lock, so while one does (HeapShared, made and dropped with the
// interpreter lock held), everybody takes a mutex as well (HeapLock). A thread with the interpreter lock that finds
// the heap unshared need not look again: nobody starts to share it meanwhile. Reference counts stay plain: storages
// and layouts that such a plan's forward functions see belong to that plan, but for the scalar layout, which
// nothing ever frees.
#pragma once
#include <atomic>
#include <mutex>

namespace wg {

extern std::atomic<int> heap_sharers;
extern std::mutex heap_mutex;

struct HeapShared {
  HeapShared() { heap_sharers.fetch_add(1); }
  ~HeapShared() { heap_sharers.fetch_sub(1); }
  HeapShared(const HeapShared&) = delete;
  HeapShared& operator=(const HeapShared&) = delete;
};

class HeapLock {
 public:
  HeapLock() : held_(heap_sharers.load(std::memory_order_relaxed) != 0) {
    if (held_) heap_mutex.lock();
  }
  ~HeapLock() {
    if (held_) heap_mutex.unlock();
  }
  HeapLock(const HeapLock&) = delete;
  HeapLock& operator=(const HeapLock&) = delete;

 private:
  const bool held_;
};

}  // namespace wg
