// The shared-memory transport, both ends, with a keeper that is a thread of the test.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "pip/client.h"
#include "pip/shm_channel.h"
#include "pip/shm_server.h"
#include "pip/wire.h"

namespace osp::pip {
namespace {

// A client's surroundings: futexes, and a doorbell that the fake keeper sleeps on.
class TestLink final : public ShmLink {
 public:
  explicit TestLink(int socket) : socket_(socket), doorbell_(eventfd(0, 0)) {}
  ~TestLink() override { close(doorbell_); }
  void ring() override { eventfd_write(doorbell_, 1); }
  Result<void> wait(shm::Header& header, uint32_t seen) override {
    header.sleeping.store(1);
    if (header.replies.load() != seen) return {};
    raw::syscall(SYS_futex, &header.replies, FUTEX_WAIT, seen, 0, 0, 0);
    return {};
  }
  Result<int> receive_fd(uint32_t serial) override {
    OSP_ASSIGN(const ReceivedNotice notice, receive_notice(socket_, true));
    return notice.serial == serial && notice.fds.size() == 1 ? Result<int>(notice.fds[0]) : fail(EIO);
  }
  void close_fd(int fd) override {
    ++closed;
    close(fd);
  }
  void sleep() const {
    eventfd_t count = 0;
    eventfd_read(doorbell_, &count);
  }
  int closed = 0;

 private:
  int socket_;
  int doorbell_;
};

using Answerer = std::function<void(ShmServer&, const ShmServer::Request&)>;

class ShmTest : public testing::Test {
 protected:
  void SetUp() override {
    server_ = std::move(*ShmServer::create());
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets_), 0);
    link_ = std::make_unique<TestLink>(sockets_[0]);
    segment_ = mmap(nullptr, shm::segment_size, PROT_READ | PROT_WRITE, MAP_SHARED, server_->segment_fd(), 0);
    ASSERT_NE(segment_, MAP_FAILED);
    port_ = std::make_unique<ShmPort>(static_cast<std::byte*>(segment_), *link_);
  }
  void TearDown() override {
    stop_ = true;
    link_->ring();
    if (keeper_.joinable()) keeper_.join();
    munmap(segment_, shm::segment_size);
    close(sockets_[0]);
    close(sockets_[1]);
  }
  // Answers each request as it comes.
  void serve(Answerer answer) {
    keeper_ = std::thread([this, answer = std::move(answer)] {
      while (!stop_) {
        link_->sleep();
        for (const auto& request : server_->take()) answer(*server_, request);
      }
    });
  }

  std::unique_ptr<ShmServer> server_;
  int sockets_[2] = {-1, -1};
  std::unique_ptr<TestLink> link_;
  void* segment_ = nullptr;
  std::unique_ptr<ShmPort> port_;
  std::thread keeper_;
  std::atomic<bool> stop_ = false;
  shm::Environment environment_{};
};

void echo(ShmServer& server, const ShmServer::Request& request) {
  server.reply(request.slot, 0, "re: " + std::string(request.bytes));
}

TEST_F(ShmTest, RequestComesBack) {
  serve(echo);
  const auto reply = port_->exchange(shm::Kind::group, 0, "hello");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 0);
  EXPECT_EQ(reply->bytes, "re: hello");
}

TEST_F(ShmTest, MoreRequestsThanSlotsBeforeAnyIsAwaited) {
  serve(echo);
  std::vector<uint64_t> tags;
  for (int i = 0; i < 100; ++i) tags.push_back(*port_->submit(shm::Kind::group, 0, std::to_string(i)));
  for (int i = 99; i >= 0; --i) EXPECT_EQ(port_->wait(tags[static_cast<size_t>(i)])->bytes, "re: " + std::to_string(i));
}

TEST_F(ShmTest, ForgottenRepliesFreeTheirSlots) {
  serve(echo);
  for (int i = 0; i < 100; ++i) port_->forget(*port_->submit(shm::Kind::group, 0, "x"));
  EXPECT_EQ(port_->exchange(shm::Kind::group, 0, "y")->bytes, "re: y");
}

TEST_F(ShmTest, AreasHoldWhatTheyPromise) {
  serve([](ShmServer& server, const ShmServer::Request& request) { server.reply(request.slot, 0, request.bytes); });
  const std::string whole(shm::area_size, 'w');
  EXPECT_EQ(port_->exchange(shm::Kind::group, 0, whole)->bytes, whole);
  EXPECT_EQ(port_->submit(shm::Kind::group, 0, whole + "x").error().code, EMSGSIZE);
}

TEST_F(ShmTest, StatusIsTheReply) {
  serve([](ShmServer& server, const ShmServer::Request& request) { server.reply(request.slot, ESTALE, size_t{0}); });
  EXPECT_EQ(port_->exchange(shm::Kind::sync, 0, {})->status, ESTALE);
}

TEST_F(ShmTest, TagsOfBeforeAForkAreStale) {
  serve(echo);
  const uint64_t tag = *port_->submit(shm::Kind::group, 0, "parent's");
  port_->replace(port_->segment());
  EXPECT_EQ(port_->wait(tag).error().code, ESTALE);
  port_->forget(tag);
}

// A client that writes nonsense into its segment harms only itself.
TEST_F(ShmTest, SizesBeyondTheAreaAreCut) {
  shm::Slot& slot = port_->header().slots[3];
  slot.request_size = UINT32_MAX;
  slot.state.store(shm::State::asked);
  const auto requests = server_->take();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].bytes.size(), shm::area_size);
  EXPECT_TRUE(server_->take().empty());  // it is being answered
}

TEST_F(ShmTest, MapPassesOneFdForAFid) {
  const int memory = memfd_create("test", 0);
  int maps = 0;
  serve([&](ShmServer& server, const ShmServer::Request& request) {
    std::string bytes;
    Writer writer(bytes);
    if (request.kind != shm::Kind::map) {
      server.reply(request.slot, EIO, size_t{0});
      return;
    }
    if (maps == 0) {
      ASSERT_TRUE(send_notice(sockets_[1], 7, {memory}));
    }
    writer.u32(maps++ == 0 ? 7 : 0);
    writer.u64(12345);
    server.reply(request.slot, 0, bytes);
  });
  ShmChannel channel(*port_, environment_, 0, shm::most_data);
  const auto first = channel.map(5, 4096, 100, false);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->fd_offset, 4096U);
  EXPECT_EQ(first->size, 12345U);
  const auto second = channel.map(5, 0, 100, false);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->fd, first->fd);
  EXPECT_TRUE(channel.submit({Tclunk{.fid = 5}}, 0));
  EXPECT_EQ(link_->closed, 1);
  close(memory);
}

TEST_F(ShmTest, ChangesOfOthersAreSeen) {
  ShmChannel channel(*port_, environment_, 3, shm::most_data);
  const uint64_t before = channel.outside_changes();
  environment_.changes[2].fetch_add(1);
  EXPECT_EQ(channel.outside_changes(), before);
  environment_.changes[3].fetch_add(1);
  EXPECT_NE(channel.outside_changes(), before);
}

}  // namespace
}  // namespace osp::pip
