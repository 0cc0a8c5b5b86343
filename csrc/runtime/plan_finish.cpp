// Finishing plans: grouping elementwise calls, and a place in memory for every value.
#include <algorithm>
#include <climits>
#include <map>
#include <set>

#include "arena.h"
#include "plan_parts.h"
#include "wengert/plan_region.h"

namespace wg {

namespace {

constexpr std::size_t kMaxGroupCalls = 64;  // more registers than a group of these needs leave the cache anyway
constexpr index_t kPacked = 512;  // elements up to which calls share a group that share no operand: for a step less

bool same_layout(const Layout* a, const Layout* b) {
  if (!same_shape(a, b)) return false;
  if (a->contiguous && b->contiguous) return true;
  for (int d = 0; d < a->ndim; ++d)
    if (a->shape()[d] != 1 && a->strides()[d] != b->strides()[d]) return false;
  return true;
}

}  // namespace

struct PlanBuilder {
  PlanBuilder(Plan& plan, bool fused) : p(plan), fuse(fused) {}

  Plan& p;
  bool fuse;
  std::vector<PlanStep> out;
  std::vector<std::int32_t> call_step;  // of each call: its step
  std::vector<std::int32_t> read_step;  // of each value: the latest group that reads it
  std::vector<std::int32_t> call_moment;
  std::vector<char> in_memory;          // of each value: somebody but its own group reads it
  std::vector<std::int32_t> last_read;  // of each owner's memory: the moment
  std::vector<char> read_oddly;         // at that moment, in a way that cannot share a block
  std::vector<char> bound;              // of each value: made where a write wants it
  std::vector<StepKind> kinds;          // of each step before copies are added
  std::vector<char> shared;             // of each owner's memory: several branches of a fork touch it
  struct Branch {
    std::int8_t number = -1;  // of the fork that runs at a moment; -1: none
    bool last = false;        // the fork ends there
  };
  std::vector<Branch> branch_at;  // of each moment, where there are forks
  std::int32_t moments = 0;

  PlanValue& value(std::int32_t v) { return p.values[static_cast<std::size_t>(v)]; }
  std::int32_t operand(const PlanCall& c, int i) const {
    return p.operands[static_cast<std::size_t>(c.first_in + i)];
  }
  PlanCall& call(std::int32_t c) { return p.calls[static_cast<std::size_t>(c)]; }

  // The step whose end a value has to wait for; -1: it is there from the start.
  std::int32_t ready(std::int32_t v) {
    std::int32_t c = value(value(v).owner).call;
    return c < 0 ? -1 : call_step[static_cast<std::size_t>(c)];
  }

  // Whether a call can go into a group, and has something of it: large values that only happen to have its shape
  // would be written to memory there and read again where they are used, and tie together what is independent.
  bool joins(const PlanCall& c, std::int32_t step, const Layout* shape) {
    bool related = shape->numel <= kPacked;
    for (int i = 0; i < c.nin; ++i) {
      std::int32_t v = operand(c, i);
      std::int32_t from = ready(v);
      related =
          related || from == step || (read_step[static_cast<std::size_t>(v)] == step && value(v).layout->numel > 1);
      if (from < step) continue;
      if (from > step || value(v).owner != v || !same_shape(value(v).layout, shape)) return false;
    }
    return related;
  }

  // Whether a call is a sum that the group which makes its operand can add up: that group's step, -1 otherwise, -2
  // with the error set.
  std::int32_t adding_group(PlanCall& c) {
    if (!fuse || c.nin != 1 || !c.op->prepares) return -1;
    const std::int32_t v = operand(c, 0), step = ready(v);
    if (step < 0 || value(v).owner != v || value(c.out).layout->numel == 0) return -1;
    const PlanStep& s = out[static_cast<std::size_t>(step)];
    if (s.kind != StepKind::kGroup || s.calls.size() >= kMaxGroupCalls) return -1;
    if (p.prepare_call(c) < 0) return -2;
    const SumShape* sum = c.ready ? c.ready->sum() : nullptr;
    if (!sum || !adds_in_blocks(*sum) || !SumKernels::find(value(v).dtype)) return -1;
    int sums = 0;
    for (std::int32_t k : s.calls) {
      if (!call(k).summed) continue;
      const SumShape* other = call(k).ready->sum();
      if (++sums == kMaxSums || other->outer != sum->outer || other->n != sum->n || other->inner != sum->inner)
        return -1;
    }
    return step;
  }

