// Forks: independent branches of a plan, each too small to be split inside, run side by side on the thread pool.
//
// Note [Forks]. A fork is a stretch of neighbouring steps that falls apart into branches which share nothing but
// what was there before it: the towers of a network, the members of an ensemble, two directions, independent
// losses. A run with several threads makes one job of it, with a branch as a part; one thread goes through the
// steps in their order. Either way each step computes the same bits. Nothing in a fork writes memory of the outside
// that has a value before the run, so that states are what they were when a branch fails. Of several failures the
// one of the earliest step counts, which is the one that a run in order finds.
//
// Which stretches: each step has an estimate of its time. The gain of a stretch is the time of its steps one after
// another, but for those that split themselves, less the time of its longest branch, or of half of everything, less
// a hand-over. The sum of the gains of stretches that do not overlap is made as large as it can be, where stretches
// begin behind a step that several others read: a first step that all branches need would hold them together. A
// step that joins branches (the sum of two towers, where a third one follows) waits for their end, with all that
// need it, or makes one branch of them, whichever gains more.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "parts.h"
#include "plan_parts.h"
#include "wengert/job.h"
#include "wengert/plan_region.h"

namespace wg {

namespace {

// Nanoseconds, about, on one thread.
constexpr double kHandOver = 1e4;           // waking a worker, and waiting for the last branch
constexpr double kLeastGain = 2.5e4;        // for which branches may take memory of their own
constexpr double kLeastShare = 0.125;       // of the stretch's time that is gained
constexpr double kProduct = 0.014;          // a multiply-add of a product
constexpr double kElement = 0.2;            // an element of an elementwise call
constexpr double kSplitProducts = 1e6;      // multiply-adds from which products split themselves
constexpr double kSplitElements = 1 << 16;  // elements from which other calls do
constexpr std::int64_t kSequences = 12;     // of a batch, from which recurrent layers do
constexpr double kBranch = 5e3;          // of branches that are not made one for the sake of a step that needs both
constexpr std::size_t kWide = 16;        // starts that are looked at in full: those behind the most-read steps
constexpr std::size_t kLooks = 1 << 16;  // steps that other starts look at, all together, and each at least kFew
constexpr std::size_t kFew = 64;
constexpr index_t kLook = 1 << 14;  // elements between two looks whether to leave off

bool begins(const char* name, const char* with) { return std::strncmp(name, with, std::strlen(with)) == 0; }

}  // namespace

struct ForkFinder {
  explicit ForkFinder(const Plan& plan) : p(plan) {}

  const Plan& p;
  struct Step {
    double ns = 0;
    bool fits = false, splits = false;
    std::int32_t readers = 0;
  };
  std::vector<Step> steps;
  std::vector<std::int32_t> before, first_before;  // steps that each one waits for
  std::vector<double> best;                        // gain of forks from a step on
  std::vector<std::int32_t> end;                   // of the fork that begins there; 0: none
  std::vector<double> limits;                      // of that fork: see add()
  std::vector<std::int32_t> parent;                // sets of connected steps; kLate: waits for several
  std::vector<double> sum;                         // of their times, at roots
  static constexpr std::int32_t kLate = -1;

  std::vector<PlanFork> find() {
    steps.resize(p.steps.size());
    if (!estimate()) return {};
    connect();
    search();
    std::vector<PlanFork> found;
    for (std::size_t k = 0; k < steps.size();) {
      if (end[k] == 0) {
        ++k;
        continue;
      }
      found.push_back(cut(k, static_cast<std::size_t>(end[k])));
      k = static_cast<std::size_t>(end[k]);
    }
    return found;
  }

  double numel(std::int32_t v) const {
    const Layout* l = v < 0 ? nullptr : p.values[static_cast<std::size_t>(v)].layout;
    return l ? static_cast<double>(l->numel) : 0;
  }

