#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "pip/channel.h"
#include "pip/client_wire.h"
#include "pip/secure/client_link.h"

namespace osp::pip {

// A channel over a unix or TCP socket, or over UDP, for one thread. It connects again whenever the connection breaks or
// falls silent, resumes the session and sends again what is unanswered, so callers see nothing but time pass.
class StreamChannel final : public Channel {
 public:
  struct Options {
    SessionClient::Options session{};
    std::chrono::seconds give_up_after{0};  // without any answer; 0: never
  };

  // Connects and opens a session; unlike later, the first connection is tried once only, so that a wrong address is
  // told at once: ECONNREFUSED, ENOENT, ETIMEDOUT, EHOSTUNREACH, EPROTONOSUPPORT; of a sealed one also EACCES,
  // EKEYREJECTED, EBADMSG, with more in `why` if there is one.
  static Result<std::unique_ptr<StreamChannel>> create(Address address, const Options& options,
                                                       std::string* why = nullptr);
  // Ends the session.
  ~StreamChannel() override;

  Result<uint64_t> submit(const std::vector<Message>& messages, uint16_t flags) override;
  // ETIMEDOUT: give_up_after has passed. ESTALE: the server does not know the session any more. EACCES, EKEYREJECTED:
  // it does not let us in any more, or is another.
  Result<Answer> wait(uint64_t tag) override;
  void forget(uint64_t tag) override { link_.session().forget(tag); }
  [[nodiscard]] uint32_t iounit() const override { return link_.session().iounit(); }

  // How often it has connected again.
  [[nodiscard]] unsigned reconnections() const { return reconnections_; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds least_pause{20}, most_pause{1000};  // between attempts to connect

  StreamChannel(Address address, const Options& options)
      : address_(std::move(address)), options_(options), link_(address_, options.session) {}
  SessionClient& session() { return link_.session(); }

  Result<void> open();
  Result<void> connect();
  Result<void> reconnect();
  void pause();
  Result<void> pump();
  Result<void> serve();
  void send();
  void drop(Error why);

  Address address_;
  Options options_;
  ClientLink link_;
  std::unique_ptr<ClientWire> wire_;  // null: there is no connection
  std::string out_;                   // for it
  Clock::time_point heard_ = Clock::now(), probed_ = Clock::now();
  Clock::time_point open_ = Clock::now();          // when the session was last seen open
  std::chrono::milliseconds pause_ = least_pause;  // before the next attempt
  Error broken_{ECONNRESET};                       // why the last connection was dropped
  unsigned reconnections_ = 0;
};

}  // namespace osp::pip
