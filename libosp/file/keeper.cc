#include "libosp/file/keeper.h"

#include <sys/mman.h>

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "libosp/file/files.h"
#include "libosp/file/keeper_link.h"
#include "libosp/file/keeper_start.h"
#include "libosp/host/window.h"
#include "pip/client.h"
#include "pip/shm_channel.h"
#include "pip/wire.h"

namespace osp::keeper {
namespace {

namespace shm = pip::shm;

// What this process has with the keeper.
struct Connection {
  std::unique_ptr<Link> link;
  std::unique_ptr<pip::ShmPort> port;
  const shm::Environment* environment = nullptr;
  std::vector<std::shared_ptr<pip::ShmChannel>> channels;
  // A channel for a child that is about to be forked.
  struct Child {
    int socket, segment, event;
  };
  std::optional<Child> child;
};

Connection* connection = nullptr;  // of this process; made once

Result<void*> map_shared(int fd, size_t size) {
  OSP_ASSIGN(const long at, from_raw(window::map(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)));
  return reinterpret_cast<void*>(at);
}

Result<void> connect() {
  if (connection != nullptr) return {};
  OSP_ASSIGN(const int socket, start());
  auto made = std::make_unique<Connection>();
  Link first(socket, -1, -1);
  const auto fds = first.receive(0);
  if (!fds || fds->size() != 4) {
    file::drop_fd(socket);
    return fds ? fail(EPROTO) : std::unexpected(fds.error());
  }
  OSP_ASSIGN(void* const segment, map_shared((*fds)[0], shm::segment_size));
  OSP_ASSIGN(const void* const environment, map_shared((*fds)[3], shm::environment_size));
  file::drop_fd((*fds)[0]);
  file::drop_fd((*fds)[3]);
  made->link = std::make_unique<Link>(socket, (*fds)[1], (*fds)[2]);
  made->port = std::make_unique<pip::ShmPort>(static_cast<std::byte*>(segment), *made->link);
  made->environment = static_cast<const shm::Environment*>(environment);
  connection = made.release();  // lives as long as the process
  return {};
}

ns::Trouble explain(const std::string& url, int code, const std::string& why) {
  ns::Trouble trouble{.code = code, .reason = why.empty() ? url + ": " + describe(Error(code)) : why, .remedy = {}};
  if (code == ECONNREFUSED || code == ENOENT || code == ETIMEDOUT || code == EHOSTUNREACH)
    trouble.remedy = "start pipd there: pipd --export DIR --listen WHERE";
  return trouble;
}

struct Attached {
  uint32_t server = 0, iounit = 0;
};

ns::Checked<Attached> ask_for(const std::string& url) {
  const auto reply = connection->port->exchange(shm::Kind::attach, 0, url);
  if (!reply) return std::unexpected(explain(url, reply.error().code, {}));
  if (reply->status != 0) return std::unexpected(explain(url, reply->status, reply->bytes));
  pip::Reader reader(reply->bytes);
  Attached attached{.server = reader.u32()};
  attached.iounit = reader.u32();
  if (!reader.finished() || attached.server >= shm::Environment::most_servers)
    return std::unexpected(explain(url, EPROTO, {}));
  return attached;
}

}  // namespace

void prepare(const host::BootBlock& boot) { remember(boot); }

ns::Checked<std::shared_ptr<pip::Server>> attach(const std::string& url) {
  if (const auto connected = connect(); !connected)
    return ns::trouble(connected.error().code,
                       fmt::format("the keeper cannot be started: {}", describe(connected.error())),
                       "osp-keeper belongs beside osp-core or in ../bin");
  const auto attached = ask_for(url);
  if (!attached) return std::unexpected(attached.error());
  auto channel = std::make_shared<pip::ShmChannel>(*connection->port, *connection->environment, attached->server,
                                                   attached->iounit);
  connection->channels.push_back(channel);
  auto client = pip::Client::create(*channel, url);
  if (!client) return std::unexpected(explain(url, client.error().code, {}));
  return std::shared_ptr<pip::Server>(std::move(*client));
}

// Nothing else runs between this and the fork, so the child has exactly what the parent has.
void before_fork() {
  if (connection == nullptr) return;
  Link& link = *connection->link;
  link.set_exclusive(true);
  const auto reply = connection->port->exchange(shm::Kind::fork, 0, {});
  link.set_exclusive(false);
  if (!reply || reply->status != 0) return;
  const auto fds = link.receive(pip::Reader(reply->bytes).u32());
  if (fds && fds->size() == 3) connection->child = {.socket = (*fds)[0], .segment = (*fds)[1], .event = (*fds)[2]};
}

void after_fork_in_parent() {
  if (connection == nullptr || !connection->child) return;
  file::drop_fd(connection->child->socket);
  file::drop_fd(connection->child->segment);
  file::drop_fd(connection->child->event);
  connection->child.reset();
}

void after_fork() {
  if (connection == nullptr) return;
  if (!connection->child) {
    connection->link->replace(-1, -1);
    return;
  }
  const Connection::Child child = *connection->child;
  connection->child.reset();
  connection->link->replace(child.socket, child.event);
  const auto segment = map_shared(child.segment, shm::segment_size);
  file::drop_fd(child.segment);
  if (!segment) return;
  window::unmap(reinterpret_cast<uintptr_t>(connection->port->segment()), shm::segment_size);
  connection->port->replace(static_cast<std::byte*>(*segment));
  for (const auto& channel : connection->channels) channel->after_fork();
}

Result<void> sync() {
  if (connection == nullptr) return {};
  if (std::ranges::none_of(connection->channels, [](const auto& channel) { return channel->has_written_pages(); }))
    return {};
  OSP_ASSIGN(const pip::ShmReply reply, connection->port->exchange(shm::Kind::sync, 0, {}));
  return reply.status == 0 ? Result<void>{} : fail(reply.status);
}

}  // namespace osp::keeper