  // False: there is too little to gain anything.
  bool estimate() {
    std::vector<char> kept(p.slots.size(), 0);  // bindings whose memory has a value before a run
    for (const Plan::Write& w : p.writes_)
      if (!w.fresh) kept[static_cast<std::size_t>(p.values[static_cast<std::size_t>(w.target)].slot)] = 1;
    double all = 0;
    for (std::size_t k = 0; k < steps.size(); ++k) {
      const PlanStep& from = p.steps[k];
      Step& s = steps[k];
      estimate_step(from, &s);
      if (!s.fits) continue;
      each_owner(p, from, [&](std::int32_t o, bool writes) {
        const PlanValue& v = p.values[static_cast<std::size_t>(o)];
        if (writes && v.place == Place::kOutside && kept[static_cast<std::size_t>(v.slot)]) s.fits = false;
      });
      if (s.fits && !s.splits) all += s.ns;
    }
    return all / 2 - kHandOver >= kLeastGain;
  }

  void estimate_step(const PlanStep& from, Step* s) const {
    const double calls = static_cast<double>(from.calls.size());
    s->fits = from.kind == StepKind::kGroup || from.kind == StepKind::kScalars;
    if (from.kind == StepKind::kScalars) s->ns = 4 * calls;
    if (from.kind == StepKind::kGroup) {
      const double n = numel(p.calls[static_cast<std::size_t>(from.calls[0])].out);
      s->ns = 50 + kElement * n * calls;
      s->splits = n > kPartElements;
    }
    if (from.kind != StepKind::kCall) return;
    const PlanCall& c = p.calls[static_cast<std::size_t>(from.index)];
    if (c.region) {
      s->ns = p.region_work(c);
      s->fits = s->ns >= 0;
      return;
    }
    s->fits = true;
    double most = numel(c.out);
    for (int i = 0; i < c.nin; ++i) most = std::max(most, numel(operand(c, i)));
    s->ns = (c.ready ? 50 : 200) + kElement * most;
    s->splits = most > kSplitElements;
    if (begins(c.op->name, "recurrent")) {
      estimate_recurrent(c, s);
    } else if (c.nin > 1 && (c.ready || begins(c.op->name, "conv"))) {
      // The multiply-adds of a product are the root of the product of three sizes; of a convolution, they are more.
      const double products = std::sqrt(numel(operand(c, 0)) * numel(operand(c, 1)) * numel(c.out));
      s->ns = 50 + kProduct * products;
      s->splits = products > kSplitProducts;
    }
  }

  // The products of a recurrent layer are rows of the input by two weights. It splits a batch that is large enough.
  void estimate_recurrent(const PlanCall& c, Step* s) const {
    const int x = begins(c.op->name, "recurrent_backward");  // behind the gradient of the result
    const PlanValue& input = p.values[static_cast<std::size_t>(operand(c, x))];
    AttrReader attr(c.attr);
    attr.integer(), attr.boolean();
    int runs;
    const std::int64_t* sizes = attr.list(&runs);
    if (input.layout->ndim != 2 || runs < 2) return;
    const double weights = numel(operand(c, x + 1)) + numel(operand(c, x + 2));
    s->ns = 2 * (1 + x) * kProduct * static_cast<double>(input.layout->shape()[0]) * weights;
    s->splits = sizes[1] > kSequences;
  }

  std::int32_t operand(const PlanCall& c, int i) const {
    return p.operands[static_cast<std::size_t>(c.first_in + i)];
  }

  // A step waits for the latest one that has written what it touches. Values are written once, but for sums of
  // products (Note [Products that add]), which nobody reads in between.
  void connect() {
    std::vector<std::int32_t> writer(p.values.size(), -1), known(steps.size(), -1);
    for (std::size_t k = 0; k < steps.size(); ++k) {
      const auto here = static_cast<std::int32_t>(k);
      first_before.push_back(static_cast<std::int32_t>(before.size()));
      each_owner(p, p.steps[k], [&](std::int32_t o, bool writes) {
        std::int32_t& latest = writer[static_cast<std::size_t>(o)];
        if (latest >= 0 && latest != here && known[static_cast<std::size_t>(latest)] != here) {
          known[static_cast<std::size_t>(latest)] = here;
          before.push_back(latest);
          ++steps[static_cast<std::size_t>(latest)].readers;
        }
        if (writes) latest = here;
      });
    }
    first_before.push_back(static_cast<std::int32_t>(before.size()));
  }

  // ---- sets -----------------------------------------------------------------------------------------------

