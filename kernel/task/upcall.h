#pragma once

#include <cstdint>

#include "kernel/cpu/frame.h"
#include "libosp/host/native.h"

namespace osp::kernel {

// Registers of a program with which the current thread shall go on.
void go_on_with(TrapFrame& frame, const native::Frame& registers);

// Sends the current thread to its upcall handler, which gets the registers of `frame`. False: it takes none now, or its
// stack cannot be written.
[[nodiscard]] bool raise_upcall(TrapFrame& frame, native::Event event, uint64_t address);

// upcall_return: the thread takes upcalls again.
void leave_handler();

// An exception in ring 3: an upcall, or the end of the task with a report. `why`: minus the errno that says why a page
// cannot be there (Map::fault).
void handle_program_fault(TrapFrame& frame, uint64_t address, long why);

}  // namespace osp::kernel

// Does what Thread::attention asks for before the current thread goes back to ring 3.
extern "C" void osp_attend(osp::kernel::TrapFrame* frame);
