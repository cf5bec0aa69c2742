#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pip/channel.h"
#include "pip/server.h"

namespace osp::pip {

// Fid numbers that are not in use.
class FidPool {
 public:
  uint32_t take();
  void give_back(uint32_t fid) { free_.push_back(fid); }

 private:
  uint32_t next_ = 1;
  std::vector<uint32_t> free_;
};

// What a Client and its open files share.
struct ClientShared {
  Channel* channel = nullptr;
  FidPool fids;
  uint64_t own_changes = 0;

  // Grows with what this client and others of its session changed: read-ahead from before is stale.
  [[nodiscard]] uint64_t changes() const { return own_changes + channel->outside_changes(); }
  void changed() { ++own_changes; }
};

// A remote tree as a Server: each call is one group, so one round trip. Not for several threads at once; fibers that
// take turns may overlap calls.
class Client final : public Server {
 public:
  // Attaches to the server's tree `aname`. The channel must outlive the client and its files. `name` is for name().
  static Result<std::unique_ptr<Client>> create(Channel& channel, std::string name, std::string_view aname = "");

  Walked<Opened> open(std::string_view path, const OpenMode& mode) override;
  Walked<Attributes> stat(std::string_view path) override;
  Walked<std::string> read_link(std::string_view path) override;
  Walked<void> change(std::string_view path, const AttributeChange& change) override;
  Walked<void> make(std::string_view path, const NewFile& file) override;
  Walked<void> remove(std::string_view path, bool directory) override;
  Walked<void> rename(std::string_view from, std::string_view to, unsigned flags) override;
  Walked<void> link(std::string_view from, std::string_view to) override;
  Walked<std::string> get_attribute(std::string_view path, std::string_view name) override;
  Walked<void> set_attribute(std::string_view path, std::string_view name, std::string_view value, int flags) override;
  Walked<void> remove_attribute(std::string_view path, std::string_view name) override;
  Walked<std::vector<std::string>> list_attributes(std::string_view path) override;
  Result<int> fifo(uint64_t id) override { return shared_->channel->fifo(id); }
  Walked<std::string> watch(std::string_view path) override;
  Result<FileSystemStat> statfs() override;
  [[nodiscard]] std::string name() const override { return name_; }

  // open + read + close of a file in one round trip: its first `most` bytes (at most the channel's iounit).
  Walked<std::string> read_file(std::string_view path, uint32_t most);
  // create or truncate + write + close in one round trip. EMSGSIZE: over the channel's iounit.
  Walked<void> write_file(std::string_view path, std::string_view contents, uint32_t permissions);

 private:
  Client(Channel& channel, std::string name) : name_(std::move(name)) { shared_->channel = &channel; }

  Walked<Opened> create_file(std::string_view path, const OpenMode& mode);
  Walked<Answer> run(const std::vector<Message>& messages);
  // Runs `second` on a name fid for `path`: one group, and the fid is gone with it.
  template <class Build>
  Walked<Answer> run_named(std::string_view path, Build&& second);
  Walked<std::string> read_attribute(std::string_view path, std::string_view name);
  Walked<void> write_attribute(std::string_view path, std::string_view name, std::string_view value, uint64_t flags);

  std::shared_ptr<ClientShared> shared_ = std::make_shared<ClientShared>();
  uint32_t root_ = 0;
  std::string name_;
};

// The error that a reply is, if it is one.
std::optional<WalkError> error_of(const Message& reply);
// Reply `index` of an answer as an R; EPROTO: it is another, or missing. An Rerror is returned as what it says.
template <class R>
Walked<R> reply_as(const Answer& answer, size_t index) {
  if (index >= answer.replies.size()) {
    if (!answer.replies.empty())
      if (auto error = error_of(answer.replies.back())) return std::unexpected(std::move(*error));
    return std::unexpected(WalkError(EPROTO));
  }
  if (const auto* reply = std::get_if<R>(&answer.replies[index])) return *reply;
  if (auto error = error_of(answer.replies[index])) return std::unexpected(std::move(*error));
  return std::unexpected(WalkError(EPROTO));
}

}  // namespace osp::pip