  std::size_t root(std::size_t k) {
    while (parent[k] != static_cast<std::int32_t>(k)) {
      parent[k] = parent[static_cast<std::size_t>(parent[k])];
      k = static_cast<std::size_t>(parent[k]);
    }
    return k;
  }

  // Adds a step to the sets of a stretch that begins at `begin`: the set's time. 0: it is late, for it waits for
  // what is, or for two sets that both take at least `limit`.
  double add(std::size_t k, std::size_t begin, double limit) {
    const std::int32_t *from = before.data() + first_before[k], *to = before.data() + first_before[k + 1];
    std::size_t large = k;  // a set of that time
    for (const std::int32_t* at = from; at < to; ++at) {
      const auto other = static_cast<std::size_t>(*at);
      if (other < begin) continue;
      bool late = parent[other] == kLate;
      if (!late && sum[root(other)] >= limit) {
        late = large != k && large != root(other);
        large = root(other);
      }
      if (!late) continue;
      parent[k] = kLate;
      return 0;
    }
    parent[k] = static_cast<std::int32_t>(k);
    sum[k] = steps[k].ns;
    for (const std::int32_t* at = from; at < to; ++at) {
      if (static_cast<std::size_t>(*at) < begin) continue;
      const std::size_t set = root(static_cast<std::size_t>(*at)), own = root(k);
      if (set == own) continue;
      parent[own] = static_cast<std::int32_t>(set);
      sum[set] += sum[own];
    }
    return sum[root(k)];
  }

  // ---- stretches ------------------------------------------------------------------------------------------

  void search() {
    const std::size_t n = steps.size();
    best.assign(n + 1, 0);
    end.assign(n, 0);
    limits.assign(n, 0);
    parent.assign(n, 0);
    sum.assign(n, 0);
    std::vector<std::int32_t> starts;
    for (std::size_t k = 1; k < n; ++k)
      if (steps[k].fits && steps[k - 1].fits && steps[k - 1].readers > 1)
        starts.push_back(static_cast<std::int32_t>(k));
    std::vector<std::int32_t> most = starts;
    std::stable_sort(most.begin(), most.end(), [this](std::int32_t a, std::int32_t b) {
      return steps[static_cast<std::size_t>(a) - 1].readers > steps[static_cast<std::size_t>(b) - 1].readers;
    });
    std::vector<std::size_t> reach(n, 0);  // steps that a start looks at; 0: it is none
    for (std::int32_t k : starts) reach[static_cast<std::size_t>(k)] = kFew + kLooks / starts.size();
    for (std::size_t k = 0; k < std::min(kWide, most.size()); ++k) reach[static_cast<std::size_t>(most[k])] = n;
    for (std::size_t k = 0; k < n; ++k)
      if (steps[k].fits && (k == 0 || !steps[k - 1].fits)) reach[k] = n;
    for (std::size_t k = n; k-- > 0;) {
      best[k] = best[k + 1];
      if (!reach[k]) continue;
      for (double limit : {kBranch, std::numeric_limits<double>::infinity()})
        look(k, std::min(n, k + reach[k]), limit);
    }
  }

  // Stretches from `begin` on that end before `stop`.
  void look(std::size_t begin, std::size_t stop, double limit) {
    double all = 0, whole = 0, longest = 0;  // time of branches, of those that do not split, of the longest branch
    for (std::size_t k = begin; k < stop && steps[k].fits; ++k) {
      const double set = add(k, begin, limit);
      if (parent[k] == kLate) continue;
      all += steps[k].ns;
      if (!steps[k].splits) whole += steps[k].ns;
      longest = std::max(longest, set);
      const double gain = whole - std::max(longest, all / 2) - kHandOver;
      if (gain < kLeastGain || gain < kLeastShare * all || gain + best[k + 1] <= best[begin]) continue;
      best[begin] = gain + best[k + 1];
      end[begin] = static_cast<std::int32_t>(k + 1);
      limits[begin] = limit;
    }
  }

