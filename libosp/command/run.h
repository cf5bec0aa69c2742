#pragma once

#include "libosp/host/boot.h"
#include "libosp/host/entry_stack.h"

// Door 1: the core was executed itself, as osp-run.
namespace osp::command {

// What osp-run's command line asks for, by what the kernel gave at the entry. Ends the process where that is no
// program: with 0 for --help and --version, with 125 where the line is wrong, a root cannot be had or a variable is
// missing, having said so. What it returns, and all that it borrows, lives as long as the process. May execute
// osp-unpack and wait for it; to be called before the core serves anything.
const host::BootBlock& read_command(const host::EntryStack& entry);

}  // namespace osp::command
