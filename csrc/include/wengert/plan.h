// Plans: a static graph with its memory laid out, as a list of steps that run without Python.
//
// A plan is built from values and calls in an order that may be run (the caller has verified the graph), then
// finished: elementwise calls are grouped, every value gets its place, and each step is prepared. A run binds the
// memory of the outside (inputs, states, results) and goes through the steps.
//
// Note [Places]. A value either owns memory or looks at the memory of another (a view; `owner`, `delta`). An owner
// lies in the arena, in memory from outside (`slot`), in the plan (constants), or, when only its own group reads
// it, in a register of the block interpreter. The arena is one storage; offsets are chosen so that values that are
// alive at the same moment do not overlap.
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "wengert/kernels.h"
#include "wengert/op.h"
#include "wengert/parallel.h"
#include "wengert/reduce.h"
#include "wengert/strip.h"

namespace wg {

constexpr int kMaxResults = 8;  // of any row

enum class Place : std::uint8_t { kNone, kArena, kOutside, kNumber, kRegister, kMeasured, kTape };

struct PlanValue {
  Layout* layout = nullptr;  // its own reference
  std::uint8_t dtype = 0;
  Place place = Place::kNone;
  std::int32_t owner = -1;  // whose memory it looks at; itself for owners
  std::int32_t slot = -1;   // owners outside: which binding
  std::int32_t step = -1;   // that makes it; -1: from outside
  std::int32_t call = -1;   // that makes it
  std::int32_t begun = -1;  // the call that writes its memory first, where that is another one
  std::int32_t first = -1;  // moments between which an owner in the arena must keep its memory
  std::int32_t last = -1;
  index_t delta = 0;          // bytes from the owner's first byte
  index_t offset = 0;         // owners in the arena
  index_t low = 0, high = 0;  // owners outside: bytes that views look at, where these go beyond; both 0: none does
  Array number{};             // kNumber
};

struct PlanRegion;

struct PlanCall {
  const OpInfo* op = nullptr;
  Attr* attr = nullptr;                // its own reference; not shared, for random ops are given new ranges
  std::int32_t first_in = 0, nin = 0;  // of Plan::operands; -1: absent
  std::int32_t out = 0;                // first result
  std::shared_ptr<Prepared> ready;     // what runs instead of the forward function, where there is one
  std::int32_t dtype = -1;   // elementwise: the type it computes in; -1: goes through its forward function
  std::int32_t added = -1;   // of a product that adds to what its result holds: the call of that sum
  bool summed = false;       // a sum that the group which makes its operand adds up
  std::int32_t parts = -1;   // of such a sum: the value that holds sums of pieces; -1: pieces are results
  std::vector<Layout*> own;  // in a fork: layouts of operands and results that no other call counts references of
  std::shared_ptr<PlanRegion> region;  // a branch, a loop or a function of the host (plan_region.h)
};

// One instruction of a group, on registers. With strip >= 0: `count` steps of BlockProgram::strips from there on,
// run by fn as one.
struct BlockOp {
  void* fn;
  std::int16_t nin, in[3], out;
  std::uint8_t out_item, scalars;
  std::int32_t strip = -1, count = 0;
};
// An operand from memory. Dense ones are used where they lie; others are gathered into a register.
struct BlockLoad {
  std::int16_t reg;
  std::uint8_t item;
  bool dense, uniform;
  std::int32_t walk = -1;  // strided: of BlockGroup::walks
};
// How a strided operand is gone through: the group's shape, dimensions merged where they can be.
struct BlockWalk {
  int ndim = 0;
  index_t shape[8], stride[8];  // bytes
};
struct BlockStore {
  std::int16_t reg;
  std::uint8_t item;
  bool late;  // written after the block's last instruction: its memory is also read
};
constexpr int kMaxSums = 8;  // of a group

// The kernels that sums of one dtype are made of.
struct SumKernels {
  ReduceInnerFn whole;
  SumLanesFn lanes;
  SumFoldFn fold;
  SumRowsFn rows;
  SumTreeFn tree;
  BinaryFn divide;                           // of means
  static const SumKernels* find(int dtype);  // nullptr: none
};
// A register that the group adds up.
struct BlockSum {
  std::int16_t reg;
  std::uint8_t item;         // bytes of a result
  const SumShape* shape;     // the same of all sums of a group but for `mean`
  const SumKernels* kernel;  // of the elements, and of the result: a sum of bools is an integer
  const SumKernels* total;
};
// Everything about a group but the values it works on. Steps of the same form share one, so that those of an
// unrolled loop find it in the cache; a step has the values (Note [Instructions]) in the order of `loads`,
// `stores`, results of `sums` and the values with sums of pieces (as PlanCall::parts).
struct BlockGroup {
  index_t numel = 0;
  index_t block = kBlock;  // elements that go through the instructions at a time
  index_t cell = 0;        // bytes of a temporary
  std::vector<BlockOp> code;
  std::vector<StripStep> strips;
  std::vector<std::int16_t> pool;  // of each register: its place among the temporaries; -1: none
  std::vector<BlockLoad> loads;
  std::vector<BlockWalk> walks;
  std::vector<BlockStore> stores;
  std::vector<BlockSum> sums;
  int registers = 0, temporaries = 0;
  std::int32_t line = -1;  // of loads: blocks begin where a line of the cache does in it; -1: anywhere
};

struct ScalarOp {
  void* fn;
  std::int32_t in[3], out;
  std::int32_t nin;
};

enum class StepKind : std::uint8_t { kCall, kGroup, kScalars, kCopy, kHost, kFence };

struct PlanStep {
  StepKind kind;
  std::int32_t moment = 0;          // of its first instruction
  std::int32_t index = -1;          // call, group, run of scalars, or number of a host step
  std::int32_t first = -1;          // group: its values, of Plan::step_values
  std::vector<std::int32_t> calls;  // scalars: in order
  std::int32_t from = -1, to = -1;  // copy
  std::vector<std::int32_t> reads;  // host steps: values that they use
};

// Steps `begin` to `end`, which run as one job of the thread pool (Note [Forks]).
constexpr int kMostBranches = 8;
struct PlanFork {
  std::int32_t begin, end;
  std::vector<std::vector<std::int32_t>> branches;  // the steps of each, in order
  std::vector<std::int32_t> after;                  // steps that need several branches: when these have ended
};

// Note [Instructions]. What a run reads is apart from what describes the plan: an instruction of 12 bytes for each
// step, and the numbers of the values that it works on. A long unrolled loop would otherwise wait for its own
// description, which does not fit in the second-level cache.
struct Instruction {
  enum Kind : std::uint8_t { kPrepared, kForward, kRegion, kGroup, kScalars, kCopy, kHost } kind;
  bool locked;         // needs the interpreter lock
  bool worth;          // from here on there is enough work that does not, see Note [The lock]
  std::uint8_t nin;    // kPrepared
  std::int32_t index;  // kPrepared: of Plan::kernels_; kCopy: the step; otherwise as PlanStep::index
  std::int32_t first;  // kPrepared, kGroup: values, of Plan::step_values
};

class Plan {
 public:
  ~Plan();
  // Values. Each returns its number.
  int outside(int dtype, Layout* layout);  // bound at each run; takes the reference
  int measure(int dtype, Layout* layout);  // an operand that is read for its shape alone; takes the reference
  int number(const Array& weak);
  // Appends a call; takes the reference to attr. Returns the number of its first result, -1 with the error set.
  int call(const OpInfo* op, const std::int32_t* in, int nin, Attr* attr);
  // Appends a region: a call whose results have these layouts (nullptr: a tape of rows of `row_bytes`); takes the
  // references. Returns the number of its first result.
  struct Made {
    int dtype;
    Layout* layout;
    index_t row_bytes;
  };
  int region(std::unique_ptr<PlanRegion> region, const std::int32_t* in, int nin, const Made* made, int nout);
  // A step that the caller performs (an optimizer's update): it reads and writes memory of outside values. All
  // results and writes that were asked for before it are done when it runs.
  void host(const std::int32_t* uses, int n);
  // What is appended from now on joins no group that began before.
  void fence();
  // Value v is to be in new memory of the outside after a run: the binding's number.
  int result(std::int32_t v);
  // The memory of the outside value `target` is to hold v after a run.
  void write(std::int32_t target, std::int32_t v);
  // Groups, places, prepares. -1 with the error set. With `inner` it is a part of a region of another plan, in
  // whose arena it gets its place. With `forking` independent branches run side by side where that is worth it,
  // which takes more memory.
  int finish(bool fuse, bool inner = false, bool forking = true);

