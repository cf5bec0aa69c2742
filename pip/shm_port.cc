#include "pip/shm_port.h"

#include <cstring>

namespace osp::pip {

using shm::slot_count;

size_t ShmPort::find(uint64_t tag) const {
  size_t slot = 0;
  while (slot < slot_count && asked_[slot].tag != tag) ++slot;
  return slot;
}

bool ShmPort::is_done(size_t slot) {
  return header().slots[slot].state.load(std::memory_order_acquire) == shm::State::done;
}

// The reply of a slot that is done, which is free then.
ShmReply ShmPort::take(size_t slot) {
  shm::Slot& s = header().slots[slot];
  ShmReply reply{.status = s.status};
  if (s.reply_size <= shm::area_size && !asked_[slot].forgotten)
    reply.bytes.assign(reinterpret_cast<const char*>(shm::reply_area(segment_, slot)), s.reply_size);
  s.state.store(shm::State::free, std::memory_order_relaxed);
  asked_[slot] = {};
  return reply;
}

// Empties the slots that are done. False: none was.
bool ShmPort::collect() {
  bool any = false;
  for (size_t slot = 0; slot < slot_count; ++slot) {
    if (asked_[slot].tag == 0 || !is_done(slot)) continue;
    const Asked asked = asked_[slot];
    ShmReply reply = take(slot);
    if (!asked.forgotten) replies_[asked.tag] = std::move(reply);
    any = true;
  }
  return any;
}

Result<size_t> ShmPort::free_slot() {
  while (true) {
    const uint32_t seen = header().replies.load(std::memory_order_acquire);
    if (const size_t slot = find(0); slot < slot_count) return slot;
    if (!collect()) OSP_TRY(link_.wait(header(), seen));
  }
}

Result<uint64_t> ShmPort::submit(shm::Kind kind, uint32_t server, std::string_view request) {
  if (request.size() > shm::area_size) return fail(EMSGSIZE);
  OSP_ASSIGN(const size_t slot, free_slot());
  memcpy(shm::request_area(segment_, slot), request.data(), request.size());
  shm::Slot& s = header().slots[slot];
  s.kind = kind, s.server = server, s.request_size = static_cast<uint32_t>(request.size());
  s.tag = ++last_tag_;
  s.word.store(shm::Word::none, std::memory_order_relaxed);
  asked_[slot] = {.tag = last_tag_};
  s.state.store(shm::State::asked, std::memory_order_release);
  link_.ring();
  return last_tag_;
}

Result<ShmReply> ShmPort::wait(uint64_t tag) {
  while (true) {
    const uint32_t seen = header().replies.load(std::memory_order_acquire);
    if (const auto found = replies_.find(tag); found != replies_.end()) {
      ShmReply reply = std::move(found->second);
      replies_.erase(found);
      return reply;
    }
    const size_t slot = find(tag);
    if (slot == slot_count) return fail(ESTALE);
    if (is_done(slot)) return take(slot);
    const auto waited = link_.wait(header(), seen);
    if (waited || has_just_come(slot, tag)) continue;
    forget(tag);
    return std::unexpected(waited.error());
  }
}

// Nobody will look at the reply any more, unless it is there.
bool ShmPort::has_just_come(size_t slot, uint64_t tag) {
  if (asked_[slot].tag != tag) return replies_.contains(tag);
  if (header().slots[slot].word.exchange(shm::Word::abandoned) != shm::Word::replied) return false;
  while (!is_done(slot)) continue;  // a few instructions of the keeper's
  return true;
}

void ShmPort::forget(uint64_t tag) {
  replies_.erase(tag);
  const size_t slot = find(tag);
  if (slot == slot_count) return;
  asked_[slot].forgotten = true;
  if (is_done(slot)) take(slot);
}

Result<ShmReply> ShmPort::exchange(shm::Kind kind, uint32_t server, std::string_view request) {
  OSP_ASSIGN(const uint64_t tag, submit(kind, server, request));
  return wait(tag);
}

void ShmPort::replace(std::byte* segment) {
  segment_ = segment;
  asked_ = {};
}

}  // namespace osp::pip
