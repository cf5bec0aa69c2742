#include "libosp/file/keeper.h"

#include <sys/mman.h>

#include <algorithm>

#include "base/log.h"
#include "libosp/file/files.h"
#include "libosp/file/keeper_connection.h"
#include "libosp/file/keeper_start.h"
#include "libosp/host/window.h"
#include "pip/client.h"
#include "pip/wire.h"

namespace osp::keeper {
namespace {

namespace shm = pip::shm;

Connection* the_connection = nullptr;

Result<void*> map_shared(int fd, size_t size) {
  OSP_ASSIGN(const long at, from_raw(window::map(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)));
  return reinterpret_cast<void*>(at);
}

Result<void> connect() {
  if (the_connection != nullptr) return {};
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
  the_connection = made.release();  // lives as long as the process
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
  const auto reply = the_connection->port->exchange(shm::Kind::attach, 0, url);
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

Connection* connection() { return the_connection; }

void prepare(const host::BootBlock& boot) { remember(boot); }

ns::Checked<std::shared_ptr<pip::Server>> attach(const std::string& url) {
  if (const auto connected = connect(); !connected)
    return ns::trouble(connected.error().code,
                       fmt::format("the keeper cannot be started: {}", describe(connected.error())),
                       "osp-keeper belongs beside osp-core or in ../bin");
  auto& servers = the_connection->servers;
  if (const auto known = std::ranges::find(servers, url, &Connection::Server::url); known != servers.end())
    return known->client;
  const auto attached = ask_for(url);
  if (!attached) return std::unexpected(attached.error());
  auto channel = std::make_shared<pip::ShmChannel>(*the_connection->port, *the_connection->environment,
                                                   attached->server, attached->iounit);
  auto client = pip::Client::create(*channel, url);
  if (!client) return std::unexpected(explain(url, client.error().code, {}));
  servers.push_back({.url = url, .number = attached->server, .channel = channel, .client = std::move(*client)});
  return servers.back().client;
}

// Nothing else runs between this and the fork, so the child has exactly what the parent has.
void before_fork() {
  if (the_connection == nullptr) return;
  Link& link = *the_connection->link;
  link.set_exclusive(true);
  const auto reply = the_connection->port->exchange(shm::Kind::fork, 0, {});
  link.set_exclusive(false);
  if (!reply || reply->status != 0) return;
  const auto fds = link.receive(pip::Reader(reply->bytes).u32());
  if (fds && fds->size() == 3) the_connection->child = {.socket = (*fds)[0], .segment = (*fds)[1], .event = (*fds)[2]};
}

void after_fork_in_parent() {
  if (the_connection == nullptr || !the_connection->child) return;
  file::drop_fd(the_connection->child->socket);
  file::drop_fd(the_connection->child->segment);
  file::drop_fd(the_connection->child->event);
  the_connection->child.reset();
}

void after_fork() {
  if (the_connection == nullptr) return;
  if (!the_connection->child) {
    the_connection->link->replace(-1, -1);
    return;
  }
  const Connection::Child child = *the_connection->child;
  the_connection->child.reset();
  const auto segment = map_shared(child.segment, shm::segment_size);
  file::drop_fd(child.segment);
  if (!segment) {
    file::drop_fd(child.socket);
    file::drop_fd(child.event);
    the_connection->link->replace(-1, -1);
    return;
  }
  the_connection->link->replace(child.socket, child.event);
  window::unmap(reinterpret_cast<uintptr_t>(the_connection->port->segment()), shm::segment_size);
  the_connection->port->replace(static_cast<std::byte*>(*segment));
  for (const auto& server : the_connection->servers) server.channel->after_fork();
}

namespace {

bool has_written_pages() {
  return the_connection != nullptr && std::ranges::any_of(the_connection->servers, [](const auto& server) {
           return server.channel->has_written_pages();
         });
}

}  // namespace

Result<void> sync() {
  if (!has_written_pages()) return {};
  OSP_ASSIGN(const pip::ShmReply reply, the_connection->port->exchange(shm::Kind::sync, 0, {}));
  return reply.status == 0 ? Result<void>{} : fail(reply.status);
}

void end() {
  if (!has_written_pages()) return;
  the_connection->link->set_exclusive(true);  // no signal cuts this short
  (void)the_connection->port->exchange(shm::Kind::end, 0, {});
}

}  // namespace osp::keeper
