// What the files of the planner share.
#pragma once
#include "wengert/plan.h"

namespace wg {

// Brings groups and runs of scalars into the form that runs, when every value has its place. `call_step` names the
// step of each call.
void prepare_steps(Plan& plan, const std::vector<std::int32_t>& call_step);

constexpr index_t kInterruptWork = 1 << 20;  // elements between two looks at the clock

// Stretches of steps whose independent branches are worth running side by side; steps have their calls, prepared.
std::vector<PlanFork> find_forks(const Plan& plan);

// body(value, whether it is written) for every value that owns memory which a step touches; some come several
// times. Scratch memory, which belongs to one step, is left out.
template <class Body>
void each_owner(const Plan& p, const PlanStep& s, Body body) {
  auto of_call = [&](std::int32_t number) {
    const PlanCall& c = p.calls[static_cast<std::size_t>(number)];
    for (int i = 0; i < c.nin; ++i) {
      const std::int32_t v = p.operands[static_cast<std::size_t>(c.first_in + i)];
      if (v >= 0) body(p.values[static_cast<std::size_t>(v)].owner, false);
    }
    for (int r = 0; r < c.op->nout; ++r) body(p.values[static_cast<std::size_t>(c.out + r)].owner, true);
  };
  if (s.kind == StepKind::kCall) of_call(s.index);
  for (std::int32_t c : s.calls) of_call(c);
  for (std::int32_t v : {s.from, s.to})
    if (v >= 0) body(p.values[static_cast<std::size_t>(v)].owner, v == s.to);
}

// Joins neighbouring instructions into strip programs. kept[r] is set where register r has to be in memory, though
// nothing but instructions reads it; registers that only a strip's accumulator holds are cleared.
void form_strips(BlockGroup* g, std::vector<char>* kept);

// Sums inside of groups: whether blocks follow the shape without being cut too short, and how many sums of pieces
// there are; 0: each piece is a result.
bool adds_in_blocks(const SumShape& s);
index_t sum_parts(const SumShape& s);

// One thread's passage through a group: registers, and blocks of elements one after another.
class GroupRun {
 public:
  // `on`: the values of the step.
  GroupRun(const Plan& plan, const BlockGroup& g, const std::int32_t* on);
  // Elements lo ... lo + n, n <= BlockGroup::block.
  void block(index_t lo, index_t n);
  char* at(std::int16_t reg) const { return reg_[reg]; }

 private:
  const Plan& p_;
  const BlockGroup& g_;
  const std::int32_t* on_;
  char* few_[96];
  std::vector<char*> many_;
  char** reg_ = few_;
  char* pool_;
};

}  // namespace wg
