// What the files of the planner share.
#pragma once
#include "wengert/plan.h"

namespace wg {

// Brings groups and runs of scalars into the form that runs, when every value has its place. `call_step` names the
// step of each call.
void prepare_steps(Plan& plan, const std::vector<std::int32_t>& call_step);

}  // namespace wg
