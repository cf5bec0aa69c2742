// A seeded simulation: clients with caches on one tree, over links that are cut and a server that is killed, while they
// and the host's own programs change it. Whatever a client sees must be what the host's directory holds at that moment.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <random>
#include <set>

#include "pip/cache/cache.h"
#include "pip/client.h"
#include "pip/host_tree.h"
#include "pip/host_watch.h"
#include "pip/session_client.h"
#include "pip/session_server.h"

namespace osp::pip {
namespace {

constexpr uint32_t term_s = 10;

// All that happens, in one thread: whoever waits lets the others go on.
class World {
 public:
  class Link;

  explicit World(unsigned seed) : random_(seed) {
    char name[] = "/dev/shm/osp-coherence-XXXXXX";
    base = mkdtemp(name);
    tree_path = base + "/tree";
    std::filesystem::create_directory(tree_path);
    std::filesystem::create_directory(base + "/state");
    start();
  }
  ~World() { std::filesystem::remove_all(base); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }
  void start() {
    tree_ = std::move(*HostTree::create(tree_path, {.special_files = false, .name = "tree"}));
    watch_ = std::move(*HostWatch::create(tree_path));
    journals_ = std::make_unique<FileJournalStore>(base + "/state");
    server =
        std::move(*SessionServer::create(*tree_, *journals_, {.lease_term_s = term_s, .watch = watch_.get()}, now_s));
  }
  void restart();
  // Lets everybody go on a bit. What the host's programs did is told.
  void pump();
  void settle();

  std::string base, tree_path;
  uint64_t now_s = 1000;
  std::unique_ptr<SessionServer> server;
  std::vector<Link*> links;
  std::deque<std::function<void()>> work;

 private:
  std::mt19937 random_;
  std::unique_ptr<HostTree> tree_;
  std::unique_ptr<HostWatch> watch_;
  std::unique_ptr<FileJournalStore> journals_;
};

// A client's connection, as the keeper has one.
class World::Link final : public LeaseChannel {
 public:
  explicit Link(World& world) : world_(world) { world_.links.push_back(this); }
  ~Link() override { std::erase(world_.links, this); }

  Result<uint64_t> submit(const std::vector<Message>& messages, uint16_t flags) override {
    return session_.submit(messages, flags, out_);
  }
  Result<Answer> wait(uint64_t tag) override {
    for (int i = 0;; ++i) {
      if (auto answer = session_.take(tag)) return std::move(*answer);
      if (i > 2000) return ADD_FAILURE() << "nobody answers", fail(ETIMEDOUT);
      if (i > 20) world_.now_s += 1;  // all wait for a lease to end
      is_wanted_ = true;
      world_.pump();
    }
  }
  void forget(uint64_t tag) override { session_.forget(tag); }
  [[nodiscard]] uint32_t iounit() const override { return session_.iounit(); }
  [[nodiscard]] bool leases_hold() const override { return world_.now_s < leased_until_s_; }
  [[nodiscard]] uint64_t lease_epoch() const override { return session_.lease_epoch(); }
  [[nodiscard]] bool is_answered(uint64_t tag) const override { return session_.is_answered(tag); }
  void returned(uint64_t lease, uint64_t after) override { session_.returned(lease, after, out_); }
  void keep(uint32_t fid, LockKind kind, const RangeLocks& locks) override { session_.keep(fid, kind, locks, out_); }
  [[nodiscard]] bool is_well() const override { return id_ != 0 && session_.state() == SessionClient::State::open; }
  [[nodiscard]] size_t window() const override { return session_.window(); }

  void cut() {
    if (id_ != 0) world_.server->disconnect(id_, world_.now_s);
    id_ = 0;
    out_.clear();
    session_.disconnected();
    is_wanted_ = false;
  }
  void want() { is_wanted_ = true; }
  void pump() {
    if (id_ == 0 && !is_wanted_ && world_.pick(4) != 0) return;
    if (id_ == 0) {
      id_ = world_.server->connect();
      session_.connected(out_);
    }
    std::string answers;
    const bool was_open = session_.state() == SessionClient::State::open;
    if (was_open) session_.ping(std::to_string(world_.now_s), out_);
    const std::string sent = std::exchange(out_, {});
    const bool is_good = world_.server->receive(id_, sent, answers, world_.now_s).has_value();
    EXPECT_TRUE(is_good);
    world_.server->take_output(id_, answers);
    EXPECT_TRUE(session_.receive(answers, out_));
    if (std::exchange(epoch_, session_.lease_epoch()) != session_.lease_epoch() && holder() != nullptr)
      holder()->leases_lost();
    while (const auto lease = session_.next_recall())
      if (holder() != nullptr) holder()->recalled(*lease);
    if (!session_.answered_ping().empty())
      leased_until_s_ = strtoull(session_.answered_ping().c_str(), nullptr, 10) + session_.lease_term_s();
  }