  // Elementwise calls of one shape form groups, together with sums of what they make; of one element, runs of
  // scalars.
  int group() {
    std::map<std::vector<index_t>, std::int32_t> latest;  // by shape: the step of the newest group
    std::int32_t scalar_step = -1;
    call_step.assign(p.calls.size(), -1);
    read_step.assign(p.values.size(), -1);
    for (PlanStep& s : p.steps) {
      if (s.kind == StepKind::kCall && call(s.index).dtype < 0) {
        const std::int32_t step = adding_group(call(s.index));
        if (step == -2) return -1;
        if (step >= 0) {
          call(s.index).summed = true;
          out[static_cast<std::size_t>(step)].calls.push_back(s.index);
          call_step[static_cast<std::size_t>(s.index)] = step;
          continue;
        }
      }
      if (s.kind != StepKind::kCall || call(s.index).dtype < 0 || value(call(s.index).out).layout->numel == 0) {
        if (s.kind == StepKind::kCall)
          call_step[static_cast<std::size_t>(s.index)] = static_cast<std::int32_t>(out.size());
        // A host step changes memory of the outside: nothing may move across it.
        if (s.kind == StepKind::kHost || s.kind == StepKind::kFence) {
          latest.clear();
          scalar_step = -1;
        }
        if (s.kind == StepKind::kFence) continue;
        out.push_back(std::move(s));
        continue;
      }
      const PlanCall& c = call(s.index);
      const Layout* shape = value(c.out).layout;
      std::int32_t* place = &scalar_step;
      if (shape->numel != 1) {
        std::vector<index_t> key(shape->shape(), shape->shape() + shape->ndim);
        place = &latest.emplace(std::move(key), -1).first->second;
      }
      bool join = *place >= 0;
      if (join && shape->numel != 1)
        join =
            fuse && joins(c, *place, shape) && out[static_cast<std::size_t>(*place)].calls.size() < kMaxGroupCalls;
      if (join && shape->numel == 1)
        for (int i = 0; i < c.nin; ++i) join = join && ready(operand(c, i)) <= *place;
      if (!join) {
        PlanStep fresh;
        fresh.kind = shape->numel == 1 ? StepKind::kScalars : StepKind::kGroup;
        *place = static_cast<std::int32_t>(out.size());
        out.push_back(fresh);
      }
      out[static_cast<std::size_t>(*place)].calls.push_back(s.index);
      call_step[static_cast<std::size_t>(s.index)] = *place;
      for (int i = 0; i < c.nin; ++i) read_step[static_cast<std::size_t>(operand(c, i))] = *place;
    }
    p.steps = std::move(out);
    return 0;
  }

  // Values that a run must leave somewhere: made there directly where possible, otherwise copied, before the host
  // step that follows or at the end.
  void place_writes() {
    count_moments();
    last_read.assign(p.values.size(), -1);
    read_oddly.assign(p.values.size(), 0);
    bound.assign(p.values.size(), 0);
    std::int32_t last_fallible = -1;
    for (const PlanStep& s : p.steps)
      if (s.kind == StepKind::kCall && fallible(call(s.index))) last_fallible = s.moment;
    std::vector<PlanStep> steps = std::move(p.steps);
    std::size_t next = 0;
    for (PlanStep& s : steps) kinds.push_back(s.kind);
    for (PlanStep& s : steps) {
      if (s.kind == StepKind::kHost) place_segment(&next, s.index, last_fallible);
      note_reads(s);
      p.steps.push_back(std::move(s));
    }
    place_segment(&next, INT_MAX, last_fallible);
    // Copies have moved the steps behind them.
    for (std::size_t k = 0; k < p.steps.size(); ++k) {
      const PlanStep& s = p.steps[k];
      if (s.kind == StepKind::kCall) call_step[static_cast<std::size_t>(s.index)] = static_cast<std::int32_t>(k);
      for (std::int32_t c : s.calls) call_step[static_cast<std::size_t>(c)] = static_cast<std::int32_t>(k);
    }
  }

