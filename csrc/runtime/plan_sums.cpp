// Sums inside of groups: blocks are added up where they are made, in the order of the reduction kernels.
//
// A chunk of a row, or a run of rows of columns, is one unit: its sum depends on nothing else, so units run in any
// order on any thread. The tree over units is one kernel at the end. See Note [Order of a reduction].
#include <algorithm>

#include "parts.h"
#include "plan_parts.h"
#include "wengert/kernels.h"
#include "wengert/parallel.h"

namespace wg {

namespace {

constexpr index_t kShortBlock = 512;  // elements below which several outer parts would each be a short block

// Columns: `group` rows are taken as one of `wide` elements; there are `rows` of these in `runs` runs, and
// elements left over.
struct Columns {
  index_t group, wide, rows, runs, left;
  explicit Columns(const SumShape& s) {
    group = column_group(s.n, s.inner);
    wide = group * s.inner;
    rows = s.n / group;
    runs = (rows + kSumRun - 1) / kSumRun;
    left = s.n % group * s.inner;
  }
  // Rows of sums for one outer part: the runs, and where rows were grouped their total and what was left over.
  index_t kept() const { return group > 1 ? runs + 2 : runs; }
  bool direct() const { return group == 1 && runs == 1; }
};

index_t chunks_of(const SumShape& s) { return (s.n + kSumChunk - 1) / kSumChunk; }

}  // namespace

bool adds_in_blocks(const SumShape& s) {
  return s.n > 1 && (s.inner == 1 || s.outer == 1 || s.n * s.inner >= kShortBlock);
}

index_t sum_parts(const SumShape& s) {
  if (s.inner == 1) return chunks_of(s) > 1 ? s.outer * chunks_of(s) : 0;
  const Columns c(s);
  return c.direct() ? 0 : s.outer * c.kept() * c.wide;
}

const SumKernels* SumKernels::find(int dtype) {
  static SumKernels found[kNumDTypes];
  SumKernels& k = found[dtype];
  if (!k.tree) {
    k.whole = kernel_fn<ReduceInnerFn>("sum_inner", dtype);
    k.lanes = kernel_fn<SumLanesFn>("sum_lanes", dtype);
    k.fold = kernel_fn<SumFoldFn>("sum_fold", dtype);
    k.rows = kernel_fn<SumRowsFn>("sum_rows", dtype);
    k.tree = kernel_fn<SumTreeFn>("sum_tree", dtype);
    k.divide = kernel_fn<BinaryFn>("div", dtype);
  }
  return k.tree ? &k : nullptr;
}

struct SumRun {
  Plan& p;
  const BlockGroup& g;
  const SumShape& s;
  const std::int32_t* on;  // the step's values

  const std::int32_t* results() const { return on + g.loads.size() + g.stores.size(); }
  char* result(const BlockSum& sum) const {
    return p.data_[static_cast<std::size_t>(results()[&sum - g.sums.data()])];
  }
  char* parts(const BlockSum& sum) const {
    return p
        .data_[static_cast<std::size_t>(results()[g.sums.size() + static_cast<std::size_t>(&sum - g.sums.data())])];
  }

  // body(run, first, last) for units of so many elements, in parallel where there are many.
  template <class Body>
  void for_units(index_t units, index_t elements, Body body) const {
    const index_t per = std::max<index_t>(1, kPartElements / elements);
    Unlocked unlocked(units > per);
    parallel_for((units + per - 1) / per, [&](index_t k) {
      GroupRun run(p, g, on);
      body(run, k * per, std::min(units, (k + 1) * per));
    });
  }

  // Rows that are short enough for several in a block.
  void short_rows() const {
    const index_t per = g.block / s.n;
    for_units((s.outer + per - 1) / per, per * s.n, [&](GroupRun& run, index_t first, index_t last) {
      for (index_t u = first; u < last; ++u) {
        const index_t row = u * per, count = std::min(per, s.outer - row);
        run.block(row * s.n, count * s.n);
        for (const BlockSum& sum : g.sums)
          sum.kernel->whole(run.at(sum.reg), result(sum) + row * sum.item, count, s.n);
      }
    });
  }

