#include "pip/shm_channel.h"

#include "pip/wire.h"

namespace osp::pip {
namespace {

constexpr OptionSet options = OptionSet::all();
constexpr size_t length_size = 4;  // of a packet, before its body

}  // namespace

Result<uint64_t> ShmChannel::submit(const std::vector<Message>& messages, uint16_t flags) {
  std::string packet;
  OSP_TRY(encode_group(Tgroup{.flags = flags}, messages, options, shm::area_size, packet));
  for (const Message& message : messages) {
    const auto* clunk = std::get_if<Tclunk>(&message);
    if (clunk == nullptr || pages_.empty()) continue;
    if (const auto found = pages_.find(clunk->fid); found != pages_.end()) {
      port_.link().close_fd(found->second);
      pages_.erase(found);
    }
  }
  return port_.submit(shm::Kind::group, server_, std::string_view(packet).substr(length_size));
}

Result<Answer> ShmChannel::wait(uint64_t tag) {
  OSP_ASSIGN(ShmReply reply, port_.wait(tag));
  if (reply.status != 0) return fail(reply.status);
  Answer answer{.bytes = std::make_unique<std::string>(std::move(reply.bytes)), .replies = {}};
  OSP_ASSIGN(Packet packet, decode_body(*answer.bytes, options, UINT16_MAX));
  answer.replies = std::move(packet.messages);
  return answer;
}

Result<PageRange> ShmChannel::map(uint32_t fid, uint64_t offset, uint64_t size, bool writable) {
  std::string request;
  Writer writer(request);
  writer.u32(fid), writer.u64(offset), writer.u64(size), writer.u8(writable ? 1 : 0);
  OSP_ASSIGN(const ShmReply reply, port_.exchange(shm::Kind::map, server_, request));
  if (reply.status != 0) return fail(reply.status);
  has_written_pages_ = has_written_pages_ || writable;
  Reader reader(reply.bytes);
  const uint32_t serial = reader.u32();
  const uint64_t file_size = reader.u64();
  if (!reader.finished()) return fail(EPROTO);
  if (serial != 0) {
    OSP_ASSIGN(const int fd, port_.link().receive_fd(serial));
    const auto [place, is_new] = pages_.try_emplace(fid, fd);
    if (!is_new) port_.link().close_fd(std::exchange(place->second, fd));
  }
  const auto found = pages_.find(fid);
  if (found == pages_.end()) return fail(EIO);
  return PageRange{.fd = found->second, .fd_offset = offset, .size = file_size};
}

Result<int> ShmChannel::fifo(uint64_t id) {
  std::string request;
  Writer(request).u64(id);
  OSP_ASSIGN(const ShmReply reply, port_.exchange(shm::Kind::fifo, server_, request));
  if (reply.status != 0) return fail(reply.status);
  Reader reader(reply.bytes);
  const uint32_t serial = reader.u32();
  if (!reader.finished()) return fail(EPROTO);
  return port_.link().receive_fd(serial);
}

Result<std::string> ShmChannel::watch(std::string_view path) {
  OSP_ASSIGN(ShmReply reply, port_.exchange(shm::Kind::watch, server_, path));
  return reply.status == 0 ? Result<std::string>(std::move(reply.bytes)) : fail(reply.status);
}

Result<LockAnswer> ShmChannel::lock(uint32_t fid, LockKind kind, const LockRange& range) {
  std::string request;
  Writer writer(request);
  writer.u32(fid), writer.u8(static_cast<uint8_t>(kind)), writer.u8(static_cast<uint8_t>(range.type));
  writer.u64(range.first), writer.u64(range.last);
  OSP_ASSIGN(const ShmReply reply, port_.exchange(shm::Kind::lock, server_, request));
  if (reply.status != 0) return fail(reply.status);
  Reader reader(reply.bytes);
  LockAnswer answer{.is_granted = reader.u32() != 0};
  answer.range.type = static_cast<LockType>(reader.u32());
  answer.range.first = reader.u64(), answer.range.last = reader.u64();
  return reader.finished() ? Result<LockAnswer>(answer) : fail(EPROTO);
}

// The keeper looks at the one after it has set the other, and we set the one before we look at the other.
void ShmChannel::lock_settled() {
  port_.header().locks_settled.fetch_add(1);
  if (environment_.locks_wanted.load() == 0) return;
  if (const auto tag = port_.submit(shm::Kind::unlocked, server_, {})) port_.forget(*tag);
}

// Whoever is told of it otherwise finds it unlocked.
void ShmChannel::lock_released() {
  if (environment_.locks_wanted.load() != 0) (void)port_.exchange(shm::Kind::unlocked, server_, {});
}

uint64_t ShmChannel::outside_changes() const {
  return forks_ + environment_.changes[server_].load(std::memory_order_acquire);
}

}  // namespace osp::pip
