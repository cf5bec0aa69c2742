// `pip cp`: between servers, and between a server and this machine's files. The machine's files are a HostTree on
// "/", so that both sides are Servers and there is one copy loop.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "pip/host_tree.h"
#include "tools/pip_commands.h"
#include "tools/pip_print.h"

namespace osp::piptool {
namespace {

constexpr size_t piece = 4U << 20;
constexpr size_t entries_at_once = 1024;

struct Place {
  pip::Server* server = nullptr;
  std::string path;
  std::string shown;
};

std::string below(const std::string& path, const std::string& name) { return path.empty() ? name : path + "/" + name; }

Place in(const Place& directory, const std::string& name) {
  return {.server = directory.server, .path = below(directory.path, name), .shown = below(directory.shown, name)};
}

class Copier {
 public:
  explicit Copier(const Options& options) : remotes_(options.give_up_after), options_(options) {}

  Outcome<void> run() {
    OSP_ASSIGN(Place to, place(options_.names.back()));
    const bool into = is_directory(to);
    if (options_.names.size() > 2 && !into) return failure("copy several files into", to.shown, ENOTDIR);
    for (size_t i = 0; i + 1 < options_.names.size(); ++i) {
      OSP_ASSIGN(Place from, place(options_.names[i]));
      const std::string name = from.path.substr(from.path.rfind('/') + 1);
      if (pip::is_url(options_.names[i])) {
        OSP_ASSIGN(from.path, path_in_time(from.path, options_));
      }
      OSP_TRY(copy(from, into ? in(to, name) : to));
    }
    return {};
  }

 private:
  Outcome<Place> place(const std::string& name) {
    if (pip::is_url(name)) {
      const auto url = pip::parse_url(name);
      if (!url) return failure("understand", name, EINVAL);
      OSP_ASSIGN(pip::Client* const client, remotes_.client(*url));
      return Place{.server = client, .path = url->path, .shown = name};
    }
    if (!host_) {
      auto host = pip::HostTree::create("/", {});
      if (!host) return failure("open", "/", host.error().code);
      host_ = std::move(*host);
    }
    std::string path = std::filesystem::absolute(name).lexically_normal().string().substr(1);
    while (path.ends_with('/')) path.pop_back();
    return Place{.server = host_.get(), .path = path, .shown = name};
  }

  static bool is_directory(const Place& at) {
    const auto opened = open(at, {.read = false, .directory = true, .path_only = true});
    return opened.has_value();
  }

  static pip::Walked<pip::Opened> open(const Place& at, const pip::OpenMode& mode) {
    return Remotes::follow(at.path, [&](const std::string& path) -> pip::Walked<pip::Opened> {
      auto opened = at.server->open(path, mode);
      // O_PATH opens the link itself; here what it leads to is wanted.
      if (opened && mode.path_only && S_ISLNK(opened->attributes.mode)) return at.server->open(path, {.read = true});
      return opened;
    });
  }

  Outcome<void> copy(const Place& from, const Place& to) {
    auto source = open(from, {.read = true});
    if (!source) return failure("open", from.shown, source.error().code);
    if (S_ISREG(source->attributes.mode)) return copy_contents(*source, from, to);
    if (!S_ISDIR(source->attributes.mode)) return failure("copy", from.shown, EINVAL);
    if (!options_.recursive) return failure("copy without -r", from.shown, EISDIR);
    return copy_directory(*source->file, source->attributes, from, to);
  }

  Outcome<void> copy_directory(pip::File& directory, const pip::Attributes& attributes, const Place& from,
                               const Place& to) {
    const auto made = to.server->make(to.path, {.mode = S_IFDIR | (attributes.mode & 07777U) | 0700U});
    if (!made && made.error().code != EEXIST) return failure("make", to.shown, made.error().code);
    for (uint64_t index = 0;;) {
      const auto entries = directory.read_directory(index, entries_at_once);
      if (!entries) return failure("list", from.shown, entries.error().code);
      if (entries->empty()) return {};
      for (const pip::DirectoryEntry& entry : *entries)
        OSP_TRY(copy_entry(entry, in(from, entry.name), in(to, entry.name)));
      index += entries->size();
    }
  }

  Outcome<void> copy_entry(const pip::DirectoryEntry& entry, const Place& from, const Place& to) {
    if (!S_ISLNK(entry.attributes.mode)) return copy(from, to);
    const auto target =
        entry.target.empty() ? from.server->read_link(from.path) : pip::Walked<std::string>(entry.target);
    if (!target) return failure("read the link", from.shown, target.error().code);
    const auto made = to.server->make(to.path, {.mode = S_IFLNK | 0777, .target = *target});
    if (!made && made.error().code != EEXIST) return failure("make", to.shown, made.error().code);
    return {};
  }

  static Outcome<void> copy_contents(const pip::Opened& source, const Place& from, const Place& to) {
    const pip::OpenMode mode{
        .write = true, .truncate = true, .create = true, .permissions = source.attributes.mode & 0777U};
    const auto target = open(to, mode);
    if (!target) return failure("create", to.shown, target.error().code);
    Progress progress(from.shown, source.attributes.size);
    std::string buffer(piece, '\0');
    for (uint64_t offset = 0;;) {
      const auto size = source.file->read(offset, std::as_writable_bytes(std::span(buffer)));
      if (!size) return failure("read", from.shown, size.error().code);
      if (*size == 0) break;
      const auto written = target->file->write(offset, std::as_bytes(std::span(buffer)).first(*size));
      if (!written || *written < *size) return failure("write", to.shown, written ? ENOSPC : written.error().code);
      offset += *size;
      progress.show(offset);
    }
    if (auto closed = target->file->close(); !closed) return failure("write", to.shown, closed.error().code);
    return {};
  }

  Remotes remotes_;
  const Options& options_;
  std::unique_ptr<pip::HostTree> host_;
};

}  // namespace

int copy(const Options& options) {
  Copier copier(options);
  const auto copied = copier.run();
  if (!copied) fmt::print(stderr, "pip: {}\n", copied.error().what);
  return copied ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace osp::piptool
