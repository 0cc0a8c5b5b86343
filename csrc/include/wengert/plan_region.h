// Regions of plans: calls that run other plans (branches, loops), or a function of the host.
//
// A part is a plan without memory of its own: it lies in the arena of the plan around it, at a place that belongs
// to the region while that runs. Its inputs and results are bound to the operands and results of the region where
// they lie, slice by slice in a loop, so that an iteration is the steps of its body and nothing else.
//
// Note [Tapes]. How often a while_loop goes round is known afterwards only. What it stacks, and what scans over
// that make, are tapes: rows in chunks, each of twice the size of the one before, which stay for the next run.
// Nothing but the sequences of scans may read them.
//
// Note [Replays]. A backward pass that runs a step again draws the numbers of that step again. The step notes where
// in the sequence of random numbers it began (two words: seed and counter); a replay is a part that runs with the
// generator standing there, and puts it back.
#pragma once
#include <memory>
#include <vector>

#include "wengert/plan.h"

namespace wg {

enum class RegionKind : std::uint8_t { kCall, kCond, kWhile, kScan, kHost, kReplay };

struct PlanPart {
  Plan* plan;                         // borrowed
  std::vector<std::int32_t> in, out;  // bindings of its inputs and results, in order
  Plan::Callbacks with;
  bool draws;  // host step kDraw has to be performed before each run
};
// Steps of the host for random numbers: the ranges of a part, those behind a region that draws, and the begin and
// the end of a replay.
constexpr int kDraw = -1, kDrawOn = -2, kStandAt = -3, kPutBack = -4;

class Tape {
 public:
  explicit Tape(index_t row_bytes) : row_((row_bytes + 15) / 16 * 16) {}
  index_t count() const { return count_; }
  // Bytes that it has, used or not.
  index_t bytes() const;
  // -1 with the error set: there is no memory for so many rows.
  int resize(index_t count);
  char* row(index_t k) const {
    const int c = chunk_of(k);
    return chunks_[static_cast<std::size_t>(c)].get() + (k - first_of(c)) * row_;
  }

 private:
  static constexpr index_t kFirst = 16;  // rows of the first chunk
  static int chunk_of(index_t k) { return 63 - __builtin_clzll(static_cast<unsigned long long>(k / kFirst + 1)); }
  static index_t first_of(int chunk) { return kFirst * ((index_t{1} << chunk) - 1); }
  std::vector<std::unique_ptr<char[]>> chunks_;
  index_t row_, count_ = 0;
};

struct PlanRegion {
  RegionKind kind;
  OpInfo op{};                  // what the planner sees of it
  std::vector<PlanPart> parts;  // cond: where true, where false; while_loop: condition, body; call, scan: one
  int carried = 0, scanned = 0;
  index_t length = 0;  // of a scan; -1: that of the tapes it reads
  bool reverse = false;
  bool draws = false;      // random numbers: draws behind it get their ranges when it has run
  int host = -1;           // host: the number of the callback's step
  std::int32_t work = -1;  // value: what follows
  index_t work_bytes = 0;
  std::vector<index_t> spare, dense;         // places in it: of carried values, and of operands with gaps; -1: none
  index_t flag = 0;                          // of the condition
  std::vector<std::unique_ptr<Tape>> tapes;  // of each result; nullptr: none

  // Says what is where in the region's own memory.
  void lay_out(const Plan& plan, const PlanCall& call);
};

}  // namespace wg
