#pragma once

#include <string>
#include <vector>

#include "pip/message.h"
#include "pip/server_session.h"

namespace osp::pip {

// Runs one group of a session against the tree, with the journal written so that it takes effect exactly once.
// Blocks as long as the served tree does.
class GroupRunner {
 public:
  // `is_reachable`: whether a session can be asked something.
  GroupRunner(Export& tree, ServerSession& session, OptionSet options, uint32_t msize,
              LockTable::Reachable is_reachable)
      : tree_(tree), session_(session), options_(options), msize_(msize), is_reachable_(std::move(is_reachable)) {}

  // The Rgroup's body, which is also retained in the session.
  std::string run(const Tgroup& head, const std::vector<Message>& messages);

 private:
  // One message: appends its reply to reply_, or fails.
  Walked<void> handle(const Tattach& t);
  Walked<void> handle(const Topen& t);
  Walked<void> handle(const Tcreate& t);
  Walked<void> handle(const Tread& t);
  Walked<void> handle(const Twrite& t);
  Walked<void> handle(const Tremove& t);
  Walked<void> handle(const Tclunk& t);
  Walked<void> handle(const Tcommit& t);
  Walked<void> handle(const Trename& t);
  Walked<void> handle(const Tlink& t);
  Walked<void> handle(const Tflush& t);
  Walked<void> handle(const Tlist& t);
  Walked<void> handle(const Trelease& t);
  Walked<void> handle(const Tlock& t);
  Walked<void> handle(const Tping& t);
  template <class T>
  Walked<void> handle(const T&);  // not a request: EPROTO

  bool run_one(uint16_t index, const Message& message);
  void finish(uint64_t acked);
  void end_name_fids();
  Walked<void> reply(const Message& message);
  void reply_error(uint16_t index, const WalkError& error);

  // Before an effect that cannot be repeated. True: it has happened already, before a restart.
  Walked<bool> begin(Intent intent);
  Walked<bool> begin_if_absent(const std::string& path, Intent intent);
  [[nodiscard]] bool is_resolved() const;  // this message's effect is known to have happened
  void write_step(uint16_t index);

  // The tree, as far as the session's owner may use it.
  [[nodiscard]] Server& server() {
    return session_.restricted ? static_cast<Server&>(*session_.restricted) : tree_.server();
  }
  // Before anything is done to the name, to the hidden one of an open file too.
  [[nodiscard]] Walked<void> may_name(std::string_view path) const;

  struct Found {
    FidRecord& record;
    OpenFid& fid;
  };
  Walked<Found> find(uint32_t fid);
  Walked<File*> file_of(uint32_t fid);
  Walked<std::string> join(uint32_t fid, std::string_view path);
  Walked<void> room_for_fid(uint32_t fid);
  void add_fid(uint32_t number, FidRecord record, OpenFid fid);
  void drop_fid(uint32_t number);
  Walked<void> create_file(const Tcreate& t, const std::string& path);
  Walked<void> create_other(const Tcreate& t, const std::string& path);
  uint8_t created_flags(const std::string& path);
  Walked<void> read_contents(const Tread& t, uint32_t count);
  Walked<void> read_entries(const Tread& t, uint32_t count);
  Walked<std::string> attribute(const Tread& t);
  Walked<Attributes> attributes_of(uint32_t fid);
  Walked<void> write_attribute(const Twrite& t);
  Walked<void> set_named(const Twrite& t, const std::string& path);
  Walked<void> append_data(const Twrite& t, Found at);
  Walked<uint32_t> room(uint32_t wanted) const;
  Walked<void> open_name(const Topen& t, std::string path, bool wants_attributes);

  Export& tree_;
  ServerSession& session_;
  OptionSet options_;
  uint32_t msize_;
  LockTable::Reachable is_reachable_;

  uint64_t tag_ = 0;
  uint16_t index_ = 0;
  uint16_t flags_ = 0;
  std::string reply_;           // the replies so far, behind room for the head
  std::vector<size_t> starts_;  // where each begins
  FidChanges changes_;          // not yet in the journal
  std::string made_ = "/";      // the last directory, link or the like that this group made; "/": none
  std::vector<uint32_t> name_fids_;
  std::vector<FidRecord> gone_;  // closed by this group
  bool stepwise_ = false;        // something was done that cannot be repeated: each message is journaled by itself
  bool mutated_ = false;         // running the group again would not give the same
};

}  // namespace osp::pip