  // The writes that host step number `host` waits for.
  void place_segment(std::size_t* next, std::int32_t host, std::int32_t last_fallible) {
    std::size_t begin = *next, end = begin;
    while (end < p.writes_.size() && p.writes_[end].host <= host) ++end;
    *next = end;
    std::set<std::int32_t> targets;
    for (std::size_t k = begin; k < end; ++k) {
      const Plan::Write& w = p.writes_[k];
      targets.insert(w.target);
      std::int32_t o = value(w.value).owner;
      if (value(o).place == Place::kOutside) last_read[static_cast<std::size_t>(o)] = INT_MAX;  // by a copy
    }
    std::vector<Plan::Write> copies;
    for (std::size_t k = begin; k < end; ++k) {
      const Plan::Write& w = p.writes_[k];
      if (w.value == w.target) continue;
      PlanValue& v = value(w.value);
      if (is_direct(w, last_fallible)) {
        v.place = Place::kOutside;
        v.slot = value(w.target).slot;
        bound[static_cast<std::size_t>(w.value)] = 1;
      } else {
        copies.push_back(w);
      }
    }
    // Sources that another copy overwrites go through memory of their own.
    for (Plan::Write& w : copies) {
      std::int32_t o = value(w.value).owner;
      if (o == w.target || !targets.count(o)) continue;
      PlanValue held;
      held.layout = layout_contiguous(value(w.value).layout->ndim, value(w.value).layout->shape());
      held.dtype = value(w.value).dtype;
      held.place = Place::kArena;
      held.owner = static_cast<std::int32_t>(p.values.size());
      add_copy(w.value, held.owner);
      p.values.push_back(held);
      w.value = held.owner;
    }
    for (const Plan::Write& w : copies) add_copy(w.value, w.target);
  }

  // Whether the step that makes a value may make it in the memory where it is to be in the end.
  bool is_direct(const Plan::Write& w, std::int32_t last_fallible) {
    const PlanValue& v = value(w.value);
    const PlanValue& t = value(w.target);
    if (v.owner != w.value || v.place != Place::kArena || v.call < 0 || bound[static_cast<std::size_t>(w.value)] ||
        v.dtype != t.dtype || t.owner != w.target || v.layout->numel == 0 || !same_layout(v.layout, t.layout))
      return false;
    const std::int32_t at = call_moment[static_cast<std::size_t>(v.begun < 0 ? v.call : v.begun)];
    // An error must leave states as they were.
    if (!w.fresh && at <= last_fallible) return false;
    std::int32_t read = last_read[static_cast<std::size_t>(w.target)];
    if (read < at) return true;
    return read == at &&
           kinds[static_cast<std::size_t>(call_step[static_cast<std::size_t>(v.call)])] != StepKind::kCall &&
           !read_oddly[static_cast<std::size_t>(w.target)];
  }

  void add_copy(std::int32_t from, std::int32_t to) {
    PlanStep s;
    s.kind = StepKind::kCopy;
    s.from = from;
    s.to = to;
    p.steps.push_back(s);
  }

  // Whether a call may fail on the values of its operands: it takes integers, which may be indices, or has parts
  // that may.
  bool fallible(const PlanCall& c) {
    if (c.region) return true;
    for (int i = 0; i < c.nin; ++i)
      if (operand(c, i) >= 0 && value(operand(c, i)).place != Place::kNumber && is_int(value(operand(c, i)).dtype))
        return true;
    return false;
  }

  void count_moments() {
    moments = 0;
    call_moment.assign(p.calls.size(), -1);
    for (PlanStep& s : p.steps) {
      s.moment = moments;
      if (s.kind == StepKind::kCall) {
        call_moment[static_cast<std::size_t>(s.index)] = moments++;
      } else if (s.kind == StepKind::kGroup) {
        for (std::int32_t c : s.calls) call_moment[static_cast<std::size_t>(c)] = moments;
        ++moments;
      } else if (s.kind == StepKind::kScalars) {
        for (std::int32_t c : s.calls) call_moment[static_cast<std::size_t>(c)] = moments++;
      } else {
        ++moments;
      }
    }
  }

