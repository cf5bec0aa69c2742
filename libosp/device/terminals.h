#pragma once

#include <memory>

#include "libosp/device/terminal.h"

namespace osp::device {

// The terminals that there are, by st_rdev. One that is added stays until it is taken away.
void add_terminal(std::shared_ptr<Terminal> terminal);
void drop_terminal(uint64_t device);
[[nodiscard]] std::shared_ptr<Terminal> find_terminal(uint64_t device);
// What /dev/tty is for the processes of a session; null: it has none.
[[nodiscard]] std::shared_ptr<Terminal> terminal_of_session(int session);
// What /dev/console is.
void set_console(std::shared_ptr<Terminal> terminal);
[[nodiscard]] std::shared_ptr<Terminal> console();

// To be called when a session's leader has ended: its terminal is free, and its files are at their end.
void session_ended(int session);

// open(2) of a terminal: becomes the controlling one of a session leader without one, unless flags have O_NOCTTY. EIO.
Result<std::shared_ptr<file::Description>> open_terminal(task::Thread& thread, std::shared_ptr<Terminal> terminal,
                                                         int flags);

}  // namespace osp::device
