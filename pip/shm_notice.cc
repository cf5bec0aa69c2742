// fds over the control socket, by raw system calls: both ends use it (shm_server.h).
#include <sys/socket.h>

#include <cstring>

#include "pip/shm_server.h"

namespace osp::pip {
namespace {

constexpr size_t most_fds = 4;

union Control {
  char bytes[CMSG_SPACE(most_fds * sizeof(int))];
  cmsghdr header;
};

}  // namespace

Result<void> send_notice(int socket, uint32_t serial, const std::vector<int>& fds) {
  shm::Notice notice{.serial = serial};
  iovec part{.iov_base = &notice, .iov_len = sizeof notice};
  Control control{};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = &control, message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET, head->cmsg_type = SCM_RIGHTS, head->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  memcpy(CMSG_DATA(head), fds.data(), fds.size() * sizeof(int));
  return from_raw<void>(raw::syscall(SYS_sendmsg, socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

Result<ReceivedNotice> receive_notice(int socket, bool may_block) {
  shm::Notice notice{};
  iovec part{.iov_base = &notice, .iov_len = sizeof notice};
  Control control{};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = &control, message.msg_controllen = sizeof control;
  long size = 0;
  do {
    size = raw::syscall(SYS_recvmsg, socket, &message, MSG_CMSG_CLOEXEC | (may_block ? 0 : MSG_DONTWAIT));
  } while (size == -EINTR && may_block);
  if (size < 0) return fail(static_cast<int>(-size));
  ReceivedNotice received{.serial = notice.serial};
  const cmsghdr* const head = CMSG_FIRSTHDR(&message);
  if (head != nullptr && head->cmsg_type == SCM_RIGHTS) {
    received.fds.resize((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(received.fds.data(), CMSG_DATA(head), received.fds.size() * sizeof(int));
  }
  return size == sizeof notice ? Result<ReceivedNotice>(std::move(received)) : fail(EIO);
}

}  // namespace osp::pip
