#include "libosp/native/uart_client.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "libosp/host/host.h"
#include "pip/codec.h"
#include "pip/task_layout.h"

namespace osp::native {
namespace {

namespace layout = pip::task;

constexpr uint64_t not_at_all = 1;
constexpr size_t area_size = 12 * 1024;  // for a request or an answer
static_assert(area_size > UartClient::most_data + 1024);
constexpr size_t segment_size = 2 * UartClient::slot_count * area_size;
constexpr int64_t patience_ns = 20'000'000'000;

size_t request_at(size_t slot) { return 2 * slot * area_size; }
size_t answer_at(size_t slot) { return request_at(slot) + area_size; }

Result<uint32_t> made(long result) {
  OSP_ASSIGN(const long handle, from_raw(result));
  return static_cast<uint32_t>(handle);
}

native::Message message_of(layout::Say say, std::array<uint64_t, 4> words, uint32_t handle = no_handle) {
  return {{static_cast<uint64_t>(say), words[0], words[1], words[2], words[3], 0}, handle, 0, 0};
}

Result<void> send(uint32_t queue, const native::Message& message, uint64_t deadline_ns) {
  return from_raw<void>(raw::syscall(message_send, queue, &message, deadline_ns));
}

uint64_t deadline() { return static_cast<uint64_t>(host::monotonic_ns() + patience_ns); }

}  // namespace

Result<std::unique_ptr<UartClient>> UartClient::connect(uint32_t service) {
  auto client = std::unique_ptr<UartClient>(new UartClient());
  OSP_TRY(client->begin(service));
  return client;
}

UartClient::~UartClient() {
  if (memory_ != nullptr) host::unmap(reinterpret_cast<uintptr_t>(memory_), segment_size);
  for (const uint32_t handle : {queue_, segment_})
    if (handle != no_handle) raw::syscall(handle_close, handle);
}

// At a place of the window that stays reserved.
Result<void> UartClient::map_segment() {
  OSP_ASSIGN(segment_, made(raw::syscall(segment_make, segment_size)));
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  OSP_ASSIGN(const long place, from_raw(window::map(segment_size, PROT_NONE, flags, -1, 0)));
  host::unmap(static_cast<uintptr_t>(place), segment_size);
  OSP_TRY(from_raw<void>(raw::syscall(segment_map, segment_, place, PROT_READ | PROT_WRITE)));
  memory_ = reinterpret_cast<std::byte*>(place);
  return {};
}

Result<void> UartClient::begin(uint32_t service) {
  service_ = service;
  OSP_TRY(map_segment());
  OSP_ASSIGN(queue_, made(raw::syscall(queue_make, 2 * slot_count)));
  OSP_TRY(send(service_, message_of(layout::Say::segment, {segment_size}, segment_), deadline()));
  OSP_TRY(send(service_, message_of(layout::Say::answers, {}, queue_), deadline()));
  OSP_ASSIGN(const native::Message welcome, receive(deadline()));
  if (welcome.words[0] != static_cast<uint64_t>(layout::Answer::welcome)) return fail(EPROTO);
  return welcome.words[1] == 0 ? Result<void>() : fail(static_cast<int>(welcome.words[1]));
}

Result<native::Message> UartClient::receive(uint64_t deadline_ns) const {
  native::Message message = {};
  for (;;) {
    const long result = raw::syscall(message_receive, queue_, &message, deadline_ns);
    if (result == 0) return message;
    if (result != -EINTR) return fail(static_cast<int>(-result));
  }
}

Result<void> UartClient::submit(const std::vector<pip::Message>& messages, Answered answered) {
  const auto free = std::ranges::find_if(slots_, [](const Answered& slot) { return !slot; });
  if (free == slots_.end()) return fail(EAGAIN);
  const auto slot = static_cast<size_t>(free - slots_.begin());
  const pip::Tgroup head{.ssid = 1, .tag = ++last_tag_, .acked = 0, .flags = 0, .count = 0};
  std::string packet;
  OSP_TRY(pip::encode_group(head, messages, pip::OptionSet::all(), area_size, packet));
  const std::string_view body = std::string_view(packet).substr(sizeof(uint32_t));
  std::memcpy(memory_ + request_at(slot), body.data(), body.size());
  const auto message = message_of(layout::Say::frame, {request_at(slot), body.size(), answer_at(slot), area_size});
  OSP_TRY(send(service_, message, deadline()));
  *free = std::move(answered);
  return {};
}

void UartClient::take(const native::Message& message) {
  const uint64_t at = message.words[1], size = message.words[2];
  const size_t slot = (at - area_size) / (2 * area_size);
  const bool known = slot < slot_count && at == answer_at(slot) && slots_[slot];
  if (message.words[0] != static_cast<uint64_t>(layout::Answer::frame) || !known) return;
  const Answered answered = std::exchange(slots_[slot], nullptr);
  if (size > area_size) return answered(fail(EPROTO));
  auto body = std::make_unique<std::string>(reinterpret_cast<const char*>(memory_ + at), size);
  auto packet = pip::decode_body(*body, pip::OptionSet::all(), layout::most_messages);
  if (!packet || !std::holds_alternative<pip::Rgroup>(packet->head)) return answered(fail(EPROTO));
  answered(pip::Answer{std::move(body), std::move(packet->messages)});
}

bool UartClient::take_answers() {
  for (;;) {
    const auto message = receive(not_at_all);
    if (!message && message.error().code != EPIPE) return true;
    if (!message) break;
    take(*message);
  }
  for (Answered& slot : slots_)
    if (const Answered answered = std::exchange(slot, nullptr)) answered(fail(EPIPE));
  return false;
}

Result<void> UartClient::await_answer() {
  OSP_ASSIGN(const native::Message message, receive(deadline()));
  take(message);
  return {};
}

Result<void> UartClient::exchange(const std::vector<pip::Message>& messages) {
  Result<void> result = fail(ETIMEDOUT);
  bool done = false;
  OSP_TRY(submit(messages, [&](const Result<pip::Answer>& answer) {
    done = true;
    result = answer ? Result<void>() : fail(answer.error().code);
    if (!answer || answer->replies.empty()) return;
    if (const auto* error = std::get_if<pip::Rerror>(&answer->replies.back()))
      result = fail(static_cast<int>(error->number));
  }));
  while (!done) OSP_TRY(await_answer());
  return result;
}

}  // namespace osp::native
