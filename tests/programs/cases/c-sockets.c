//: about: C: TCP echo between forked processes, unix stream, datagram, abstract, SCM_RIGHTS, messages, options, errors
//: link: both
#include "try.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static char buffer[70000];

static void tcp(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, peer;
  socklen_t size = sizeof at;
  int listener = (int)NEED(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  NEED(bind(listener, (struct sockaddr *)&at, sizeof at));
  NEED(listen(listener, 16));
  NEED(getsockname(listener, (struct sockaddr *)&at, &size));
  for (int i = 0; i < 4; i++) {
    if (split() != 0) continue;
    int c = (int)NEED(socket(AF_INET, SOCK_STREAM, 0)), one = 1;
    NEED(connect(c, (struct sockaddr *)&at, sizeof at));
    NEED(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    for (int j = 1; j <= 50; j++) {
      memset(buffer, i * 50 + j, 1000);
      NEED(send(c, buffer, 1000, MSG_NOSIGNAL));
      if (recv(c, buffer, 1000, MSG_WAITALL) != 1000 || buffer[999] != (char)(i * 50 + j + 1)) leave(9);
    }
    leave(i);
  }
  for (int i = 0; i < 4; i++) {
    size = sizeof peer;
    int c = (int)NEED(accept4(listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC));
    if (peer.sin_addr.s_addr != at.sin_addr.s_addr) printf("strange peer\n");
    if (split() != 0) {
      close(c);
      continue;
    }
    for (ssize_t n; (n = recv(c, buffer, 1000, 0)) > 0;) {
      for (ssize_t j = 0; j < n; j++) buffer[j]++;
      NEED(send(c, buffer, (size_t)n, 0));
    }
    leave(10);
  }
  int sum = 0, status;
  while (wait(&status) > 0) sum += WEXITSTATUS(status);
  printf("sum of statuses %d\n", sum);
  int value;
  size = sizeof value;
  TRY(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &size));
  printf("listening %d\n", value);
  TRY(fcntl(listener, F_SETFL, O_NONBLOCK));
  TRY(accept(listener, NULL, NULL));
  close(listener);
  int c = (int)NEED(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  TRY(connect(c, (struct sockaddr *)&at, sizeof at) == -1);
  TRY(poll(&(struct pollfd){c, POLLOUT, 0}, 1, -1));
  NEED(getsockopt(c, SOL_SOCKET, SO_ERROR, &value, &size));
  printf("%s\n", value ? strerrorname_np(value) : "connected");
  TRY(getpeername(c, (struct sockaddr *)&peer, &size));
  TRY(send(socket(AF_INET, SOCK_STREAM, 0), "x", 1, MSG_NOSIGNAL));
  TRY(bind(c, (struct sockaddr *)&at, 3));
  TRY(socket(77, SOCK_STREAM, 0));
}

static void send_fd(int over, int fd, const char *text) {
  char control[CMSG_SPACE(sizeof fd)] = "";
  struct iovec data = {(char *)text, strlen(text)};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(c), &fd, sizeof fd);
  NEED(sendmsg(over, &message, 0));
}

static int receive_fd(int over, size_t space) {
  char control[CMSG_SPACE(sizeof(int))];
  struct iovec data = {buffer, 100};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = space};
  long n = NEED(recvmsg(over, &message, MSG_CMSG_CLOEXEC));
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  int fd = -1;
  if (c) memcpy(&fd, CMSG_DATA(c), sizeof fd);
  printf("received %ld bytes, fd %d, flags %x\n", n, fd >= 0, (unsigned)message.msg_flags & ~(unsigned)MSG_CMSG_CLOEXEC);
  return fd;
}

static void rights(void) {
  int sv[2], p[2];
  NEED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
  pid_t pid = split();
  if (pid == 0) {
    int fd = receive_fd(sv[1], CMSG_SPACE(sizeof(int)));
    TRY(fcntl(fd, F_GETFD));
    NEED(write(fd, "through a passed pipe", 21));
    leave(0);
  }
  NEED(pipe(p));
  send_fd(sv[0], p[1], "take this");
  close(p[1]);
  show_end("receiver", pid);
  TRY(read(p[0], buffer, 100));
  printf("%.21s\n", buffer);
  TRY(read(p[0], buffer, 100));
  send_fd(sv[0], p[0], "no room");
  receive_fd(sv[1], 0);
  TRY(send(sv[0], "a long packet", 13, 0));
  TRY(recv(sv[1], buffer, 6, MSG_TRUNC));
  TRY(recv(sv[1], buffer, 6, MSG_DONTWAIT));
}

static void local(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"}, abstract = {.sun_family = AF_UNIX}, peer;
  int a = (int)NEED(socket(AF_UNIX, SOCK_DGRAM, 0)), b = (int)NEED(socket(AF_UNIX, SOCK_DGRAM, 0));
  TRY(bind(a, (struct sockaddr *)&name, sizeof name));
  TRY(bind(b, (struct sockaddr *)&name, sizeof name));
  TRY(sendto(b, "one", 3, 0, (struct sockaddr *)&name, sizeof name));
  TRY(connect(b, (struct sockaddr *)&name, sizeof name));
  TRY(send(b, "three", 5, 0));
  TRY(recv(a, buffer, 100, MSG_PEEK));
  TRY(recv(a, buffer, 100, 0));
  TRY(recv(a, buffer, 100, 0));
  struct mmsghdr many[3] = {0};
  struct iovec data[3] = {{"m1", 2}, {"m22", 3}, {"m333", 4}};
  for (int i = 0; i < 3; i++) many[i].msg_hdr = (struct msghdr){.msg_iov = &data[i], .msg_iovlen = 1};
  TRY(sendmmsg(b, many, 3, 0));
  for (int i = 0; i < 3; i++) data[i] = (struct iovec){buffer + i * 10, 10};
  TRY(recvmmsg(a, many, 3, MSG_WAITFORONE, NULL));
  printf("%u %u %u\n", many[0].msg_len, many[1].msg_len, many[2].msg_len);
  int s = (int)NEED(socket(AF_UNIX, SOCK_STREAM, 0)), c = (int)NEED(socket(AF_UNIX, SOCK_STREAM, 0));
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 20);
  snprintf(abstract.sun_path + 1, 19, "osp-case-%d", getpid());
  TRY(connect(c, (struct sockaddr *)&abstract, size));
  TRY(bind(s, (struct sockaddr *)&abstract, size));
  TRY(listen(s, 1));
  TRY(connect(c, (struct sockaddr *)&abstract, size));
  size = sizeof peer;
  int accepted = (int)NEED(accept(s, (struct sockaddr *)&peer, &size));
  printf("peer's address has %u bytes\n", size);
  struct ucred cred;
  size = sizeof cred;
  NEED(getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &cred, &size));
  printf("peer right %d\n", cred.pid == getpid() && cred.uid == getuid());
  TRY(write(c, "abc", 3));
  int pending;
  TRY(ioctl(accepted, FIONREAD, &pending));
  printf("pending %d\n", pending);
  TRY(shutdown(c, SHUT_WR));
  TRY(write(c, "x", 1) == -1);
  TRY(read(accepted, buffer, 100));
  TRY(read(accepted, buffer, 100));
  close(c);
  TRY(send(accepted, "x", 1, MSG_NOSIGNAL));
  struct timeval wait = {0, 5000};
  TRY(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait));
  TRY(recv(a, buffer, 1, 0));
  TRY(unlink("socket"));
  TRY(send(b, "x", 1, 0));
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  tcp();
  rights();
  local();
}
