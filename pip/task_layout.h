#pragma once

#include <cstdint>

#include "pip/message.h"

// πp between tasks of the microkernel (libosp/host/native.h): frames lie in a segment that client and server share, and
// messages say where. A frame is the body of a group, without its length; both sides speak with all options from the
// start, and the connection is the session. A task has one connection to a server; one begun anew takes the place of
// the former, whose fids are closed and whose requests are forgotten.
namespace osp::pip::task {

// words[0] of a message to a server.
enum class Say : uint64_t {
  segment = 1,  // begins a connection. handle: the segment; words[1]: its size, whole pages, at most most_segment
  answers = 2,  // handle: the queue that answers go to; the first is an Answer of kind `welcome`
  frame = 3,    // a group. words: offset, size, and the offset and size of the room for its answer
  end = 4,      // ends the connection
};

// words[0] of a message to a client.
enum class Answer : uint64_t {
  welcome = 1,  // words[1]: 0, or the errno for which there is no connection
  frame = 2,    // words: the offset of the room, as it was asked, and the size of the answer; 0: the frame was none
};

// The answer must not overlap the request: the server writes it while it reads that.
inline constexpr uint64_t most_segment = 16 << 20;
inline constexpr uint16_t most_messages = 16;  // of a group
inline constexpr uint32_t least_room = 256;    // for an answer
inline constexpr uint32_t most_frame = default_msize;

}  // namespace osp::pip::task
