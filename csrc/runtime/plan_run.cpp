// Running plans: the block interpreter for groups, scalars one by one, everything else by its forward function.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "parts.h"
#include "plan_parts.h"
#include "wengert/heap_lock.h"
#include "wengert/job.h"
#include "wengert/kernels.h"
#include "wengert/parallel.h"
#include "wengert/plan_region.h"

namespace wg {

namespace {

constexpr int kScratchSlot = 3;
constexpr std::uintptr_t kCacheLine = 64;
constexpr auto kLook = std::chrono::milliseconds(50);  // between two looks at pending signals
constexpr double kUnlockWork = 1e4;                    // ns of work for which the interpreter lock is released

// Two worlds of memory: arrays that are read and arrays that are written never lie in one storage, so forward
// functions see no overlap. Offsets are addresses.
Storage* world(bool written) {
  static thread_local Storage read, write;
  Storage* s = written ? &write : &read;
  s->refs = 1 << 30;
  s->bytes = std::size_t{1} << 62;
  s->size_class = kForeign;
  return s;
}

template <class T>
void fill_run(char* to, const char* from, index_t n) {
  T v;
  std::memcpy(&v, from, sizeof(T));
  T* t = reinterpret_cast<T*>(to);
  for (index_t i = 0; i < n; ++i) t[i] = v;
}

template <class T>
void gather_run(char* to, const char* from, index_t stride, index_t n) {
  T* t = reinterpret_cast<T*>(to);
  for (index_t i = 0; i < n; ++i) std::memcpy(&t[i], from + i * stride, sizeof(T));
}

void copy_run(int item, char* to, const char* from, index_t stride, index_t n) {
  if (stride == item) {
    std::memcpy(to, from, static_cast<std::size_t>(n * item));
  } else if (stride == 0) {
    item == 4   ? fill_run<std::uint32_t>(to, from, n)
    : item == 8 ? fill_run<std::uint64_t>(to, from, n)
                : static_cast<void>(std::memset(to, *from, static_cast<std::size_t>(n)));
  } else {
    item == 4   ? gather_run<std::uint32_t>(to, from, stride, n)
    : item == 8 ? gather_run<std::uint64_t>(to, from, stride, n)
                : gather_run<std::uint8_t>(to, from, stride, n);
  }
}

// Elements lo … lo + n of a strided operand, in the order of the group's shape.
void gather_block(const BlockWalk& l, int item, const char* from, index_t lo, index_t n, char* to) {
  index_t at[8];
  index_t rest = lo;
  int inner = l.ndim - 1;
  for (int d = inner; d >= 0; --d) {
    at[d] = rest % l.shape[d];
    rest /= l.shape[d];
    from += at[d] * l.stride[d];
  }
  while (n > 0) {
    index_t run = l.shape[inner] - at[inner] < n ? l.shape[inner] - at[inner] : n;
    copy_run(item, to, from, l.stride[inner], run);
    to += run * item;
    n -= run;
    from += run * l.stride[inner];
    at[inner] += run;
    for (int d = inner; d > 0 && at[d] == l.shape[d]; --d) {
      from += l.stride[d - 1] - l.shape[d] * l.stride[d];
      at[d] = 0;
      ++at[d - 1];
    }
  }
}

// Adds the time since the step before to that step's place.
class Watch {
 public:
  explicit Watch(std::vector<double>* to) : to_(to) {}
  ~Watch() { next(); }
  void next() {
    if (!to_) return;
    auto now = std::chrono::steady_clock::now();
    if (step_ >= 0) (*to_)[static_cast<std::size_t>(step_)] += std::chrono::duration<double>(now - last_).count();
    ++step_;
    last_ = now;
  }

