// Storage blocks from size classes, large blocks from a best-fit cache, and scratch memory of a thread.
//
// Note [Allocator]
//
// A block is a 64-byte header (the Storage and two words of ours) followed by its data, so one pointer chase
// reaches both and the data is 64-byte aligned. Three kinds of blocks, by the bytes asked for:
//
//   small   up to 32 KiB: cut from 256 KiB slabs aligned to their size; classes of 64 bytes up to 512, then four
//           classes an octave (waste below 25 %). Freed blocks go to the list of their class.
//   medium  up to 1 MiB: the same geometric classes, each block from the heap.
//   large   above: whole page mappings, eight sizes an octave. Freed ones are cached, since the page faults of a
//           fresh mapping cost several times what a kernel takes to fill it, and are reused best-fit with at
//           most a quarter of the block unused. Data starts at a varying line of the first page: operands that
//           all begin at a page boundary would compete for the same cache sets.
//
// Cached medium and large blocks are bounded: what we hold of the system stays below 1.25 times the most that was
// ever in use, plus 64 MiB; beyond that the blocks unused for longest go back. When the system refuses memory
// everything cached is returned and the request is tried once more.
//
// memory_current and memory_peak count the bytes asked for; memory_cached counts bytes held and not handed out.
// Foreign memory and scratch are in neither.
#include "wengert/alloc.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

#include "wengert/heap_lock.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sys/mman.h>
#define WG_HAVE_MMAP 1
#endif

#if defined(__SANITIZE_ADDRESS__)
#define WG_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WG_SANITIZED 1
#endif
#endif

