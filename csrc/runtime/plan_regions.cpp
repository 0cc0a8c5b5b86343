// Running regions: branches, loops and functions of the host inside a plan, without Python between iterations.
#include "wengert/plan_region.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace wg {

namespace {

constexpr index_t kAlign = 64;     // bytes: what places in a region's memory are multiples of
constexpr index_t kPassWork = 64;  // elements that an iteration counts for at least, so that none goes on unseen
constexpr double kUnknown = 64;    // iterations of a loop whose length is not known

index_t bytes_of(const PlanValue& v) { return v.layout->numel * itemsize(v.dtype); }

index_t take(index_t* end, index_t bytes) {
  const index_t at = *end;
  *end += (bytes + kAlign - 1) / kAlign * kAlign;
  return at;
}

// A value as an array that nobody else refers to.
Array over(Storage* memory, char* data, const PlanValue& v) {
  *memory = Storage{};
  memory->refs = 1;
  memory->size_class = kForeign;
  memory->bytes = static_cast<std::size_t>(1) << 62;
  memory->data = data;
  Array a{};
  a.layout = v.layout;
  a.dtype = v.dtype;
  a.storage = memory;
  return a;
}

const char* op_name(RegionKind kind) {
  switch (kind) {
    case RegionKind::kCall:
      return "call";
    case RegionKind::kCond:
      return "cond";
    case RegionKind::kWhile:
      return "while_loop";
    case RegionKind::kScan:
      return "scan";
    case RegionKind::kHost:
      return "host";
    case RegionKind::kReplay:
      return "replay";
  }
  return "";
}

}  // namespace

// ---- tapes ------------------------------------------------------------------------------------------------

index_t Tape::bytes() const { return first_of(static_cast<int>(chunks_.size())) * row_; }

int Tape::resize(index_t count) {
  while (first_of(static_cast<int>(chunks_.size())) < count) {
    const index_t size = (kFirst << chunks_.size()) * row_;
    std::unique_ptr<char[]> chunk(new (std::nothrow) char[static_cast<std::size_t>(size)]);
    if (!chunk) return fail_memory("while_loop", size);
    chunks_.push_back(std::move(chunk));
  }
  count_ = count;
  return 0;
}

// ---- building ---------------------------------------------------------------------------------------------

int Plan::region(std::unique_ptr<PlanRegion> region, const std::int32_t* in, int nin, const Made* made, int nout) {
  PlanCall c;
  c.region = std::move(region);
  c.region->op.name = c.region->op.kernel = op_name(c.region->kind);
  c.region->op.nin = static_cast<std::int16_t>(nin);
  c.region->op.nout = static_cast<std::int16_t>(nout);
  if (c.region->kind == RegionKind::kHost) c.region->host = host_steps_++;
  c.op = &c.region->op;
  c.first_in = static_cast<std::int32_t>(operands.size());
  c.nin = nin;
  operands.insert(operands.end(), in, in + nin);
  c.out = static_cast<std::int32_t>(values.size());
  for (int k = 0; k < nout; ++k) {
    PlanValue v;
    v.layout = made[k].layout;
    v.dtype = static_cast<std::uint8_t>(made[k].dtype);
    v.place = v.layout ? Place::kArena : Place::kTape;
    v.owner = c.out + k;
    v.call = static_cast<std::int32_t>(calls.size());
    values.push_back(v);
    c.region->tapes.push_back(v.layout ? nullptr : std::make_unique<Tape>(made[k].row_bytes));
  }
  PlanStep s;
  s.kind = StepKind::kCall;
  s.index = static_cast<std::int32_t>(calls.size());
  const int first = c.out;
  calls.push_back(std::move(c));
  steps.push_back(s);
  return first;
}

void PlanRegion::lay_out(const Plan& plan, const PlanCall& call) {
  index_t end = 0, largest = 0;
  for (const PlanPart& part : parts)  // one at a time runs
    largest = std::max(largest, static_cast<index_t>(part.plan->arena_bytes));
  take(&end, largest);
  flag = take(&end, 1);
  for (int k = 0; k < carried; ++k)
    spare.push_back(take(&end, bytes_of(plan.values[static_cast<std::size_t>(call.out + k)])));
  for (int i = 0; i < call.nin; ++i) {
    const PlanValue& v =
        plan.values[static_cast<std::size_t>(plan.operands[static_cast<std::size_t>(call.first_in + i)])];
    dense.push_back(!v.layout || v.layout->contiguous ? -1 : take(&end, bytes_of(v)));
  }
  work_bytes = end;
}

