#include "libosp/device/epoll.h"

#include <algorithm>

namespace osp::device {
namespace {

constexpr uint32_t always = EPOLLERR | EPOLLHUP;
constexpr uint32_t how = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP;
constexpr uint32_t with_exclusive = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

uint32_t events_of(const file::Description& file) {
  const auto ready = static_cast<uint16_t>(file.ready());
  uint32_t events = ready;  // the numbers are poll(2)'s
  if ((ready & POLLIN) != 0) events |= EPOLLRDNORM;
  if ((ready & POLLOUT) != 0) events |= EPOLLWRNORM | EPOLLWRBAND;
  return events;
}

}  // namespace

// A file as it was added.
class Epoll::Item final : public task::Listener {
 public:
  Item(Epoll& owner, int fd_number, const std::shared_ptr<Description>& of, const epoll_event& wanted)
      : Listener(*of->changes()), fd(fd_number), file(of), owner_(owner) {
    set(wanted);
    if (auto* nested = dynamic_cast<Epoll*>(of.get())) nested->holders_.push_back(&owner_);
  }
  ~Item() override {
    const auto held = file.lock();
    auto* nested = dynamic_cast<Epoll*>(held.get());
    if (nested == nullptr) return;
    const auto found = std::ranges::find(nested->holders_, &owner_);
    if (found != nested->holders_.end()) nested->holders_.erase(found);
  }
  void changed() override { owner_.note(*this); }
  void set(const epoll_event& wanted) {
    event = wanted;
    event.events |= always;
  }

  // After EPOLLONESHOT nothing is told any more, EPOLLERR neither.
  [[nodiscard]] bool is_off() const { return (event.events & ~how) == 0; }
  [[nodiscard]] uint32_t ready() const {
    const auto held = file.lock();
    return held == nullptr || is_off() ? 0 : events_of(*held) & event.events & ~how;
  }

  const int fd;
  const std::weak_ptr<Description> file;
  epoll_event event = {};
  bool is_candidate = false;

 private:
  Epoll& owner_;
};

Epoll::Epoll() {
  flags = O_RDWR;
  attributes_.mode = 0600;
}

Epoll::~Epoll() {
  candidates_.clear();
  items_.clear();
}

void Epoll::note(Item& item) {
  if (item.is_off()) return;
  if (!std::exchange(item.is_candidate, true)) candidates_.push_back(&item);
  changed_.notify();
}

Epoll::Item* Epoll::find(int fd, const Description& file) {
  const auto found = items_.find({fd, &file});
  if (found == items_.end()) return nullptr;
  if (!found->second->file.expired()) return found->second.get();
  std::erase(candidates_, found->second.get());  // of a file that was at the same address
  items_.erase(found);
  return nullptr;
}

void Epoll::drop_expired() {
  std::erase_if(candidates_, [](const Item* item) { return item->file.expired(); });
  std::erase_if(items_, [](const auto& entry) { return entry.second->file.expired(); });
  drop_at_ = std::max<size_t>(64, items_.size() * 2);
}

bool Epoll::leads_to(const Epoll& other) const {
  if (this == &other) return true;
  return std::ranges::any_of(items_, [&](const auto& entry) {
    const auto held = entry.second->file.lock();
    const auto* nested = dynamic_cast<const Epoll*>(held.get());
    return nested != nullptr && nested->leads_to(other);
  });
}

int Epoll::levels_below() const {
  int most = 0;
  for (const auto& [key, item] : items_) {
    const auto held = item->file.lock();
    if (const auto* nested = dynamic_cast<const Epoll*>(held.get())) most = std::max(most, nested->levels_below());
  }
  return most + 1;
}

int Epoll::levels_above() const {
  int most = 0;
  for (const Epoll* holder : holders_) most = std::max(most, holder->levels_above());
  return most + 1;
}

long Epoll::add(int fd, const std::shared_ptr<Description>& file, const epoll_event& event) {
  if (file.get() == this) return -EINVAL;
  if (file->changes() == nullptr || file->is_name_only()) return -EPERM;
  const auto* nested = dynamic_cast<const Epoll*>(file.get());
  if ((event.events & EPOLLEXCLUSIVE) != 0 && (nested != nullptr || (event.events & ~with_exclusive) != 0))
    return -EINVAL;
  if (nested != nullptr && (nested->leads_to(*this) || nested->levels_below() + levels_above() > most_nested))
    return -ELOOP;
  if (find(fd, *file) != nullptr) return -EEXIST;
  if (items_.size() >= drop_at_) drop_expired();
  auto item = std::make_unique<Item>(*this, fd, file, event);
  Item& added = *item;
  items_.emplace(Key(fd, file.get()), std::move(item));
  if (added.ready() != 0) note(added);
  return 0;
}

long Epoll::change(int fd, const Description& file, const epoll_event& event) {
  Item* item = find(fd, file);
  if (item == nullptr) return -ENOENT;
  if (((event.events | item->event.events) & EPOLLEXCLUSIVE) != 0) return -EINVAL;
  item->set(event);
  if (item->ready() != 0) note(*item);
  return 0;
}

long Epoll::remove(int fd, const Description& file) {
  Item* item = find(fd, file);
  if (item == nullptr) return -ENOENT;
  std::erase(candidates_, item);
  items_.erase({fd, &file});
  return 0;
}

// Those that stay ready whatever is told go behind the others.
size_t Epoll::take(std::span<epoll_event> events) {
  size_t told = 0;
  for (size_t left = candidates_.size(); left > 0 && told < events.size(); --left) {
    Item& item = *candidates_.front();
    candidates_.pop_front();
    item.is_candidate = false;
    const uint32_t ready = item.ready();
    if (ready == 0) continue;
    events[told] = item.event;
    events[told++].events = ready;
    if ((item.event.events & EPOLLONESHOT) != 0) {
      item.event.events &= how;
    } else if ((item.event.events & EPOLLET) == 0) {
      item.is_candidate = true;
      candidates_.push_back(&item);
    }
  }
  return told;
}

short Epoll::ready() const {
  return std::ranges::any_of(candidates_, [](const Item* item) { return item->ready() != 0; }) ? POLLIN : short{0};
}

}  // namespace osp::device
