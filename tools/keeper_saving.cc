#include "tools/keeper_saving.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pip/wire.h"

namespace osp::keeper {
namespace {

// A memfd as memory; empty where it has no bytes.
class Mapping {
 public:
  static Result<Mapping> create(int fd) {
    struct stat st = {};
    if (fstat(fd, &st) != 0) return fail(errno);
    Mapping made;
    if (st.st_size == 0) return made;
    made.size_ = static_cast<size_t>(st.st_size);
    made.start_ = mmap(nullptr, made.size_, PROT_READ, MAP_SHARED, fd, 0);
    return made.start_ == MAP_FAILED ? fail(errno) : Result<Mapping>(std::move(made));
  }
  Mapping(Mapping&& other) noexcept : start_(std::exchange(other.start_, MAP_FAILED)), size_(other.size_) {}
  Mapping& operator=(Mapping&&) = delete;
  ~Mapping() {
    if (start_ != MAP_FAILED) munmap(start_, size_);
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(start_), size_}; }
  [[nodiscard]] std::string_view text() const { return {static_cast<const char*>(start_), size_}; }

 private:
  Mapping() = default;
  void* start_ = MAP_FAILED;
  size_t size_ = 0;
};

Result<void> write_at(int fd, std::span<const std::byte> bytes, uint64_t at) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail(written == 0 ? EIO : errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
    at += static_cast<uint64_t>(written);
  }
  return {};
}

Result<pip::HostFd> new_memory(const char* name, uint64_t size) {
  pip::HostFd memory(memfd_create(name, MFD_CLOEXEC));
  if (memory.get() < 0 || ftruncate(memory.get(), static_cast<off_t>(size)) != 0) return fail(errno);
  return memory;
}

}  // namespace

Result<std::string> save_memory(Process& process, Tree& tree, PageCache& pages) {
  if (tree.memory == nullptr) return fail(ENODEV);
  OSP_TRY(pages.flush(&tree));
  const ns::MemSnapshot snapshot = tree.memory->tree().save();
  OSP_ASSIGN(const pip::HostFd contents, new_memory("osp-contents", snapshot.contents_size()));
  OSP_TRY(tree.memory->tree().save_contents(
      snapshot, [&](uint64_t at, std::span<const std::byte> piece) { return write_at(contents.get(), piece, at); }));
  const std::string encoded = snapshot.encode();
  OSP_ASSIGN(const pip::HostFd names, new_memory("osp-names", encoded.size()));
  OSP_TRY(write_at(names.get(), std::as_bytes(std::span(encoded)), 0));
  OSP_ASSIGN(const uint32_t serial, process.send({contents.get(), names.get()}));
  std::string reply;
  pip::Writer(reply).u32(serial);
  return reply;
}

Result<std::string> load_memory(Process& process, Tree& tree, std::string_view request) {
  if (tree.memory == nullptr) return fail(ENODEV);
  pip::Reader reader(request);
  OSP_ASSIGN(const auto sent, process.take_sent(reader.u32()));
  if (!reader.finished() || sent.size() != 2) return fail(EPROTO);
  OSP_ASSIGN(const Mapping contents, Mapping::create(sent[0].get()));
  OSP_ASSIGN(const Mapping names, Mapping::create(sent[1].get()));
  OSP_ASSIGN(const ns::MemSnapshot snapshot, ns::MemSnapshot::decode(names.text()));
  if (!snapshot.fault().empty()) return fail(EBADMSG);
  OSP_TRY(tree.memory->tree().load(snapshot, contents.bytes()));
  tree.changed();
  return std::string();
}

Result<std::string> end_load_memory(Tree& tree) {
  if (tree.memory == nullptr) return fail(ENODEV);
  tree.memory->tree().end_load();
  tree.changed();
  return std::string();
}

}  // namespace osp::keeper