  // Notes when and how a step reads the memory of owners.
  void note_reads(const PlanStep& s) {
    auto note = [&](std::int32_t v, std::int32_t at, bool odd) {
      auto o = static_cast<std::size_t>(value(v).owner);
      if (at > last_read[o]) read_oddly[o] = 0;
      last_read[o] = at;
      if (odd) read_oddly[o] = 1;
    };
    auto of_call = [&](std::int32_t k, const Layout* shape) {
      const PlanCall& c = call(k);
      for (int i = 0; i < c.nin; ++i) {
        std::int32_t v = operand(c, i);
        if (v < 0) continue;
        bool plain =
            shape && value(v).delta == 0 && value(v).layout->contiguous && same_shape(value(v).layout, shape);
        note(v, call_moment[static_cast<std::size_t>(k)], !plain);
      }
    };
    if (s.kind == StepKind::kCall) of_call(s.index, nullptr);
    for (std::int32_t k : s.calls) of_call(k, value(call(k).out).layout);
    for (std::int32_t v : s.reads) note(v, s.moment, true);
  }

  // The moments between which each value needs its memory, and which values live in registers alone.
  void live() {
    count_moments();
    in_memory.assign(p.values.size(), 0);
    auto read = [&](std::int32_t v, std::int32_t at, std::int32_t step) {
      std::int32_t o = value(v).owner;
      PlanValue& owner = value(o);
      owner.last = std::max(owner.last, at);
      if (owner.call < 0 || o != v || call_step[static_cast<std::size_t>(owner.call)] != step)
        in_memory[static_cast<std::size_t>(o)] = 1;
    };
    for (std::size_t k = 0; k < p.steps.size(); ++k) {
      PlanStep& s = p.steps[k];
      auto step = static_cast<std::int32_t>(k);
      auto of_call = [&](std::int32_t number) {
        const PlanCall& c = call(number);
        std::int32_t at = call_moment[static_cast<std::size_t>(number)];
        for (int i = 0; i < c.nin; ++i)
          if (operand(c, i) >= 0) read(operand(c, i), at, step);
        for (int r = 0; r < c.op->nout; ++r) {
          PlanValue& v = value(c.out + r);
          PlanValue& owner = value(v.owner);
          owner.first = owner.first < 0 ? at : std::min(owner.first, at);
          owner.last = std::max(owner.last, at);
          if (s.kind != StepKind::kGroup || v.place == Place::kOutside || c.summed)
            in_memory[static_cast<std::size_t>(c.out + r)] = 1;
        }
      };
      if (s.kind == StepKind::kCall) of_call(s.index);
      for (std::int32_t c : s.calls) of_call(c);
      if (s.kind == StepKind::kCopy) {
        read(s.from, s.moment, -2);
        PlanValue& t = value(s.to);
        if (t.place == Place::kArena && t.first < 0) t.first = t.last = s.moment;
      }
      for (std::int32_t v : s.reads) read(v, s.moment, -2);
    }
    for (std::size_t v = 0; v < p.values.size(); ++v)
      if (p.values[v].owner == static_cast<std::int32_t>(v) && p.values[v].place == Place::kArena &&
          !in_memory[v] && p.values[v].call >= 0)
        p.values[v].place = Place::kRegister;
  }

  // Memory that a step needs while it runs.
  std::int32_t add_scratch(index_t size, int dtype, std::int32_t moment) {
    PlanValue v;
    v.layout = layout_contiguous(1, &size);
    v.dtype = static_cast<std::uint8_t>(dtype);
    v.place = Place::kArena;
    v.owner = static_cast<std::int32_t>(p.values.size());
    v.first = v.last = moment;
    p.values.push_back(v);
    return v.owner;
  }

  // Memory for the sums of pieces, while their group runs, and for the parts of regions.
  void add_parts() {
    for (const PlanStep& s : p.steps) {
      if (s.kind == StepKind::kCall && call(s.index).region) {
        PlanRegion& region = *call(s.index).region;
        region.lay_out(p, call(s.index));
        region.work = add_scratch(region.work_bytes, kBool, s.moment);
      }
      if (s.kind != StepKind::kGroup) continue;
      for (std::int32_t k : s.calls) {
        if (!call(k).summed) continue;
        const index_t size = sum_parts(*call(k).ready->sum());
        if (size == 0) continue;
        call(k).parts = add_scratch(size, value(call(k).out).dtype, s.moment);
      }
    }
  }

