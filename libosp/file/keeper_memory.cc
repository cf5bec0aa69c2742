#include "libosp/file/keeper_memory.h"

#include <sys/mman.h>

#include <algorithm>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/keeper_connection.h"
#include "pip/wire.h"

namespace osp::keeper {
namespace {

namespace shm = pip::shm;

Result<std::string> ask(shm::Kind kind, uint32_t server, std::string_view request) {
  OSP_ASSIGN(pip::ShmReply reply, connection()->port->exchange(kind, server, request));
  return reply.status == 0 ? Result<std::string>(std::move(reply.bytes)) : fail(reply.status);
}

Result<std::string> read_all(int fd) {
  const long size = raw::syscall(SYS_lseek, fd, 0, SEEK_END);
  OSP_TRY(from_raw<void>(size));
  std::string bytes(static_cast<size_t>(size), '\0');
  for (size_t at = 0; at < bytes.size();) {
    const long got = raw::syscall(SYS_pread64, fd, bytes.data() + at, bytes.size() - at, at);
    if (got <= 0) return fail(got == 0 ? EIO : static_cast<int>(-got));
    at += static_cast<size_t>(got);
  }
  return bytes;
}

Result<int> memory_with(std::string_view bytes) {
  OSP_ASSIGN(const int made, from_raw<int>(raw::syscall(SYS_memfd_create, "osp-names", MFD_CLOEXEC)));
  OSP_ASSIGN(const int fd, from_raw<int>(file::keep_fd(made)));
  for (size_t at = 0; at < bytes.size();) {
    const long put = raw::syscall(SYS_pwrite64, fd, bytes.data() + at, bytes.size() - at, at);
    if (put <= 0) {
      file::drop_fd(fd);
      return fail(put == 0 ? EIO : static_cast<int>(-put));
    }
    at += static_cast<size_t>(put);
  }
  return fd;
}

Result<SavedMemory> save(const Connection::Server& server) {
  SavedMemory saved;
  saved.url = server.url;
  OSP_ASSIGN(const std::string reply, ask(shm::Kind::save, server.number, {}));
  OSP_ASSIGN(const std::vector<int> fds, connection()->link->receive(pip::Reader(reply).u32()));
  if (fds.size() != 2) return fail(EPROTO);
  const auto names = read_all(fds[1]);
  auto snapshot = names ? ns::MemSnapshot::decode(*names) : std::unexpected(names.error());
  file::drop_fd(fds[1]);
  if (!snapshot) {
    file::drop_fd(fds[0]);
    return std::unexpected(snapshot.error());
  }
  saved.snapshot = std::move(*snapshot), saved.contents = fds[0];
  return saved;
}

Result<uint32_t> number_of(const std::string& url) {
  if (connection() == nullptr) return fail(ENOTCONN);
  const auto found = std::ranges::find(connection()->servers, url, &Connection::Server::url);
  return found == connection()->servers.end() ? fail(ENOENT) : Result<uint32_t>(found->number);
}

}  // namespace

Result<std::vector<SavedMemory>> save_memory() {
  std::vector<SavedMemory> all;
  if (connection() == nullptr) return all;
  for (const Connection::Server& server : connection()->servers) {
    if (!server.url.starts_with("#m")) continue;
    auto saved = save(server);
    if (!saved) {
      for (const SavedMemory& other : all) file::drop_fd(other.contents);
      return std::unexpected(saved.error());
    }
    all.push_back(std::move(*saved));
  }
  return all;
}

Result<void> load_memory(const std::string& url, const ns::MemSnapshot& snapshot, int contents) {
  OSP_ASSIGN(const uint32_t server, number_of(url));
  OSP_ASSIGN(const int names, memory_with(snapshot.encode()));
  const auto sent = connection()->link->send({contents, names});
  file::drop_fd(names);
  if (!sent) return std::unexpected(sent.error());
  std::string request;
  pip::Writer(request).u32(*sent);
  OSP_TRY(ask(shm::Kind::load, server, request));
  return {};
}

Result<void> end_load_memory(const std::string& url) {
  OSP_ASSIGN(const uint32_t server, number_of(url));
  OSP_TRY(ask(shm::Kind::loaded, server, {}));
  return {};
}

}  // namespace osp::keeper
