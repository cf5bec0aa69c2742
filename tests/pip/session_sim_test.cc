// A seeded simulation: a client and a server over a link that is cut, with a server that is killed at any point around
// any change and started again. Each group must take effect exactly once and in order, and every answer be right.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

#include "pip/host_tree.h"
#include "pip/packing.h"
#include "pip/session_client.h"
#include "pip/session_server.h"
#include "tests/pip/faulty_server.h"

namespace osp::pip {
namespace {

using testing::Crash;
using testing::CrashPoints;

constexpr uint32_t root_fid = 1;
constexpr int names = 4;

std::string describe_answer(const Answer& answer) {
  std::string out;
  for (const Message& reply : answer.replies) {
    if (const auto* error = std::get_if<Rerror>(&reply)) out += "error " + std::to_string(error->number);
    if (const auto* read = std::get_if<Rread>(&reply)) out += "read " + std::string(read->dat);
    if (const auto* write = std::get_if<Rwrite>(&reply)) out += "end " + std::to_string(write->offset);
    if (const auto* create = std::get_if<Rcreate>(&reply)) out += create->created != 0 ? "created" : "opened";
    out += ";";
  }
  return out;
}

// The tree as it must be: names to contents; linked names share one.
struct Inode {
  std::string contents;
  std::string attribute;
};
using Model = std::map<std::string, std::shared_ptr<Inode>>;

class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed) {
    char name[] = "/dev/shm/osp-sim-XXXXXX";
    base_ = mkdtemp(name);
    std::filesystem::create_directory(base_ + "/tree");
    std::filesystem::create_directory(base_ + "/state");
  }
  ~Simulation() { std::filesystem::remove_all(base_); }

  void run() {
    submit({Tattach{.fid = root_fid, .afid = no_fid}}, ";");
    for (int i = 0; i < 50 && !::testing::Test::HasFailure(); ++i) {
      operate();
      for (unsigned steps = pick(4); steps > 0; --steps) step(true);
    }
    for (const auto& [fid, inode] : open_) submit({Tclunk{.fid = fid}}, ";");
    for (int i = 0; !expected_.empty() && i < 10000; ++i) step(i < 200);
    EXPECT_TRUE(expected_.empty()) << "unanswered";
    compare_trees();
  }
  unsigned restarts = 0, cuts = 0;

