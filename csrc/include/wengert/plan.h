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
#include <map>
#include <memory>
#include <vector>

#include "wengert/op.h"

namespace wg {

constexpr int kMaxResults = 8;  // of any row

enum class Place : std::uint8_t { kNone, kArena, kOutside, kNumber, kRegister, kMeasured };

struct PlanValue {
  Layout* layout = nullptr;  // its own reference
  std::uint8_t dtype = 0;
  Place place = Place::kNone;
  std::int32_t owner = -1;  // whose memory it looks at; itself for owners
  std::int32_t slot = -1;   // owners outside: which binding
  std::int32_t step = -1;   // that makes it; -1: from outside
  std::int32_t call = -1;   // that makes it
  std::int32_t first = -1;  // moments between which an owner in the arena must keep its memory
  std::int32_t last = -1;
  index_t delta = 0;   // bytes from the owner's first byte
  index_t offset = 0;  // owners in the arena
  Array number{};      // kNumber
};

struct PlanCall {
  const OpInfo* op = nullptr;
  Attr* attr = nullptr;                // its own reference; not shared, for random ops are given new ranges
  std::int32_t first_in = 0, nin = 0;  // of Plan::operands; -1: absent
  std::int32_t out = 0;                // first result
  std::shared_ptr<Prepared> ready;     // what runs instead of the forward function, where there is one
  std::int32_t dtype = -1;  // elementwise: the type it computes in; -1: goes through its forward function
};

// One instruction of a group, on registers.
struct BlockOp {
  void* fn;
  std::int16_t nin, in[3], out;
  std::uint8_t out_item, scalars;
};
// An operand from memory. Dense ones are used where they lie; others are gathered into a register.
struct BlockLoad {
  std::int32_t value;
  std::int16_t reg;
  std::uint8_t item;
  bool dense, uniform;
  int ndim = 0;                 // strided: merged dimensions of the group's shape
  index_t shape[8], stride[8];  // bytes
};
struct BlockStore {
  std::int32_t value;
  std::int16_t reg;
  std::uint8_t item;
  bool late;  // written after the block's last instruction: its memory is also read
};
struct BlockGroup {
  index_t numel = 0;
  Layout* shape = nullptr;  // borrowed from a value
  std::vector<std::int32_t> calls;
  std::vector<BlockLoad> loads;
  std::vector<BlockOp> code;
  std::vector<BlockStore> stores;
  std::vector<std::int16_t> pool;  // of each register: its place among the temporaries; -1: none
  int registers = 0, temporaries = 0;
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
  std::vector<std::int32_t> calls;  // scalars: in order
  std::int32_t from = -1, to = -1;  // copy
  std::vector<std::int32_t> reads;  // host steps: values that they use
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
  // A step that the caller performs (an optimizer's update): it reads and writes memory of outside values. All
  // results and writes that were asked for before it are done when it runs.
  void host(const std::int32_t* uses, int n);
  // What is appended from now on joins no group that began before.
  void fence();
  // Value v is to be in new memory of the outside after a run: the binding's number.
  int result(std::int32_t v);
  // The memory of the outside value `target` is to hold v after a run.
  void write(std::int32_t target, std::int32_t v);
  // Groups, places, prepares. -1 with the error set.
  int finish(bool fuse);

  // Binds the memory of an outside value.
  void bind(int slot, char* data) { bound_[static_cast<std::size_t>(slot)] = data; }
  // Runs all steps. `host` performs host step i; both callbacks return -1 to stop with an error of their own.
  int run(int (*host)(void* arg, int i), int (*interrupt)(), void* arg);

  std::vector<PlanValue> values;
  std::vector<PlanCall> calls;
  std::vector<std::int32_t> operands;
  std::vector<PlanStep> steps;
  std::vector<BlockGroup> groups;
  std::vector<std::vector<ScalarOp>> scalars;
  std::vector<std::int32_t> slots;  // the value of each binding
  std::size_t arena_bytes = 0;
  bool running = false;
  bool timed = false;
  std::vector<double> seconds;  // of each step, added up over the runs while `timed` is set

 private:
  friend struct PlanBuilder;
  struct Write {
    std::int32_t target, value;
    std::int32_t host;  // the host step that waits for it
    bool fresh;         // into new memory
  };
  int constant(const Array& weak, int dtype);
  void place_pointers();
  int prepare_calls();
  Array array(std::int32_t v, Storage* world) const;
  int run_call(const PlanCall& c);
  void run_group(const BlockGroup& g);
  void run_blocks(const BlockGroup& g, index_t begin, index_t end) const;
  int run_copy(std::int32_t from, std::int32_t to);

  std::vector<Write> writes_;
  std::map<std::pair<int, std::int64_t>, std::int32_t> constants_;
  std::vector<char*> bound_;
  std::vector<char*> data_;          // of each value, while it runs
  std::vector<std::int32_t> outer_;  // values that follow a binding
  Storage* arena_ = nullptr;
  int host_steps_ = 0;
};

}  // namespace wg
