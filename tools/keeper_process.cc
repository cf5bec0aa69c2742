#include "tools/keeper_process.h"

#include <sys/socket.h>

#include <utility>

namespace osp::keeper {
namespace {

uint64_t key(uint32_t tree, uint32_t fid) { return uint64_t{tree} << 32U | fid; }

}  // namespace

Result<std::shared_ptr<Process>> Process::create_on(pip::HostFd socket) {
  auto made = std::make_shared<Process>();
  OSP_ASSIGN(made->channel_, pip::ShmServer::create());
  made->socket_ = std::move(socket);
  return made;
}

Result<std::shared_ptr<Process>> Process::create(pip::HostFd& theirs) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return fail(errno);
  theirs = pip::HostFd(ends[1]);
  return create_on(pip::HostFd(ends[0]));
}

Result<std::shared_ptr<Process>> Process::fork(const Process& parent, pip::HostFd& theirs) {
  OSP_ASSIGN(auto child, create(theirs));
  child->fids_ = parent.fids_;
  return child;
}

Result<uint32_t> Process::send(const std::vector<int>& fds) {
  OSP_TRY(pip::send_notice(socket_.get(), ++last_serial_, fds));
  return last_serial_;
}

Result<void> Process::receive() {
  while (true) {
    auto notice = pip::receive_notice(socket_.get(), false);
    if (!notice) return notice.error().code == EAGAIN ? Result<void>{} : fail(EIO);
    std::vector<pip::HostFd> fds;
    for (const int fd : notice->fds) fds.emplace_back(fd);
    sent_[notice->serial] = std::move(fds);
  }
}

Result<std::vector<pip::HostFd>> Process::take_sent(uint32_t serial) {
  OSP_TRY(receive());
  auto found = sent_.extract(serial);
  return found.empty() ? fail(EIO) : Result<std::vector<pip::HostFd>>(std::move(found.mapped()));
}

Process::Held* Process::find(uint32_t tree, uint32_t fid) {
  const auto found = fids_.find(key(tree, fid));
  return found == fids_.end() ? nullptr : &found->second;
}

void Process::put(uint32_t tree, uint32_t fid, FidPtr file) {
  if (!gone_) fids_[key(tree, fid)] = {.fid = std::move(file)};
}

FidPtr Process::take(uint32_t tree, uint32_t fid) {
  const auto found = fids_.find(key(tree, fid));
  if (found == fids_.end()) return nullptr;
  FidPtr file = std::move(found->second.fid);
  fids_.erase(found);
  return file;
}

void Process::end() {
  auto fids = std::exchange(fids_, {});
  for (auto& [key, held] : fids) close(std::move(held.fid));
}

}  // namespace osp::keeper
