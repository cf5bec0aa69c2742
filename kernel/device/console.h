#pragma once

#include <cstddef>

#include "kernel/library/text.h"

// QEMU's debug consoles: 0xe9 takes the kernel's log and what tasks write to fd 1 and 2.
namespace osp::kernel {

// Writes all of it, not mixed with others'.
void write_console(const char* data, size_t size);

// For a panic: no lock is waited for any more.
void take_console_for_good();

// One line of the log: "osp-kernel: " and the pieces.
template <typename... Pieces>
void log(Pieces... pieces) {
  char buffer[320];
  Text text(buffer, sizeof buffer - 1);
  text << "osp-kernel: ";
  (text << ... << pieces);
  buffer[text.length()] = '\n';
  write_console(buffer, text.length() + 1);
}

}  // namespace osp::kernel
