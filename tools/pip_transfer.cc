#include "tools/pip_transfer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "pip/footprint.h"

namespace osp::piptool {
namespace {

constexpr size_t piece = 1U << 20;
constexpr size_t hole_unit = 65536;
constexpr size_t entries_at_once = 1024;

// Calls `each(path, entry)` for what is in the directory `path`.
template <class Each>
Outcome<void> for_entries(pip::Server& server, const std::string& path, Each&& each) {
  auto opened = server.open(path, {.read = true, .directory = true});
  if (!opened) return failure("open", path, opened.error().code);
  for (uint64_t index = 0;;) {
    const auto entries = opened->file->read_directory(index, entries_at_once);
    if (!entries) return failure("list", path, entries.error().code);
    if (entries->empty()) return {};
    for (const pip::DirectoryEntry& entry : *entries)
      if (!(path.empty() && entry.name == ".osp-held")) OSP_TRY(each(pip::join_paths(path, entry.name), entry));
    index += entries->size();
  }
}

class Transfer {
 public:
  Transfer(pip::Server& from, pip::Server& to, const std::function<void(uint64_t)>& progress)
      : from_(from), to_(to), progress_(progress) {}

  Outcome<Transferred> run() {
    const auto root = from_.stat("");
    if (!root) return failure("read", "the root", root.error().code);
    OSP_TRY(directory("", *root));
    return done_;
  }

 private:
  Outcome<void> directory(const std::string& path, const pip::Attributes& attributes) {
    OSP_TRY(for_entries(from_, path,
                        [&](const std::string& at, const pip::DirectoryEntry& entry) { return one(at, entry); }));
    return describe_as(path, attributes);
  }

  Outcome<void> one(const std::string& path, const pip::DirectoryEntry& entry) {
    const pip::Attributes& a = entry.attributes;
    if (S_ISDIR(a.mode)) {
      const auto made = to_.make(path, {.mode = S_IFDIR | 0700});
      if (!made && made.error().code != EEXIST) return failure("make", path, made.error().code);
      return directory(path, a);
    }
    ++done_.files;
    if (a.links > 1) {
      const auto [first, is_first] = linked_.try_emplace(a.id, path);
      if (!is_first) return link(first->second, path);
    }
    if (S_ISREG(a.mode)) {
      OSP_TRY(contents(path));
    } else {
      OSP_TRY(special(path, entry));
    }
    return describe_as(path, a);
  }

  Outcome<void> link(const std::string& first, const std::string& path) {
    auto linked = to_.link(first, path);
    if (!linked && linked.error().code == EEXIST) {
      (void)to_.remove(path, false);
      linked = to_.link(first, path);
    }
    if (!linked) return failure("link", path, linked.error().code);
    return {};
  }

  Outcome<void> special(const std::string& path, const pip::DirectoryEntry& entry) {
    std::string target = entry.target;
    if (S_ISLNK(entry.attributes.mode) && target.empty()) {
      auto read = from_.read_link(path);
      if (!read) return failure("read the link", path, read.error().code);
      target = std::move(*read);
    }
    const pip::NewFile file{.mode = entry.attributes.mode, .device = entry.attributes.device, .target = target};
    auto made = to_.make(path, file);
    if (!made && made.error().code == EEXIST) {
      (void)to_.remove(path, false);
      made = to_.make(path, file);
    }
    if (!made) return failure("make", path, made.error().code);
    return {};
  }

  Outcome<void> contents(const std::string& path) {
    auto source = from_.open(path, {.read = true});
    if (!source) return failure("open", path, source.error().code);
    auto target = to_.open(path, {.write = true, .truncate = true, .create = true, .permissions = 0600});
    if (!target) return failure("create", path, target.error().code);
    buffer_.resize(piece);
    uint64_t offset = 0;
    while (true) {
      const auto size = source->file->read(offset, std::as_writable_bytes(std::span(buffer_)));
      if (!size) return failure("read", path, size.error().code);
      if (*size == 0) break;
      OSP_TRY(write(*target->file, path, offset, std::string_view(buffer_).substr(0, *size)));
      offset += *size;
      progress_(done_.bytes += *size);
    }
    pip::AttributeChange whole;  // where it ends with a hole
    whole.has_size = true, whole.size = offset;
    if (offset != 0)
      if (auto sized = target->file->change(whole); !sized) return failure("write", path, sized.error().code);
    if (auto closed = target->file->close(); !closed) return failure("write", path, closed.error().code);
    return {};
  }

  // But for runs of zeros, which become holes.
  static Outcome<void> write(pip::File& file, const std::string& path, uint64_t offset, std::string_view bytes) {
    const bool is_last_piece = bytes.size() < piece;
    for (size_t at = 0; at < bytes.size(); at += hole_unit) {
      const std::string_view part = bytes.substr(at, hole_unit);
      const bool ends_here = is_last_piece && at + part.size() == bytes.size();
      if (!ends_here && part.find_first_not_of('\0') == std::string_view::npos) continue;
      const auto written = file.write(offset + at, std::as_bytes(std::span(part)));
      if (!written || *written < part.size()) return failure("write", path, written ? ENOSPC : written.error().code);
    }
    return {};
  }

  Outcome<void> describe_as(const std::string& path, const pip::Attributes& a) {
    copy_attributes(path);
    pip::AttributeChange owner;
    owner.has_uid = owner.has_gid = true, owner.uid = a.uid, owner.gid = a.gid;
    if (!to_.change(path, owner)) ++done_.not_kept;
    pip::AttributeChange rest;
    rest.has_mode = !S_ISLNK(a.mode), rest.mode = a.mode & 07777U;
    rest.has_atime = rest.has_mtime = true, rest.atime_ns = a.atime_ns, rest.mtime_ns = a.mtime_ns;
    if (auto set = to_.change(path, rest); !set) return failure("set the mode and times of", path, set.error().code);
    return {};
  }

  void copy_attributes(const std::string& path) {
    const auto names = from_.list_attributes(path);
    if (!names) return;
    for (const std::string& name : *names) {
      if (!name.starts_with("user.") && !name.starts_with("security.") && !name.starts_with("trusted.")) continue;
      const auto value = from_.get_attribute(path, name);
      if (!value || !to_.set_attribute(path, name, *value, 0)) ++done_.not_kept;
    }
  }

  pip::Server& from_;
  pip::Server& to_;
  const std::function<void(uint64_t)>& progress_;
  Transferred done_;
  std::map<uint64_t, std::string> linked_;  // files with several names, by id: the first
  std::string buffer_;
};

uint64_t bytes_in(pip::Server& server, const std::string& path) {
  uint64_t bytes = 0;
  (void)for_entries(server, path, [&](const std::string& at, const pip::DirectoryEntry& entry) -> Outcome<void> {
    if (S_ISDIR(entry.attributes.mode)) bytes += bytes_in(server, at);
    if (S_ISREG(entry.attributes.mode)) bytes += entry.attributes.size;
    return {};
  });
  return bytes;
}

}  // namespace

Outcome<Transferred> transfer(pip::Server& from, pip::Server& to, const std::function<void(uint64_t bytes)>& progress) {
  return Transfer(from, to, progress).run();
}

uint64_t bytes_below(pip::Server& server) { return bytes_in(server, ""); }

}  // namespace osp::piptool