double Plan::region_work(const PlanCall& c) const {
  const PlanRegion& r = *c.region;
  double ns = 0;
  if (r.kind == RegionKind::kHost) return -1;
  for (index_t at : r.dense)
    if (at >= 0) return -1;
  for (const PlanPart& part : r.parts) {
    if (part.draws || part.plan->whole_ < 0) return -1;
    const double once = 50 + part.plan->whole_;
    ns = r.kind == RegionKind::kCond ? std::max(ns, once) : ns + once;
  }
  if (r.kind == RegionKind::kWhile) return ns * kUnknown;
  return r.kind == RegionKind::kScan ? ns * (r.length < 0 ? kUnknown : static_cast<double>(r.length)) : ns;
}

// ---- running ----------------------------------------------------------------------------------------------

class RegionRun {
 public:
  RegionRun(Plan& plan, const PlanCall& c)
      : p_(plan), c_(c), r_(*c.region), work_(plan.data_[static_cast<std::size_t>(r_.work)]) {
    for (PlanPart& part : r_.parts) part.plan->with_ = part.with;
  }
  ~RegionRun() {
    for (PlanPart& part : r_.parts) part.plan->unlocked_.reset();
  }

  int run() {
    if (close_gaps() < 0 || run_kind() < 0) return -1;
    if (!r_.draws) return 0;
    lock_but(nullptr);
    return p_.with_.host(p_.with_.arg, kDrawOn);
  }

 private:
  int run_kind() {
    switch (r_.kind) {
      case RegionKind::kHost:
        return p_.with_.host(p_.with_.arg, r_.host);
      case RegionKind::kCall:
        return once(r_.parts[0], 0);
      case RegionKind::kCond:
        return once(r_.parts[*in(0) ? 0 : 1], 1);
      case RegionKind::kWhile:
        return while_loop();
      case RegionKind::kScan:
        return scan();
      case RegionKind::kReplay:
        return replay();
    }
    return 0;
  }

  // Rows of a sequence or of a stacked result.
  struct Rows {
    std::int32_t slot;
    char* base;
    index_t bytes;
    const Tape* tape;
    char* at(index_t k) const { return tape ? tape->row(k) : base + k * bytes; }
  };

  std::int32_t operand(int i) const { return p_.operands[static_cast<std::size_t>(c_.first_in + i)]; }
  char* in(int i) const {
    const index_t at = r_.dense[static_cast<std::size_t>(i)];
    return at >= 0 ? work_ + at : p_.data_[static_cast<std::size_t>(operand(i))];
  }
  char* out(int k) const { return p_.data_[static_cast<std::size_t>(c_.out + k)]; }
  char* spare(int k) const { return work_ + r_.spare[static_cast<std::size_t>(k)]; }
  Tape* tape_of(std::int32_t v) const {
    const PlanValue& value = p_.values[static_cast<std::size_t>(v)];
    if (value.place != Place::kTape) return nullptr;
    const PlanCall& maker = p_.calls[static_cast<std::size_t>(value.call)];
    return maker.region->tapes[static_cast<std::size_t>(v - maker.out)].get();
  }
  static index_t slot_bytes(const Plan& plan, std::int32_t slot) {
    return bytes_of(plan.values[static_cast<std::size_t>(plan.slots[static_cast<std::size_t>(slot)])]);
  }

  // Operands with gaps are copied: parts expect none.
  int close_gaps() {
    for (int i = 0; i < c_.nin; ++i) {
      if (r_.dense[static_cast<std::size_t>(i)] < 0) continue;
      const PlanValue& v = p_.values[static_cast<std::size_t>(operand(i))];
      Storage memory;
      Array to = over(&memory, in(i), v);
      to.layout = layout_contiguous(v.layout->ndim, v.layout->shape());
      const int status = p_.read(operand(i), to);
      layout_decref(to.layout);
      if (status < 0) return -1;
    }
    return 0;
  }

  // Takes the interpreter lock back from parts that ended without it, see Note [The lock].
  void lock_but(const Plan* one) const {
    for (const PlanPart& part : r_.parts)
      if (part.plan != one) part.plan->unlocked_.reset();
  }

  int ask(const PlanPart& part, int step) {
    lock_but(nullptr);
    return part.with.host(part.with.arg, step);
  }

  int pass(const PlanPart& part) {
    if (part.draws && ask(part, kDraw) < 0) return -1;
    if (part.plan->whole_ < 0) lock_but(part.plan);
    part.plan->work_ += kPassWork;
    part.plan->follow_bindings();
    return part.plan->run_steps();
  }

  // A part on the operands from `first` on.
  int once(const PlanPart& part, int first) {
    for (std::size_t i = 0; i < part.in.size(); ++i) part.plan->bind(part.in[i], in(first + static_cast<int>(i)));
    for (std::size_t k = 0; k < part.out.size(); ++k) part.plan->bind(part.out[k], out(static_cast<int>(k)));
    return pass(part);
  }

