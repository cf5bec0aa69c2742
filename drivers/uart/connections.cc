#include "drivers/uart/connections.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "drivers/uart/kernel.h"
#include "pip/task_layout.h"

namespace osp::uart {
namespace {

namespace task = pip::task;

constexpr uintptr_t first_place = uintptr_t{1} << 40;
constexpr uint64_t page = 4096;
constexpr int both_ways = PROT_READ | PROT_WRITE;

native::Message make_answer(task::Answer kind, uint64_t first, uint64_t second) {
  return {{static_cast<uint64_t>(kind), first, second, 0, 0, 0}, native::no_handle, 0, 0};
}

}  // namespace

Connection::Connection(uint32_t segment, uint64_t size, uintptr_t place) : segment_(segment), place_(place) {
  error_ = map(size);
  if (error_ == 0) size_ = size;
}

Connection::~Connection() {
  host::unmap(place_, reach);
  kernel::close(segment_);
  kernel::close(queue_);
}

// The size is the client's word, which the pages must bear out.
long Connection::map(uint64_t size) {
  if (size == 0 || size > task::most_segment || size % page != 0) return EINVAL;
  if (const long result = kernel::call(native::segment_map, segment_, place_, both_ways); result != 0) return -result;
  return host::protect(place_, size, both_ways) == 0 ? 0 : EINVAL;
}

bool Connection::is_inside(uint64_t offset, uint64_t size) const { return offset <= size_ && size <= size_ - offset; }

bool Connection::answer_to(uint32_t queue) {
  kernel::close(queue_);
  queue_ = queue;
  const auto welcome = make_answer(task::Answer::welcome, static_cast<uint64_t>(error_), 0);
  return kernel::send(queue_, welcome) == 0 && error_ == 0;
}

bool Connection::take_frame(const native::Message& message) {
  const auto [offset, size, room_offset, room_size] =
      std::tuple(message.words[1], message.words[2], message.words[3], message.words[4]);
  if (queue_ == native::no_handle || !is_inside(offset, size) || !is_inside(room_offset, room_size)) return false;
  if (size > task::most_frame || room_size > task::most_frame || room_size < task::least_room) return false;
  std::string body(reinterpret_cast<const char*>(place_ + offset), size);
  const uint64_t ticket = ++last_ticket_;
  rooms_[ticket] = {room_offset, room_size};
  if (!session_.begin(std::move(body), static_cast<uint32_t>(room_size), ticket)) answer(ticket, {});
  return true;
}

void Connection::answer(uint64_t ticket, std::string_view body) {
  const Room room = rooms_.at(ticket);
  rooms_.erase(ticket);
  const size_t size = body.size() <= room.size ? body.size() : 0;
  std::memcpy(reinterpret_cast<void*>(place_ + room.offset), body.data(), size);
  if (kernel::send(queue_, make_answer(task::Answer::frame, room.offset, size)) != 0) broken_ = true;
}

bool Connection::advance(const Tree& tree, Round& round) {
  session_.advance(tree, round, [this](uint64_t ticket, std::string_view body) { answer(ticket, body); });
  return !broken_;
}

void Connections::begin(const native::Message& message) {
  all_.erase(message.sender);
  uintptr_t place = first_place;
  const auto is_taken = [&place](const auto& entry) { return entry.second->place() == place; };
  while (std::ranges::any_of(all_, is_taken)) place += Connection::reach;
  if (all_.size() >= most) return kernel::close(message.handle);
  all_[message.sender] = std::make_unique<Connection>(message.handle, message.words[1], place);
}

void Connections::take(const native::Message& message) {
  const auto say = static_cast<task::Say>(message.words[0]);
  if (say == task::Say::segment) return begin(message);
  const auto found = all_.find(message.sender);
  const bool known = found != all_.end();
  if (known && say == task::Say::answers) {
    if (!found->second->answer_to(message.handle)) all_.erase(found);
    return;
  }
  kernel::close(message.handle);
  const bool good = known && say == task::Say::frame && found->second->take_frame(message);
  if (known && !good) all_.erase(found);
}

void Connections::advance(const Tree& tree) {
  Round round;
  std::erase_if(all_, [&](const auto& entry) { return !entry.second->advance(tree, round); });
}

bool Connections::wait_for_the_line() const {
  return std::ranges::any_of(all_, [](const auto& entry) { return entry.second->waits_for_the_line(); });
}

}  // namespace osp::uart
