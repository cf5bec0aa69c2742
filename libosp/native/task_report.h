#pragma once

#include <string>

#include "libosp/native/processes.h"

namespace osp::native {

// The kernel's table of tasks: a line for each, and one for each of its threads.
std::string task_table_text();

// Writes that to the console, and a line for each process of the environment.
void write_tasks(Processes& processes);

}  // namespace osp::native
