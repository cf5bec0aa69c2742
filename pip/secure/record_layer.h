#pragma once

#include <string>
#include <string_view>

#include "pip/secure/noise.h"

namespace osp::pip {

// Cuts a byte stream into records: length[2] and so many bytes.
class RecordReader {
 public:
  void feed(std::string_view bytes);
  // The next whole record, or nothing yet (false); valid until the next feed().
  bool next(std::string_view& record);
  // Takes `size` bytes as they are, or nothing yet (false).
  bool take(size_t size, std::string_view& bytes);

 private:
  std::string buffer_;
  size_t taken_ = 0;
};

void put_record(std::string_view record, std::string& out);

// What comes after the handshake: bytes in sealed records, with a new key after every `records_a_key` of them.
class RecordLayer {
 public:
  static constexpr size_t most_plain = noise::most_message - noise::mac_size;
  static constexpr unsigned records_a_key = 1024;

  RecordLayer() = default;
  explicit RecordLayer(noise::Handshake::Ciphers ciphers) : ciphers_(std::move(ciphers)) {}

  // Appends `plain` as records; at least one, so that nothing is a record, too.
  Result<void> seal(std::string_view plain, std::string& out);
  // Appends what a record holds. EBADMSG: it is damaged, repeated, or out of its turn.
  Result<void> unseal(std::string_view record, std::string& plain);

 private:
  noise::Handshake::Ciphers ciphers_;
  unsigned sent_ = 0, received_ = 0;  // with the present keys
};

}  // namespace osp::pip
