#pragma once

#include "pip/channel.h"
#include "pip/range_locks.h"

namespace osp::pip {

// Hears what happens to leases. Called between calls of the channel, never from within one.
class LeaseHolder {
 public:
  virtual ~LeaseHolder() = default;
  // The server wants it back. Answered, now or later, by LeaseChannel::returned().
  virtual void recalled(uint64_t lease) = 0;
  // The server knows of no lease any more.
  virtual void leases_lost() = 0;
};

// Hears what the server says of locks. Called between calls of the channel, never from within one.
class LockHolder {
 public:
  virtual ~LockHolder() = default;
  // The server asks what of the file's locks is in use. Answered, now or later, by LeaseChannel::keep().
  virtual void asked(uint32_t fid, LockKind kind) = 0;
  // What was refused may be had now.
  virtual void may_retry(uint32_t fid, LockKind kind) = 0;
};

// A channel to a server that may give leases.
class LeaseChannel : public Channel {
 public:
  // Whether what is leased still is: the server has heard from us lately enough.
  [[nodiscard]] virtual bool leases_hold() const = 0;
  // Changes when all leases are lost. 0: the server gives none.
  [[nodiscard]] virtual uint64_t lease_epoch() const = 0;
  // Told to the server after the group `after` and all before it are sent.
  virtual void returned(uint64_t lease, uint64_t after) = 0;
  // What is in use of the locks that the session has by this fid: all else is given back.
  virtual void keep(uint32_t fid, LockKind kind, const RangeLocks& locks) = 0;
  // Whether the server was heard just now, so that what is sent will very likely be there while leases hold.
  [[nodiscard]] virtual bool is_well() const = 0;
  // How many groups may be unanswered.
  [[nodiscard]] virtual size_t window() const = 0;
  // Whether wait() for it would return at once.
  [[nodiscard]] virtual bool is_answered(uint64_t tag) const = 0;
  // The holder is the caller's. Null: none.
  void set_holder(LeaseHolder* holder) { holder_ = holder; }
  void set_lock_holder(LockHolder* holder) { lock_holder_ = holder; }

 protected:
  [[nodiscard]] LeaseHolder* holder() const { return holder_; }
  [[nodiscard]] LockHolder* lock_holder() const { return lock_holder_; }

 private:
  LeaseHolder* holder_ = nullptr;
  LockHolder* lock_holder_ = nullptr;
};

}  // namespace osp::pip