 private:
  World& world_;
  SessionClient session_{{}};
  uint64_t id_ = 0;
  std::string out_;
  uint64_t epoch_ = 0, leased_until_s_ = 0;
  bool is_wanted_ = true;
};

void World::pump() {
  server->look_at_changes();
  std::vector<Link*> order = links;
  std::shuffle(order.begin(), order.end(), random_);
  for (Link* link : order) link->pump();
  for (size_t left = work.size(); left > 0 && !work.empty(); --left) {  // who waits in it pumps too
    const auto one = std::move(work.front());
    work.pop_front();
    one();
  }
  server->expire(now_s);
}

// Nobody waits for the host's programs, so who has no connection sees later what they did.
void World::settle() {
  for (Link* link : links) link->want();
  for (int i = 0; i < 8; ++i) pump();
}

void World::restart() {
  for (Link* link : links) link->cut();
  server.reset();
  start();
}

struct Machine {
  explicit Machine(World& world)
      : cache(std::make_unique<World::Link>(world), {.directories = 6, .content = 4096},
              [&world](std::function<void()> work) { world.work.push_back(std::move(work)); }),
        client(std::move(*Client::create(cache, "tree"))) {}
  Cache cache;
  std::unique_ptr<Client> client;
  struct Open {
    std::unique_ptr<File> file;
    int host = -1;
    bool writes = false;
    bool is_moved = false;  // by a host's program, so that the server may not find it any more
  };
  std::vector<Open> open;
};

class Simulation {
 public:
  explicit Simulation(unsigned seed) : world_(seed) {
    for (int i = 0; i < 3; ++i) machines_.push_back(std::make_unique<Machine>(world_));
  }
  ~Simulation() {
    for (auto& machine : machines_)
      for (auto& open : machine->open) close(open.host);
  }

  void run(int operations) {
    for (int i = 0; i < operations && !testing::Test::HasFailure(); ++i) {
      at_ = machines_[world_.pick(3)].get();
      disturb();
      const unsigned which = world_.pick(22);
      // Changes may meet others that are still on their way; what is looked at is compared with what is there.
      if (which >= 7 || world_.pick(2) == 0) catch_up();
      if (which < 7) {
        change();
      } else if (which >= 20) {
        make_tree();
      } else if (which < 9) {
        change_by_host();
      } else if (which < 12) {
        use_open_file();
      } else {
        look();
      }
    }
  }
  [[nodiscard]] uint64_t answered() const {
    uint64_t sum = 0;
    for (const auto& machine : machines_) sum += machine->cache.counts().answered;
    return sum;
  }

 private:
  std::string directory() {
    static const char* const names[] = {"", "a", "b", "a/c", "a/c/d"};
    return names[world_.pick(5)];
  }
  std::string path() {
    const std::string where = directory();
    static const char* const names[] = {"f", "g", "h", "a", "c", "d", "l"};
    const std::string name = names[world_.pick(7)];
    return where.empty() ? name : where + "/" + name;
  }
  std::string host(const std::string& path) { return world_.tree_path + (path.empty() ? "" : "/" + path); }

  void disturb() {
    switch (world_.pick(60)) {
      case 0:
        return world_.links[world_.pick(static_cast<unsigned>(world_.links.size()))]->cut();
      case 1:
        return world_.restart();
      case 2:
        world_.now_s += world_.pick(16);
        return;
      default:
        return;
    }
  }

  // What was answered before it was done would change what is compared with.
  void catch_up() {
    if (!std::exchange(is_behind_, false)) return;
    for (int i = 0; i < 1000; ++i) {
      if (std::ranges::none_of(machines_, [](const auto& one) { return one->cache.is_behind(); })) return;
      if (i > 20) world_.now_s += 1;
      world_.pump();
    }
    ADD_FAILURE() << "it is never done";
  }