 private:
  std::vector<double>* to_;
  std::chrono::steady_clock::time_point last_;
  index_t step_ = -1;
};

}  // namespace

// ---- groups -----------------------------------------------------------------------------------------------

GroupRun::GroupRun(const Plan& plan, const BlockGroup& g, const std::int32_t* on) : p_(plan), g_(g), on_(on) {
  if (g.registers > static_cast<int>(sizeof few_ / sizeof few_[0])) {
    many_.resize(static_cast<std::size_t>(g.registers));
    reg_ = many_.data();
  }
  pool_ = static_cast<char*>(scratch(
      kScratchSlot, static_cast<std::size_t>(std::max(g.temporaries, 1)) * static_cast<std::size_t>(g.cell)));
  const std::int16_t* place = g.pool.data();
  for (int r = 0; r < g.registers; ++r)
    if (place[r] >= 0) reg_[r] = pool_ + place[r] * g.cell;
  for (const BlockLoad& l : g.loads) {
    if (l.uniform) reg_[l.reg] = plan.data_[static_cast<std::size_t>(*on)];
    ++on;
  }
}

void GroupRun::block(index_t lo, index_t n) {
  char* const* data = p_.data_.data();
  const std::int32_t* on = on_;
  char** reg = reg_;
  for (const BlockLoad& l : g_.loads) {
    char* from = data[*on++];
    if (l.dense) {
      reg[l.reg] = from + lo * l.item;
    } else if (!l.uniform) {
      gather_block(g_.walks[static_cast<std::size_t>(l.walk)], l.item, from, lo, n, reg[l.reg]);
    }
  }
  const std::int32_t* stored = on;
  for (const BlockStore& s : g_.stores) {
    if (!s.late) reg[s.reg] = data[*on] + lo * s.item;
    ++on;
  }
  for (const BlockOp& op : g_.code) {
    switch (op.nin) {
      case 0:
        reinterpret_cast<StripFn>(op.fn)(&g_.strips[static_cast<std::size_t>(op.strip)], op.count, reg, n);
        break;
      case 1:
        reinterpret_cast<UnaryFn>(op.fn)(reg[op.in[0]], reg[op.out], n);
        break;
      case 2:
        reinterpret_cast<BinaryFn>(op.fn)(reg[op.in[0]], reg[op.in[1]], reg[op.out], n, op.scalars);
        break;
      default:
        reinterpret_cast<TernaryFn>(op.fn)(reg[op.in[0]], reg[op.in[1]], reg[op.in[2]], reg[op.out], n, op.scalars);
    }
  }
  for (const BlockStore& s : g_.stores) {
    if (s.late) std::memcpy(data[*stored] + lo * s.item, reg[s.reg], static_cast<std::size_t>(n * s.item));
    ++stored;
  }
}

// Elements before the first line of the cache in the operand that is read most.
index_t Plan::lead_of(const BlockGroup& g, const std::int32_t* on) const {
  if (g.line < 0) return 0;
  const auto line = static_cast<std::size_t>(g.line);
  const auto past = reinterpret_cast<std::uintptr_t>(data_[static_cast<std::size_t>(on[line])]) % kCacheLine;
  return past ? static_cast<index_t>(kCacheLine - past) / g.loads[line].item : 0;
}

void Plan::run_group(const BlockGroup& g, const std::int32_t* on) {
  if (!g.sums.empty()) return run_summed(g, on);
  const index_t lead = lead_of(g, on);
  Unlocked unlocked(g.numel > kPartElements);
  parallel_for((g.numel + kPartElements - 1) / kPartElements, [&](index_t k) {
    GroupRun run(*this, g, on);
    if (k == 0 && lead > 0) run.block(0, lead);
    const index_t end = std::min(g.numel, (k + 1) * kPartElements + lead);
    for (index_t lo = k * kPartElements + lead; lo < end; lo += g.block) run.block(lo, std::min(g.block, end - lo));
  });
}

// ---- forward functions ------------------------------------------------------------------------------------

Array Plan::array(std::int32_t v, Storage* storage) const {
  const PlanValue& value = values[static_cast<std::size_t>(v)];
  if (value.place == Place::kNumber) return value.number;
  Array a{};
  a.layout = value.layout;
  a.dtype = value.dtype;
  if (value.place == Place::kMeasured) {
    a.flags = kShapeOnly;
    return a;
  }
  a.storage = storage;
  a.u.offset = reinterpret_cast<index_t>(data_[static_cast<std::size_t>(v)]);
  return a;
}

int Plan::run_call(const PlanCall& c) {
  Array few[8], out[kMaxResults] = {}, dest[kMaxResults] = {};
  std::vector<Array> many;
  Array* in = few;
  if (c.nin > 8) {
    many.resize(static_cast<std::size_t>(c.nin));
    in = many.data();
  }
  for (int i = 0; i < c.nin; ++i) {
    std::int32_t v = operands[static_cast<std::size_t>(c.first_in + i)];
    in[i] = v < 0 ? Array{} : array(v, world(false));
    if (!c.own.empty() && c.own[static_cast<std::size_t>(i)]) in[i].layout = c.own[static_cast<std::size_t>(i)];
  }
  int nout = c.op->nout;
  for (int k = 0; k < nout; ++k)
    if (values[static_cast<std::size_t>(c.out + k)].layout) {
      dest[k] = array(c.out + k, world(true));
      if (!c.own.empty()) dest[k].layout = c.own[static_cast<std::size_t>(c.nin + k)];
    }
  OpCall call{c.op, in, c.nin, c.attr, out, nout};
  call.dest = dest;
  call.all_dests = true;
  int status = run_forward(call);
  for (int k = 0; k < nout; ++k) {
    if (!out[k].defined()) continue;
    // An op that hands an operand on, or makes memory of its own.
    if (status >= 0 && dest[k].defined() && out[k].data() != dest[k].data()) {
      Array as = dest[k];
      as.layout = layout_contiguous(out[k].ndim(), out[k].shape());
      if (copy_into(out[k], as) < 0) status = -1;
      layout_decref(as.layout);
    }
    array_unref(out[k]);
  }
  return status;
}

int Plan::run_copy(std::int32_t from, std::int32_t to) {
  if (is_plain_copy(from, to)) {
    std::memmove(data_[static_cast<std::size_t>(to)], data_[static_cast<std::size_t>(from)],
                 static_cast<std::size_t>(values[static_cast<std::size_t>(to)].layout->numel *
                                          itemsize(values[static_cast<std::size_t>(to)].dtype)));
    return 0;
  }
  Array source = array(from, world(false)), target = array(to, world(true));
  return copy_into(source, target);
}

// ---- runs -------------------------------------------------------------------------------------------------

int Plan::run(const Callbacks& with, index_t n, const Feed* feeds, index_t count) {
  with_ = with;
  int status = 0;
  std::optional<HeapShared> shared;
  if (shares_heap_) shared.emplace();
  // A stretch that is all of a run goes on through the runs.
  if (whole_ * static_cast<double>(n) >= kUnlockWork) unlocked_.emplace(true);
  for (done = 0; done < n && status == 0; ++done) {
    for (index_t k = 0; k < count; ++k) bind(feeds[k].slot, feeds[k].data + done * feeds[k].bytes);
    follow_bindings();
    status = run_steps();
    if (status < 0) break;
  }
  unlocked_.reset();
  return status;
}

void Plan::follow_bindings() {
  for (std::int32_t v : outer_) {
    const PlanValue& value = values[static_cast<std::size_t>(v)];
    data_[static_cast<std::size_t>(v)] =
        bound_[static_cast<std::size_t>(values[static_cast<std::size_t>(value.owner)].slot)] + value.delta;
  }
}

int Plan::run_steps() {
  Watch watch(timed ? &seconds : nullptr);
  // Steps are timed one by one.
  auto fork = timed || in_job() || num_threads() == 1 ? forks.end() : forks.begin();
  for (std::size_t k = 0; k < instructions_.size(); ++k) {
    const Instruction& now = instructions_[k];
    if (unlocked_ && now.locked) {
      unlocked_.reset();
    } else if (!unlocked_ && now.worth) {
      unlocked_.emplace(true);
    }
    watch.next();
    reached = static_cast<std::int32_t>(k);
    if (fork != forks.end() && k == static_cast<std::size_t>(fork->begin)) {
      if (!unlocked_) unlocked_.emplace(true);
      if (run_fork(*fork) < 0) return -1;
      k = static_cast<std::size_t>(fork++->end) - 1;
    } else if (run_step(now, &work_) < 0) {
      return -1;
    }
    if (interrupted()) return fail_interrupted();
    if (work_ > kInterruptWork && stopped()) return -1;
  }
  return 0;
}

int Plan::run_step(const Instruction& s, index_t* work) {
  const auto index = static_cast<std::size_t>(s.index);
  switch (s.kind) {
    case Instruction::kPrepared: {
      const Kernel& kernel = kernels_[index];
      const std::int32_t* on = &step_values[static_cast<std::size_t>(s.first)];
      char* in[3];
      for (int i = 0; i < s.nin; ++i) in[i] = on[i] < 0 ? nullptr : data_[static_cast<std::size_t>(on[i])];
      *work += kernel.work;
      kernel.ready->run(in, data_[static_cast<std::size_t>(on[s.nin])]);
      return 0;
    }
    case Instruction::kGroup: {
      const BlockGroup& g = groups[index];
      *work += g.numel * static_cast<index_t>(g.code.size());
      run_group(g, &step_values[static_cast<std::size_t>(s.first)]);
      return 0;
    }
    case Instruction::kScalars:
      run_scalars(scalars[index]);
      *work += static_cast<index_t>(scalars[index].size());
      return 0;
    case Instruction::kForward:
      *work += call_work(calls[index]);
      return run_call(calls[index]);
    case Instruction::kRegion:
      return run_region(calls[index]);
    case Instruction::kCopy:
      return run_copy(steps[index].from, steps[index].to);
    case Instruction::kHost:
      return with_.host(with_.arg, s.index);
  }
  return 0;
}

void Plan::run_scalars(const std::vector<ScalarOp>& code) {
  char* const* data = data_.data();
  for (const ScalarOp& op : code) {
    if (op.nin == 2) {
      reinterpret_cast<BinaryFn>(op.fn)(data[op.in[0]], data[op.in[1]], data[op.out], 1, 0);
    } else if (op.nin == 1) {
      reinterpret_cast<UnaryFn>(op.fn)(data[op.in[0]], data[op.out], 1);
    } else {
      reinterpret_cast<TernaryFn>(op.fn)(data[op.in[0]], data[op.in[1]], data[op.in[2]], data[op.out], 1, 0);
    }
  }
}

// ---- the interpreter lock ---------------------------------------------------------------------------------
//
// Note [The lock]. Groups, scalars, prepared calls and plain copies touch memory and kernels alone; other forward
// functions make and free storages and layouts as well, see Note [Sharing the heap]. Stretches of such steps run
// without the interpreter lock where they take longer than kUnlockWork. Host steps, and copies that change the
// layout of what they write to (it may be a tensor's), take the lock back. Somebody else may hold it for
// milliseconds when it is asked for again, which is why a stretch is as long as it can be.

double Plan::unlocked_work(const PlanStep& s) const {
  auto numel = [&](std::int32_t v) {
    return v < 0 || !values[static_cast<std::size_t>(v)].layout
               ? 0.0
               : static_cast<double>(values[static_cast<std::size_t>(v)].layout->numel);
  };
  if (s.kind == StepKind::kGroup)
    return 50 + 0.1 * static_cast<double>(groups[static_cast<std::size_t>(s.index)].numel) *
                    static_cast<double>(s.calls.size());
  if (s.kind == StepKind::kScalars) return 4 * static_cast<double>(s.calls.size());
  if (s.kind == StepKind::kCopy && is_plain_copy(s.from, s.to)) return 20 + 0.05 * numel(s.to);
  if (s.kind != StepKind::kCall) return -1;
  if (calls[static_cast<std::size_t>(s.index)].region) return region_work(calls[static_cast<std::size_t>(s.index)]);
  const PlanCall& c = calls[static_cast<std::size_t>(s.index)];
  if (!c.ready) {
    double most = numel(c.out);
    for (int i = 0; i < c.nin; ++i)
      most = std::max(most, numel(operands[static_cast<std::size_t>(c.first_in + i)]));
    return 200 + 0.3 * most;
  }
  const double a = numel(operands[static_cast<std::size_t>(c.first_in)]);
  // The products of a matrix product are the root of the product of three sizes.
  const double b = c.nin > 1 ? numel(operands[static_cast<std::size_t>(c.first_in + 1)]) : 0;
  return 50 + (c.nin > 1 ? 0.03 * std::sqrt(a * b * numel(c.out)) : 0.1 * a);
}

index_t Plan::call_work(const PlanCall& c) const {
  const PlanValue& result = values[static_cast<std::size_t>(c.out)];
  return result.layout ? result.layout->numel * 16 : 0;
}

void Plan::make_instructions() {
  constexpr Instruction::Kind kKinds[] = {Instruction::kForward, Instruction::kGroup, Instruction::kScalars,
                                          Instruction::kCopy, Instruction::kHost};
  std::unordered_map<const Prepared*, std::int32_t> known;
  instructions_.reserve(steps.size());
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const PlanStep& s = steps[k];
    Instruction made{kKinds[static_cast<int>(s.kind)], false, false, 0, s.index, s.first};
    if (s.kind == StepKind::kCopy) made.index = static_cast<std::int32_t>(k);
    if (s.kind == StepKind::kCall && calls[static_cast<std::size_t>(s.index)].region) {
      made.kind = Instruction::kRegion;
      for (const PlanPart& part : calls[static_cast<std::size_t>(s.index)].region->parts)
        shares_heap_ = shares_heap_ || part.plan->shares_heap_;
    }
    if (s.kind == StepKind::kCall && calls[static_cast<std::size_t>(s.index)].ready) {
      const PlanCall& c = calls[static_cast<std::size_t>(s.index)];
      auto place = known.emplace(c.ready.get(), static_cast<std::int32_t>(kernels_.size()));
      if (place.second) kernels_.push_back({c.ready.get(), call_work(c)});
      made.kind = Instruction::kPrepared;
      made.nin = static_cast<std::uint8_t>(c.nin);
      made.index = place.first->second;
      made.first = static_cast<std::int32_t>(step_values.size());
      auto in = operands.begin() + c.first_in;
      step_values.insert(step_values.end(), in, in + c.nin);
      step_values.push_back(c.out);
    }
    shares_heap_ = shares_heap_ || made.kind == Instruction::kForward;
    instructions_.push_back(made);
  }
  double stretch = 0;
  whole_ = 0;
  for (std::size_t k = steps.size(); k-- > 0;) {
    const double ns = unlocked_work(steps[k]);
    stretch = ns < 0 ? 0 : stretch + ns;
    whole_ = ns < 0 || whole_ < 0 ? -1 : stretch;
    instructions_[k].locked = ns < 0;
    instructions_[k].worth = stretch >= kUnlockWork;
  }
  own_layouts();
}

bool Plan::is_plain_copy(std::int32_t from, std::int32_t to) const {
  const PlanValue &a = values[static_cast<std::size_t>(from)], &b = values[static_cast<std::size_t>(to)];
  return a.dtype == b.dtype && a.place != Place::kNumber && a.layout->contiguous && b.layout->contiguous &&
         same_shape(a.layout, b.layout);
}

bool Plan::stopped() {
  if (in_job()) {  // other threads may be in this plan; the mark is found where the job ends
    leave_off();
    return false;
  }
  work_ = 0;
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_ < kLook) return false;
  looked_ = now;
  return with_.interrupt(with_.arg) < 0;
}

}  // namespace wg
