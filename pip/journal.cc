#include "pip/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <list>
#include <optional>
#include <unordered_map>

#include "pip/host_walk.h"
#include "pip/wire.h"

namespace osp::pip {

// Which journals have their files open: those that were written last, since there may be more sessions than fds.
class OpenJournals {
 public:
  // Where there are no more fds, one is closed that was not written lately.
  Result<HostFd> open(const std::string& path, int flags) {
    while (true) {
      const long fd = raw::syscall(SYS_openat, AT_FDCWD, path.c_str(), flags | O_CLOEXEC, 0600);
      if (fd >= 0) return HostFd(static_cast<int>(fd));
      if ((fd != -EMFILE && fd != -ENFILE) || recent_.empty()) return fail(static_cast<int>(-fd));
      close_oldest();
    }
  }
  void used(HostFd& fd) {
    closes(fd);
    recent_.push_front(&fd);
    where_[&fd] = recent_.begin();
    if (recent_.size() > most) close_oldest();
  }
  void closes(HostFd& fd) {
    const auto at = where_.find(&fd);
    if (at == where_.end()) return;
    recent_.erase(at->second);
    where_.erase(at);
  }

 private:
  static constexpr size_t most = 256;

  void close_oldest() {
    HostFd& oldest = *recent_.back();
    closes(oldest);
    oldest = HostFd();
  }

  std::list<HostFd*> recent_;
  std::unordered_map<HostFd*, std::list<HostFd*>::iterator> where_;
};

namespace {

using OpenJournalsPtr = std::shared_ptr<OpenJournals>;

constexpr std::string_view suffix = ".session";
constexpr size_t record_header = 8;

// FNV-1a: a torn record is to be told from a whole one, no more.
uint32_t checksum(std::string_view bytes) {
  uint32_t hash = 2166136261U;
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619U;
  return hash;
}

void frame(std::string_view record, std::string& out) {
  Writer writer(out);
  writer.u32(static_cast<uint32_t>(record.size()));
  writer.u32(checksum(record));
  out += record;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return out;
}

std::optional<std::string> unhex(std::string_view digits) {
  constexpr std::string_view alphabet = "0123456789abcdef";
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (size_t i = 0; i < digits.size(); i += 2) {
    const size_t high = alphabet.find(digits[i]);
    const size_t low = alphabet.find(digits[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = from_raw<size_t>(raw::write(fd, bytes.data(), bytes.size()));
    if (!written && written.error().code == EINTR) continue;
    if (!written) return std::unexpected(written.error());
    bytes.remove_prefix(*written);
  }
  return {};
}

class FileJournal final : public Journal {
 public:
  FileJournal(OpenJournalsPtr open, HostFd fd, std::string path, size_t size)
      : open_(std::move(open)), fd_(std::move(fd)), path_(std::move(path)), size_(size) {
    open_->used(fd_);
  }
  ~FileJournal() override { open_->closes(fd_); }

  Result<void> append(std::string_view record) override {
    if (fd_.get() < 0) {
      OSP_ASSIGN(fd_, open_->open(path_, O_WRONLY | O_APPEND));
    }
    open_->used(fd_);
    std::string framed;
    frame(record, framed);
    if (auto written = write_all(fd_.get(), framed); !written) {
      raw::syscall(SYS_ftruncate, fd_.get(), size_);  // half a record must not hide those after it
      return written;
    }
    size_ += framed.size();
    return {};
  }

  Result<void> replace(const std::vector<std::string>& records) override {
    std::string all;
    for (const std::string& record : records) frame(record, all);
    const std::string fresh = path_ + ".new";
    OSP_ASSIGN(HostFd fd, open_->open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND));
    OSP_TRY(write_all(fd.get(), all));
    OSP_TRY(from_raw<void>(raw::syscall(SYS_rename, fresh.c_str(), path_.c_str())));
    fd_ = std::move(fd);
    open_->used(fd_);
    size_ = all.size();
    return {};
  }

  void erase() override { raw::syscall(SYS_unlink, path_.c_str()); }
  [[nodiscard]] size_t size() const override { return size_; }

 private:
  OpenJournalsPtr open_;
  HostFd fd_;  // none: it was not used lately
  std::string path_;
  size_t size_;
};

class NoJournal final : public Journal {
 public:
  Result<void> append(std::string_view) override { return {}; }
  Result<void> replace(const std::vector<std::string>&) override { return {}; }
  void erase() override {}
  [[nodiscard]] size_t size() const override { return 0; }
};

Result<std::string> read_all(int fd) {
  std::string all;
  std::array<char, 65536> buffer;
  while (true) {
    OSP_ASSIGN(const size_t size, from_raw<size_t>(raw::read(fd, buffer.data(), buffer.size())));
    if (size == 0) return all;
    all.append(buffer.data(), size);
  }
}

// The whole records at the front; `good` is set to where they end.
std::vector<std::string> split_records(std::string_view all, size_t& good) {
  std::vector<std::string> records;
  good = 0;
  while (all.size() - good >= record_header) {
    Reader header(all.substr(good));
    const size_t size = header.u32();
    const uint32_t sum = header.u32();
    if (header.rest().size() < size || checksum(header.rest().substr(0, size)) != sum) break;
    records.emplace_back(header.rest().substr(0, size));
    good += record_header + size;
  }
  return records;
}

Result<LoadedJournal> load_file(const OpenJournalsPtr& open, const std::string& path, std::string token) {
  OSP_ASSIGN(HostFd fd, open->open(path, O_RDWR | O_APPEND));
  OSP_ASSIGN(const std::string all, read_all(fd.get()));
  size_t good = 0;
  std::vector<std::string> records = split_records(all, good);
  OSP_TRY(from_raw<void>(raw::syscall(SYS_ftruncate, fd.get(), good)));
  return LoadedJournal{.token = std::move(token),
                       .records = std::move(records),
                       .journal = std::make_unique<FileJournal>(open, std::move(fd), path, good)};
}

}  // namespace

FileJournalStore::FileJournalStore(std::string directory)
    : directory_(std::move(directory)), open_(std::make_shared<OpenJournals>()) {}

Result<std::unique_ptr<Journal>> NoJournalStore::create(std::string_view) { return std::make_unique<NoJournal>(); }

Result<std::unique_ptr<Journal>> FileJournalStore::create(std::string_view token) {
  const std::string path = directory_ + "/" + hex(token) + std::string(suffix);
  OSP_ASSIGN(HostFd fd, open_->open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND));
  return std::make_unique<FileJournal>(open_, std::move(fd), path, 0);
}

void FileJournalStore::erase_all() {
  if (const auto all = load())
    for (const LoadedJournal& one : *all) one.journal->erase();
}

Result<std::vector<LoadedJournal>> FileJournalStore::load() {
  std::vector<LoadedJournal> loaded;
  DIR* directory = opendir(directory_.c_str());
  if (directory == nullptr) return fail(ENOENT);
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (!name.ends_with(suffix)) continue;
    auto token = unhex(name.substr(0, name.size() - suffix.size()));
    if (!token) continue;
    if (auto one = load_file(open_, directory_ + "/" + std::string(name), std::move(*token)))
      loaded.push_back(std::move(*one));
  }
  closedir(directory);
  return loaded;
}

}  // namespace osp::pip
