#pragma once

#include <span>
#include <string>

#include "libosp/native/uart_client.h"

namespace osp::native {

// A serial port as bytes in and out. A read is always under way while the user takes what comes; what it does not take
// is kept, and nothing more is read until it does.
class UartLine {
 public:
  class User {
   public:
    virtual ~User() = default;
    // Bytes that have come; how many it takes.
    virtual size_t receive(std::span<const std::byte> bytes) = 0;
    // Puts what is to be sent next into `to`; how much.
    virtual size_t supply(std::span<std::byte> to) = 0;
    // What was supplied before has gone out, all of it if the line is_idle().
    virtual void sent() {}
  };

  // `fid` is the client's open file of the port. All are the caller's.
  UartLine(UartClient& client, uint32_t fid, User& user) : client_(client), fid_(fid), user_(user) {}
  UartLine(const UartLine&) = delete;
  UartLine& operator=(const UartLine&) = delete;

  // The user takes (again) what comes.
  void go_on_reading();
  // The user has something to send.
  void go_on_sending();
  [[nodiscard]] bool is_idle() const { return unsent_ == 0; }
  // Asks for the chip to be empty; then `done` is true.
  Result<void> await_empty(bool& done);

 private:
  void ask();
  void take(const Result<pip::Answer>& answer);
  void offer();

  UartClient& client_;
  uint32_t fid_;
  User& user_;
  std::string kept_;  // what the user has not taken
  bool reading_ = false, offering_ = false, broken_ = false;
  int unsent_ = 0;  // writes under way
};

}  // namespace osp::native
