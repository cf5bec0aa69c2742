#pragma once

#include "pip/channel.h"

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

// A channel to a server that may give leases.
class LeaseChannel : public Channel {
 public:
  // Whether what is leased still is: the server has heard from us lately enough.
  [[nodiscard]] virtual bool leases_hold() const = 0;
  // Changes when all leases are lost. 0: the server gives none.
  [[nodiscard]] virtual uint64_t lease_epoch() const = 0;
  // Told to the server after the group `after` and all before it are sent.
  virtual void returned(uint64_t lease, uint64_t after) = 0;
  // Whether the server was heard just now, so that what is sent will very likely be there while leases hold.
  [[nodiscard]] virtual bool is_well() const = 0;
  // How many groups may be unanswered.
  [[nodiscard]] virtual size_t window() const = 0;
  // Whether wait() for it would return at once.
  [[nodiscard]] virtual bool is_answered(uint64_t tag) const = 0;
  // The holder is the caller's. Null: none.
  void set_holder(LeaseHolder* holder) { holder_ = holder; }

 protected:
  [[nodiscard]] LeaseHolder* holder() const { return holder_; }

 private:
  LeaseHolder* holder_ = nullptr;
};

}  // namespace osp::pip