  // Binds the memory of an outside value.
  void bind(int slot, char* data) { bound_[static_cast<std::size_t>(slot)] = data; }
  // Runs all steps, n times; before run k it binds slice k of what is fed. The interpreter lock is released for
  // stretches of work that are worth it (Note [The lock]). `host` performs host step i with the lock held;
  // `interrupt` takes the lock itself. Both return -1 to stop with an error of their own.
  struct Callbacks {
    int (*host)(void* arg, int i);
    int (*interrupt)(void* arg);
    void* arg;
  };
  struct Feed {
    std::int32_t slot;
    char* data;
    index_t bytes;  // of a slice
  };
  int run(const Callbacks& with, index_t n, const Feed* feeds, index_t count);

  // While it runs: copies value v to an array without gaps, or such an array to value v.
  int read(std::int32_t v, const Array& to) const;
  int fill(std::int32_t v, const Array& from);

  std::vector<PlanValue> values;
  std::vector<PlanCall> calls;
  std::vector<std::int32_t> operands;
  std::vector<PlanStep> steps;
  std::vector<std::int32_t> step_values;
  std::vector<BlockGroup> groups;
  std::vector<std::vector<ScalarOp>> scalars;
  std::vector<std::int32_t> slots;  // the value of each binding
  std::vector<PlanFork> forks;      // in order
  std::size_t arena_bytes = 0;
  bool running = false;
  bool timed = false;
  index_t done = 0;             // complete runs of the latest call of run()
  std::int32_t reached = 0;     // the step that it was in at the end
  std::vector<double> seconds;  // of each step, added up over the runs while `timed` is set
  std::int64_t place[2]{};      // of a replay: where its random numbers begin, see plan_region.h

