#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "pip/udp/cubic.h"
#include "pip/udp/mtu_search.h"
#include "pip/udp/pacer.h"
#include "pip/udp/packet.h"
#include "pip/udp/packet_keys.h"
#include "pip/udp/path.h"
#include "pip/udp/receive_stream.h"
#include "pip/udp/rtt.h"
#include "pip/udp/send_stream.h"
#include "pip/udp/sent_packets.h"

namespace osp::pip::udp {

uint64_t random_number();

// One end of a connection (docs/pip.md, "UDP"): two streams of bytes each way, the handshake's and, once there are
// keys, the connection's own, over datagrams that may be lost, late, doubled, or damaged. It owns no socket and no
// clock: what arrives goes into receive(); then, and when deadline_us() has come, next_datagram() is called until there
// is none. Times are microseconds of a steady clock. Nothing blocks; one thread at a time.
class Connection {
 public:
  enum class Role : uint8_t { client, server };
  struct Options {
    Role role = Role::client;
    ConnectionId id = 0;
    PeerAddress peer{};
    size_t most_datagram = base_datagram;  // that the interface takes
    Token token{};                         // server: what it will say when it has forgotten the connection
    std::function<uint64_t()> random = random_number;
  };
  static constexpr size_t window = 8U << 20;  // bytes that may be under way, or not taken yet
  static constexpr size_t most_handshake = 128U << 10;

  explicit Connection(Options options);

  // A datagram; what is not for this connection, or not in order, is dropped.
  void receive(std::string_view datagram, const PeerAddress& from, int64_t now_us);
  // Appends the next datagram that is to be sent now; false: there is none.
  bool next_datagram(int64_t now_us, std::string& out, PeerAddress& to);
  // When next_datagram() has something to do though nothing arrives; INT64_MAX: never.
  [[nodiscard]] int64_t deadline_us() const;

  void write_handshake(std::string_view bytes) { handshake_out_.write(bytes); }
  std::string take_handshake() { return handshake_in_.take(); }
  // The peer has nothing more to say of the handshake.
  void handshake_is_over() { handshake_is_over_ = true; }
  void set_keys(const noise::Handshake::Ciphers& ciphers);
  [[nodiscard]] bool has_keys() const { return opener_.has_key(); }

  // Bytes of the connection. Before there are keys they are kept.
  void write(std::string_view bytes) { data_out_.write(bytes); }
  // In the place of what `into` held; its memory is used again.
  void take(std::string& into);
  [[nodiscard]] size_t ready() const { return data_in_.ready(); }
  // Bytes that the peer has not acknowledged.
  [[nodiscard]] size_t unacknowledged() const { return data_out_.unacknowledged() + handshake_out_.unacknowledged(); }

  // Tells the peer, once, that it is over.
  void close(int errno_number) { closing_ = errno_number; }
  // ECONNRESET: the peer has closed it, or does not know it any more. Once the server has told its token, nobody else
  // can bring that about; before, who sees the datagrams can, as they could spoil the handshake.
  [[nodiscard]] const std::optional<Error>& broken() const { return broken_; }
  // How the handshake begins has come.
  [[nodiscard]] bool has_begun() const { return handshake_in_.ready() > 0 || handshake_in_.limit() > most_handshake; }
  // Something sealed has come.
  [[nodiscard]] bool is_confirmed() const { return !spaces_[1].received.empty(); }
  // When the peer was last heard; -1: never.
  [[nodiscard]] int64_t heard_us() const { return heard_us_; }
  // Probes that have gone unanswered since then.
  [[nodiscard]] unsigned probes() const { return probes_; }
  // Somebody says that nobody is there; if that is so, it may come back soon: probes go more often until it is heard.
  void hurry() { is_in_hurry_ = true; }
  // Client: its own address is another now.
  void path_has_changed(size_t most);

  [[nodiscard]] const Path& path() const { return path_; }
  [[nodiscard]] size_t datagram_size() const { return mtu_.size(); }
  [[nodiscard]] size_t congestion_window() const { return cubic_.window(); }
  [[nodiscard]] size_t bytes_in_flight() const;
  [[nodiscard]] const Rtt& rtt() const { return rtt_; }

 private:
  // What is counted apart for handshake and sealed datagrams.
  struct Space {
    SentPackets sent{};
    AckRanges received{};
    int64_t ack_due_us = INT64_MAX;
    unsigned unacknowledged = 0;  // that want an acknowledgement
    int64_t largest_us = 0;       // when the largest number came
    bool wants_probe = false;
  };
  struct Draft;

  Space& space(Kind kind) { return spaces_[kind == Kind::handshake ? 0 : 1]; }
  // connection_receive.cc
  bool open(const Head& head, std::string_view datagram, std::string& plain);
  Result<bool> take_frames(Kind kind, std::string_view plain, int64_t now_us);
  Result<void> take_frame(Kind kind, const Frame& frame, int64_t now_us);
  Result<void> take_ack(Kind kind, const Frame& frame, int64_t now_us);
  void note_received(Space& space, uint64_t number, bool wants_ack, int64_t now_us);
  void note_path(const Head& head, const PeerAddress& from, size_t size, int64_t now_us);
  void move_to(const PeerAddress& from, int64_t now_us);
  void begin_path(size_t most);
  void acknowledged(Kind kind, const SentPacket& packet, int64_t now_us);
  void lost(Kind kind, const std::vector<SentPacket>& packets, int64_t now_us);
  void lost_one(Kind kind, const SentPacket& packet);
  // connection.cc
  void look_at_clock(int64_t now_us);
  void probe(int64_t now_us);
  void probe_one(Kind kind);
  [[nodiscard]] int64_t probe_time_us() const;
  [[nodiscard]] int64_t path_time_us() const;  // in which a new path must have answered
  bool draft(Kind kind, int64_t now_us, Draft& draft);
  void draft_ack(Space& space, int64_t now_us, Draft& draft);
  void draft_control(Draft& draft);
  void draft_data(Kind kind, int64_t now_us, Draft& draft);
  bool draft_mtu_probe(int64_t now_us, Draft& draft);
  bool may_send_data(int64_t now_us);
  void send(Kind kind, int64_t now_us, Draft& draft, std::string& out);

  Options options_;
  std::array<Space, 2> spaces_;
  PacketSealer handshake_sealer_, sealer_;
  PacketOpener handshake_opener_, opener_;
  SendStream handshake_out_, data_out_;
  ReceiveStream handshake_in_, data_in_;
  Rtt rtt_;
  Cubic cubic_;
  Pacer pacer_;
  MtuSearch mtu_;
  Path path_;
  std::optional<Path> previous_;
  std::optional<Token> token_;  // client: that the server told
  std::optional<Error> broken_;
  std::optional<int> closing_;
  std::optional<uint64_t> response_;  // that is owed
  bool wants_window_ = false, wants_token_ = false, wants_challenge_ = false;
  bool handshake_is_over_ = false, is_in_hurry_ = false;
  bool is_held_back_ = false;  // there was more to send than the window took
  unsigned probes_ = 0;
  unsigned large_lost_ = 0;  // large datagrams in a row
  uint64_t limit_out_ = window, limit_told_ = window;
  int64_t heard_us_ = -1;
  int64_t probed_us_ = -1;
  int64_t paced_us_ = INT64_MAX;
  int64_t newest_acked_us_ = -1;  // when it was sent
};

}  // namespace osp::pip::udp
