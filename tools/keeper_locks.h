#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "pip/cache/lease_channel.h"
#include "tools/keeper_pages.h"

namespace osp::keeper {

// The locks that an environment's session has at one server (docs/pip.md, "Locks"). Its processes lock the memfd of the
// file's pages among themselves, after they have asked here; what is locked there is in use, and all else that the
// session has is given back when somebody wants it, or is not used for a while.
class TreeLocks final : public pip::LockHolder {
 public:
  // What it needs of the keeper.
  struct Environment {
    std::function<void(std::function<void()>)> start_job;
    std::function<bool()> is_locking;         // whether a process was answered and may not have locked yet
    std::function<void()> finish;             // in a job: what processes have done up to now is done at the server
    std::function<bool()> is_lost;            // the session
    std::atomic<uint32_t>* wanted = nullptr;  // how many files' unlocking is to be told
  };

  // All are the caller's and must live longer.
  TreeLocks(Tree& tree, pip::LeaseChannel& server, PageCache& pages, Environment environment);

  // In a job. Waits for no lock, but until it is known whether it is in use. The caller answers its process before it
  // gives way.
  Result<pip::LockAnswer> lock(const FidPtr& by, pip::LockKind kind, const pip::LockRange& wanted);
  // Some process may have unlocked something, or ended.
  void look();
  // In a job: what is wanted and no more in use is given back by the time this returns, unless that takes very long.
  void settle();
  // Now and then.
  void tick();

  void asked(uint32_t fid, pip::LockKind kind) override;
  void may_retry(uint32_t fid, pip::LockKind kind) override;

 private:
  // Of one file, in one kind.
  struct Held {
    pip::RangeLocks locks;
    bool is_asked = false;      // the server waits for what is in use
    bool is_exact = false;      // what is no more in use is given back at once
    bool is_giving = false;     // a job does that
    bool again = false;         // and once more
    unsigned under_way = 0;     // Tlocks
    unsigned retries = 0;       // that the server has told of
    pip::RangeLocks touched{};  // granted to processes since the last round of giving back began
    int64_t used_ms = 0;
    WaitList changed;
  };
  struct File {
    FidPtr fid;  // by which it is locked
    PageFilePtr pages;
    std::array<Held, pip::lock_kinds> kinds{};
  };
  using FilePtr = std::shared_ptr<File>;

  Result<FilePtr> open(const FidPtr& by);
  struct Told {
    uint8_t state = 0;  // Rlock's
    pip::LockRange range{};
    bool is_old = false;  // the server has said since that one may try again
  };
  Result<Told> ask(const FilePtr& file, const FidPtr& by, pip::LockKind kind, const pip::LockRange& wanted);
  Result<void> take_pages(const FilePtr& file, const FidPtr& by, const pip::Answer& answer);
  Result<pip::LockAnswer> get(const FilePtr& file, const FidPtr& by, pip::LockKind kind, const pip::LockRange& wanted);
  FilePtr find(uint32_t fid) const;
  void give_back(const FilePtr& file, pip::LockKind kind);
  bool give_back_now(const FilePtr& file, pip::LockKind kind);
  void keep(const FilePtr& file, pip::LockKind kind, pip::RangeLocks left);
  void send(const FilePtr& file, pip::LockKind kind, const std::vector<pip::LockRange>& ranges);
  static bool is_wanted(const Held& held) { return held.is_asked || (held.is_exact && !held.locks.is_empty()); }
  static bool has_unused(const File& file, pip::LockKind kind);
  void count_wanted();
  [[nodiscard]] bool is_idle(const FilePtr& file) const;

  Tree& tree_;
  pip::LeaseChannel& server_;
  PageCache& pages_;
  Environment environment_;
  std::map<uint64_t, FilePtr> files_;  // by the file's id
  uint32_t counted_ = 0;               // of *wanted
  unsigned ticks_ = 0;
};

// What others than this fd have locked of the file, as the host says. No process may be about to lock meanwhile, since
// flock(2) has to be tried.
Result<pip::RangeLocks> locks_in_use(int fd, pip::LockKind kind);

}  // namespace osp::keeper