  int replay() {
    const PlanPart& part = r_.parts[0];
    std::memcpy(part.plan->place, in(0), sizeof part.plan->place);
    if (ask(part, kStandAt) < 0) return -1;
    const int status = once(part, 1);
    return ask(part, kPutBack) < 0 ? -1 : status;
  }

  void bind_held(const PlanPart& part, int first) {
    for (int i = first; i < c_.nin; ++i) part.plan->bind(part.in[static_cast<std::size_t>(i)], in(i));
  }

  void copy_carried(int k, const char* from) {
    std::memcpy(out(k), from, static_cast<std::size_t>(bytes_of(p_.values[static_cast<std::size_t>(c_.out + k)])));
  }

  // Rows of what a body stacks, behind what it carries.
  std::vector<Rows> stacks(const PlanPart& body) const {
    std::vector<Rows> found;
    for (std::size_t k = static_cast<std::size_t>(r_.carried); k < body.out.size(); ++k)
      found.push_back(
          {body.out[k], out(static_cast<int>(k)), slot_bytes(*body.plan, body.out[k]), r_.tapes[k].get()});
    return found;
  }

  // Carried values go to and fro between two places; the last step writes the results.
  int scan() {
    const PlanPart& body = r_.parts[0];
    std::vector<Rows> read, made = stacks(body);
    index_t n = r_.length;
    for (int i = r_.carried; i < r_.carried + r_.scanned; ++i) {
      const std::int32_t slot = body.in[static_cast<std::size_t>(i)];
      const Tape* tape = tape_of(operand(i));
      if (tape) n = tape->count();
      read.push_back({slot, tape ? nullptr : in(i), slot_bytes(*body.plan, slot), tape});
    }
    for (const auto& tape : r_.tapes)
      if (tape && tape->resize(n) < 0) return -1;
    if (n == 0)
      for (int j = 0; j < r_.carried; ++j) copy_carried(j, in(j));
    bind_held(body, r_.carried + r_.scanned);
    for (index_t k = 0; k < n; ++k) {
      const index_t row = r_.reverse ? n - 1 - k : k;
      const bool even = (n - 1 - k) % 2 == 0;
      for (int j = 0; j < r_.carried; ++j) {
        char* here = even ? out(j) : spare(j);
        char* there = even ? spare(j) : out(j);
        body.plan->bind(body.in[static_cast<std::size_t>(j)], k == 0 ? in(j) : there);
        body.plan->bind(body.out[static_cast<std::size_t>(j)], here);
      }
      for (const Rows& rows : read) body.plan->bind(rows.slot, rows.at(row));
      for (const Rows& rows : made) body.plan->bind(rows.slot, rows.at(row));
      if (pass(body) < 0) return -1;
    }
    return 0;
  }

  int while_loop() {
    const PlanPart &asks = r_.parts[0], &body = r_.parts[1];
    const std::vector<Rows> made = stacks(body);
    char* flag = work_ + r_.flag;
    bind_held(asks, r_.carried);
    bind_held(body, r_.carried);
    asks.plan->bind(asks.out[0], flag);
    for (const auto& tape : r_.tapes)
      if (tape && tape->resize(0) < 0) return -1;
    index_t n = 0;
    auto latest = [&](int j) { return n == 0 ? in(j) : n % 2 == 1 ? out(j) : spare(j); };
    for (;; ++n) {
      for (int j = 0; j < r_.carried; ++j) asks.plan->bind(asks.in[static_cast<std::size_t>(j)], latest(j));
      if (pass(asks) < 0) return -1;
      if (!*flag) break;
      for (int j = 0; j < r_.carried; ++j) {
        body.plan->bind(body.in[static_cast<std::size_t>(j)], latest(j));
        body.plan->bind(body.out[static_cast<std::size_t>(j)], n % 2 == 0 ? out(j) : spare(j));
      }
      for (const auto& tape : r_.tapes)
        if (tape && tape->resize(n + 1) < 0) return -1;
      for (const Rows& rows : made) body.plan->bind(rows.slot, rows.at(n));
      if (pass(body) < 0) return -1;
    }
    if (n % 2 == 0)
      for (int j = 0; j < r_.carried; ++j) copy_carried(j, latest(j));
    return 0;
  }

  Plan& p_;
  const PlanCall& c_;
  PlanRegion& r_;
  char* work_;
};

int Plan::read(std::int32_t v, const Array& to) const {
  Storage memory;
  return copy_into(over(&memory, data_[static_cast<std::size_t>(v)], values[static_cast<std::size_t>(v)]), to);
}

int Plan::fill(std::int32_t v, const Array& from) {
  Storage memory;
  return copy_into(from, over(&memory, data_[static_cast<std::size_t>(v)], values[static_cast<std::size_t>(v)]));
}

int Plan::run_region(const PlanCall& c) { return RegionRun(*this, c).run(); }

}  // namespace wg
