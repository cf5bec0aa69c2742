#include "tests/drivers/uart/client.h"

#include <sys/auxv.h>

#include <cstring>

#include "pip/codec.h"

namespace native = osp::native;
namespace host = osp::host;
using osp::raw::syscall;

namespace {

uintptr_t next_place = 0x2000'0000;
constexpr int64_t patience_ns = 3'000'000'000;

uint64_t deadline() { return static_cast<uint64_t>(host::monotonic_ns() + patience_ns); }

uint32_t service() {
  const auto* info = reinterpret_cast<const native::BootInfo*>(getauxval(native::auxv_boot_info));
  for (size_t i = 0; i < info->service_count; ++i)
    if (std::string_view(info->services[i].name) == "uart") return info->services[i].queue;
  return native::no_handle;
}

}  // namespace

Client::Client(uint32_t answers)
    : segment_(static_cast<uint32_t>(syscall(native::segment_make, segment_size))),
      queue_(static_cast<uint32_t>(syscall(native::queue_make, answers))),
      memory_(reinterpret_cast<char*>(next_place)) {
  syscall(native::segment_map, segment_, next_place, PROT_READ | PROT_WRITE);
  next_place += 2 * segment_size;
}

Client::~Client() {
  host::unmap(reinterpret_cast<uintptr_t>(memory_), segment_size);
  syscall(native::handle_close, segment_);
  syscall(native::handle_close, queue_);
}

long Client::say(Say say, uint64_t first, uint64_t second, uint64_t third, uint64_t fourth, uint32_t handle) {
  const native::Message message = {{static_cast<uint64_t>(say), first, second, third, fourth, 0}, handle, 0, 0};
  return syscall(native::message_send, service(), &message, deadline());
}

int Client::connect(uint64_t told_size) {
  say(Say::segment, told_size, 0, 0, 0, segment_);
  say(Say::answers, 0, 0, 0, 0, queue_);
  native::Message welcome = {};
  const long result = syscall(native::message_receive, queue_, &welcome, deadline());
  return result != 0 ? ETIMEDOUT : static_cast<int>(welcome.words[1]);
}

long Client::ask(std::string_view body) const {
  std::memcpy(memory_, body.data(), body.size());
  return say(Say::frame, 0, body.size(), room_at, room_size, native::no_handle);
}

std::string Client::answer() const {
  native::Message message = {};
  if (syscall(native::message_receive, queue_, &message, deadline()) != 0) return {};
  if (message.words[1] != room_at || message.words[2] > room_size) return {};
  return {memory_ + room_at, message.words[2]};
}

std::string group(const std::vector<osp::pip::Message>& messages) {
  std::string packet;
  const osp::pip::Tgroup head{.ssid = 1, .tag = 1, .acked = 0, .flags = 0, .count = 0};
  if (!osp::pip::encode_group(head, messages, osp::pip::OptionSet::all(), Client::room_at, packet)) return {};
  return packet.substr(4);
}
