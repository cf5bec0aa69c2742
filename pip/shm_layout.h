#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pip/message.h"

// The shared memory between a process of an environment and its keeper: a header page and slots, each with a request
// area and a reply area. A slot belongs to the client while it is free or done, and to the keeper while it is asked.
namespace osp::pip::shm {

enum class Kind : uint32_t {
  group = 1,   // the body of a Tgroup; answered by the body of an Rgroup
  attach = 2,  // a URL; answered by the server's number and the iounit, or status and a text
  map = 3,     // fid[4] offset[8] size[8] writable[1]; answered by serial[4] size[8], the fd on the socket if serial
  fork = 4,    // a channel for a child: answered by serial[4]; socket, segment and event come on the socket
  sync = 5,    // writes back what was written through shared mappings
  fifo = 6,    // id[8]; answered by serial[4], the fd on the socket
  save = 7,    // of a memory tree (#m): answered by serial[4]; contents and names come on the socket
  load = 8,    // of an empty memory tree: serial[4] of a notice with contents and names; its files are opened by number
  loaded = 9,  // the end of that
  end = 10,    // the process ends: answered when what it wrote has been sent, and its files are closed
  lock = 11,   // fid[4] kind[1] type[1] first[8] last[8]; answered by granted[4] type[4] first[8] last[8], which is of
               // what is beyond the environment: the caller then locks the memfd, and counts locks_settled
  unlocked = 12,  // something that is locked on a memfd may be so no more: answered when who wants it has been told
  watch = 13,     // a path; answered by one of the host
};

enum class State : uint32_t { free, asked, done };

// Whether the client will not look at a reply, or the keeper has one.
enum class Word : uint32_t { none, abandoned, replied };

struct Slot {
  std::atomic<State> state;
  Kind kind;
  uint32_t server;  // the number that attach gave
  uint32_t request_size;
  uint32_t reply_size;
  int32_t status;          // 0, or an errno
  uint64_t tag;            // grows with each request
  std::atomic<Word> word;  // the last of the two is answerable for what the reply grants
};

inline constexpr uint32_t magic = 0x70ea0002;
inline constexpr size_t slot_count = 8;
inline constexpr uint32_t most_data = 256 * 1024;           // of one Tread or Twrite
inline constexpr size_t area_size = most_data + 16 * 1024;  // bytes of one area; as iounit_of() leaves

struct Header {
  uint32_t magic;
  std::atomic<uint32_t> replies;        // counts; the futex that a client without other threads sleeps on
  std::atomic<uint32_t> sleeping;       // it does
  std::atomic<uint32_t> polling;        // it sleeps on the event instead
  std::atomic<uint32_t> locks_settled;  // granting answers to Kind::lock that the client has acted upon
  Slot slots[slot_count];
};

inline constexpr size_t areas_at = 4096;
static_assert(sizeof(Header) <= areas_at);
inline constexpr size_t segment_size = areas_at + slot_count * 2 * area_size;

inline std::byte* request_area(std::byte* segment, size_t slot) { return segment + areas_at + slot * 2 * area_size; }
inline std::byte* reply_area(std::byte* segment, size_t slot) { return request_area(segment, slot) + area_size; }

// A page that all processes of the environment share; only the keeper writes.
struct Environment {
  static constexpr size_t most_servers = 500;
  std::atomic<uint64_t> changes[most_servers];  // by server: grows with each change that went through the keeper
  std::atomic<uint32_t> locks_wanted;           // not 0: the keeper wants to hear of unlocking
};
inline constexpr size_t environment_size = 4096;
static_assert(sizeof(Environment) <= environment_size);

// What goes over the control socket (SOCK_SEQPACKET), always with fds. Each end numbers its own.
struct Notice {
  uint32_t serial;  // 0: the keeper's first, with segment, doorbell, event and environment
};

}  // namespace osp::pip::shm
