#include "tools/keeper_service.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/log.h"
#include "pip/cache/cache.h"
#include "pip/url.h"
#include "pip/wire.h"
#include "tools/keeper_locks.h"
#include "tools/keeper_saving.h"
#include "tools/keeper_watches.h"

namespace osp::keeper {

using namespace pip;

namespace {

// Without a process that waits for it, what a server is owed is tried for so long.
constexpr int64_t give_up_after_ms = 60'000;

// A fifo without a name: opened through /proc it acts as any other. Who may open it the server's modes have said.
Result<HostFd> make_fifo() {
  for (const std::string base : {"/dev/shm", "/tmp", "/var/tmp"}) {
    std::string directory = base + "/osp-fifo-XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) continue;
    const std::string name = directory + "/fifo";
    HostFd fd;
    if (mkfifo(name.c_str(), 0666) == 0 && chmod(name.c_str(), 0666) == 0)
      fd = HostFd(open(name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    unlink(name.c_str());
    rmdir(directory.c_str());
    if (fd.get() >= 0) return fd;
  }
  return fail(EIO);
}

}  // namespace

Result<std::unique_ptr<Service>> Service::create(uint64_t cache_limit) {
  std::unique_ptr<Service> service(new Service(cache_limit));
  OSP_ASSIGN(service->loop_, Loop::create());
  service->doorbell_ = HostFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  service->environment_fd_ = HostFd(memfd_create("osp-environment", MFD_CLOEXEC));
  if (service->doorbell_.get() < 0 || service->environment_fd_.get() < 0) return fail(errno);
  if (ftruncate(service->environment_fd_.get(), shm::environment_size) != 0) return fail(errno);
  void* const memory =
      mmap(nullptr, shm::environment_size, PROT_READ | PROT_WRITE, MAP_SHARED, service->environment_fd_.get(), 0);
  if (memory == MAP_FAILED) return fail(errno);
  service->environment_ = new (memory) shm::Environment();
  OSP_TRY(service->loop_->watch(service->doorbell_.get(), EPOLLIN,
                                [raw = service.get()](uint32_t) { raw->take_requests(); }));
  service->loop_->each_tick([raw = service.get()] { raw->tick(); });
  return service;
}

Service::~Service() {
  processes_.clear();
  trees_.clear();
}

Result<void> Service::begin(HostFd socket) {
  OSP_ASSIGN(const ProcessPtr first, Process::create_on(std::move(socket)));
  OSP_TRY(send_notice(
      first->socket(), 0,
      {first->channel().segment_fd(), doorbell_.get(), first->channel().event_fd(), environment_fd_.get()}));
  return add(first);
}

Result<void> Service::add(const ProcessPtr& process) {
  OSP_TRY(loop_->watch(process->socket(), EPOLLIN | EPOLLRDHUP, [this, process](uint32_t) { hear(process); }));
  processes_.push_back(process);
  return {};
}

void Service::start_job(std::function<void()> body) {
  ++running_;
  jobs().start([this, work = std::move(body)] {
    work();
    --running_;
  });
}

void Service::hear(const ProcessPtr& process) {
  if (!process->receive()) remove(process);
}

void Service::remove(const ProcessPtr& process) {
  loop_->forget(process->socket());
  const ProcessPtr kept = process;
  std::erase(processes_, kept);
  left_ms_ = now_ms();
  kept->set_gone();
  look_at_locks();
  start_job([this, kept] {
    pages_.end(kept.get());
    kept->end();
  });
}

void Service::run() {
  loop_->run([this] {
    if (!processes_.empty() || running_ == 0) return processes_.empty();
    if (now_ms() - left_ms_ < give_up_after_ms) return false;
    log::error("keeper", "gives up: no server answers, and {} requests are left", running_);
    return true;
  });
}

void Service::tick() {
  for (const auto& tree : trees_) {
    if (tree->locks != nullptr) tree->locks->tick();
    tree->watches->tick();
  }
  constexpr unsigned flush_every = 4;
  if (++ticks_ % flush_every != 0) return;
  pages_.trim();
  if (pages_.has_written()) start_job([this] { (void)pages_.flush(nullptr); });
}

void Service::take_requests() {
  eventfd_t count = 0;
  eventfd_read(doorbell_.get(), &count);
  for (const ProcessPtr& process : processes_)
    for (const Request& request : process->channel().take())
      start_job([this, process, request] { serve(process, request); });
}

void Service::serve(const ProcessPtr& process, const Request& request) {
  if (request.kind == shm::Kind::attach) {
    std::string why;
    const auto attached = attach(request, why);
    process->channel().reply(request.slot, attached ? 0 : attached.error().code, attached ? *attached : why);
    return;
  }
  if (request.kind == shm::Kind::lock) return serve_lock(process, request);
  const auto bytes = answer(*process, request);
  if (bytes) {
    process->channel().reply(request.slot, 0, *bytes);
  } else {
    process->channel().reply(request.slot, bytes.error().code, size_t{0});
  }
}

Result<std::string> Service::answer(Process& process, const Request& request) {
  if (request.kind == shm::Kind::fork) return fork(process);
  if (request.kind == shm::Kind::sync) {
    OSP_TRY(pages_.flush(nullptr));
    wait_for_servers();
    return std::string();
  }
  if (request.kind == shm::Kind::end) {
    pages_.end(&process);
    process.end();
    wait_for_servers();
    return std::string();
  }
  if (request.server >= trees_.size()) return fail(EBADF);
  Tree& tree = *trees_[request.server];
  if (request.kind == shm::Kind::map) return map(process, tree, request);
  if (request.kind == shm::Kind::fifo) return fifo(process, tree, request);
  if (request.kind == shm::Kind::group) return group(process, tree, request);
  if (request.kind == shm::Kind::watch) return tree.watches->watch(request.bytes);
  if (request.kind == shm::Kind::unlocked) {
    look_at_locks();
    if (tree.locks != nullptr) tree.locks->settle();
    return std::string();
  }
  if (request.kind == shm::Kind::save) return save_memory(process, tree, pages_);
  if (request.kind == shm::Kind::load) return load_memory(process, tree, request.bytes);
  if (request.kind == shm::Kind::loaded) return end_load_memory(tree);
  return fail(EPROTO);
}

Result<std::string> Service::group(Process& process, Tree& tree, const Request& request) {
  OSP_ASSIGN(Packet packet, decode_body(request.bytes, OptionSet::all(), default_nmsgs));
  if (!std::holds_alternative<Tgroup>(packet.head)) return fail(EPROTO);
  return Group(process, tree, pages_).run(std::move(packet.messages));
}

Result<void> Service::connect(Tree& tree, std::string& why) {
  if (tree.url.starts_with("#m")) {
    OSP_ASSIGN(auto memory, MemoryUpstream::create(tree.url));
    tree.memory = &memory->files();
    tree.channel = std::move(memory);
    return {};
  }
  OSP_ASSIGN(const Url parsed, parse_url(tree.url));
  OSP_ASSIGN(auto stream, StreamUpstream::create(*loop_, parsed.address, why));
  StreamUpstream* const upstream = stream.get();  // the cache's
  auto cache = std::make_unique<Cache>(std::move(stream), KnownTree::Limits{},
                                       [this](std::function<void()> work) { start_job(std::move(work)); });
  cache->on_recall([raw = &tree] { raw->changed(); });
  cache->on_idle([this] { idle_.wake_all(); });
  tree.cache = cache.get();
  tree.channel = std::move(cache);
  tree.locks = std::make_shared<TreeLocks>(
      tree, *upstream, pages_,
      TreeLocks::Environment{.start_job = [this](std::function<void()> work) { start_job(std::move(work)); },
                             .is_locking = [this] { return is_locking(); },
                             .finish =
                                 [this, raw = &tree] {
                                   (void)pages_.flush(raw);
                                   wait_for_server(*raw);
                                 },
                             .is_lost = [upstream] { return upstream->is_lost(); },
                             .wanted = &environment_->locks_wanted});
  return {};
}

Result<Tree*> Service::find_or_add(const std::string& url, std::string& why) {
  const auto find = [&] { return std::ranges::find(trees_, url, [](const auto& tree) { return tree->url; }); };
  if (const auto found = find(); found != trees_.end()) return found->get();
  auto tree = std::make_unique<Tree>();
  tree->url = url;
  tree->watches =
      std::make_shared<TreeWatches>(*tree, [this](std::function<void()> work) { start_job(std::move(work)); });
  tree->on_change = [watches = tree->watches.get()] { watches->changed(); };
  OSP_TRY(connect(*tree, why));
  if (const auto found = find(); found != trees_.end()) return found->get();  // by another job meanwhile
  if (trees_.size() == shm::Environment::most_servers) return fail(ENFILE);
  tree->number = static_cast<uint32_t>(trees_.size());
  tree->changes = &environment_->changes[tree->number];
  trees_.push_back(std::move(tree));
  return trees_.back().get();
}

// Until all that was answered up to now is done at the servers, too.
void Service::wait_for_servers() {
  std::vector<std::pair<const Cache*, uint64_t>> behind;
  for (const auto& tree : trees_)
    if (tree->cache != nullptr && tree->cache->is_behind())
      behind.emplace_back(tree->cache, tree->cache->last_behind());
  for (const auto& [cache, last] : behind)
    while (!cache->is_done(last)) idle_.wait();
}

void Service::wait_for_server(const Tree& tree) {
  const uint64_t last = tree.cache->last_behind();
  while (!tree.cache->is_done(last)) idle_.wait();
}

Result<std::string> Service::attach(const Request& request, std::string& why) {
  const std::string url(request.bytes);
  const auto tree = find_or_add(url, why);
  if (!tree) {
    const auto parsed = parse_url(url);
    if (why.empty()) why = fmt::format("{}: {}", parsed ? parsed->address.text() : url, describe(tree.error()));
    return std::unexpected(tree.error());
  }
  std::string bytes;
  Writer writer(bytes);
  writer.u32((*tree)->number);
  writer.u32(std::min(shm::most_data, (*tree)->channel->iounit()));
  return bytes;
}

Result<std::string> Service::map(Process& process, Tree& tree, const Request& request) {
  Reader reader(request.bytes);
  const uint32_t number = reader.u32();
  const uint64_t offset = reader.u64(), size = reader.u64();
  const bool writable = reader.u8() != 0;
  const Process::Held* held = process.find(tree.number, number);
  if (!reader.finished() || held == nullptr) return fail(EBADF);
  const FidPtr fid = held->fid;
  if (!fid->is_regular) return fail(ENODEV);
  if (writable && !fid->can_write) return fail(EACCES);
  OSP_ASSIGN(const PageFilePtr pages, pages_.get(fid));
  if (size == 0) pages->is_pinned = true;
  OSP_TRY(pages->fill(fid, offset, size));
  if (writable) OSP_TRY(pages->begin_writing(fid, &process));
  Process::Held* const still = process.find(tree.number, number);
  if (still == nullptr) return fail(EBADF);
  uint32_t serial = 0;
  if (!std::exchange(still->has_pages, true)) {
    OSP_ASSIGN(serial, process.send({pages->fd()}));
  }
  std::string bytes;
  Writer writer(bytes);
  writer.u32(serial);
  writer.u64(pages->size());
  return bytes;
}

// Nothing may come between the grant and the reply, since what is granted is in use from here on.
void Service::serve_lock(const ProcessPtr& process, const Request& request) {
  const auto answer = request.server < trees_.size() ? lock(*process, *trees_[request.server], request) : fail(EBADF);
  if (!answer) {
    process->channel().reply(request.slot, answer.error().code, size_t{0});
    return;
  }
  if (answer->is_granted) process->granted_lock();
  std::string bytes;
  Writer writer(bytes);
  writer.u32(answer->is_granted ? 1 : 0), writer.u32(static_cast<uint32_t>(answer->range.type));
  writer.u64(answer->range.first), writer.u64(answer->range.last);
  if (process->channel().reply(request.slot, 0, bytes) || !answer->is_granted) return;
  process->abandoned_lock();
  look_at_locks();
}

Result<LockAnswer> Service::lock(Process& process, Tree& tree, const Request& request) {
  Reader reader(request.bytes);
  const uint32_t number = reader.u32();
  const uint8_t kind = reader.u8(), type = reader.u8();
  const LockRange wanted{.type = static_cast<LockType>(type), .first = reader.u64(), .last = reader.u64()};
  const Process::Held* const held = process.find(tree.number, number);
  const bool is_sound = reader.finished() && kind < lock_kinds && type >= 1 && type <= 2 &&
                        wanted.first <= wanted.last && wanted.last <= LockRange::most;
  if (!is_sound || held == nullptr) return fail(EBADF);
  if (tree.locks == nullptr) return LockAnswer{.is_granted = true, .range = wanted};
  const FidPtr fid = held->fid;
  return tree.locks->lock(fid, static_cast<LockKind>(kind), wanted);
}

void Service::look_at_locks() {
  for (const auto& tree : trees_)
    if (tree->locks != nullptr) tree->locks->look();
}

bool Service::is_locking() const {
  return std::ranges::any_of(processes_, [](const ProcessPtr& process) { return process->is_locking(); });
}

Result<std::string> Service::fifo(Process& process, Tree& tree, const Request& request) {
  Reader reader(request.bytes);
  const uint64_t id = reader.u64();
  if (!reader.finished()) return fail(EPROTO);
  HostFd& fd = tree.fifos[id];
  if (fd.get() < 0) {
    OSP_ASSIGN(fd, make_fifo());
  }
  OSP_ASSIGN(const uint32_t serial, process.send({fd.get()}));
  std::string bytes;
  Writer(bytes).u32(serial);
  return bytes;
}

Result<std::string> Service::fork(Process& process) {
  HostFd theirs;
  OSP_ASSIGN(const ProcessPtr child, Process::fork(process, theirs));
  pages_.inherit(&process, child.get());
  OSP_ASSIGN(const uint32_t serial,
             process.send({theirs.get(), child->channel().segment_fd(), child->channel().event_fd()}));
  OSP_TRY(add(child));
  std::string bytes;
  Writer(bytes).u32(serial);
  return bytes;
}

}  // namespace osp::keeper
