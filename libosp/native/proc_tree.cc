#include "libosp/native/proc_tree.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "libosp/file/files.h"
#include "libosp/native/proc_node.h"
#include "pip/text_part.h"

namespace osp::native {
namespace {

using pip::WalkError;
using proc::Node;

class OpenNode final : public pip::File {
 public:
  OpenNode(Node node, pip::Attributes attributes) : node_(std::move(node)), attributes_(attributes) {}
  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override {
    if (S_ISDIR(node_.mode)) return fail(EISDIR);
    return pip::read_text(node_.contents, offset, into);
  }
  Result<size_t> write(uint64_t, std::span<const std::byte>) override { return fail(EBADF); }
  Result<std::vector<pip::DirectoryEntry>> read_directory(uint64_t first, size_t count) override {
    if (!S_ISDIR(node_.mode)) return fail(ENOTDIR);
    std::vector<pip::DirectoryEntry> listed;
    for (size_t i = first; i < node_.names.size() && listed.size() < count; ++i) {
      pip::DirectoryEntry entry;
      entry.name = node_.names[i];
      entry.attributes.id = attributes_.id * 64 + i;
      entry.attributes.mode = node_.kind_of_names;
      listed.push_back(std::move(entry));
    }
    return listed;
  }
  Result<pip::Attributes> stat() override { return attributes_; }

 private:
  Node node_;
  pip::Attributes attributes_;
};

class ProcTree final : public pip::Server {
 public:
  explicit ProcTree(Processes& processes) : processes_(processes) {}

  pip::Walked<pip::Opened> open(std::string_view path, const pip::OpenMode& mode) override {
    auto node = walk(path);
    if (!node) return std::unexpected(node.error());
    if (S_ISLNK(node->mode) && !mode.path_only) return std::unexpected(WalkError::link(path.size(), node->contents));
    if (mode.exclusive) return std::unexpected(WalkError(EEXIST));
    if (mode.directory && !S_ISDIR(node->mode)) return std::unexpected(WalkError(ENOTDIR));
    if (mode.write) return std::unexpected(WalkError(EACCES));
    const pip::Attributes attributes = attributes_of(path, *node);
    return pip::Opened{std::make_unique<OpenNode>(std::move(*node), attributes), attributes};
  }
  pip::Walked<pip::Attributes> stat(std::string_view path) override {
    const auto node = walk(path);
    if (!node) return std::unexpected(node.error());
    return attributes_of(path, *node);
  }
  pip::Walked<std::string> read_link(std::string_view path) override {
    auto node = walk(path);
    if (!node) return std::unexpected(node.error());
    if (!S_ISLNK(node->mode)) return std::unexpected(WalkError(EINVAL));
    return std::move(node->contents);
  }
  pip::Walked<pip::Attributes> follow(std::string_view path) override {
    file::Description* file = nameless(path);
    if (file == nullptr) return pip::Server::follow(path);
    auto attributes = file->stat();
    if (!attributes) return std::unexpected(WalkError(attributes.error()));
    return *attributes;
  }
  pip::Walked<void> change(std::string_view path, const pip::AttributeChange& change) override {
    const auto node = walk(path);
    if (!node) return std::unexpected(node.error());
    if (!S_ISLNK(node->mode)) return refused();
    file::Description* file = nameless(path);
    if (file == nullptr) return std::unexpected(WalkError::link(path.size(), node->contents));
    if (const auto done = file->change(change); !done) return std::unexpected(WalkError(done.error()));
    return {};
  }
  pip::Walked<void> make(std::string_view, const pip::NewFile&) override { return refused(); }
  pip::Walked<void> remove(std::string_view, bool) override { return refused(); }
  pip::Walked<void> rename(std::string_view, std::string_view, unsigned) override { return refused(); }
  pip::Walked<void> link(std::string_view, std::string_view) override { return refused(); }
  Result<pip::FileSystemStat> statfs() override {
    constexpr uint64_t proc_super_magic = 0x9fa0;
    pip::FileSystemStat stat;
    stat.type = proc_super_magic;
    return stat;
  }
  [[nodiscard]] std::string name() const override { return "#proc"; }

 private:
  static pip::Walked<void> refused() { return std::unexpected(WalkError(EPERM)); }

  static pip::Attributes attributes_of(std::string_view path, const Node& node) {
    pip::Attributes a;
    a.id = std::hash<std::string_view>()(path) >> 8 | 1;
    a.mode = node.mode;
    a.atime_ns = a.mtime_ns = a.ctime_ns = proc::real_time_ns();
    return a;
  }

  // What the fd of a link PID/fd/N is open on, where that has no name. Null: it has one, or the path is no such link.
  [[nodiscard]] file::Description* nameless(std::string_view path) const {
    const size_t name = path.rfind('/');
    if (name == std::string_view::npos || !path.substr(0, name).ends_with("/fd")) return nullptr;
    const Member* member = processes_.find(proc::number_of(path.substr(0, path.find('/'))));
    if (member == nullptr || member->is_zombie()) return nullptr;
    file::Description* file = member->process->files->find(proc::number_of(path.substr(name + 1)));
    if (file == nullptr || file->path().empty()) return file;
    const auto now = file->stat();
    return now && now->links == 0 ? file : nullptr;
  }

  // A link on the way is reported; one at the end is the node.
  pip::Walked<Node> walk(std::string_view path) const {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view first = path.substr(0, slash), rest = path.substr(std::min(slash + 1, path.size()));
    std::optional<Node> node;
    if (path.empty()) {
      node = root();
    } else if (first == "self" || first == "thread-self") {
      const task::Process& p = task::process();
      std::string target = fmt::format("{}", p.pid);
      if (first != "self") target += fmt::format("/task/{}", p.scheduler.current()->tid);
      if (!rest.empty()) return std::unexpected(WalkError::link(first.size(), std::move(target)));
      node = proc::link(std::move(target));
    } else if (const Member* member = processes_.find(proc::number_of(first))) {
      for (size_t end = rest.find('/'); end != std::string_view::npos; end = rest.find('/', end + 1)) {
        const auto there = proc::process_node(*member, rest.substr(0, end));
        if (there && S_ISLNK(there->mode)) return std::unexpected(WalkError::link(slash + 1 + end, there->contents));
      }
      node = proc::process_node(*member, rest);
    } else {
      node = proc::global_node(path);
    }
    if (!node) return std::unexpected(WalkError(ENOENT));
    return std::move(*node);
  }

  [[nodiscard]] Node root() const {
    std::vector<std::string> names = proc::globals_in("");
    for (const Member* member : processes_.all()) names.push_back(fmt::format("{}", member->pid));
    for (const std::string_view name : {"mounts", "self", "thread-self"}) names.emplace_back(name);
    return proc::directory(std::move(names));
  }

  Processes& processes_;
};

}  // namespace

std::shared_ptr<pip::Server> proc_tree(Processes& processes) { return std::make_shared<ProcTree>(processes); }

}  // namespace osp::native
