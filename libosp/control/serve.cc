#include "libosp/control/serve.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/control/control_server.h"
#include "libosp/control/socket_name.h"
#include "libosp/file/files.h"
#include "pip/session_server.h"

namespace osp::control {
namespace {

constexpr int patience_ms = 10'000;

bool may_ask(int fd) {
  ucred peer = {};
  socklen_t size = sizeof peer;
  if (raw::syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return false;
  return peer.uid == 0 || peer.uid == static_cast<uid_t>(raw::call(SYS_geteuid));
}

// A core's fd, or minus an errno.
long connect_to_tool(uint64_t nonce) {
  const long fd = file::keep_fd(static_cast<int>(raw::syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  if (fd < 0) return fd;
  const SocketName name = socket_name(nonce);
  long result = raw::syscall(SYS_connect, fd, &name.address, name.size);
  if (result == 0 && !may_ask(static_cast<int>(fd))) result = -EPERM;
  if (result == 0) return fd;
  file::drop_fd(static_cast<int>(fd));
  return result;
}

bool wait_readable(int fd) {
  pollfd wait = {fd, POLLIN, 0};
  const timespec limit = {patience_ms / 1000, 0};
  long ready = 0;
  do {
    ready = raw::syscall(SYS_ppoll, &wait, 1, &limit, 0, 8);
  } while (ready == -EINTR);
  return ready > 0;
}

bool send_all(int fd, std::string& out) {
  size_t sent = 0;
  while (sent < out.size()) {
    const long size = raw::syscall(SYS_sendto, fd, out.data() + sent, out.size() - sent, MSG_NOSIGNAL, 0, 0);
    if (size < 0 && size != -EINTR) return false;
    if (size > 0) sent += static_cast<size_t>(size);
  }
  out.clear();
  return true;
}

void converse(int fd, ControlServer& tree) {
  pip::NoJournalStore journals;
  const auto server = pip::SessionServer::create(tree, journals, {}, 0);
  if (!server) return;
  const uint64_t connection = (*server)->connect();
  std::vector<char> buffer(65536);
  std::string out;
  while (wait_readable(fd)) {
    const long size = raw::read(fd, buffer.data(), buffer.size());
    if (size == -EINTR) continue;
    if (size <= 0) break;
    const auto taken = (*server)->receive(connection, {buffer.data(), static_cast<size_t>(size)}, out, 0);
    if (!send_all(fd, out) || !taken) break;
  }
  (*server)->disconnect(connection, 0);
}

}  // namespace

void serve(task::Thread& thread, uint64_t nonce) {
  const long fd = connect_to_tool(nonce);
  if (fd < 0) {
    log::info("control", "a tool asked for us but cannot be reached: {}", describe(Error(static_cast<int>(-fd))));
    return;
  }
  ControlServer tree(thread.process);
  converse(static_cast<int>(fd), tree);
  file::drop_fd(static_cast<int>(fd));
  if (tree.must_end()) raw::syscall(SYS_kill, raw::getpid(), SIGKILL);
}

}  // namespace osp::control
