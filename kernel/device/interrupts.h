#pragma once

#include <cstdint>

namespace osp::kernel {

class Semaphore;
class Task;

// Finds the I/O APIC and masks its lines and the old interrupt controllers.
void start_interrupts();

// The line's interrupts up the semaphore (whose reference is taken over). EPERM: not a line for tasks. EBUSY.
[[nodiscard]] long attach_interrupt(Task& task, uint32_t line, Semaphore* semaphore);

// The line may interrupt again. EPERM: it is not the task's.
[[nodiscard]] long finish_interrupt(Task& task, uint32_t line);

// The task's lines are free again.
void forget_interrupts(Task& task);

void handle_line(uint32_t line);

}  // namespace osp::kernel