  // The branches of a stretch, the longest first; more of them than a fork has go together.
  PlanFork cut(std::size_t begin, std::size_t stop) {
    PlanFork fork{static_cast<std::int32_t>(begin), static_cast<std::int32_t>(stop), {}, {}};
    std::vector<std::size_t> sets;
    for (std::size_t k = begin; k < stop; ++k) add(k, begin, limits[begin]);
    for (std::size_t k = begin; k < stop; ++k) {
      if (parent[k] == kLate)
        fork.after.push_back(static_cast<std::int32_t>(k));
      else if (root(k) == k)
        sets.push_back(k);
    }
    std::stable_sort(sets.begin(), sets.end(), [this](std::size_t a, std::size_t b) { return sum[a] > sum[b]; });
    std::vector<double> load(std::min<std::size_t>(sets.size(), kMostBranches), 0);
    std::vector<std::size_t> branch(stop - begin);  // of each set, at its root
    for (std::size_t set : sets) {
      const auto least = static_cast<std::size_t>(std::min_element(load.begin(), load.end()) - load.begin());
      branch[set - begin] = least;
      load[least] += sum[set];
    }
    std::vector<std::size_t> order(load.size()), place(load.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return load[a] > load[b]; });
    for (std::size_t k = 0; k < order.size(); ++k) place[order[k]] = k;
    fork.branches.resize(load.size());
    for (std::size_t k = begin; k < stop; ++k)
      if (parent[k] != kLate) fork.branches[place[branch[root(k) - begin]]].push_back(static_cast<std::int32_t>(k));
    return fork;
  }
};

std::vector<PlanFork> find_forks(const Plan& plan) { return ForkFinder(plan).find(); }

// Forward functions count references of the layouts that they are given, which values share: those that run side by
// side get copies.
void Plan::own_layouts() {
  for (const PlanFork& fork : forks) {
    for (std::int32_t k = fork.begin; k < fork.end; ++k) {
      if (instructions_[static_cast<std::size_t>(k)].kind != Instruction::kForward) continue;
      PlanCall& c = calls[static_cast<std::size_t>(steps[static_cast<std::size_t>(k)].index)];
      for (int i = 0; i < c.nin + c.op->nout; ++i) {
        const std::int32_t v = i < c.nin ? operands[static_cast<std::size_t>(c.first_in + i)] : c.out + i - c.nin;
        const PlanValue* value = v < 0 ? nullptr : &values[static_cast<std::size_t>(v)];
        const Layout* l = value && value->place != Place::kNumber ? value->layout : nullptr;
        c.own.push_back(l ? layout_strided(l->ndim, l->shape(), l->strides()) : nullptr);
      }
    }
  }
}

int Plan::run_fork(const PlanFork& f) {
  const bool failed = run_branches(f) < 0;
  const std::int32_t end = failed ? reached : f.end;
  std::optional<Error> error;
  if (failed) error = last_error();
  for (std::int32_t k : f.after) {
    if (k > end) break;
    if (interrupted()) return 0;
    reached = k;
    if (run_step(instructions_[static_cast<std::size_t>(k)], &work_) < 0) return -1;
  }
  work_ = kInterruptWork + 1;  // a look at the clock is due
  if (!failed) return 0;
  reached = end;
  last_error() = *error;
  return -1;
}

int Plan::run_branches(const PlanFork& f) {
  struct Failure {
    std::int32_t step = -1;
    Error error;
  } failures[kMostBranches];
  parallel_for(static_cast<index_t>(f.branches.size()), [&](index_t b) {
    index_t work = 0;
    for (std::int32_t k : f.branches[static_cast<std::size_t>(b)]) {
      if (run_step(instructions_[static_cast<std::size_t>(k)], &work) < 0) {
        Failure& failure = failures[b];
        failure.step = k;
        failure.error = last_error();
        if (failure.error.kind == kInterrupted) mark_left_off();
        return;
      }
      work += kLook / 16;  // short steps count as well
      if (work < kLook) continue;
      work = 0;
      if (leave_off()) return;
    }
  });
  if (interrupted()) return 0;
  const Failure* first = nullptr;
  for (const Failure& failure : failures)
    if (failure.step >= 0 && (!first || failure.step < first->step)) first = &failure;
  if (!first) return 0;
  reached = first->step;
  last_error() = first->error;
  return -1;
}

}  // namespace wg