namespace wg {

std::atomic<int> heap_sharers{0};
std::mutex heap_mutex;

namespace {

// A fork must not find another thread inside of the heap; in the child no other thread is left.
#ifdef WG_HAVE_MMAP
[[maybe_unused]] const int fork_handlers = pthread_atfork([] { heap_mutex.lock(); }, [] { heap_mutex.unlock(); },
                                                          [] {
                                                            heap_sharers.store(0);
                                                            heap_mutex.unlock();
                                                          });
#endif

#ifdef WG_SANITIZED
constexpr bool kSanitized = true;  // every block comes from the heap and goes back at once
#else
constexpr bool kSanitized = false;
#endif

struct Block {
  Storage storage;
  Block* next;       // in a free list
  std::size_t size;  // of the whole block or mapping, header and slack included
};
constexpr std::size_t kHeader = 64;
static_assert(sizeof(Block) <= kHeader, "the header must fit before the first cache line of data");

constexpr std::size_t kSlab = std::size_t{256} << 10;
constexpr std::size_t kSmall = std::size_t{32} << 10;
constexpr std::size_t kMedium = std::size_t{1} << 20;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kHeldSlack = std::size_t{64} << 20;
// No request comes near the end of the address space: sizes below can be added to without overflow.
constexpr std::size_t kAbsurd = static_cast<std::size_t>(PTRDIFF_MAX) - (std::size_t{64} << 20);

// Classes 0..8 are multiples of 64 bytes; class 0 (header only) serves empty and foreign storages.
constexpr int kLinear = 8;
constexpr int kSmallClasses = kLinear + 4 * 6 + 1;  // 512 bytes to 32 KiB: six octaves
constexpr int kClasses = kSmallClasses + 4 * 5;     // to 1 MiB: five more
constexpr std::uint8_t kLarge = 200;
constexpr std::uint8_t kHeap = 201;  // under the address sanitizer
static_assert(kClasses < kLarge && kHeap < kForeign, "classes and marks must not meet");

WG_INLINE int class_of(std::size_t bytes) {
  if (bytes <= 512) return static_cast<int>((bytes + 63) >> 6);
  std::size_t last = bytes - 1;  // 2**top <= last < 2**(top + 1), cut in four
  int top = 63 - __builtin_clzll(last);
  return kLinear + 4 * (top - 9) + static_cast<int>((last >> (top - 2)) & 3) + 1;
}

constexpr std::size_t class_bytes(int c) {
  return c <= kLinear ? static_cast<std::size_t>(c) << 6
                      : static_cast<std::size_t>(5 + (c - kLinear - 1) % 4) << (7 + (c - kLinear - 1) / 4);
}
static_assert(class_bytes(kSmallClasses - 1) == kSmall && class_bytes(kClasses - 1) == kMedium, "class boundaries");

// At the start of every slab; the blocks follow.
struct Slab {
  Slab* next;
  std::uint32_t carved;  // blocks cut so far
  std::uint32_t free;    // scratch of trim
  int size_class;
};
static_assert(sizeof(Slab) <= kHeader, "blocks of a slab start at its second line");

struct SizeClass {
  Block* free;
  char* bump;  // uncut rest of the newest slab
  char* end;
};

struct CachedBlock {
  Block* block;
  std::uint64_t stamp;  // of the free that brought it here
};

struct Heap {
  SizeClass classes[kClasses];
  Slab* slabs;
  std::size_t current, peak;    // bytes asked for
  std::size_t used, used_peak;  // bytes of the blocks handed out; the peak is never reset
  std::size_t held;             // bytes obtained from the system
  std::uint64_t stamp;
  unsigned colour;
};

Heap heap;  // constant-initialised and never destroyed, so usable at any time of the process

// The cached large blocks, ascending by size.
std::vector<CachedBlock>& cached_large() {
  static auto* list = new std::vector<CachedBlock>();
  return *list;
}

// ---- memory of the system -------------------------------------------------------------------------------

void* aligned_heap(std::size_t size) { return ::operator new(size, std::align_val_t(kHeader), std::nothrow); }
void aligned_heap_free(void* p) { ::operator delete(p, std::align_val_t(kHeader)); }

#ifdef WG_HAVE_MMAP
// `size` bytes of fresh pages whose address is a multiple of `align`, both multiples of the page.
char* map_pages(std::size_t size, std::size_t align) {
  std::size_t slack = align - kPage;
  void* raw = mmap(nullptr, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  char* start = static_cast<char*>(raw);
  std::size_t lead = (align - reinterpret_cast<std::uintptr_t>(start) % align) % align;
  if (lead) munmap(start, lead);
  if (slack > lead) munmap(start + lead + size, slack - lead);
#ifdef MADV_HUGEPAGE
  if (size >= kHugePage) madvise(start + lead, size, MADV_HUGEPAGE);
#endif
  return start + lead;
}
void unmap_pages(char* p, std::size_t size, std::size_t) { munmap(p, size); }
#else
char* map_pages(std::size_t size, std::size_t align) {
  return static_cast<char*>(::operator new(size, std::align_val_t(align), std::nothrow));
}
void unmap_pages(char* p, std::size_t, std::size_t align) { ::operator delete(p, std::align_val_t(align)); }
#endif

std::size_t map_align(std::size_t size) { return size >= kHugePage ? kHugePage : kPage; }

// ---- giving memory back ---------------------------------------------------------------------------------

void release_large(std::size_t i) {
  std::vector<CachedBlock>& large = cached_large();
  Block* b = large[i].block;
  large.erase(large.begin() + static_cast<std::ptrdiff_t>(i));
  heap.held -= b->size;
  unmap_pages(static_cast<char*>(b->storage.owner), b->size, map_align(b->size));
}

void release_medium() {
  for (int c = kSmallClasses; c < kClasses; ++c) {
    while (Block* b = heap.classes[c].free) {
      heap.classes[c].free = b->next;
      heap.held -= b->size;
      aligned_heap_free(b);
    }
  }
}

Slab* slab_of(void* block) {
  return reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(block) & ~(std::uintptr_t{kSlab} - 1));
}

// Returns the slabs whose blocks are all free.
void release_slabs() {
  for (Slab* s = heap.slabs; s; s = s->next) s->free = 0;
  for (int c = 0; c < kSmallClasses; ++c)
    for (Block* b = heap.classes[c].free; b; b = b->next) ++slab_of(b)->free;
  for (int c = 0; c < kSmallClasses; ++c) {
    SizeClass& sc = heap.classes[c];
    for (Block** link = &sc.free; *link;) {
      Slab* s = slab_of(*link);
      if (s->free == s->carved) {
        *link = (*link)->next;
      } else {
        link = &(*link)->next;
      }
    }
    if (sc.end) {
      Slab* s = slab_of(sc.end - 1);
      if (s->free == s->carved) sc.bump = sc.end = nullptr;
    }
  }
  for (Slab** link = &heap.slabs; *link;) {
    Slab* s = *link;
    if (s->free == s->carved) {
      *link = s->next;
      heap.held -= kSlab;
      unmap_pages(reinterpret_cast<char*>(s), kSlab, kSlab);
    } else {
      link = &s->next;
    }
  }
}

// Gives back everything that is cached.
void trim() {
  while (!cached_large().empty()) release_large(cached_large().size() - 1);
  release_medium();
  release_slabs();
}

// Makes room for `size` more bytes within the bound on what we hold.
void keep_bound(std::size_t size) {
  std::size_t most = std::max(heap.used_peak, heap.used + size);
  std::size_t bound = most + most / 4 + kHeldSlack;
  std::vector<CachedBlock>& large = cached_large();
  while (heap.held + size > bound && !large.empty()) {
    auto oldest = std::min_element(large.begin(), large.end(),
                                   [](const CachedBlock& a, const CachedBlock& b) { return a.stamp < b.stamp; });
    release_large(static_cast<std::size_t>(oldest - large.begin()));
  }
  if (heap.held + size > bound) release_medium();
}

// ---- blocks ---------------------------------------------------------------------------------------------

WG_INLINE Storage* hand_out(Block* b, std::size_t bytes, int size_class, std::size_t size) {
  Storage* s = &b->storage;
  s->refs = 1;
  s->version = 0;
  s->data_version = 0;
  s->data = reinterpret_cast<char*>(b) + kHeader;
  s->bytes = bytes;
  s->size_class = static_cast<std::uint8_t>(size_class);
  s->readonly = 0;
  s->moved = 0;
  s->release = nullptr;
  heap.current += bytes;
  if (heap.current > heap.peak) heap.peak = heap.current;
  heap.used += size;
  if (heap.used > heap.used_peak) heap.used_peak = heap.used;
  return s;
}

// Cuts the next block of a small class, from a new slab when the newest is used up.
WG_NOINLINE Block* carve(int c) {
  SizeClass& sc = heap.classes[c];
  std::size_t size = kHeader + class_bytes(c);
  if (static_cast<std::size_t>(sc.end - sc.bump) < size) {
    char* p = map_pages(kSlab, kSlab);
    if (!p) {
      trim();
      p = map_pages(kSlab, kSlab);
      if (!p) return nullptr;
    }
    heap.held += kSlab;
    heap.slabs = new (p) Slab{heap.slabs, 0, 0, c};
    sc.bump = p + kHeader;
    sc.end = p + kSlab;
  }
  Block* b = new (sc.bump) Block;
  b->size = size;
  sc.bump += size;
  ++slab_of(b)->carved;
  return b;
}

Block* medium_block(int c) {
  std::size_t size = kHeader + class_bytes(c);
  keep_bound(size);
  void* p = aligned_heap(size);
  if (!p) {
    trim();
    p = aligned_heap(size);
    if (!p) return nullptr;
  }
  heap.held += size;
  Block* b = new (p) Block;
  b->size = size;
  return b;
}

WG_NOINLINE Storage* large_new(std::size_t bytes) {
  std::size_t need = bytes + kHeader + kPage;  // a page for the varying start
  std::size_t step = std::size_t{1} << (63 - __builtin_clzll(need) - 3);
  std::size_t size = (need + step - 1) / step * step;
  std::vector<CachedBlock>& large = cached_large();
  auto fit = std::lower_bound(large.begin(), large.end(), need,
                              [](const CachedBlock& a, std::size_t n) { return a.block->size < n; });
  if (fit != large.end() && fit->block->size <= need + need / 4) {
    Block* b = fit->block;
    large.erase(fit);
    return hand_out(b, bytes, kLarge, b->size);
  }
  keep_bound(size);
  char* p = map_pages(size, map_align(size));
  if (!p) {
    trim();
    p = map_pages(size, map_align(size));
    if (!p) return nullptr;
  }
  heap.held += size;
  Block* b = new (p + (heap.colour++ % 15) * 256) Block;
  b->size = size;
  b->storage.owner = p;
  return hand_out(b, bytes, kLarge, size);
}

void large_free(Block* b) {
  CachedBlock entry{b, heap.stamp++};
  try {
    std::vector<CachedBlock>& large = cached_large();
    large.insert(std::upper_bound(large.begin(), large.end(), b->size,
                                  [](std::size_t n, const CachedBlock& a) { return n < a.block->size; }),
                 entry);
  } catch (const std::bad_alloc&) {  // no memory to remember it by
    heap.held -= b->size;
    unmap_pages(static_cast<char*>(b->storage.owner), b->size, map_align(b->size));
  }
}

Storage* heap_new(std::size_t bytes) {
  void* p = aligned_heap(kHeader + bytes);
  if (!p) return nullptr;
  Block* b = new (p) Block;
  b->size = kHeader + bytes;
  heap.held += b->size;
  return hand_out(b, bytes, kHeap, b->size);
}

void heap_free(Block* b) {
  heap.held -= b->size;
  aligned_heap_free(b);
}

}  // namespace

Storage* storage_new(std::size_t bytes) {
  HeapLock lock;
  if (kSanitized) return bytes > kAbsurd ? nullptr : heap_new(bytes);
  if (WG_UNLIKELY(bytes > kMedium)) return bytes > kAbsurd ? nullptr : large_new(bytes);
  int c = class_of(bytes);
  Block* b = heap.classes[c].free;
  if (WG_LIKELY(b != nullptr)) {
    heap.classes[c].free = b->next;
  } else {
    b = c < kSmallClasses ? carve(c) : medium_block(c);
    if (!b) return nullptr;
  }
  return hand_out(b, bytes, c, b->size);
}

Storage* storage_wrap(void* data, std::size_t bytes, bool readonly, void (*release)(void*), void* owner) {
  Storage* s = storage_new(0);
  if (!s) return nullptr;
  s->data = static_cast<char*>(data);
  s->bytes = bytes;
  s->size_class = kForeign;
  s->readonly = readonly;
  s->release = release;
  s->owner = owner;
  return s;
}

namespace {

// What `owner` of a storage points to once it has moved.
struct Moved {
  void (*old_release)(void*);
  void* old_owner;
  void (*release)(void*);
  void* owner;
};

}  // namespace

bool storage_move(Storage* s, void* data, void (*release)(void*), void* owner) {
  Moved* moved = new (std::nothrow) Moved{s->release, s->owner, release, owner};
  if (!moved) return false;
  if (data != s->data) std::memcpy(data, s->data, s->bytes);
  s->data = static_cast<char*>(data);
  s->owner = moved;
  s->moved = 1;
  return true;
}

void* storage_moved_to(const Storage* s) { return s->moved ? static_cast<Moved*>(s->owner)->owner : nullptr; }

namespace {

void block_free(Storage* s) {
  Block* b = reinterpret_cast<Block*>(s);
  int c = s->size_class;
  heap.used -= b->size;
  if (WG_LIKELY(c < kClasses)) {
    heap.current -= s->bytes;
    b->next = heap.classes[c].free;
    heap.classes[c].free = b;
  } else if (c == kLarge) {
    heap.current -= s->bytes;
    large_free(b);
  } else if (c == kHeap) {
    heap.current -= s->bytes;
    heap_free(b);
  } else if (kSanitized) {
    heap_free(b);
  } else {
    b->next = heap.classes[0].free;
    heap.classes[0].free = b;
  }
}

}  // namespace

void storage_free(Storage* s) {
  Moved moved{};
  if (WG_UNLIKELY(s->moved)) {
    Moved* held = static_cast<Moved*>(s->owner);
    moved = *held;
    delete held;
    s->release = moved.old_release;
    s->owner = moved.old_owner;
  }
  void (*release)(void*) = s->size_class == kForeign ? s->release : nullptr;
  void* owner = s->owner;
  {
    HeapLock lock;
    block_free(s);
  }
  if (release) release(owner);  // the header is ours again by now: it may come back here
  if (moved.release) moved.release(moved.owner);
}

std::size_t memory_current() { return heap.current; }
std::size_t memory_peak() { return heap.peak; }
std::size_t memory_cached() { return heap.held - heap.used; }
void memory_reset_peak() { heap.peak = heap.current; }

std::size_t memory_trim() {
  HeapLock lock;
  std::size_t before = heap.held;
  trim();
  return before - heap.held;
}

// ---- scratch --------------------------------------------------------------------------------------------

namespace {

struct ScratchSlot {
  void* data;
  std::size_t size;
};

struct Scratch {
  ScratchSlot slots[4] = {};

  void drop(ScratchSlot& s) {
    if (s.size > kMedium) {
      unmap_pages(static_cast<char*>(s.data), s.size, map_align(s.size));
    } else if (s.data) {
      aligned_heap_free(s.data);
    }
    s = {};
  }

  void* grow(ScratchSlot& s, std::size_t bytes) {
    if (bytes > kAbsurd) return nullptr;
    std::size_t size = std::max(bytes, s.size + s.size / 2);
    size = (size + kPage - 1) / kPage * kPage;
    drop(s);
    void* p = size > kMedium ? map_pages(size, map_align(size)) : aligned_heap(size);
    if (p) s = {p, size};
    return p;
  }

  ~Scratch() {
    for (ScratchSlot& s : slots) drop(s);
  }
};

thread_local Scratch thread_scratch;

}  // namespace

void* scratch(int slot, std::size_t bytes) {
  ScratchSlot& s = thread_scratch.slots[slot];
  if (WG_LIKELY(bytes <= s.size && s.data)) return s.data;
  return thread_scratch.grow(s, bytes);
}

}  // namespace wg