 private:
  friend struct PlanBuilder;
  friend struct ForkFinder;
  friend class GroupRun;
  friend struct SumRun;
  friend class RegionRun;
  struct Write {
    std::int32_t target, value;
    std::int32_t host;  // the host step that waits for it
    bool fresh;         // into new memory
  };
  int constant(const Array& weak, int dtype);
  void place_pointers(char* arena);
  void follow_bindings();
  std::vector<std::int32_t> count_reads() const;
  int is_lone_product(std::int32_t v, const PlanValue& y, const std::vector<std::int32_t>& reads);
  int join_sum(std::int32_t number, const std::vector<std::int32_t>& reads);
  int join_products();
  int prepare_call(PlanCall& c);
  std::string form_of(const PlanCall& c) const;
  int prepare_calls();
  Array array(std::int32_t v, Storage* world) const;
  void make_instructions();
  void own_layouts();
  double unlocked_work(const PlanStep& s) const;  // ns, about; -1: the step needs the interpreter lock
  index_t call_work(const PlanCall& c) const;
  bool stopped();
  int run_steps();
  int run_step(const Instruction& s, index_t* work);  // adds its elements to `work`
  int run_fork(const PlanFork& f);
  int run_branches(const PlanFork& f);
  void run_scalars(const std::vector<ScalarOp>& code);
  int run_call(const PlanCall& c);
  int run_region(const PlanCall& c);
  double region_work(const PlanCall& c) const;
  index_t lead_of(const BlockGroup& g, const std::int32_t* on) const;
  void run_group(const BlockGroup& g, const std::int32_t* on);
  void run_summed(const BlockGroup& g, const std::int32_t* on);
  bool is_plain_copy(std::int32_t from, std::int32_t to) const;
  int run_copy(std::int32_t from, std::int32_t to);

  std::vector<Write> writes_;
  std::map<std::pair<int, std::int64_t>, std::int32_t> constants_;
  std::vector<char*> bound_;
  std::vector<char*> data_;          // of each value, while it runs
  std::vector<std::int32_t> outer_;  // values that follow a binding
  Storage* arena_ = nullptr;
  int host_steps_ = 0;
  Callbacks with_{};
  std::optional<Unlocked> unlocked_;  // while a run goes on without the interpreter lock
  struct Kernel {
    const Prepared* ready;
    index_t work;  // as work_
  };
  std::vector<Instruction> instructions_;  // one for each step
  std::vector<Kernel> kernels_;
  std::unordered_map<std::string, std::shared_ptr<Prepared>> forms_;  // while the plan is finished
  bool shares_heap_ = false;                        // forward functions may run without the interpreter lock
  double whole_ = -1;                               // ns of a run, where no step needs the lock; -1: one does
  index_t work_ = 0;                                // elements since the latest look at the clock
  std::chrono::steady_clock::time_point looked_{};  // for signals
};

}  // namespace wg
