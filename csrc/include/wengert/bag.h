// Sums of rows of a table over bags of indices (embedding_bag) and their gradients. Entries "bag_sum",
// "bag_spread", "bag_dots" and "bag_argmax" of type BagFn exist for float32 and float64.
#pragma once
#include "wengert/config.h"

namespace wg {

struct Bags {
  const std::int64_t* index;         // rows of the table, in its range
  const std::int64_t* offsets;       // [bags + 1]: where each bag begins, and the end of the last
  index_t bags, count, rows, width;  // count: indices; rows, width: of the table
  std::int64_t padding;              // an index that counts for nothing; -1: none
  bool mean;                         // sums are divided by the number of indices that count
  const void* factors;               // [count]: of the rows; null: 1
  const void* table;                 // [rows][width]: read by all but "bag_spread"
  const void* upstream;              // [bags][width]: read by "bag_spread" and "bag_dots"
  // "bag_sum": [bags][width]. "bag_spread": [rows][width], zeros and then for each index its bag's row of upstream.
  // "bag_dots": [count], products of the bag's row of upstream and the index's row of the table. "bag_argmax":
  // int64 [bags][width], the row with the greatest element of each column, the first of equals, NaN above all; -1
  // for none.
  void* out;
};
using BagFn = void (*)(const Bags&);

}  // namespace wg