  // What several branches of a fork touch keeps its memory to the fork's end; what one of them gives back is free
  // for that one alone until then.
  void keep_for_branches() {
    shared.assign(p.values.size(), 0);
    if (p.forks.empty()) return;
    branch_at.resize(static_cast<std::size_t>(moments));
    std::vector<std::pair<std::int32_t, int>> touched(p.values.size(), {-1, -1});  // latest fork and branch
    for (std::size_t f = 0; f < p.forks.size(); ++f) {
      const PlanFork& fork = p.forks[f];
      const std::int32_t end = moment_of(fork.end);
      for (std::size_t b = 0; b <= fork.branches.size(); ++b) {
        const bool late = b == fork.branches.size();
        const std::pair<std::int32_t, int> here(static_cast<std::int32_t>(f), static_cast<int>(b));
        for (std::int32_t k : late ? fork.after : fork.branches[b]) {
          each_owner(p, p.steps[static_cast<std::size_t>(k)], [&](std::int32_t o, bool) {
            auto& before = touched[static_cast<std::size_t>(o)];
            if (before.first == here.first && before.second != here.second) {
              shared[static_cast<std::size_t>(o)] = 1;
              value(o).last = std::max(value(o).last, end - 1);
            }
            before = here;
          });
          for (std::int32_t t = moment_of(k); t < moment_of(k + 1); ++t)
            branch_at[static_cast<std::size_t>(t)].number = static_cast<std::int8_t>(b);
        }
      }
      branch_at[static_cast<std::size_t>(end - 1)].last = true;
    }
  }

  std::int32_t moment_of(std::int32_t step) const {
    auto k = static_cast<std::size_t>(step);
    return k < p.steps.size() ? p.steps[k].moment : moments;
  }

  static index_t bytes(const PlanValue& v) { return v.layout->numel * itemsize(v.dtype); }
  static bool is_small(const PlanValue& v) { return bytes(v) <= Arena::kSmall; }

  void allocate() {
    Arena arena;
    // Counting sort of births and deaths by moment.
    std::vector<std::int32_t> births_at(static_cast<std::size_t>(moments) + 2, 0), deaths_at(births_at);
    std::vector<std::int32_t> owners;
    for (std::size_t k = 0; k < p.values.size(); ++k) {
      const PlanValue& v = p.values[k];
      if (v.place != Place::kArena || v.owner != static_cast<std::int32_t>(k) || v.first < 0) continue;
      owners.push_back(static_cast<std::int32_t>(k));
      ++births_at[static_cast<std::size_t>(v.first) + 1];
      ++deaths_at[static_cast<std::size_t>(v.last) + 1];
    }
    for (std::size_t t = 1; t < births_at.size(); ++t) {
      births_at[t] += births_at[t - 1];
      deaths_at[t] += deaths_at[t - 1];
    }
    std::vector<std::int32_t> births(owners.size()), deaths(owners.size()), b = births_at, d = deaths_at;
    for (std::int32_t o : owners) {
      births[static_cast<std::size_t>(b[static_cast<std::size_t>(value(o).first)]++)] = o;
      deaths[static_cast<std::size_t>(d[static_cast<std::size_t>(value(o).last)]++)] = o;
    }
    std::vector<char> taken(p.values.size(), 0);  // its memory went over to another value
    FreeList given[kMostBranches + 1];            // by branches of the fork that runs
    for (std::int32_t t = 0; t < moments; ++t) {
      auto at = static_cast<std::size_t>(t);
      const Branch branch = branch_at.empty() ? Branch{} : branch_at[at];
      FreeList* own = branch.number < 0 ? nullptr : &given[branch.number];
      for (std::int32_t k = births_at[at]; k < births_at[at + 1]; ++k) {
        PlanValue& v = value(births[static_cast<std::size_t>(k)]);
        std::int32_t old = reusable(births[static_cast<std::size_t>(k)], taken);
        if (old >= 0) {
          taken[static_cast<std::size_t>(old)] = 1;
          v.offset = value(old).offset;
        } else {
          v.offset = arena.take(bytes(v), own);
        }
      }
      for (std::int32_t k = deaths_at[at]; k < deaths_at[at + 1]; ++k) {
        std::int32_t o = deaths[static_cast<std::size_t>(k)];
        if (taken[static_cast<std::size_t>(o)]) continue;
        arena.give(value(o).offset, bytes(value(o)), own);
      }
      if (!branch.last) continue;
      for (FreeList& list : given) arena.join(&list);
    }
    for (std::int32_t o : owners)
      if (!is_small(value(o))) value(o).offset += arena.small_bytes();
    p.arena_bytes = static_cast<std::size_t>(arena.bytes());
  }

