#pragma once

#include <sys/epoll.h>

#include <deque>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "libosp/file/files.h"

namespace osp::device {

// epoll(7): files, and which of them may be ready. It listens to their queues, so that a wait looks only at those where
// something changed. It never waits itself.
class Epoll final : public file::Description {
 public:
  static constexpr int most_nested = 5;

  Epoll();
  ~Epoll() override;

  // epoll_ctl(2). A file that is closed everywhere leaves by itself. EEXIST ENOENT EPERM (it cannot be waited for)
  // EINVAL ELOOP.
  long add(int fd, const std::shared_ptr<Description>& file, const epoll_event& event);
  long change(int fd, const Description& file, const epoll_event& event);
  long remove(int fd, const Description& file);

  // What is ready now, in turn: how many. Marks what was told as epoll(7) says (EPOLLET, EPOLLONESHOT).
  size_t take(std::span<epoll_event> events);

  long read(task::Thread&, void*, size_t) override { return -EINVAL; }
  long write(task::Thread&, const void*, size_t) override { return -EINVAL; }
  Result<pip::Attributes> stat() override { return attributes_; }
  [[nodiscard]] short ready() const override;
  task::WaitQueue* changes() override { return &changed_; }

 private:
  class Item;
  using Key = std::pair<int, const Description*>;

  Item* find(int fd, const Description& file);
  void note(Item& item);
  void drop_expired();
  [[nodiscard]] bool leads_to(const Epoll& other) const;
  [[nodiscard]] int levels_below() const;
  [[nodiscard]] int levels_above() const;

  std::map<Key, std::unique_ptr<Item>> items_;
  std::deque<Item*> candidates_;  // something changed with them
  task::WaitQueue changed_;
  std::vector<Epoll*> holders_;  // that have this among their files
  size_t drop_at_ = 64;          // how many items make it worth to look for closed files
  pip::Attributes attributes_;
};

}  // namespace osp::device
