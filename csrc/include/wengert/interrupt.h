// Leaving off inside one long kernel, because the user wants it (Ctrl-C).
//
// Note [Leaving off]. While the calling thread has released the interpreter lock (Unlocked), the thread pool asks
// the binding layer between two parts of a job, at most every kLook, whether to leave off. If so, the rest of this
// job and of all jobs up to the end of the op is skipped, and the thread is marked. Whoever ran the op
// (run_forward, program_run, Plan::run, the checked calls of the core) finds the mark when it returns, drops the
// results and fails with kInterrupted. Forward functions do not know of it, with one rule: what a skipped job would
// have made may not serve as a position in memory; a function that needs it so looks at interrupted() first.
// Sections that may not be left half done are inside RunsWhole.
#pragma once
#include <atomic>

#include "wengert/config.h"

namespace wg {

// Hook of the binding layer: whether to leave off. It takes the interpreter lock itself; null: never.
extern bool (*leave_off_asked)();

// The calling thread has left something off and nobody has said so yet. One load where no thread has.
extern std::atomic<int> threads_interrupted;
bool interrupted_here();
inline bool interrupted() {
  return WG_UNLIKELY(threads_interrupted.load(std::memory_order_relaxed) != 0) && interrupted_here();
}

// Asks, inside a part that takes long by itself; true: leave off now. Only for the thread that called the kernel.
bool leave_off();

// Takes the mark away.
void forget_interrupt();

// Jobs of the calling thread run to their end in this scope.
class RunsWhole {
 public:
  RunsWhole();
  ~RunsWhole();
  RunsWhole(const RunsWhole&) = delete;
  RunsWhole& operator=(const RunsWhole&) = delete;
};

}  // namespace wg
