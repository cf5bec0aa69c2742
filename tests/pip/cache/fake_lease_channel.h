#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "pip/cache/lease_channel.h"
#include "pip/cache/replies.h"
#include "pip/listing.h"
#include "pip/packing.h"

namespace osp::pip {

// A server that answers as the test says. What it is asked is answered when it is waited for.
class FakeChannel final : public LeaseChannel {
 public:
  Result<uint64_t> submit(const std::vector<Message>& messages, uint16_t flags) override {
    std::vector<Message> replies;
    std::vector<std::unique_ptr<std::string>> texts;
    const auto keep = [&](std::string text) -> const std::string& {
      return *texts.emplace_back(std::make_unique<std::string>(std::move(text)));
    };
    sent += static_cast<int>(messages.size());
    for (const Message& message : messages) {
      if (std::holds_alternative<Tattach>(message)) replies.emplace_back(Rattach{});
      if (std::holds_alternative<Topen>(message)) replies.emplace_back(Ropen{.attributes = keep(pack(file()))});
      if (const auto* create = std::get_if<Tcreate>(&message)) replies.push_back(created(*create, keep(pack(file()))));
      if (const auto* list = std::get_if<Tlist>(&message)) replies.emplace_back(Rlist{.dat = keep(listing(*list))});
      if (const auto* read = std::get_if<Tread>(&message))
        replies.push_back(read->attrs == "stat" ? Message(Rread{.dat = keep(pack(file()))})
                                                : Rerror{.number = ENODATA});
      if (std::holds_alternative<Twrite>(message)) replies.push_back(to_write);
      if (std::holds_alternative<Tcommit>(message)) replies.emplace_back(Rcommit{});
      if (std::holds_alternative<Tclunk>(message)) replies.emplace_back(Rclunk{});
      if (std::holds_alternative<Trelease>(message)) replies.emplace_back(Rrelease{});
      if (std::holds_alternative<Rerror>(replies.back()) && (flags & flag_each) == 0) break;
    }
    answers[++last] = make_answer(replies);
    return last;
  }
  Result<Answer> wait(uint64_t tag) override {
    if (!is_working) do_work();  // what is answered before it
    Answer answer = std::move(answers.at(tag));
    answers.erase(tag);
    return answer;
  }
  void forget(uint64_t) override {}
  LeaseHolder& lease_holder() { return *holder(); }
  [[nodiscard]] uint32_t iounit() const override { return 65536; }
  [[nodiscard]] bool leases_hold() const override { return true; }
  [[nodiscard]] uint64_t lease_epoch() const override { return 1; }
  void returned(uint64_t lease, uint64_t) override { given_back.push_back(lease); }
  void keep(uint32_t, LockKind, const RangeLocks&) override {}
  [[nodiscard]] bool is_well() const override { return is_connected; }
  [[nodiscard]] size_t window() const override { return 64; }
  [[nodiscard]] bool is_answered(uint64_t) const override { return true; }

  [[nodiscard]] Attributes file() const {
    Attributes attributes;
    attributes.id = id, attributes.mode = S_IFREG | 0644, attributes.uid = 12;
    return attributes;
  }
  // Empty directories, each with a lease.
  std::string listing(const Tlist& list) {
    ListedDirectory directory{
        .path = std::string(list.path), .lease = ++last_lease, .is_exclusive = !is_shared && list.path == made};
    directory.attributes.id = 2, directory.attributes.mode = S_IFDIR | 0755, directory.attributes.uid = 12;
    std::string packed;
    pack(directory, packed);
    return packed;
  }
  [[nodiscard]] Message created(const Tcreate& create, const std::string& attributes) {
    if (create_error != 0) return Rerror{.number = create_error};
    made = create.name;
    const uint8_t flags = is_shared ? 1 : 3;
    return Rcreate{.attributes = create.nfid != no_fid ? attributes : std::string_view(), .created = flags};
  }

  uint64_t id = 7;
  std::string made = "/";
  uint32_t create_error = 0;
  uint64_t last_lease = 0;
  bool is_connected = true;
  bool is_shared = false;  // others have leases, too
  std::vector<uint64_t> given_back;
  // What the cache has left to be done later, in its order.
  void do_work() {
    is_working = true;
    while (!work.empty()) {
      const auto one = std::move(work.front());
      work.pop_front();
      one();
    }
    is_working = false;
  }
  bool is_working = false;

  Message to_write = Rwrite{.count = 4, .offset = 4};
  std::map<uint64_t, Answer> answers;
  std::deque<std::function<void()>> work;
  uint64_t last = 0;
  int sent = 0;
};

}  // namespace osp::pip
