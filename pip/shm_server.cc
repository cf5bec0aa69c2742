#include "pip/shm_server.h"

#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace osp::pip {

Result<std::unique_ptr<ShmServer>> ShmServer::create() {
  HostFd segment_fd(memfd_create("osp-channel", MFD_CLOEXEC));
  HostFd event_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (segment_fd.get() < 0 || event_fd.get() < 0) return fail(errno);
  if (ftruncate(segment_fd.get(), shm::segment_size) != 0) return fail(errno);
  void* const memory = mmap(nullptr, shm::segment_size, PROT_READ | PROT_WRITE, MAP_SHARED, segment_fd.get(), 0);
  if (memory == MAP_FAILED) return fail(errno);
  auto* const segment = static_cast<std::byte*>(memory);
  reinterpret_cast<shm::Header*>(segment)->magic = shm::magic;
  return std::unique_ptr<ShmServer>(new ShmServer(segment, std::move(segment_fd), std::move(event_fd)));
}

ShmServer::~ShmServer() { munmap(segment_, shm::segment_size); }

std::vector<ShmServer::Request> ShmServer::take() {
  std::vector<std::pair<uint64_t, Request>> found;
  for (size_t slot = 0; slot < shm::slot_count; ++slot) {
    shm::Slot& s = header().slots[slot];
    if (busy_[slot] || s.state.load(std::memory_order_acquire) != shm::State::asked) continue;
    busy_[slot] = true;
    const size_t size = std::min<size_t>(s.request_size, shm::area_size);
    const auto* bytes = reinterpret_cast<const char*>(shm::request_area(segment_, slot));
    found.emplace_back(s.tag, Request{slot, s.kind, s.server, std::string_view(bytes, size)});
  }
  std::ranges::sort(found, {}, &std::pair<uint64_t, Request>::first);
  std::vector<Request> requests;
  requests.reserve(found.size());
  for (const auto& [tag, request] : found) requests.push_back(request);
  return requests;
}

bool ShmServer::reply(size_t slot, int status, size_t size) {
  shm::Slot& s = header().slots[slot];
  s.status = status;
  s.reply_size = static_cast<uint32_t>(size);
  busy_[slot] = false;
  const bool is_awaited = s.word.exchange(shm::Word::replied) != shm::Word::abandoned;
  s.state.store(shm::State::done, std::memory_order_release);
  header().replies.fetch_add(1);
  if (header().sleeping.exchange(0) != 0) raw::syscall(SYS_futex, &header().replies, FUTEX_WAKE, INT_MAX);
  if (header().polling.exchange(0) != 0) eventfd_write(event_fd_.get(), 1);
  return is_awaited;
}

bool ShmServer::reply(size_t slot, int status, std::string_view bytes) {
  if (bytes.size() > shm::area_size) return reply(slot, EMSGSIZE, size_t{0});
  memcpy(area(slot), bytes.data(), bytes.size());
  return reply(slot, status, bytes.size());
}

}  // namespace osp::pip
