// Stretches of an address range handed out and taken back: best fit, neighbours joined, small pieces from cells.
#pragma once
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "wengert/config.h"

namespace wg {

// What is free.
class FreeList {
 public:
  void give_cell(index_t offset) { cells_.push_back(offset); }
  // -1: there is none.
  index_t take_cell() {
    if (cells_.empty()) return -1;
    index_t offset = cells_.back();
    cells_.pop_back();
    return offset;
  }

  void give(index_t offset, index_t bytes) {
    auto next = stretch_.lower_bound(offset);
    if (next != stretch_.end() && next->first == offset + bytes) {
      bytes += next->second;
      by_size_.erase({next->second, next->first});
      next = stretch_.erase(next);
    }
    if (next != stretch_.begin()) {
      auto before = std::prev(next);
      if (before->first + before->second == offset) {
        offset = before->first;
        bytes += before->second;
        by_size_.erase({before->second, before->first});
        stretch_.erase(before);
      }
    }
    stretch_[offset] = bytes;
    by_size_.insert({bytes, offset});
  }

  // The smallest stretch that is large enough; -1: there is none.
  index_t take(index_t bytes) {
    auto fit = by_size_.lower_bound({bytes, 0});
    if (fit == by_size_.end()) return -1;
    const index_t have = fit->first, offset = fit->second;
    by_size_.erase(fit);
    stretch_.erase(offset);
    if (have > bytes) give(offset + bytes, have - bytes);
    return offset;
  }
  // The last stretch, where it ends at `end`; otherwise `end`.
  index_t take_last(index_t end) {
    if (stretch_.empty() || stretch_.rbegin()->first + stretch_.rbegin()->second != end) return end;
    const auto [offset, have] = *stretch_.rbegin();
    by_size_.erase({have, offset});
    stretch_.erase(offset);
    return offset;
  }

  // Hands everything over to another list.
  void pour(FreeList* to) {
    for (index_t offset : cells_) to->give_cell(offset);
    for (const auto& [offset, bytes] : stretch_) to->give(offset, bytes);
    *this = FreeList();
  }

 private:
  std::map<index_t, index_t> stretch_;             // offset -> bytes
  std::set<std::pair<index_t, index_t>> by_size_;  // (bytes, offset)
  std::vector<index_t> cells_;                     // of the small part
};

class Arena {
 public:
  static constexpr index_t kAlign = 64;  // bytes: what larger stretches are multiples of
  static constexpr index_t kSmall = 16;  // bytes up to which a piece is a cell of the small part

  // Offsets count from the beginning of the part that pieces of this size are in; the small part comes first. `own`
  // is what the asking branch of a fork has given back: nobody else may take it yet.
  index_t take(index_t bytes, FreeList* own = nullptr) {
    for (FreeList* from : {own, &free_}) {
      const index_t found = !from ? -1 : bytes > kSmall ? from->take(rounded(bytes)) : from->take_cell();
      if (found >= 0) return found;
    }
    if (bytes <= kSmall) {
      small_end_ += kSmall;
      return small_end_ - kSmall;
    }
    const index_t offset = free_.take_last(end_);
    end_ = offset + rounded(bytes);
    return offset;
  }
  void give(index_t offset, index_t bytes, FreeList* own = nullptr) {
    FreeList& to = own ? *own : free_;
    if (bytes > kSmall) {
      to.give(offset, rounded(bytes));
    } else {
      to.give_cell(offset);
    }
  }
  // A branch has ended.
  void join(FreeList* own) { own->pour(&free_); }
  static index_t rounded(index_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }
  index_t small_bytes() const { return rounded(small_end_); }
  index_t bytes() const { return small_bytes() + end_; }

 private:
  FreeList free_;
  index_t small_end_ = 0, end_ = 0;
};

}  // namespace wg
