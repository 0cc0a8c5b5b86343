// For long parts of a job of the thread pool: where they run, and interrupts inside them.
//
// A worker has a mark (Note [Leaving off]) only while it is inside a job: leave_off(), called there, takes over
// that of the thread that called the kernel, and the end of the job takes it away.
#pragma once

namespace wg {

// Whether the calling thread is inside a part of a job.
bool in_job();

// Sets the calling thread's mark, which somebody has taken away who only saw one part of the work.
void mark_left_off();

}  // namespace wg
