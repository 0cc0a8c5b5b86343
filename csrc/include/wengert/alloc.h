// Memory: reference-counted storages from size-class free lists.
//
// Every call here needs the interpreter lock (or one thread): kernels that run without it use scratch() only.
#pragma once
#include <cstddef>
#include <cstdint>

#include "wengert/config.h"

namespace wg {

// A run of bytes that tensors look at. `data` is 64-byte aligned when the storage is ours.
struct Storage {
  std::int32_t refs;      // owners: tensors, saved values, gradients
  std::uint32_t version;  // bumped by every in-place write; shared by all views
  char* data;
  std::size_t bytes;        // bytes asked for
  std::uint8_t size_class;  // of the allocator; kForeign for wrapped memory
  std::uint8_t readonly;
  std::uint8_t moved;            // the bytes lie in somebody else's memory: storage_move
  std::uint32_t data_version;    // the same of writes through `.data`, which other tensors do not count
  void (*release)(void* owner);  // foreign memory: called once when the last reference goes
  void* owner;
};

constexpr std::uint8_t kForeign = 255;

// A new storage of `bytes` bytes with refs == 1, contents undefined; nullptr when memory is exhausted.
Storage* storage_new(std::size_t bytes);
// A storage over memory that somebody else owns; release(owner) runs when the last reference goes.
Storage* storage_wrap(void* data, std::size_t bytes, bool readonly, void (*release)(void*), void* owner);
// Copies the bytes to memory that somebody else owns, where all who look at the storage find them from now on
// (memory that it wraps only gets that owner too); release(owner) runs when the last reference goes. The place that
// they leave is kept until then: addresses into it stay valid. A storage moves once. False when memory is
// exhausted.
bool storage_move(Storage* s, void* data, void (*release)(void*), void* owner);
// The owner of the memory that a storage has moved to; nullptr for others.
void* storage_moved_to(const Storage* s);
// Free a storage whose count has come to 0. Use storage_decref.
void storage_free(Storage* s);

inline void storage_incref(Storage* s) { ++s->refs; }
inline void storage_decref(Storage* s) {
  if (--s->refs == 0) storage_free(s);
}

// Bytes handed out now, the most there ever were, and bytes kept for reuse.
std::size_t memory_current();
std::size_t memory_peak();
std::size_t memory_cached();
void memory_reset_peak();
// Give cached memory back to the system; returns the bytes released.
std::size_t memory_trim();

// Scratch memory of the calling thread, valid until its next call with the same slot (0..3); grows, never
// shrinks. Needs no lock. nullptr when memory is exhausted.
void* scratch(int slot, std::size_t bytes);

}  // namespace wg