  void rows() const {
    const index_t chunks = chunks_of(s);
    auto body = [&](GroupRun& run, index_t first, index_t last) {
      for (index_t u = first; u < last; ++u) {
        const index_t start = u % chunks * kSumChunk;
        chunk(run, u / chunks * s.n + start, std::min(kSumChunk, s.n - start), u, chunks > 1);
      }
    };
    for_units(s.outer * chunks, std::min(s.n, kSumChunk), body);
    for (const BlockSum& sum : g.sums)
      if (chunks > 1) sum.total->tree(parts(sum), result(sum), s.outer, chunks, 1);
  }

  void chunk(GroupRun& run, index_t base, index_t n, index_t unit, bool apart) const {
    alignas(64) char lanes[kMaxSums][kSumLanes * 8];
    for (index_t i = 0; i < n; i += g.block) {
      const index_t m = std::min(g.block, n - i);
      run.block(base + i, m);
      for (std::size_t k = 0; k < g.sums.size(); ++k) {
        const BlockSum& sum = g.sums[k];
        char* to = (apart ? parts(sum) : result(sum)) + unit * sum.item;
        if (n < kSumLanes) {
          sum.kernel->whole(run.at(sum.reg), to, 1, n);
          continue;
        }
        sum.kernel->lanes(run.at(sum.reg), lanes[k], m, i == 0);
        if (i + m == n) sum.kernel->fold(lanes[k], to);
      }
    }
  }

  void columns() const {
    const Columns c(s);
    const index_t tile = std::min(c.wide, g.block), tiles = (c.wide + tile - 1) / tile;
    const index_t units = s.outer * c.runs * tiles, height = std::min(c.rows, kSumRun);
    auto body = [&](GroupRun& run, index_t first, index_t last) {
      for (index_t u = first; u < last; ++u) {
        const index_t at = u % tiles * tile;
        run_tile(run, c, u / (tiles * c.runs), u / tiles % c.runs, at, std::min(tile, c.wide - at));
      }
    };
    for_units(units, height * tile, body);
    for (const BlockSum& sum : g.sums) finish_columns(c, sum);
  }

  // `w` columns from `at` on, in one run of rows.
  void run_tile(GroupRun& run, const Columns& c, index_t o, index_t number, index_t at, index_t w) const {
    const index_t base = o * s.n * s.inner, begin = number * kSumRun, end = std::min(c.rows, begin + kSumRun);
    const index_t per = w == c.wide ? std::max<index_t>(1, g.block / w) : 1;
    for (index_t r = begin; r < end; r += per) {
      const index_t count = std::min(per, end - r);
      run.block(base + r * c.wide + at, count * w);
      for (const BlockSum& sum : g.sums) {
        char* to = c.direct() ? result(sum) + (o * s.inner + at) * sum.item
                              : parts(sum) + ((o * c.kept() + number) * c.wide + at) * sum.item;
        sum.kernel->rows(run.at(sum.reg), to, count, w, r == begin);
      }
    }
    if (c.left == 0 || number + 1 < c.runs) return;
    run.block(base + c.rows * c.wide, c.left);
    for (const BlockSum& sum : g.sums)
      sum.kernel->rows(run.at(sum.reg), parts(sum) + (o * c.kept() + c.runs + 1) * c.wide * sum.item, 1, c.left,
                       true);
  }

  void finish_columns(const Columns& c, const BlockSum& sum) const {
    if (c.direct()) return;
    const SumKernels* total = sum.total;
    if (c.group == 1) {
      total->tree(parts(sum), result(sum), s.outer, c.runs, c.wide);
      return;
    }
    for (index_t o = 0; o < s.outer; ++o) {
      char* of = parts(sum) + o * c.kept() * c.wide * sum.item;
      char* lanes = of + c.runs * c.wide * sum.item;
      total->tree(of, lanes, 1, c.runs, c.wide);
      if (c.left) total->rows(lanes + c.wide * sum.item, lanes, 1, c.left, false);
      total->rows(lanes, result(sum) + o * s.inner * sum.item, c.group, s.inner, true);
    }
  }
};

void Plan::run_summed(const BlockGroup& g, const std::int32_t* on) {
  const SumShape& s = *g.sums[0].shape;
  const SumRun run{*this, g, s, on};
  if (s.inner > 1) {
    run.columns();
  } else if (2 * s.n <= g.block) {
    run.short_rows();
  } else {
    run.rows();
  }
  for (const BlockSum& sum : g.sums)
    if (sum.shape->mean)
      sum.kernel->divide(run.result(sum), sum.shape->count, run.result(sum), s.outer * s.inner, 2);
}

}  // namespace wg
