#pragma once

#include "libosp/device/byte_ring.h"
#include "libosp/task/process.h"
#include "libosp/task/wait_queue.h"
#include "pip/server.h"

// What the objects of this folder have in common.
namespace osp::device {

// What stat(2) says of an object made now; each has an identity of its own.
pip::Attributes attributes_of_new(uint32_t mode, uint64_t device = 0);

// From the program's memory into the ring and back, at most `size` bytes and what fits: how many, or -EFAULT when none
// could be had. take_user leaves what it copied in the ring if `keep`.
long put_user(ByteRing& ring, const void* from, size_t size);
long take_user(ByteRing& ring, void* to, size_t size, bool keep = false);

// Parks the caller until the queue is notified. 0: look again; restart_sys: a signal.
long await(task::Thread& thread, task::WaitQueue& queue);

// SIGPIPE to the writer; -EPIPE.
long broken_pipe(task::Thread& thread);

}  // namespace osp::device
