#pragma once

// How often each call was made from the window, by all tasks: asked for by a file debug/count-calls of the boot
// archive, and told in the log at the machine's end. Costs nothing while it is not asked for.
namespace osp::kernel {

// On this processor, from now on.
void count_calls();

// A line "calls NUMBER COUNT" for each that was made, if they were counted; "calls other COUNT" for numbers beyond all
// tables.
void log_call_counts();

}  // namespace osp::kernel