  // Returns the errno that the host itself would give at this moment.
  template <class T>
  static int code(const Walked<T>& result) {
    return result ? 0 : result.error().code;
  }

  void make_file(const std::string& path) {
    auto opened =
        at_->client->open(path, {.write = true, .create = true, .exclusive = world_.pick(2) == 0, .permissions = 0644});
    if (!opened) return;
    write(*opened->file);
    AttributeChange to;
    to.has_mode = true, to.mode = 0600;
    if (world_.pick(2) == 0) (void)opened->file->change(to);
    (void)opened->file->close();
  }

  void make_tree() {
    const std::string top = path();
    is_behind_ = true;
    if (!at_->client->make(top, {.mode = S_IFDIR | 0755})) return;
    for (const char* name : {"/f", "/g", "/h"})
      if (world_.pick(2) == 0) make_file(top + name);
    if (world_.pick(2) == 0 && at_->client->make(top + "/c", {.mode = S_IFDIR | 0700})) make_file(top + "/c/f");
    AttributeChange to;
    to.has_mtime = true, to.mtime_ns = 1'000'000'000;
    if (world_.pick(2) == 0) (void)at_->client->change(top, to);
    if (world_.pick(4) == 0) make_file(top + "/d");
  }

  void change() {
    is_behind_ = true;
    Client& client = *at_->client;
    const std::string one = path(), two = path();
    switch (world_.pick(9)) {
      case 0:
      case 1: {
        auto opened =
            client.open(one, {.read = true, .write = true, .truncate = true, .create = true, .permissions = 0644});
        if (opened) write(*opened->file);
        return;
      }
      case 2: {
        auto opened = client.open(one, {.read = true, .write = true});
        if (opened) write(*opened->file);
        return;
      }
      case 3:
        return (void)client.remove(one, false);
      case 4:
        return (void)client.make(one, {.mode = S_IFDIR | 0755});
      case 5:
        return (void)client.rename(one, two, world_.pick(4) == 0 ? 2 : 0);
      case 6:
        return (void)client.link(one, two);
      case 7: {
        AttributeChange to;
        to.has_mode = true, to.mode = world_.pick(2) == 0 ? 0755 : 0700;
        return (void)client.change(one, to);
      }
      default:
        return (void)client.make(one, {.mode = S_IFLNK | 0777, .target = "f"});
    }
  }

  void write(File& file) {
    const std::string text = "text " + std::to_string(++serial_) + std::string(world_.pick(200), 'x');
    (void)file.write(world_.pick(3), std::as_bytes(std::span(text)));
    is_behind_ = true;
  }

