#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "pip/cache/cache.h"
#include "pip/client.h"
#include "pip/host_walk.h"
#include "pip/packing.h"
#include "tools/keeper_upstream.h"

namespace osp::keeper {

class TreeLocks;
class TreeWatches;

// A server of the environment, and the one session with it.
struct Tree {
  std::string url;
  uint32_t number = 0;
  std::unique_ptr<pip::Channel> channel;
  ns::MemServer* memory = nullptr;  // of #m: the channel's
  pip::Cache* cache = nullptr;      // the channel, where it is one
  pip::FidPool fids;
  std::atomic<uint64_t>* changes = nullptr;  // in the environment's page
  std::map<uint64_t, pip::HostFd> fifos;     // by the file's id: what stands for it here
  std::shared_ptr<TreeLocks> locks;          // null: nobody else can lock anything there
  std::shared_ptr<TreeWatches> watches;

  std::function<void()> on_change = [] {};

  void changed() const {
    if (changes != nullptr) changes->fetch_add(1, std::memory_order_release);
    on_change();
  }
};

// An open file of the session. Processes that inherited it share it; the last one closes it.
class Fid {
 public:
  explicit Fid(Tree& of) : tree(of), number(of.fids.take()) {}
  Fid(const Fid&) = delete;
  Fid& operator=(const Fid&) = delete;
  ~Fid() {
    if (is_open)
      if (const auto tag = tree.channel->submit({pip::Tclunk{.fid = number}}, 0)) tree.channel->forget(*tag);
    tree.fids.give_back(number);
  }

  Tree& tree;
  const uint32_t number;
  bool is_open = false;  // at the server
  bool is_regular = false;
  bool can_write = false;
  uint64_t id = 0;         // the file's; 0: the server has not said so yet
  uint64_t opened_at = 0;  // PageCache::made() then: of an unknown file, pages from before are another's
};
using FidPtr = std::shared_ptr<Fid>;

// Lets go of a fid; if nobody else has it, it is closed when this returns. In a job.
inline void close(FidPtr fid) {
  if (fid == nullptr || fid.use_count() > 1 || !std::exchange(fid->is_open, false)) return;
  (void)fid->tree.channel->exchange({pip::Tclunk{.fid = fid->number}});
}

// The first error of an answer to `count` messages, if there is one.
inline Result<void> check_answer(const pip::Answer& answer, size_t count) {
  for (const pip::Message& reply : answer.replies)
    if (const auto error = pip::error_of(reply)) return fail(error->code);
  return answer.replies.size() == count ? Result<void>{} : fail(EPROTO);
}

// As they are now: what it is asked for, and what reply `index` then says. EPROTO: it is none.
inline pip::Tread ask_attributes(const Fid& fid) {
  return {.fid = fid.number, .offset = 0, .count = 4096, .attrs = "stat"};
}
inline Result<pip::Attributes> attributes_in(const pip::Answer& answer, size_t index) {
  const auto* const read = index < answer.replies.size() ? std::get_if<pip::Rread>(&answer.replies[index]) : nullptr;
  return read != nullptr ? pip::unpack_attributes(read->dat) : fail(EPROTO);
}

}  // namespace osp::keeper
