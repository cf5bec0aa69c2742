#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "drivers/uart/tree.h"
#include "pip/codec.h"

namespace osp::uart {

// A client's open file.
struct Fid {
  const Tree::Node* node = nullptr;
  pip::OpenMode mode;
  bool is_name = false;                  // stands for the file to the end of its group
  std::shared_ptr<const void> reader{};  // of a port that it reads: no other does meanwhile
};
using Fids = std::map<uint32_t, Fid>;

// A turn of all requests.
struct Round {
  std::set<const Port*> readers, writers;  // whose turn is taken: what comes later must not overtake
  std::set<uint64_t> unanswered, flushed;  // tags of the client at hand, and which of them it wants to end
};

// A group of requests on its way. It goes on as far as it can, and waits where a port has nothing or takes nothing.
class Group {
 public:
  static constexpr size_t most_fids = 64;

  // `body` is the client's no more. `room` is the most bytes that the answer may have. EBADMSG, EMSGSIZE: it is none.
  static Result<std::unique_ptr<Group>> create(std::string body, uint32_t room);

  // Goes on; the body of the answer when it is done.
  std::optional<std::string> advance(const Tree& tree, Fids& fids, Round& round);
  // What is not done yet will not be: EINTR.
  void cancel() { cancelled_ = true; }
  [[nodiscard]] uint64_t tag() const { return head_.tag; }
  [[nodiscard]] bool is_ordered() const { return (head_.flags & pip::flag_ordered) != 0; }
  // Whether it waits for nothing but the last bit to leave, which has no interrupt.
  [[nodiscard]] bool waits_for_the_line() const { return waits_for_line_; }

 private:
  struct Context {
    const Tree& tree;
    Fids& fids;
    Round& round;
  };
  enum class Step { done, wait };
  using Stepped = Result<Step>;

  Group(std::string body, uint32_t room) : body_(std::move(body)), room_(room) {}

  Stepped handle(Context& c, const pip::Tattach& t);
  Stepped handle(Context& c, const pip::Topen& t);
  Stepped handle(Context& c, const pip::Tcreate& t);
  Stepped handle(Context& c, const pip::Tread& t);
  Stepped handle(Context& c, const pip::Twrite& t);
  Stepped handle(Context& c, const pip::Tclunk& t);
  Stepped handle(Context& c, const pip::Tcommit& t);
  Stepped handle(Context& c, const pip::Tflush& t);
  Stepped handle(Context& c, const pip::Tping& t);
  template <class T>
  Stepped handle(Context& c, const T&);  // the tree does not change: EPERM

  struct Found {
    pip::Attributes attributes;
    bool is_directory;
  };
  Result<Found> open(Context& c, uint32_t fid, std::string_view name, std::string_view mode, uint32_t nfid);
  Stepped read_data(Context& c, Port& port, uint32_t count);
  Stepped read_entries(const Context& c, const Fid& fid, const pip::Tread& t, uint32_t count);
  Stepped write_data(Context& c, Port& port, std::string_view data);
  Stepped reply(const pip::Message& message);
  Stepped reply_bytes(std::string bytes);
  Result<Fid*> find(Context& c, uint32_t number) const;
  Result<void> room_for(const Context& c, uint32_t number) const;
  void refuse(Error error);
  std::string finish(Fids& fids);

  std::string body_;
  uint32_t room_;
  pip::Tgroup head_;
  std::vector<pip::Message> messages_;
  size_t next_ = 0;     // the message at hand
  size_t written_ = 0;  // of a Twrite at hand
  std::string replies_;
  uint16_t count_ = 0;
  std::vector<uint32_t> names_;  // name fids, which go with the group
  bool cancelled_ = false, waits_for_line_ = false;
};

}  // namespace osp::uart