  void change_by_host() {
    const std::string one = host(path()), two = host(path());
    switch (world_.pick(5)) {
      case 0: {
        const int fd = ::open(one.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW, 0644);
        const std::string text = "host " + std::to_string(++serial_);
        if (fd < 0) break;
        EXPECT_EQ(pwrite(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        close(fd);
        break;
      }
      case 1:
        (void)unlink(one.c_str());
        break;
      case 2:
        (void)::rename(one.c_str(), two.c_str());
        for (auto& machine : machines_)
          for (auto& open : machine->open) open.is_moved = true;
        break;
      case 3:
        (void)mkdir(one.c_str(), 0755);
        break;
      default:
        (void)chmod(one.c_str(), 0755);
    }
    world_.settle();  // it is told without being asked
  }

  void use_open_file() {
    if (at_->open.size() > 5 || (world_.pick(2) == 0 && !at_->open.empty())) {
      const size_t which = world_.pick(static_cast<unsigned>(at_->open.size()));
      Machine::Open& open = at_->open[which];
      if (world_.pick(4) == 0) {
        (void)open.file->close();
        close(open.host);
        at_->open.erase(at_->open.begin() + static_cast<ptrdiff_t>(which));
        return;
      }
      if (open.is_moved) return compare_identity(*open.file, open.host);
      if (open.writes && world_.pick(2) == 0) return write(*open.file);
      return compare_contents(*open.file, open.host);
    }
    const std::string one = path();
    const bool writes = world_.pick(3) == 0;
    auto opened = at_->client->open(one, {.read = true, .write = writes});
    if (!opened || S_ISDIR(opened->attributes.mode)) return;
    const int fd = ::open(host(one).c_str(), O_RDONLY | O_NOFOLLOW);
    ASSERT_GE(fd, 0) << one;
    compare_contents(*opened->file, fd);  // what came along with the open is from then
    at_->open.push_back({std::move(opened->file), fd, writes});
  }

  // Whatever has its name now, it is the file that was opened.
  void compare_identity(File& file, int fd) {
    struct stat s = {};
    ASSERT_EQ(fstat(fd, &s), 0);
    const auto seen = file.stat();
    if (!seen) return;
    EXPECT_EQ(seen->id, s.st_ino);
  }

  void compare_contents(File& file, int fd) {
    std::string expected(4096, '\0'), seen(4096, '\0');
    expected.resize(static_cast<size_t>(pread(fd, expected.data(), expected.size(), 0)));
    const auto size = file.read(0, std::as_writable_bytes(std::span(seen)));
    struct stat s = {};
    ASSERT_EQ(fstat(fd, &s), 0);
    // One that a host's program unlinked behind our back may be gone.
    if (!size && s.st_nlink == 0) return;
    ASSERT_TRUE(size) << describe(size.error());
    seen.resize(*size);
    if (s.st_nlink == 0) return;
    EXPECT_EQ(seen, expected);
  }

  void look() {
    switch (world_.pick(4)) {
      case 0:
        return look_at_directory(directory());
      case 1:
        return read(path());
      default:
        return stat(path());
    }
  }

  // Whether a link is on the way, which the client would follow itself.
  bool has_link(const std::string& path) {
    for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      struct stat s = {};
      if (lstat(host(path.substr(0, slash)).c_str(), &s) == 0 && S_ISLNK(s.st_mode)) return true;
    }
    return false;
  }

  void stat(const std::string& path) {
    const auto seen = at_->client->stat(path);
    struct stat s = {};
    const int expected = lstat(host(path).c_str(), &s) == 0 ? 0 : errno;
    if (has_link(path)) {
      EXPECT_TRUE(!seen && seen.error().is_link()) << path;
      return;
    }
    ASSERT_EQ(code(seen), expected) << path;
    if (!seen) return;
    EXPECT_EQ(seen->id, s.st_ino) << path;
    EXPECT_EQ(seen->mode, s.st_mode) << path;
    EXPECT_EQ(seen->size, static_cast<uint64_t>(s.st_size)) << path;
    EXPECT_EQ(seen->mtime_ns, s.st_mtim.tv_sec * 1'000'000'000 + s.st_mtim.tv_nsec) << path;
    EXPECT_EQ(seen->ctime_ns, s.st_ctim.tv_sec * 1'000'000'000 + s.st_ctim.tv_nsec) << path;
    if (!S_ISLNK(s.st_mode)) return;
    EXPECT_EQ(at_->client->read_link(path).value_or("?"), "f") << path;
  }

  void read(const std::string& path) {
    const auto opened = at_->client->open(path, {.read = true});
    struct stat s = {};
    const int expected = lstat(host(path).c_str(), &s) == 0 ? 0 : errno;
    if (has_link(path) || (expected == 0 && S_ISLNK(s.st_mode))) {
      EXPECT_TRUE(!opened && opened.error().is_link()) << path;
      return;
    }
    ASSERT_EQ(code(opened), expected) << path;
    if (!opened || S_ISDIR(s.st_mode)) return;
    const int fd = ::open(host(path).c_str(), O_RDONLY);
    compare_contents(*opened->file, fd);
    close(fd);
  }

  void look_at_directory(const std::string& path) {
    const auto opened = at_->client->open(path, {.read = true, .directory = true});
    struct stat s = {};
    const int found = lstat(host(path).c_str(), &s) == 0 ? 0 : errno;
    if (has_link(path) || (found == 0 && S_ISLNK(s.st_mode))) {
      EXPECT_TRUE(!opened && opened.error().is_link()) << path;
      return;
    }
    ASSERT_EQ(code(opened), found != 0 ? found : S_ISDIR(s.st_mode) ? 0 : ENOTDIR) << path;
    if (!opened) return;
    std::set<std::string> expected, seen;
    for (const auto& entry : std::filesystem::directory_iterator(host(path))) expected.insert(entry.path().filename());
    expected.erase(".osp-held");
    for (uint64_t next = 0;;) {
      const auto entries = opened->file->read_directory(next, 100);
      ASSERT_TRUE(entries);
      if (entries->empty()) break;
      next += entries->size();
      for (const DirectoryEntry& entry : *entries) {
        EXPECT_TRUE(seen.insert(entry.name).second) << entry.name;
        struct stat of = {};
        ASSERT_EQ(lstat(host(path.empty() ? entry.name : path + "/" + entry.name).c_str(), &of), 0) << entry.name;
        EXPECT_EQ(entry.attributes.id, of.st_ino);
      }
    }
    EXPECT_EQ(seen, expected) << path;
  }

  World world_;
  std::vector<std::unique_ptr<Machine>> machines_;
  Machine* at_ = nullptr;
  unsigned serial_ = 0;
  bool is_behind_ = false;
};

// Three clients make the same names where nothing else happens: each is made by one of them, until that one removes it.
class Race {
 public:
  explicit Race(unsigned seed) : world_(seed) {
    for (int i = 0; i < 3; ++i) machines_.push_back(std::make_unique<Machine>(world_));
  }
  void run(int operations) {
    for (int i = 0; i < operations && !testing::Test::HasFailure(); ++i) {
      if (world_.pick(6) == 0) at_ = world_.pick(3);  // who has just made something, goes on
      Machine& at = *machines_[at_];
      const std::string name =
          std::string(world_.pick(2) == 0 ? "a" : "b/c") + (world_.pick(2) == 0 ? "/lock" : "/other");
      const auto held = holders_.find(name);
      if (held != holders_.end() && held->second == &at) {
        if (at.client->remove(name, world_.pick(2) == 0)) holders_.erase(held);
      } else if (world_.pick(3) != 0) {
        make(at, name);
      } else if (world_.pick(2) == 0) {
        (void)at.client->make(name.substr(0, name.rfind('/')), {.mode = S_IFDIR | 0755});
      } else {
        (void)at.client->open(name.substr(0, name.rfind('/')), {.read = true, .directory = true});
      }
      if (world_.pick(3) == 0) world_.pump();
    }
  }
  [[nodiscard]] uint64_t at_once() const { return at_once_; }

 private:
  void make(Machine& at, const std::string& name) {
    if (world_.pick(2) == 0) (void)at.client->stat(name);  // and so lists the directory
    const bool is_file = world_.pick(2) == 0;
    bool is_made = false;
    if (is_file) {
      auto opened = at.client->open(name, {.write = true, .create = true, .exclusive = true, .permissions = 0600});
      is_made = opened.has_value();
    } else {
      is_made = at.client->make(name, {.mode = S_IFDIR | 0755}).has_value();
    }
    if (!is_made) return;
    at_once_ += at.cache.is_behind() ? 1 : 0;
    EXPECT_TRUE(holders_.emplace(name, &at).second) << name << " was made twice";
  }

  World world_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::map<std::string, Machine*> holders_;
  unsigned at_ = 0;
  uint64_t at_once_ = 0;
};

TEST(Coherence, OneAloneMakesAName) {
  const char* const given = getenv("OSP_SEED");
  const unsigned first = given != nullptr ? static_cast<unsigned>(atoi(given)) : 1;
  const unsigned seeds = given != nullptr ? 1 : 200;
  uint64_t at_once = 0;
  for (unsigned seed = first; seed < first + seeds; ++seed) {
    Race race(seed);
    race.run(200);
    at_once += race.at_once();
    ASSERT_FALSE(HasFailure()) << "OSP_SEED=" << seed << " reproduces it";
  }
  if (given != nullptr) return;
  EXPECT_GT(at_once, seeds) << "nothing is answered before it is done";
}

TEST(Coherence, WhatAClientSeesIsWhatIsThere) {
  const char* const given = getenv("OSP_SEED");
  const char* const count = getenv("OSP_SEEDS");
  const unsigned first = given != nullptr ? static_cast<unsigned>(atoi(given)) : 1;
  const unsigned seeds = given != nullptr ? 1 : count != nullptr ? static_cast<unsigned>(atoi(count)) : 60;
  uint64_t answered = 0;
  for (unsigned seed = first; seed < first + seeds; ++seed) {
    Simulation simulation(seed);
    simulation.run(400);
    answered += simulation.answered();
    ASSERT_FALSE(HasFailure()) << "OSP_SEED=" << seed << " reproduces it";
  }
  EXPECT_GT(answered, seeds * 50U) << "the caches answer nothing";
}

}  // namespace
}  // namespace osp::pip
