#pragma once

#include <cstdint>

// What the task `echo` does for a message, by its first word; the second is the value.
enum class EchoAsk : uint64_t {
  answer_here = 1,  // the message's queue takes the next answer
  add_one,          // answers value + 1
  write_segment,    // writes the value into the message's segment; answers what was there
  crash,            // ends with a fault
};
