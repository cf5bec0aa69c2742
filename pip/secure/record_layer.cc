#include "pip/secure/record_layer.h"

#include "pip/wire.h"

namespace osp::pip {
namespace {

constexpr size_t head_size = 2;

}  // namespace

void RecordReader::feed(std::string_view bytes) {
  buffer_.erase(0, taken_);
  taken_ = 0;
  buffer_ += bytes;
}

bool RecordReader::take(size_t size, std::string_view& bytes) {
  if (buffer_.size() - taken_ < size) return false;
  bytes = std::string_view(buffer_).substr(taken_, size);
  taken_ += size;
  return true;
}

bool RecordReader::next(std::string_view& record) {
  std::string_view head;
  const size_t before = taken_;
  if (!take(head_size, head)) return false;
  if (take(Reader(head).u16(), record)) return true;
  taken_ = before;
  return false;
}

void put_record(std::string_view record, std::string& out) {
  Writer(out).u16(static_cast<uint16_t>(record.size()));
  out += record;
}

Result<void> RecordLayer::seal(std::string_view plain, std::string& out) {
  do {
    const std::string_view part = plain.substr(0, most_plain);
    plain.remove_prefix(part.size());
    Writer(out).u16(static_cast<uint16_t>(part.size() + noise::mac_size));
    OSP_TRY(ciphers_.send.seal({}, part, out));
    if (++sent_ == records_a_key) sent_ = 0, ciphers_.send.rekey();
  } while (!plain.empty());
  return {};
}

Result<void> RecordLayer::unseal(std::string_view record, std::string& plain) {
  OSP_TRY(ciphers_.receive.unseal({}, record, plain));
  if (++received_ == records_a_key) received_ = 0, ciphers_.receive.rekey();
  return {};
}

}  // namespace osp::pip
