// What the files of the planner share.
#pragma once
#include "wengert/plan.h"

namespace wg {

// Brings groups and runs of scalars into the form that runs, when every value has its place. `call_step` names the
// step of each call.
void prepare_steps(Plan& plan, const std::vector<std::int32_t>& call_step);

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
