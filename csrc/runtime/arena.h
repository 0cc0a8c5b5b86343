// Stretches of an address range handed out and taken back: best fit, neighbours joined, small pieces from cells.
#pragma once
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "wengert/config.h"

namespace wg {

class Arena {
 public:
  static constexpr index_t kAlign = 64;  // bytes: what larger stretches are multiples of
  static constexpr index_t kSmall = 16;  // bytes up to which a piece is a cell of the small part

  // Offsets count from the beginning of the part that pieces of this size are in; the small part comes first.
  index_t take(index_t bytes) {
    if (bytes > kSmall) return take_stretch(rounded(bytes));
    if (cells_.empty()) {
      small_end_ += kSmall;
      return small_end_ - kSmall;
    }
    index_t offset = cells_.back();
    cells_.pop_back();
    return offset;
  }
  void give(index_t offset, index_t bytes) {
    if (bytes > kSmall) {
      give_stretch(offset, rounded(bytes));
    } else {
      cells_.push_back(offset);
    }
  }
  static index_t rounded(index_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }
  index_t small_bytes() const { return rounded(small_end_); }
  index_t bytes() const { return small_bytes() + end_; }

 private:
  void give_stretch(index_t offset, index_t bytes) {
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

  index_t take_stretch(index_t bytes) {
    auto fit = by_size_.lower_bound({bytes, 0});
    index_t offset, have;
    if (fit != by_size_.end()) {
      have = fit->first;
      offset = fit->second;
      by_size_.erase(fit);
      stretch_.erase(offset);
    } else {
      // The last stretch_ grows, where it is free.
      offset = end_;
      if (!stretch_.empty() && stretch_.rbegin()->first + stretch_.rbegin()->second == end_) {
        offset = stretch_.rbegin()->first;
        by_size_.erase({stretch_.rbegin()->second, offset});
        stretch_.erase(offset);
      }
      end_ = offset + bytes;
      have = bytes;
    }
    if (have > bytes) give_stretch(offset + bytes, have - bytes);
    return offset;
  }

  std::map<index_t, index_t> stretch_;             // offset -> bytes
  std::set<std::pair<index_t, index_t>> by_size_;  // (bytes, offset)
  std::vector<index_t> cells_;                     // free cells of the small part
  index_t small_end_ = 0, end_ = 0;
};

}  // namespace wg