 private:
  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }
  std::string name() { return "f" + std::to_string(pick(names)); }

  void submit(const std::vector<Message>& messages, std::string expected) {
    const auto tag = client_.submit(messages, flag_ordered, to_server_);
    ASSERT_TRUE(tag);
    std::string text;
    for (const Message& message : messages) text += print(message) + " ";
    expected_[*tag] = {std::move(expected), text};
  }
  static std::string error(int code) { return "error " + std::to_string(code) + ";"; }

  void operate() {
    using Operation = void (Simulation::*)();
    constexpr Operation operations[] = {&Simulation::create, &Simulation::append,       &Simulation::rename,
                                        &Simulation::remove, &Simulation::link,         &Simulation::make_directory,
                                        &Simulation::open,   &Simulation::write,        &Simulation::read,
                                        &Simulation::close,  &Simulation::set_attribute};
    (this->*operations[pick(std::size(operations))])();
  }

  // Exclusive creation, writing and closing in one group.
  void create() {
    const std::string path = name(), contents = "c" + std::to_string(++serial_);
    const std::vector<Message> group = {Tcreate{.fid = root_fid, .name = path, .perm = 0644, .mode = "wre", .nfid = 90},
                                        Twrite{.fid = 90, .offset = 0, .dat = contents}, Tclunk{.fid = 90}};
    if (model_.contains(path)) return submit(group, error(EEXIST));
    model_[path] = std::make_shared<Inode>(Inode{contents, ""});
    submit(group, "created;end " + std::to_string(contents.size()) + ";;");
  }

  void append() {
    const std::string path = name(), line = "line " + std::to_string(++serial_) + "\n";
    const bool is_new = !model_.contains(path);
    auto& inode = model_[path];
    if (is_new) inode = std::make_shared<Inode>();
    inode->contents += line;
    submit({Tcreate{.fid = root_fid, .name = path, .perm = 0600, .mode = "wa", .nfid = 91},
            Twrite{.fid = 91, .dat = line}, Tclunk{.fid = 91}},
           std::string(is_new ? "created" : "opened") + ";end " + std::to_string(inode->contents.size()) + ";;");
  }

  static Topen named(const std::string& path) { return {.fid = root_fid, .nfid = 92, .path = path, .mode = "n"}; }

  void rename() {
    const std::string from = name(), to = name();
    const std::vector<Message> group = {named(from), Trename{.fid = 92, .dfid = root_fid, .name = to}};
    if (!model_.contains(from)) return submit(group, ";" + error(ENOENT));
    const auto inode = model_[from];
    // Names of one file stay as they are (rename(2)).
    if (!model_.contains(to) || model_[to] != inode) model_.erase(from);
    model_[to] = inode;
    submit(group, ";;");
  }

  void remove() {
    const std::string path = name();
    const std::vector<Message> group = {named(path), Tremove{.fid = 92}};
    submit(group, model_.erase(path) > 0 ? ";;" : ";" + error(ENOENT));
  }

  void link() {
    const std::string from = name(), to = name();
    const std::vector<Message> group = {named(from), Tlink{.fid = 92, .dfid = root_fid, .name = to}};
    if (!model_.contains(from)) return submit(group, ";" + error(ENOENT));
    if (model_.contains(to)) return submit(group, ";" + error(EEXIST));
    model_[to] = model_[from];
    submit(group, ";;");
  }

  void make_directory() {
    const std::string path = "d";
    const std::vector<Message> make = {Tcreate{.fid = root_fid, .name = path, .perm = S_IFDIR | 0755, .nfid = no_fid}};
    const std::vector<Message> unmake = {named(path), Tremove{.fid = 92, .flags = remove_directory}};
    if (pick(2) == 0) {
      submit(make, directory_ ? error(EEXIST) : "created;");
      directory_ = true;
    } else {
      submit(unmake, directory_ ? ";;" : ";" + error(ENOENT));
      directory_ = false;
    }
  }

  void open() {
    const std::string path = name();
    const uint32_t fid = 10 + static_cast<uint32_t>(++serial_);
    const std::vector<Message> group = {Topen{.fid = root_fid, .nfid = fid, .path = path, .mode = "rw"}};
    if (!model_.contains(path)) return submit(group, error(ENOENT));
    open_[fid] = model_[path];
    submit(group, ";");
  }

  // Through a fid that has been open for long, perhaps on a file whose name is gone.
  void write() {
    if (open_.empty()) return;
    const auto at = std::next(open_.begin(), pick(static_cast<unsigned>(open_.size())));
    const std::string text = "w" + std::to_string(++serial_);
    const size_t offset = pick(8);
    std::string& contents = at->second->contents;
    if (contents.size() < offset + text.size()) contents.resize(offset + text.size());
    contents.replace(offset, text.size(), text);
    submit({Twrite{.fid = at->first, .offset = offset, .dat = text}},
           "end " + std::to_string(offset + text.size()) + ";");
  }

  void read() {
    if (open_.empty()) return;
    const auto at = std::next(open_.begin(), pick(static_cast<unsigned>(open_.size())));
    submit({Tread{.fid = at->first, .offset = 0, .count = 4096}}, "read " + at->second->contents + ";");
  }

  void close() {
    if (open_.empty()) return;
    const auto at = std::next(open_.begin(), pick(static_cast<unsigned>(open_.size())));
    submit({Tclunk{.fid = at->first}}, ";");
    open_.erase(at);
  }

  void set_attribute() {
    const std::string path = name(), value = "v" + std::to_string(++serial_);
    const bool create_it = pick(2) == 0;
    const std::vector<Message> group = {named(path), Twrite{.fid = 92,
                                                            .offset = create_it ? attr_create : attr_remove,
                                                            .dat = create_it ? std::string_view(value) : "",
                                                            .attr = "user.k"}};
    if (!model_.contains(path)) return submit(group, ";" + error(ENOENT));
    std::string& attribute = model_[path]->attribute;
    if (create_it == !attribute.empty()) return submit(group, ";" + error(create_it ? EEXIST : ENODATA));
    attribute = create_it ? value : "";
    submit(group, ";end 0;");
  }

  // One thing happens: bytes arrive, the link breaks, the server is killed or is about to be.
  void step(bool with_faults) {
    const unsigned what = pick(100);
    if (!server_) return start_server(with_faults);
    if (!connected_) return connect();
    if (with_faults && what < 3) return cut();
    if (with_faults && what < 12) points_.countdown = static_cast<int>(pick(12));
    if (!with_faults) points_.countdown = -1;
    what % 2 == 0 ? deliver_to_server() : deliver_to_client();
  }

  void start_server(bool with_faults) {
    points_.countdown = with_faults && pick(4) == 0 ? static_cast<int>(pick(6)) : -1;
    tree_ = std::make_unique<testing::FaultyServer>(std::move(*HostTree::create(base_ + "/tree", {})), points_);
    journals_ = std::make_unique<testing::FaultyJournalStore>(base_ + "/state", points_);
    try {
      server_ = std::move(*SessionServer::create(*tree_, *journals_, {}, 0));
    } catch (const Crash&) {
      kill();
    }
  }

  void kill() {
    ++restarts;
    points_.countdown = -1;
    server_.reset();
    journals_.reset();
    tree_.reset();
    lose_link();
  }

  void lose_link() {
    connected_ = false;
    to_server_.clear();
    to_client_.clear();
    client_.disconnected();
  }

  void cut() {
    ++cuts;
    server_->disconnect(connection_, 0);
    lose_link();
  }

  void connect() {
    connected_ = true;
    connection_ = server_->connect();
    client_.connected(to_server_);
  }

  void deliver_to_server() {
    const std::string bytes = take_some(to_server_);
    try {
      const auto taken = server_->receive(connection_, bytes, to_client_, 0);
      EXPECT_TRUE(taken) << osp::describe(taken.error());
    } catch (const Crash&) {
      kill();
    }
  }

  void deliver_to_client() {
    const auto taken = client_.receive(take_some(to_client_), to_server_);
    EXPECT_TRUE(taken) << osp::describe(taken.error());
    while (const auto tag = client_.next_answered()) {
      const auto answer = client_.take(*tag);
      const auto expected = expected_.extract(*tag);
      ASSERT_FALSE(expected.empty()) << "answered twice";
      EXPECT_EQ(describe_answer(*answer), expected.mapped().first)
          << "tag " << *tag << ": " << expected.mapped().second;
    }
  }

  std::string take_some(std::string& from) {
    const size_t size = pick(4) == 0 ? pick(static_cast<unsigned>(from.size() + 1)) : from.size();
    std::string taken = from.substr(0, size);
    from.erase(0, size);
    return taken;
  }

  void compare_trees() {
    std::map<std::string, std::string> wanted, seen;
    for (const auto& [path, inode] : model_) wanted[path] = inode->contents;
    if (directory_) wanted["d"] = "directory";
    for (const auto& entry : std::filesystem::directory_iterator(base_ + "/tree")) {
      std::string& contents = seen[entry.path().filename()];
      contents = "directory";
      if (entry.is_directory()) continue;
      std::ifstream in(entry.path());
      contents.assign(std::istreambuf_iterator<char>(in), {});
    }
    EXPECT_EQ(seen, wanted);
  }

  std::mt19937 random_;
  std::string base_;
  CrashPoints points_;
  std::unique_ptr<Server> tree_;
  std::unique_ptr<JournalStore> journals_;
  std::unique_ptr<SessionServer> server_;
  SessionClient client_{{}};
  bool connected_ = false;
  uint64_t connection_ = 0;
  std::string to_server_, to_client_;
  uint64_t serial_ = 0;
  std::map<uint64_t, std::pair<std::string, std::string>> expected_;  // by tag
  Model model_;
  bool directory_ = false;
  std::map<uint32_t, std::shared_ptr<Inode>> open_;
};

TEST(SessionSimulation, EveryGroupExactlyOnce) {
  const char* one = getenv("OSP_SIM_SEED");
  const char* many = getenv("OSP_SIM_SEEDS");
  const unsigned first = one != nullptr ? static_cast<unsigned>(atoi(one)) : 0;
  const unsigned count = one != nullptr ? 1 : many != nullptr ? static_cast<unsigned>(atoi(many)) : 1000;
  unsigned restarts = 0, cuts = 0;
  for (unsigned seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("OSP_SIM_SEED=" + std::to_string(seed));
    Simulation simulation(seed);
    simulation.run();
    if (HasFailure()) return;
    restarts += simulation.restarts, cuts += simulation.cuts;
  }
  if (one == nullptr) {
    EXPECT_GT(restarts, count);
    EXPECT_GT(cuts, count);
  }
}

}  // namespace
}  // namespace osp::pip