  // A value of the same size that dies in the group that makes v, read there element by element alone; -1: none.
  std::int32_t reusable(std::int32_t number, const std::vector<char>& taken) {
    const PlanValue& v = value(number);
    if (v.call < 0 || is_small(v) || call(v.call).summed) return -1;
    const PlanStep& s = p.steps[static_cast<std::size_t>(call_step[static_cast<std::size_t>(v.call)])];
    if (s.kind != StepKind::kGroup) return -1;
    std::int32_t found = -1;
    for (std::int32_t k : s.calls) {
      const PlanCall& c = call(k);
      for (int i = 0; i < c.nin; ++i) {
        std::int32_t u = operand(c, i), o = value(u).owner;
        const PlanValue& owner = value(o);
        if (owner.place != Place::kArena || owner.last != s.moment || owner.first >= s.moment ||
            taken[static_cast<std::size_t>(o)] || shared[static_cast<std::size_t>(o)])
          continue;
        if (is_small(owner) || Arena::rounded(bytes(owner)) != Arena::rounded(bytes(v)) ||
            itemsize(owner.dtype) != itemsize(v.dtype))
          continue;
        found = o;
      }
      if (found >= 0) break;
    }
    if (found < 0) return -1;
    for (std::int32_t k : s.calls) {
      const PlanCall& c = call(k);
      for (int i = 0; i < c.nin; ++i) {
        std::int32_t u = operand(c, i);
        if (value(u).owner == found &&
            (value(u).delta != 0 || !value(u).layout->contiguous || !same_shape(value(u).layout, v.layout)))
          return -1;
      }
    }
    return found;
  }
};

int Plan::finish(bool fuse, bool inner, bool forking) {
  if (inner)
    for (const PlanValue& v : values)
      if (v.low < 0 || v.high > 0)
        return fail(kRuntimeError,
                    "as_strided: expected a region inside the memory of its operand, got one that goes beyond.");
  if (fuse && join_products() < 0) return -1;
  PlanBuilder b(*this, fuse);
  if (b.group() < 0) return -1;
  b.place_writes();
  b.live();
  b.add_parts();
  if (prepare_calls() < 0) return -1;
  forms_.clear();
  if (forking) forks = find_forks(*this);
  b.keep_for_branches();
  b.allocate();
  prepare_steps(*this, b.call_step);
  bound_.assign(slots.size(), nullptr);
  if (!inner) {
    if (arena_bytes) {
      arena_ = storage_new(arena_bytes);
      if (!arena_) return fail_memory("plan", static_cast<index_t>(arena_bytes));
    }
    place_pointers(arena_ ? arena_->data : nullptr);
  }
  make_instructions();
  return 0;
}

// Pointers that no run changes, and the list of those that each run sets.
void Plan::place_pointers(char* arena) {
  data_.assign(values.size(), nullptr);
  for (std::size_t k = 0; k < values.size(); ++k) {
    const PlanValue& v = values[k];
    const PlanValue& o = values[static_cast<std::size_t>(v.owner)];
    if (o.place == Place::kArena && arena) {
      data_[k] = arena + o.offset + v.delta;
    } else if (o.place == Place::kOutside) {
      outer_.push_back(static_cast<std::int32_t>(k));
    } else if (o.place == Place::kNumber) {
      data_[k] = values[k].number.u.raw;
    }
  }
  for (const PlanStep& s : steps) {
    if (s.kind != StepKind::kCall || !calls[static_cast<std::size_t>(s.index)].region) continue;
    const PlanRegion& region = *calls[static_cast<std::size_t>(s.index)].region;
    for (const PlanPart& part : region.parts)
      part.plan->place_pointers(data_[static_cast<std::size_t>(region.work)]);
  }
}

}  // namespace wg
